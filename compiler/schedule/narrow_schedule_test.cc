// Constants of float16 and bfloat16 networks in 16 bits.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

// Weights are rounded: 11 bits of float16, 8 of bfloat16 remain.
double Tolerance(DTypeKind kind) { return kind == DTypeKind::kFloat16 ? 2e-3 : 2e-2; }
const char* Name(DTypeKind kind) { return kind == DTypeKind::kFloat16 ? "f16" : "bf16"; }

TEST(NarrowScheduleTest, Contractions) {
  for (DTypeKind kind : {DTypeKind::kFloat16, DTypeKind::kBFloat16}) {
    ScheduleTester t(1);
    t.set_tolerance(Tolerance(kind));
    t.graph().set_float_storage(kind);
    t.Expect(t.Add("conv2d", {t.Input({1, 3, 9, 9}), t.Constant({21, 3, 3, 3})}, {{"pad", Ints{1, 1}}}));
    t.Expect(t.Add("conv2d", {t.Blocked({1, 21, 5, 6}), t.Constant({18, 21, 1, 1})}));
    t.Expect(t.Add("matmul", {t.Input({5, 70}), t.Constant({70, 33})}));
    t.Expect(t.Add("matmul", {t.Input({2, 5, 30}), t.Constant({2, 30, 9})}));
    t.Check();
    EXPECT_TRUE(t.KernelsContain(Name(kind)));
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(NarrowScheduleTest, Winograd) {
  ScheduleTester t(2);
  t.set_tolerance(2e-2);
  t.graph().set_float_storage(DTypeKind::kFloat16);
  t.Expect(t.Add("conv2d", {t.Blocked({1, 64, 16, 16}), t.Constant({64, 64, 3, 3})}, {{"pad", Ints{1, 1}}}));
  t.Check();
  EXPECT_TRUE(t.KernelsContain("f16"));
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(NarrowScheduleTest, WindowsOfChannels) {
  for (DTypeKind kind : {DTypeKind::kFloat16, DTypeKind::kBFloat16}) {
    ScheduleTester t(3);
    t.set_tolerance(Tolerance(kind));
    t.graph().set_float_storage(kind);
    t.Expect(t.Add("conv2d", {t.Blocked({1, 19, 9, 7}), t.Constant({19, 1, 1, 3, 3})},
                   {{"pad", Ints{1, 1}}, {"group", int64_t{19}}}));
    t.Check();
    EXPECT_TRUE(t.KernelsContain(Name(kind)));
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Weights that are multiplied by a gate of channels on the way are float32.
TEST(NarrowScheduleTest, Gates) {
  ScheduleTester t(5);
  t.set_tolerance(2e-3);
  t.graph().set_float_storage(DTypeKind::kFloat16);
  Value* x = t.Add("mul", {t.Blocked({1, 64, 12, 12}), t.Input({1, 64, 1, 1})});
  t.Expect(t.Add("conv2d", {x, t.Constant({8, 64, 1, 1})}));
  t.Check();
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Other constants stay what they are: those that fit become narrow, the others do not.
TEST(NarrowScheduleTest, ConstantsKeepTheirValues) {
  for (bool fits : {true, false}) {
    ScheduleTester t(4);
    t.graph().set_float_storage(DTypeKind::kFloat16);
    std::vector<float> table(40 * 20);
    for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<float>(i) / (fits ? 4.0f : 3.0f);
    Value* rows = t.graph().AddConstant({DTypeKind::kFloat32, {40, 20}},
                                        std::string(reinterpret_cast<const char*>(table.data()), table.size() * 4));
    t.set_integers(0, 39);
    t.Expect(t.Add("gather", {rows, t.Input({7}, DTypeKind::kInt32)}, {{"axis", int64_t{0}}}));
    t.Expect(t.Add("add", {rows, t.Input({40, 20})}));
    t.Check();
    EXPECT_EQ(t.KernelsContain("f16"), fits);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
