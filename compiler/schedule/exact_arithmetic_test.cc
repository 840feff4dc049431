#include "compiler/schedule/exact_arithmetic.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "compiler/kernel/interpreter.h"
#include "compiler/kernel/lower.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using kernel::Buffer;
using kernel::Expr;
using kernel::Float;
using kernel::Int;
using kernel::Op;
using kernel::Scalar;
using kernel::Type;

// out[i] = f(in[i]), as bytes.
template <typename T, typename F>
std::string Apply(const std::vector<T>& in, Scalar from, Scalar to, const F& f) {
  const int64_t n = static_cast<int64_t>(in.size());
  std::string out(n * SizeOf(to), '\0');
  kernel::Kernel k;
  k.name = "k";
  k.task = kernel::MakeVar("task");
  k.arguments = {kernel::ArgumentBuffer("in", from, n, 0, SizeOf(from)), kernel::ArgumentBuffer("out", to, n, 1, SizeOf(to))};
  kernel::Block b;
  b.For("i", 0, n, [&](kernel::Block& b, Expr i) { b.Store(k.arguments[1], i, f(Load(k.arguments[0], i))); });
  k.body = b.Take();
  const kernel::BufferView views[] = {{const_cast<T*>(in.data()), n * SizeOf(from)}, {out.data(), static_cast<int64_t>(out.size())}};
  const absl::Status status = kernel::Interpret(k, views, 0, 1);
  EXPECT_TRUE(status.ok()) << status;
  return out;
}

bool Rounds(const Expr& e) {
  bool found = false;
  kernel::Visit(e, [&](const Expr& n) { found = found || n->op == Op::kRound; });
  return found;
}

// Halves and their neighbours, and everything that is not a small number.
std::vector<float> Floats() {
  std::vector<float> values;
  for (int i = -70000; i <= 70000; i += i > -400 && i < 400 ? 1 : 97) {
    for (const float half : {0.0f, 0.5f, 0.25f}) {
      const float v = static_cast<float>(i) + half;
      values.insert(values.end(), {v, std::nextafter(v, 1e9f), std::nextafter(v, -1e9f)});
    }
  }
  const float inf = std::numeric_limits<float>::infinity();
  values.insert(values.end(), {-0.0f, NAN, inf, -inf, 3e38f, -3e38f, 1e-40f, -1e-40f, 0.49999997f, -0.49999997f,
                               4194304.5f, 8388607.5f, -4194304.5f, 8388609.0f, 2147483648.0f, -2147483648.0f});
  return values;
}

struct Quantization {
  Scalar type;
  double lowest, highest, offset;
};

TEST(WithCheapRoundingTest, EveryRoundingIsTheSame) {
  for (const Quantization& q : {Quantization{Scalar::kInt8, -128, 127, 0}, Quantization{Scalar::kUint8, 0, 255, 0},
                                Quantization{Scalar::kUint8, 0, 255, 128}, Quantization{Scalar::kUint8, 0, 15, 7},
                                Quantization{Scalar::kUint8, 0, 255, 255}, Quantization{Scalar::kInt16, -32768, 32767, 0},
                                Quantization{Scalar::kInt8, -8, 7, 0}}) {
    for (const bool relu : {false, true}) {
      auto slow = [&](Expr x) {
        if (relu) x = Max(x, Float(0)) * Float(0.37f);
        x = Unary(Op::kRound, x);
        if (q.offset != 0) x = x + Float(q.offset);
        return Cast(Type(q.type), Min(Max(x, Float(q.lowest)), Float(q.highest)));
      };
      auto fast = [&](Expr x) {
        const Expr e = WithCheapRounding(slow(x));
        EXPECT_FALSE(Rounds(e)) << ToString(e);
        return e;
      };
      EXPECT_EQ(Apply(Floats(), Scalar::kFloat32, q.type, slow), Apply(Floats(), Scalar::kFloat32, q.type, fast))
          << Name(q.type) << " offset " << q.offset << " relu " << relu;
    }
  }
}

