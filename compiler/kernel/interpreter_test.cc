#include "compiler/kernel/interpreter.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace mgec::kernel {
namespace {

class InterpreterTest : public ::testing::Test {
 protected:
  InterpreterTest() {
    k_.name = "k";
    k_.task = MakeVar("task");
    k_.arguments = {x_, y_};
    for (size_t i = 0; i < in_.size(); ++i) in_[i] = static_cast<float>(i);
  }

  absl::Status Run(Block& b) {
    k_.body = b.Take();
    const BufferView views[] = {{in_.data(), static_cast<int64_t>(in_.size() * 4)},
                                {out_.data(), static_cast<int64_t>(out_.size() * 4)}};
    return Interpret(k_, views, 0, k_.tasks);
  }
  // The value of a scalar expression.
  float Evaluate(Expr e) {
    Block b;
    b.Store(y_, Int(0), Cast(Type(), std::move(e)));
    const absl::Status s = Run(b);
    EXPECT_TRUE(s.ok()) << s;
    return out_[0];
  }

  Buffer x_ = ArgumentBuffer("x", Scalar::kFloat32, 64, 0, 4), y_ = ArgumentBuffer("y", Scalar::kFloat32, 64, 1, 4);
  std::vector<float> in_ = std::vector<float>(64), out_ = std::vector<float>(64);
  Kernel k_;
};

TEST_F(InterpreterTest, LoopsTasksAndBranches) {
  k_.tasks = 4;
  Block b;
  b.For("i", 0, 4, [&](Block& b, Expr i) {
    const Expr at = Use(k_.task) * 4 + i;
    b.If(i < 2, [&](Block& b) { b.Store(y_, at, Load(x_, at) * Float(2)); },
         [&](Block& b) { b.Store(y_, at, Float(-1)); });
  });
  ASSERT_TRUE(Run(b).ok());
  for (int i = 0; i < 16; ++i) EXPECT_EQ(out_[i], i % 4 < 2 ? 2.0f * i : -1.0f);
}

TEST_F(InterpreterTest, RunsTheTasksAskedFor) {
  k_.tasks = 8;
  Block b;
  b.Store(y_, Use(k_.task), Float(1));
  k_.body = b.Take();
  const BufferView views[] = {{in_.data(), 256}, {out_.data(), 256}};
  ASSERT_TRUE(Interpret(k_, views, 2, 5).ok());
  for (int i = 0; i < 8; ++i) EXPECT_EQ(out_[i], i >= 2 && i < 5 ? 1 : 0);
  EXPECT_EQ(Interpret(k_, views, 0, 9).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Interpret(k_, {}, 0, 1).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(InterpreterTest, VariablesKeepTheirValueWhenRegistersChange) {
  Buffer r = RegisterBuffer("r", Scalar::kFloat32, 1, 1);
  Block b;
  b.Set(r, 0, Float(1));
  Expr before = b.Let("before", Reg(r, 0));
  b.Set(r, 0, Float(2));
  b.Store(y_, Int(0), before * Float(10) + Reg(r, 0));
  ASSERT_TRUE(Run(b).ok());
  EXPECT_EQ(out_[0], 12);
}

TEST_F(InterpreterTest, VectorsGatherScatterAndMask) {
  Block b;
  b.Store(y_, Ramp(Int(8), 2, 4), Load(x_, Ramp(Int(3), -1, 4)));
  b.Store(y_, Int(0), Load(x_, Int(60), 8, Ramp(Int(60), 1, 8) < 64) + Float(1), Ramp(Int(0), 1, 8) < 6);
  ASSERT_TRUE(Run(b).ok());
  EXPECT_EQ(std::vector<float>(out_.begin(), out_.begin() + 16),
            std::vector<float>({61, 62, 63, 64, 1, 1, 0, 0, 3, 0, 2, 0, 1, 0, 0, 0}));
}

TEST_F(InterpreterTest, LanesMoveAndReduce) {
  const Expr v = Load(x_, Int(1), 4);  // 1 2 3 4
  EXPECT_EQ(Evaluate(HorizontalReduce(Op::kReduceAdd, v)), 10);
  EXPECT_EQ(Evaluate(HorizontalReduce(Op::kReduceMax, Slice(v, 1, 2))), 3);
  EXPECT_EQ(Evaluate(HorizontalReduce(Op::kReduceMin, ConcatLanes(v, Load(x_, Int(0))))), 0);
  EXPECT_EQ(Evaluate(Slice(Shuffle(v, {3, 0}), 0, 1)), 4);
  EXPECT_EQ(Evaluate(HorizontalReduce(Op::kReduceAdd, Ramp(Int(5), 3, 3))), 5 + 8 + 11);
}

TEST_F(InterpreterTest, IntegersWrap) {
  const Type i8(Scalar::kInt8), u8(Scalar::kUint8);
  EXPECT_EQ(Evaluate(Int(127, i8) + Int(1, i8)), -128);
  EXPECT_EQ(Evaluate(Int(0, u8) - Int(1, u8)), 255);
  EXPECT_EQ(Evaluate(Unary(Op::kNot, Int(1, u8))), 254);
  EXPECT_EQ(Evaluate(Cast(i8, Cast(Type(Scalar::kInt32), Load(x_, Int(60)) * Float(5)))), 44);
  EXPECT_EQ(Evaluate(Binary(Op::kDiv, Int(-128, i8), Int(-1, i8))), -128);
}

TEST_F(InterpreterTest, DivisionRoundsAsSaid) {
  const Expr seven = Cast(Type(Scalar::kInt32), Load(x_, Int(7)));
  const Type i32(Scalar::kInt32);
  const Expr minus_seven = Unary(Op::kNeg, seven);
  EXPECT_EQ(Evaluate(minus_seven / Int(2, i32)), -3);
  EXPECT_EQ(Evaluate(Binary(Op::kMod, minus_seven, Int(2, i32))), -1);
  EXPECT_EQ(Evaluate(FloorDiv(minus_seven, Int(2, i32))), -4);
  EXPECT_EQ(Evaluate(FloorMod(minus_seven, Int(2, i32))), 1);
  EXPECT_EQ(Evaluate(FloorMod(seven, Int(-2, i32))), -1);
}

TEST_F(InterpreterTest, FloatsToIntegersSaturate) {
  in_[0] = 1e20f;
  in_[1] = -1e20f;
  in_[2] = std::numeric_limits<float>::quiet_NaN();
  in_[3] = -2.9f;
  auto cast = [&](Scalar s, int i) { return Evaluate(Cast(Type(s), Load(x_, Int(i)))); };
  EXPECT_EQ(cast(Scalar::kInt8, 0), 127);
  EXPECT_EQ(cast(Scalar::kUint8, 1), 0);
  EXPECT_EQ(cast(Scalar::kInt32, 0), 2147483648.0f);
  EXPECT_EQ(cast(Scalar::kInt32, 2), -2147483648.0f);  // NaN: the lowest
  EXPECT_EQ(cast(Scalar::kInt32, 3), -2);
  EXPECT_EQ(cast(Scalar::kUint16, 3), 0);
}

TEST_F(InterpreterTest, MinAndMaxTakeTheSecondOfNan) {
  in_[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(Evaluate(Min(Load(x_, Int(0)), Load(x_, Int(1)))), 1);
  EXPECT_TRUE(std::isnan(Evaluate(Max(Load(x_, Int(1)), Load(x_, Int(0))))));
}

TEST_F(InterpreterTest, OutOfBoundsNamesBufferAndIndex) {
  k_.tasks = 3;
  Block b;
  b.Store(y_, Int(0), Load(x_, Use(k_.task) * 31, 8));
  absl::Status s = Run(b);
  EXPECT_EQ(s.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(s.message(), "kernel k, task 2: reads x[64] of 64 elements");

  k_.tasks = 1;
  b.Store(y_, Use(k_.task) - 1, Float(0));
  EXPECT_EQ(Run(b).message(), "kernel k, task 0: writes y[-1] of 64 elements");

  Buffer tmp = StackBuffer("tmp", Scalar::kInt8, 10);
  b.Store(tmp, Use(k_.task) + 10, Int(0, Type(Scalar::kInt8)));
  EXPECT_EQ(Run(b).message(), "kernel k, task 0: writes tmp[10] of 10 elements");

  in_.resize(10);  // less memory than the kernel declares
  b.Store(y_, Int(0), Load(x_, Int(10)));
  EXPECT_EQ(Run(b).message(), "kernel k, task 0: reads x[10] of 10 elements");
}

TEST_F(InterpreterTest, DivisionByZeroIsAnError) {
  Block b;
  b.Store(y_, Int(0), Cast(Type(), FloorDiv(Int(1), Use(k_.task))));
  absl::Status s = Run(b);
  EXPECT_EQ(s.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(s.message(), "kernel k, task 0: division by zero");
}

TEST_F(InterpreterTest, RegistersDoNotSurviveATask) {
  k_.tasks = 2;
  Buffer r = RegisterBuffer("r", Scalar::kFloat32, 1, 1);
  Block b;
  b.If(Use(k_.task) < 1, [&](Block& b) { b.Set(r, 0, Float(5)); });
  b.Store(y_, Use(k_.task), Reg(r, 0));
  ASSERT_TRUE(Run(b).ok());
  EXPECT_EQ(out_[0], 5);
  EXPECT_TRUE(std::isnan(out_[1]));
}

// Worked out by hand; nothing saturates, sums wrap.
TEST(InterpreterDotTest, Groups) {
  const int16_t a[] = {-32768, -32768, 3, -4}, b[] = {-32768, -32768, 100, 7};
  const uint8_t u[] = {255, 255, 255, 255, 1, 2, 3, 4};
  const int8_t s[] = {-128, -128, -128, -128, 127, -1, 0, 5};
  const int32_t sums[] = {0, 1000};
  int32_t out[4];
  Kernel k;
  k.name = "k";
  k.task = MakeVar("task");
  k.arguments = {ArgumentBuffer("a", Scalar::kInt16, 4, 0, 2), ArgumentBuffer("b", Scalar::kInt16, 4, 1, 2),
                 ArgumentBuffer("u", Scalar::kUint8, 8, 2, 1), ArgumentBuffer("s", Scalar::kInt8, 8, 3, 1),
                 ArgumentBuffer("sums", Scalar::kInt32, 2, 4, 4), ArgumentBuffer("out", Scalar::kInt32, 4, 5, 4)};
  Block block;
  const Expr sum = Load(k.arguments[4], Int(0), 2);
  block.Store(k.arguments[5], Int(0), Dot(Load(k.arguments[0], Int(0), 4), Load(k.arguments[1], Int(0), 4), sum));
  block.Store(k.arguments[5], Int(2), Dot(Load(k.arguments[2], Int(0), 8), Load(k.arguments[3], Int(0), 8), sum));
  k.body = block.Take();
  auto view = [](const auto& array) { return BufferView{const_cast<void*>(static_cast<const void*>(array)), sizeof(array)}; };
  const BufferView views[] = {view(a), view(b), view(u), view(s), view(sums), view(out)};
  const absl::Status status = Interpret(k, views, 0, 1);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(out[0], INT32_MIN);  // 2^31
  EXPECT_EQ(out[1], 1000 + 300 - 28);
  EXPECT_EQ(out[2], -4 * 255 * 128);
  EXPECT_EQ(out[3], 1000 + 127 - 2 + 20);
}

}  // namespace
}  // namespace mgec::kernel
