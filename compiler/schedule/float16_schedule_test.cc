// Networks of float16 and bfloat16: tensors between kernels are 16 bits wide. The definitions of the graph after all passes round
// the same tensors; what differs is the order of sums, and so at times the last bit of what was rounded.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

constexpr DTypeKind kKinds[] = {DTypeKind::kFloat16, DTypeKind::kBFloat16};
double Tolerance(DTypeKind kind) { return kind == DTypeKind::kFloat16 ? 2e-3 : 1.6e-2; }

class Tester : public ScheduleTester {
 public:
  Tester(DTypeKind kind, uint32_t salt) : ScheduleTester(salt), kind_(kind) { set_tolerance(Tolerance(kind)); }

  Value* In(const Shape& shape) { return Input(shape, kind_); }
  Value* Weights(const Shape& shape) { return Constant(shape, kind_); }
  // A small factor keeps sums of many products within what float16 can hold.
  Value* Scaled(Value* x, float factor) {
    return Add("mul", {x, Add("cast", {Scalar(factor)}, {{"dtype", ToString(graph::DType(kind_))}})});
  }
  // A tensor between two kernels, in blocks of channels.
  Value* Between(const Shape& shape) {
    const int64_t channels = Int(1, 12);
    return Add("relu", {Add("conv2d", {In({shape[0], channels, shape[2], shape[3]}), Weights({shape[1], channels, 1, 1})})});
  }
  // A tensor between two kernels, dense.
  Value* DenseBetween(const Shape& shape) { return Add("tanh", {In(shape)}); }
  // The kernels read and write the kind.
  bool Stores() const { return KernelsContain(kind_ == DTypeKind::kFloat16 ? "t0: f16[" : "t0: bf16[") || ReadsInput(); }
  bool ReadsInput() const { return KernelsContain(kind_ == DTypeKind::kFloat16 ? "in: f16[" : "in: bf16["); }

 private:
  const DTypeKind kind_;
};

