#include <cstring>

#include "compiler/mge/test_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

using testing::HasSubstr;
namespace param = fbs::param;
using Item = param::IndexDescMaskItem;

// The operands after x are single numbers.
std::string Subtensor(std::vector<int64_t> shape, std::vector<Item> items, const std::vector<int>& operands) {
  TestModel m;
  std::vector<int> inputs = {m.Input("x", std::move(shape))};
  for (int operand : operands) inputs.push_back(m.Ints({operand}));
  m.Output(m.Op("Subtensor", inputs, [&](auto& b) { return param::CreateIndexDescMaskDumpDirect(b, &items); }));
  return m.Text();
}

TEST(ImportIndexTest, Ranges) {
  const Item begin_end(1, true, true, false, false), all(0, true, true, true, false);
  const Item step(0, false, false, true, false), begin(0, true, false, false, false);
  EXPECT_EQ(Subtensor({4, 6}, {begin_end}, {1, -1}), "slice begin=[0,1] end=[4,5] step=[1,1] -> f32[4,4]\n");
  EXPECT_EQ(Subtensor({4, 6}, {begin_end}, {-100, 100}), "") << "what lies outside is cut";
  EXPECT_EQ(Subtensor({4, 6}, {begin_end}, {5, 2}), "slice begin=[0,5] end=[4,2] step=[1,1] -> f32[4,0]\n");
  EXPECT_EQ(Subtensor({7}, {all}, {1, 6, 2}), "slice begin=[1] end=[6] step=[2] -> f32[3]\n");
  EXPECT_EQ(Subtensor({7}, {step}, {-1}), "slice begin=[6] end=[-1] step=[-1] -> f32[7]\n");
  EXPECT_EQ(Subtensor({7}, {all}, {-2, 0, -2}), "slice begin=[5] end=[0] step=[-2] -> f32[3]\n");
  EXPECT_EQ(Subtensor({7}, {begin}, {3}), "slice begin=[3] end=[7] step=[1] -> f32[4]\n");
  EXPECT_THAT(Subtensor({7}, {step}, {0}), HasSubstr("step of a range is 0"));
}

TEST(ImportIndexTest, IndicesDropTheirAxis) {
  const Item first(0, false, false, false, true), last(-1, false, false, false, true);
  EXPECT_EQ(Subtensor({4, 6}, {first}, {2}),
            "slice begin=[2,0] end=[3,6] step=[1,1] -> f32[1,6]\nreshape shape=[6] -> f32[6]\n");
  EXPECT_EQ(Subtensor({4, 6}, {last, first}, {-1, 0}),
            "slice begin=[0,5] end=[1,6] step=[1,1] -> f32[1,1]\nreshape shape=[1] -> f32[1]\n");
  EXPECT_THAT(Subtensor({4, 6}, {first}, {4}), HasSubstr("index 4 is outside"));
  EXPECT_THAT(Subtensor({4, 6}, {first}, {-5}), HasSubstr("outside"));
}

TEST(ImportIndexTest, ChecksTheItems) {
  const Item first(0, false, false, false, true), both(0, true, false, false, true), far(3, true, false, false, false);
  EXPECT_THAT(Subtensor({4}, {first}, {}), HasSubstr("has 1 inputs, needs 2"));
  EXPECT_THAT(Subtensor({4}, {first}, {1, 1}), HasSubstr("has 3 inputs, needs 2"));
  EXPECT_THAT(Subtensor({4}, {first, first}, {1, 1}), HasSubstr("indexed twice"));
  EXPECT_THAT(Subtensor({4}, {both}, {1, 1}), HasSubstr("an index and a range"));
  EXPECT_THAT(Subtensor({4}, {far}, {1}), HasSubstr("axis 3 does not exist"));
}

TEST(ImportIndexTest, GathersAlongAxes) {
  const auto text = [](std::vector<Item> items, int extra) {
    TestModel m;
    std::vector<int> inputs = {m.Input("x", {4, 6}), m.Input("i", {2, 3}, fbs::DTypeEnum::Int32)};
    for (int i = 0; i < extra; ++i) inputs.push_back(m.Ints({1}));
    m.Output(m.Op("IndexingMultiAxisVec", inputs,
                  [&](auto& b) { return param::CreateIndexDescMaskDumpDirect(b, &items); }));
    return m.Text();
  };
  const Item on_1(1, false, false, false, true), on_0(0, false, false, false, true);
  const Item from_1(0, true, false, false, false);
  EXPECT_EQ(text({on_1}, 0), "gather axis=1 -> f32[4,2,3]\n");
  EXPECT_EQ(text({on_1, from_1}, 1),
            "slice begin=[1,0] end=[4,6] step=[1,1] -> f32[3,6]\ngather axis=1 -> f32[3,2,3]\n");
  EXPECT_EQ(text({on_1, on_0}, 1), "gather_nd axes=[0,1] -> f32[2,3]\n");
}

std::vector<float> Values(const TestModel& m) {
  const graph::Graph g = m.Import().value();
  const std::string& data = *g.outputs()[0].value->producer->data;
  std::vector<float> values(data.size() / sizeof(float));
  std::memcpy(values.data(), data.data(), data.size());
  return values;
}

TEST(ImportIndexTest, LinspaceIsAConstant) {
  const auto linspace = [](float start, float stop, int count, bool endpoint) {
    TestModel m;
    m.Output(m.Op("Linspace", {m.Floats({1}, {start}), m.Floats({1}, {stop}), m.Ints({count})},
                  [&](auto& b) { return param::CreateLinspace(b, endpoint); }));
    return Values(m);
  };
  EXPECT_EQ(linspace(0, 4, 5, true), (std::vector<float>{0, 1, 2, 3, 4}));
  EXPECT_EQ(linspace(0, 4, 4, false), (std::vector<float>{0, 1, 2, 3}));
  EXPECT_EQ(linspace(3, 9, 1, true), (std::vector<float>{3}));
  const std::vector<float> large = linspace(0, 100000, 100001, true);
  for (size_t i = 0; i < large.size(); ++i) ASSERT_EQ(large[i], static_cast<float>(i));
}

TEST(ImportIndexTest, EyeIsAConstant) {
  TestModel m;
  m.Output(m.Op("Eye", {m.Ints({2, 3})}, [](auto& b) { return param::CreateEye(b, 1); }));
  EXPECT_EQ(Values(m), (std::vector<float>{0, 1, 0, 0, 0, 1}));
}

}  // namespace
}  // namespace mgec::mge
