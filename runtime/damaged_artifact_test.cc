// Damaged files are refused with a message; nothing crashes, nothing wrong is computed.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "runtime/artifact.h"
#include "runtime/artifact_writer.h"
#include "runtime/checksum.h"
#include "runtime/testing/test_artifact.h"

namespace mgec {
namespace {

void ExpectRefused(const std::string& bytes, const std::string& what) {
  const auto artifact = Artifact::FromBytes(bytes.data(), bytes.size(), "damaged");
  ASSERT_FALSE(artifact.ok()) << what;
  EXPECT_EQ(artifact.status().message().find("damaged: "), 0u) << artifact.status().message();
}

TEST(DamagedArtifact, CutAtAnyLength) {
  const std::string good = MakeTestArtifact();
  for (size_t length = 0; length < 110; ++length) ExpectRefused(good.substr(0, length), Format("cut at %zu", length));
  for (size_t length = 110; length < good.size(); length += 61) {
    ExpectRefused(good.substr(0, length), Format("cut at %zu", length));
  }
  ExpectRefused(good.substr(0, good.size() - 1), "one byte short");
  ExpectRefused(good + '\0', "one byte long");
}

TEST(DamagedArtifact, AnyBitFlipped) {
  const std::string good = MakeTestArtifact();
  const auto flip = [&](size_t byte, int bit) {
    std::string bad = good;
    bad[byte] ^= 1 << bit;
    ExpectRefused(bad, Format("bit %d of byte %zu", bit, byte));
  };
  const size_t table_end = 64 + 3 * 40;
  for (size_t byte = 0; byte < table_end; ++byte) flip(byte, byte % 8);
  std::mt19937 random(1);
  for (int i = 0; i < 500; ++i) flip(random() % good.size(), random() % 8);
}

// With right checksums, so that what lies behind them is tested: the file may be accepted, but is never believed blindly.
TEST(DamagedArtifact, DamagedMetadataWithGoodChecksums) {
  const std::string good = MakeTestArtifact();
  uint64_t size;
  std::memcpy(&size, good.data() + 64 + 16, sizeof(size));
  std::mt19937 random(2);
  int refused = 0;
  constexpr int kTries = 3000;
  for (int i = 0; i < kTries; ++i) {
    std::string bad = good;
    for (unsigned j = 0; j < 1 + i % 3u; ++j) bad[4096 + random() % size] = static_cast<char>(random());
    UpdateChecksums(&bad);
    refused += !Artifact::FromBytes(bad.data(), bad.size(), "damaged").ok();
  }
  EXPECT_GT(refused, kTries / 4);
  EXPECT_LT(refused, kTries);
}

TEST(DamagedArtifact, BadTableWithGoodChecksums) {
  const std::string good = MakeTestArtifact();
  const auto change = [&](size_t offset, uint64_t value, size_t width) {
    std::string bad = good;
    std::memcpy(bad.data() + offset, &value, width);
    // UpdateChecksums() would follow bad offsets; only the header's checksum is needed to get past it.
    const uint64_t zero = 0;
    std::memcpy(bad.data() + 24, &zero, 8);
    const uint32_t sections = *reinterpret_cast<const uint32_t*>(bad.data() + 16);
    if (sections < 16) {
      const uint64_t sum = HeaderChecksum(bad.data(), sections);
      std::memcpy(bad.data() + 24, &sum, 8);
    }
    ExpectRefused(bad, Format("%zu <- %llu", offset, static_cast<unsigned long long>(value)));
  };
  for (uint64_t value : {0ull, 1ull, 2ull, 4ull, 1ull << 31, 0xffffffffull}) change(16, value, 4);  // section count
  for (size_t section = 0; section < 3; ++section) {
    const size_t entry = 64 + 40 * section;
    change(entry + 0, 77, 4);                       // kind
    change(entry + 4, 1, 4);                        // reserved
    for (uint64_t value : {uint64_t{0}, uint64_t{1}, uint64_t{100000}, ~uint64_t{0}, ~uint64_t{4095}}) {
      change(entry + 8, value, 8);                  // offset
      change(entry + 16, value + 2, 8);             // size
    }
    change(entry + 24, 1, 8);                       // checksum
    change(entry + 32, 1, 8);                       // reserved
  }
  change(64, 2, 4);       // metadata becomes constants
  change(64 + 40, 1, 4);  // constants become metadata
  change(64 + 80, 2, 4);  // code becomes constants
  change(20, 1, 4);       // reserved fields of the header
  change(63, 1, 1);
}

}  // namespace
}  // namespace mgec
