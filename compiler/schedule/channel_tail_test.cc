#include "compiler/schedule/channel_tail.h"

#include <cstring>
#include <vector>

#include "compiler/schedule/contraction.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

TEST(ChannelTailTest, WhereLanesWouldBeWasted) {
  EXPECT_EQ(TailChannels(58, 7, 784), 2);
  EXPECT_EQ(TailChannels(116, 14, 196), 4);
  EXPECT_EQ(TailChannels(9, 2, 16), 1);
  EXPECT_EQ(TailChannels(64, 7, 784), 0);  // nothing to waste
  EXPECT_EQ(TailChannels(61, 7, 784), 0);  // not enough
  EXPECT_EQ(TailChannels(4, 7, 784), 0);   // no block beside it
  EXPECT_EQ(TailChannels(58, 1, 784), 0);  // adding up lanes costs more
  EXPECT_EQ(TailChannels(58, 7, 15), 0);   // no tiles
}

TEST(ChannelTailTest, WeightsRunAlongKThenBlocksOfChannels) {
  const auto weight = [](int64_t k, int64_t n) { return static_cast<float>(k * 100 + n); };
  const std::string packed = PackTail(2, 1, 24, 3, kernel::Scalar::kFloat32, weight);
  ASSERT_EQ(static_cast<int64_t>(packed.size()), TailSize(2, 1, 3) * 4);
  std::vector<float> w(packed.size() / 4);
  std::memcpy(w.data(), packed.data(), packed.size());
  EXPECT_EQ(w[1], 124);        // k = 1 of channel 24
  EXPECT_EQ(w[8], 25);         // k = 0 of the next channel
  EXPECT_EQ(w[24 + 7], 1524);  // k = 15 of channel 24
  EXPECT_EQ(w[48], 1624);      // the single entry
  EXPECT_EQ(w[50], 1626);
  EXPECT_EQ(w[51], 0);  // no such channel
  EXPECT_EQ(PackTail(2, 1, 24, 3, kernel::Scalar::kFloat16, weight).size() * 2, packed.size());
  EXPECT_EQ(PackTail(2, 1, 24, 0, kernel::Scalar::kFloat32, weight), "");
}

TEST(ChannelTailTest, SumsFitIntoRegisters) {
  for (const kernel::Target& target : kernel::AllTargets()) {
    const int registers = target.RegistersOf(kBlock);
    for (int tail = 1; tail <= 4; ++tail) {
      EXPECT_GE(TailHeight(target, tail), 2) << target.name;
      EXPECT_LE(TailHeight(target, tail) * tail + tail + 1, registers) << target.name;
    }
  }
}

}  // namespace
}  // namespace mgec::schedule