TEST(WithCheapRoundingTest, ReluOfSums) {
  std::vector<int32_t> sums = {INT32_MIN, INT32_MAX, 0, -1, 1};
  for (int i = -3000; i < 3000; ++i) sums.push_back(i);
  for (const double offset : {0.0, 13.0}) {
    auto slow = [&](Expr x) {
      x = Unary(Op::kRound, Cast(Type(Scalar::kFloat32), Max(x, Int(0, Type(Scalar::kInt32)))) * Float(0.0625f));
      if (offset != 0) x = x + Float(offset);
      return Cast(Type(Scalar::kUint8), Min(Max(x, Float(0)), Float(255)));
    };
    auto fast = [&](Expr x) { return WithCheapRounding(slow(x)); };
    EXPECT_EQ(Apply(sums, Scalar::kInt32, Scalar::kUint8, slow), Apply(sums, Scalar::kInt32, Scalar::kUint8, fast));
    bool relu = false;
    kernel::Visit(fast(Use(kernel::MakeVar("x", Type(Scalar::kInt32)))),
                  [&](const Expr& e) { relu = relu || (e->op == Op::kMax && e->type.scalar == Scalar::kInt32); });
    EXPECT_FALSE(relu);
  }
}

// Bounds that are no integers, or that the type does not hold: conversions would differ.
TEST(WithCheapRoundingTest, LeavesOthersAlone) {
  const Expr x = Use(kernel::MakeVar("x", Type(Scalar::kFloat32)));
  auto quantized = [&](Scalar to, double lo, double hi, Op op) {
    return Cast(Type(to), Min(Max(Unary(op, x), Float(lo)), Float(hi)));
  };
  for (const Expr& e : {quantized(Scalar::kInt8, -128, 127, Op::kRoundEven), quantized(Scalar::kInt8, -127.5, 127, Op::kRound),
                        quantized(Scalar::kInt8, -128, 255, Op::kRound), quantized(Scalar::kInt32, -128, 127, Op::kRound)}) {
    EXPECT_EQ(WithCheapRounding(e), e) << ToString(e);
  }
}

// sum over `taps` of (in - 7) * (in - zero): as integers and as floats.
Expr Sum(const Buffer& in, int64_t taps, int zero) {
  const kernel::Var r = kernel::MakeVar("r");
  const Type i32(Scalar::kInt32);
  const Expr v = Cast(i32, Load(in, Use(r)));
  return Reduce(kernel::Combiner::kSum, {{r, taps}}, (v - Int(7, i32)) * (v - Int(zero, i32)));
}

TEST(WithFloatSumsTest, ExactWhereTheyAreSmall) {
  std::vector<uint8_t> in(200);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint8_t>(i * 37 + 255 * (i % 3 == 0));
  const Buffer b = kernel::ArgumentBuffer("in", Scalar::kUint8, 200, 0, 1);
  for (const int64_t taps : {1, 9, 150}) {
    int32_t results[2];
    for (const bool as_floats : {false, true}) {
      const Expr sum = Sum(b, taps, 100), e = as_floats ? WithFloatSums(sum) : sum;
      EXPECT_EQ(e != sum, as_floats);
      kernel::Kernel k;
      k.name = "k";
      k.task = kernel::MakeVar("task");
      k.arguments = {b, kernel::ArgumentBuffer("out", Scalar::kInt32, 1, 1, 4)};
      kernel::Block block;
      block.Store(k.arguments[1], Int(0), kernel::EmitReductions(block, e, 1, {}));
      k.body = block.Take();
      const kernel::BufferView views[] = {{in.data(), 200}, {&results[as_floats], 4}};
      const absl::Status status = kernel::Interpret(k, views, 0, 1);
      ASSERT_TRUE(status.ok()) << status;
    }
    EXPECT_EQ(results[0], results[1]) << taps;
  }
}

TEST(WithFloatSumsTest, NotBeyond24Bits) {
  const Buffer b = kernel::ArgumentBuffer("in", Scalar::kUint8, 1000, 0, 1);
  const Expr large = Sum(b, 1000, 100);
  EXPECT_EQ(WithFloatSums(large), large);
  const Buffer wide = kernel::ArgumentBuffer("in", Scalar::kInt32, 10, 0, 4);
  const Expr unknown = Sum(wide, 2, 1);
  EXPECT_EQ(WithFloatSums(unknown), unknown);
}

}  // namespace
}  // namespace mgec::schedule