TEST(Float16ScheduleTest, Convolutions) {
  for (DTypeKind kind : kKinds) {
    int narrow = 0;  // small tensors of light kernels stay float32
    for (uint32_t i = 0; i < 5; ++i) {
      Tester t(kind, 100 + i);
      const int64_t c = t.Coin() ? 8 * t.Int(1, 3) : t.Int(9, 22), oc = t.Int(1, 40), k = t.OneOf<int64_t>({1, 1, 2, 3});
      const int64_t stride = t.Int(1, 2), pad = k == 1 ? 0 : t.Int(0, 1);
      Value* x = t.Between({t.Int(1, 2), c, t.Int(4, 6), t.Int(4, 28)});
      Value* y = t.Add("conv2d", {x, t.Weights({oc, c, k, k})}, {{"stride", Ints{stride, stride}}, {"pad", Ints{pad, pad}}});
      Value* residual = t.Between(y->type.shape);
      t.Expect(t.Add("relu", {t.Add("add", {t.Add("add", {y, t.Weights({1, oc, 1, 1})}), residual})}));
      t.CheckAfterPasses();
      narrow += t.ReadsInput();
    }
    EXPECT_GE(narrow, 2);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// K is added up in several chunks; the sums between these are float32.
TEST(Float16ScheduleTest, LongSums) {
  for (DTypeKind kind : kKinds) {
    Tester t(kind, 200);
    Value* x = t.Scaled(t.Between({1, 1160, 2, 3}), 1.0f / 16);
    t.Expect(t.Scaled(t.Add("conv2d", {x, t.Weights({21, 1160, 1, 1})}), 1.0f / 16));
    t.Expect(t.Scaled(t.Add("matmul", {t.DenseBetween({5, 1100}), t.Weights({1100, 19})}), 1.0f / 16));
    t.CheckAfterPasses();
    EXPECT_TRUE(t.KernelsContain("partial: f32["));
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(Float16ScheduleTest, Winograd) {
  for (DTypeKind kind : kKinds) {
    Tester t(kind, 300);
    t.set_tolerance(10 * Tolerance(kind));
    Value* x = t.Scaled(t.Between({1, 64, 16, 16}), 1.0f / 16);
    t.Expect(t.Add("conv2d", {x, t.Weights({64, 64, 3, 3})}, {{"pad", Ints{1, 1}}}));
    t.CheckAfterPasses();
    EXPECT_GT(t.CountOps("winograd_input"), 0);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(Float16ScheduleTest, Windows) {
  for (DTypeKind kind : kKinds) {
    int bands = 0;
    for (uint32_t i = 0; i < 4; ++i) {
      Tester t(kind, 400 + i);
      const int64_t c = t.Int(4, 20), k = t.OneOf<int64_t>({3, 3, 5}), stride = t.Int(1, 2), pad = t.Int(0, k / 2);
      const Shape shape = {t.Int(1, 2), c, t.Int(5, 12), t.OneOf<int64_t>({5, 9, 16, 70})};
      Value* y = t.Add("conv2d", {t.Between(shape), t.Weights({c, 1, 1, k, k})},
                       {{"stride", Ints{stride, stride}}, {"pad", Ints{pad, pad}}, {"group", c}});
      t.Expect(t.Add("relu", {t.Add("add", {y, t.Weights({1, c, 1, 1})})}));
      const std::string mode = t.OneOf<const char*>({"max", "average"});
      t.Expect(t.Add("pool2d", {t.Between(shape)},
                     {{"mode", mode}, {"window", Ints{k, k}}, {"stride", Ints{stride, stride}}, {"pad", Ints{pad, pad}}}));
      t.CheckAfterPasses();
      EXPECT_TRUE(t.Stores());
      bands += t.KernelsContain("band[");
    }
    EXPECT_GE(bands, 1);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(Float16ScheduleTest, MatrixProducts) {
  for (DTypeKind kind : kKinds) {
    for (uint32_t i = 0; i < 5; ++i) {
      Tester t(kind, 500 + i);
      const int64_t m = t.Int(1, 40), k = t.Int(1, 70), n = t.Int(1, 60), batch = t.Int(1, 3);
      const int64_t ta = t.Int(0, 1), tb = t.Int(0, 1);
      const Shape a = ta ? Shape{batch, k, m} : Shape{batch, m, k}, b = tb ? Shape{batch, n, k} : Shape{batch, k, n};
      Value* right = t.Coin() ? t.Weights(b) : t.DenseBetween(b);
      Value* y = t.Add("matmul", {t.DenseBetween(a), right}, {{"transpose_a", ta}, {"transpose_b", tb}});
      t.Expect(t.Add("softmax", {y}, {{"axis", int64_t{2}}}));
      t.Expect(t.Add("matmul", {t.Add("tanh", {t.In({m, k})}), t.Weights({k, n})}));
      t.CheckAfterPasses();
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Filters and gates that the network computes.
TEST(Float16ScheduleTest, ComputedOperands) {
  for (DTypeKind kind : kKinds) {
    Tester t(kind, 600);
    Value* x = t.Between({1, 24, 7, 9});
    t.Expect(t.Add("conv2d", {x, t.Add("tanh", {t.In({9, 24, 1, 1})})}));
    Value* gate = t.Add("sigmoid", {t.In({1, 64, 1, 1})});
    Value* gated = t.Add("mul", {t.Between({1, 64, 12, 12}), gate});
    t.Expect(t.Add("conv2d", {gated, t.Weights({8, 64, 1, 1})}));
    t.CheckAfterPasses();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// What only moves elements, also constants among them.
TEST(Float16ScheduleTest, Views) {
  for (DTypeKind kind : kKinds) {
    for (uint32_t i = 0; i < 3; ++i) {
      Tester t(kind, 700 + i);
      const int64_t h = t.Int(2, 6), w = t.Int(2, 6), c = t.Int(3, 20);
      Value* x = t.Between({1, c, h, w});
      Value* both = t.Add("concat", {x, t.Between({1, 16, h, w}), t.Weights({1, 3, h, w})}, {{"axis", int64_t{1}}});
      Value* part = t.Add("slice", {both}, {{"begin", Ints{0, 2, 0, 0}}, {"end", Ints{1, c + 17, h, w}}, {"step", Ints{1, 1, 1, 1}}});
      t.Expect(t.Add("conv2d", {part, t.Weights({9, c + 15, 1, 1})}));
      Value* rows = t.Add("concat", {x, t.Weights({1, c, 2, w})}, {{"axis", int64_t{2}}});
      t.Expect(t.Add("tanh", {t.Add("transpose", {rows}, {{"perm", Ints{0, 2, 3, 1}}})}));
      t.set_integers(0, 30);
      Value* embedded = t.Add("gather", {t.Weights({31, 12}), t.Input({9}, DTypeKind::kInt32)}, {{"axis", int64_t{0}}});
      t.Expect(t.Add("layer_norm", {t.Add("reshape", {embedded}, {{"shape", Ints{3, 36}}})}, {{"axes", Ints{1}}}));
      t.CheckAfterPasses();
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
