// Random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), a generator whose
// n-th number depends on n and a key only, so that any number of threads give the same numbers.
//
//   key      the network's seed, combined with the attribute "stream", which differs from operator to operator
//   counter  number of the element, number of the attempt, number of the forward pass (64 bits)
//
// random_state gives seed and pass, as int32[4]: seed low and high, pass low and high. It is written by the runtime before
// each pass; by definition (in tests) all are 0.
#include <cmath>

#include "compiler/ops/common.h"

namespace mgec::ops {
namespace {

using kernel::Binary;
using kernel::Cast;
using kernel::Float;
using kernel::Int;
using kernel::Select;
using kernel::Type;
using kernel::Unary;

const Type kF32(Scalar::kFloat32);

// Numbers of 32 bits in 64-bit integers.
constexpr int64_t kMask = 0xffffffff;
Expr Low(const Expr& e) { return And(e, Int(kMask)); }
Expr Xor(const Expr& a, const Expr& b) { return Binary(Op::kXor, a, b); }
Expr ShiftRight(const Expr& a, int bits) { return Binary(Op::kShr, a, Int(bits)); }

// The product of x and a constant of 32 bits each, as two halves. No step leaves 63 bits.
struct Halves {
  Expr high, low;
};
Halves Multiply(const Expr& x, int64_t constant) {
  const Expr a = x * (constant & 0xffff), b = x * (constant >> 16);
  return {ShiftRight(b + ShiftRight(a, 16), 16), Low(a + Binary(Op::kShl, And(b, Int(0xffff)), Int(16)))};
}

struct Words {
  Expr word[4];
};

Words Philox(Words c, Expr key0, Expr key1) {
  constexpr int64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57, kStep0 = 0x9E3779B9, kStep1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const Halves p = Multiply(c.word[0], kMultiplier0), q = Multiply(c.word[2], kMultiplier1);
    c = {{Xor(Xor(q.high, c.word[1]), key0), q.low, Xor(Xor(p.high, c.word[3]), key1), p.low}};
    key0 = Low(key0 + kStep0);
    key1 = Low(key1 + kStep1);
  }
  return c;
}

// Four words for an element of the result; input 0 of the definition is the state.
Words RandomWords(const Definition& d, const OpContext& c, const Shape& shape, const Indices& i, const Expr& attempt) {
  Expr number = Int(0);
  const std::vector<int64_t> strides = graph::Strides(shape);
  for (size_t k = 0; k < shape.size(); ++k) number = number + i[k] * strides[k];
  auto state = [&](int64_t k) { return Low(Cast(kernel::kIndexType, d.At(0, {Int(k)}))); };
  const uint64_t stream = static_cast<uint64_t>(c.attributes.Int("stream"));
  return Philox({{Low(number), attempt, state(2), state(3)}},
                Xor(state(0), Int(static_cast<int64_t>(stream & kMask))),
                Xor(state(1), Int(static_cast<int64_t>(stream >> 32))));
}

// In (0, 1), in steps of 2^-24: the middle of each.
Expr Uniform(const Expr& word) {
  return (Cast(kF32, Cast(Type(Scalar::kInt32), ShiftRight(word, 8))) + Float(0.5)) * Float(0x1p-24);
}

// Box and Muller's method.
Expr Normal(const Expr& word0, const Expr& word1) {
  return Unary(Op::kSqrt, Float(-2) * Unary(Op::kLog, Uniform(word0))) *
         Unary(Op::kCos, Float(2 * M_PI) * Uniform(word1));
}

absl::Status CheckState(const OpContext& c) {
  const TensorType state{DTypeKind::kInt32, {4}};
  if (c.inputs[0] != state) return absl::InvalidArgumentError(absl::StrCat("the state is ", ToString(c.inputs[0])));
  return absl::OkStatus();
}

// --- random_state() ---
Types InferState(const OpContext&) { return std::vector<TensorType>{{DTypeKind::kInt32, {4}}}; }
absl::StatusOr<Definition> DefineState(const OpContext& c) {
  Definition d = DefinitionFor(c);
  d.AddStage({4}, Scalar::kInt32, [](const Indices&) { return Int(0, Type(Scalar::kInt32)); });
  return d;
}
REGISTER_OP(random_state).Inputs(0).Infer(InferState).Define(DefineState);

// --- random_uniform(state), random_normal(state): float32 of a given shape ---
Types InferOfShape(const OpContext& c) {
  RETURN_IF_ERROR(CheckState(c));
  const Shape shape = c.attributes.Ints("shape");
  for (int64_t extent : shape) {
    if (extent < 0) return absl::InvalidArgumentError(absl::StrCat("there is no shape ", ToString(shape)));
  }
  return std::vector<TensorType>{{DTypeKind::kFloat32, shape}};
}

absl::StatusOr<Definition> DefineUniform(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const Shape shape = c.attributes.Ints("shape");
  d.AddStage(shape, Scalar::kFloat32,
             [&](const Indices& i) { return Uniform(RandomWords(d, c, shape, i, Int(0)).word[0]); });
  return d;
}

absl::StatusOr<Definition> DefineNormal(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const Shape shape = c.attributes.Ints("shape");
  d.AddStage(shape, Scalar::kFloat32, [&](const Indices& i) {
    const Words w = RandomWords(d, c, shape, i, Int(0));
    return Normal(w.word[0], w.word[1]);
  });
  return d;
}

REGISTER_OP(random_uniform).Inputs(1).Infer(InferOfShape).Define(DefineUniform);
REGISTER_OP(random_normal).Inputs(1).Infer(InferOfShape).Define(DefineNormal);

// --- Distributions whose parameter is a tensor. ---
Types InferOfParameter(const OpContext& c) {
  RETURN_IF_ERROR(CheckState(c));
  if (c.inputs[1].dtype.kind != DTypeKind::kFloat32) return absl::InvalidArgumentError("needs float32");
  return std::vector<TensorType>{c.inputs[1]};
}

// The rejection methods below accept an attempt with a probability of at least 0.7, so that 48 rejections in a row do not
// happen; the last attempt would count then.
constexpr int64_t kAttempts = 48;

// Adds a stage that finds the first attempt that is accepted for each element.
int AddFirstAccepted(Definition& d, const Shape& shape,
                     const std::function<Expr(const Indices&, const Expr& attempt)>& accepted) {
  const Type i32(Scalar::kInt32);
  return d.AddStage(shape, Scalar::kInt32, [&](const Indices& i) {
    return d.Reduce(Combiner::kMin, {kAttempts}, [&](const Indices& r) {
      return Select(accepted(i, r[0]), Cast(i32, r[0]), Int(kAttempts - 1, i32));
    });
  });
}

// --- random_gamma(state, shape): Marsaglia and Tsang's method; scale 1 ---
struct GammaAttempt {
  Expr d, v, accepted, boost;
};

GammaAttempt TryGamma(const Definition& d, const OpContext& c, const Shape& shape, const Indices& i, const Expr& attempt) {
  const Expr own = d.At(1, i);
  const Expr small = own < Float(1);
  const Expr a = Select(small, own + Float(1), own);  // small shapes from larger ones, with a boost
  const Words w = RandomWords(d, c, shape, i, attempt);
  GammaAttempt g;
  g.d = a - Float(1.0 / 3);
  const Expr x = Normal(w.word[0], w.word[1]);
  const Expr t = Float(1) + x / Unary(Op::kSqrt, Float(9) * g.d);
  g.v = t * t * t;
  const Expr positive = Max(g.v, Float(1e-30));
  const Expr limit = Float(0.5) * x * x + g.d * (Float(1) - positive + Unary(Op::kLog, positive));
  g.accepted = And(Float(0) < g.v, Unary(Op::kLog, Uniform(w.word[2])) < limit);
  g.boost = Select(small, Binary(Op::kPow, Uniform(w.word[3]), Float(1) / own), Float(1));
  return g;
}

absl::StatusOr<Definition> DefineGamma(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const Shape& shape = c.inputs[1].shape;
  const int first = AddFirstAccepted(
      d, shape, [&](const Indices& i, const Expr& attempt) { return TryGamma(d, c, shape, i, attempt).accepted; });
  d.AddStage(shape, Scalar::kFloat32, [&](const Indices& i) {
    const GammaAttempt g = TryGamma(d, c, shape, i, Cast(kernel::kIndexType, d.At(first, i)));
    return g.d * g.v * g.boost;
  });
  return d;
}

REGISTER_OP(random_gamma).Inputs(2).Infer(InferOfParameter).Define(DefineGamma);

// --- random_poisson(state, mean): below 10 by inversion of the distribution, from there on by Hoermann's transformed
// rejection (PTRS, 1993) ---
struct PoissonAttempt {
  Expr k, accepted;
};

PoissonAttempt TryPoisson(const Definition& d, const OpContext& c, const Shape& shape, const Indices& i,
                          const Expr& attempt) {
  const Expr mean = Max(d.At(1, i), Float(10));
  const Words w = RandomWords(d, c, shape, i, attempt);
  const Expr u = Uniform(w.word[0]) - Float(0.5), v = Uniform(w.word[1]);
  const Expr b = Float(0.931) + Float(2.53) * Unary(Op::kSqrt, mean), a = Float(0.02483) * b - Float(0.059);
  const Expr inverse_alpha = Float(1.1239) + Float(1.1328) / (b - Float(3.4));
  const Expr us = Float(0.5) - Unary(Op::kAbs, u);
  PoissonAttempt p;
  p.k = Unary(Op::kFloor, (Float(2) * a / us + b) * u + mean + Float(0.43));
  const Expr k = Max(p.k, Float(1));
  // log of the probability of k, by Stirling's formula; the difference of large numbers is taken by log1p.
  const Expr ratio = (mean - k) / k;
  const Expr log_k = k * (Unary(Op::kLog1p, ratio) - ratio) - Float(0.5) * Unary(Op::kLog, Float(2 * M_PI) * k) -
                     Float(1.0 / 12) / k;
  const Expr log_probability = Select(p.k < Float(1), Unary(Op::kNeg, mean), log_k);
  const Expr squeeze = And(Float(0.07) <= us, v <= Float(0.9277) - Float(3.6224) / (b - Float(2)));
  const Expr left = Unary(Op::kLog, v * inverse_alpha / (a / (us * us) + b));
  const Expr in_range = And(Float(0) <= p.k, kernel::Unary(Op::kNot, And(us < Float(0.013), us < v)));
  p.accepted = Or(squeeze, And(in_range, left <= log_probability));
  return p;
}

absl::StatusOr<Definition> DefinePoisson(const OpContext& c) {
  constexpr int kTerms = 44;  // beyond, the probability is under 1e-14 for means up to 10
  Definition d = DefinitionFor(c);
  const Shape& shape = c.inputs[1].shape;
  const int first = AddFirstAccepted(
      d, shape, [&](const Indices& i, const Expr& attempt) { return TryPoisson(d, c, shape, i, attempt).accepted; });
  const int small = d.AddStage(shape, Scalar::kFloat32, [&](const Indices& i) {
    const Expr mean = Min(d.At(1, i), Float(10));
    const Expr u = Uniform(RandomWords(d, c, shape, i, Int(kAttempts)).word[0]);
    Expr term = Unary(Op::kExp, Unary(Op::kNeg, mean)), sum = term, k = Float(0);
    for (int j = 1; j <= kTerms; ++j) {
      k = k + Select(sum < u, Float(1), Float(0));
      term = term * mean * Float(1.0 / j);
      sum = sum + term;
    }
    return k;
  });
  d.AddStage(shape, Scalar::kFloat32, [&](const Indices& i) {
    return Select(d.At(1, i) < Float(10), d.At(small, i),
                  TryPoisson(d, c, shape, i, Cast(kernel::kIndexType, d.At(first, i))).k);
  });
  return d;
}

REGISTER_OP(random_poisson).Inputs(2).Infer(InferOfParameter).Define(DefinePoisson);

}  // namespace
}  // namespace mgec::ops
