// Random numbers. The generator is this project's own (ops/random.cc): distributions are MegEngine's, numbers are not.
#include "compiler/mge/dropout.h"
#include "compiler/mge/importer.h"

namespace mgec::mge {
namespace {

using graph::DTypeKind;
using Ints = std::vector<int64_t>;

// Sources of random numbers for one operator. The operator's seed and place in the file decide its streams.
class Source {
 public:
  static absl::StatusOr<Source> Make(ImportContext& c, uint64_t seed) {
    ASSIGN_OR_RETURN(Value * state, c.Add("random_state", {}));
    return Source(c, state, Mix(seed * 2654435761u + static_cast<uint64_t>(c.op().index)));
  }

  // float32 in (0, 1), or of mean 0 and deviation 1.
  absl::StatusOr<Value*> Uniform(const Shape& shape) { return OfShape("random_uniform", shape); }
  absl::StatusOr<Value*> Normal(const Shape& shape) { return OfShape("random_normal", shape); }
  absl::StatusOr<Value*> Of(absl::string_view op, Value* parameter) {
    return c_.Add(op, {state_, parameter}, {{"stream", NextStream()}});
  }

 private:
  Source(ImportContext& c, Value* state, uint64_t stream) : c_(c), state_(state), stream_(stream) {}

  static uint64_t Mix(uint64_t x) {  // splitmix64's finalizer
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
  }
  int64_t NextStream() { return static_cast<int64_t>(stream_ = Mix(stream_ + 0x9E3779B97F4A7C15u)); }
  absl::StatusOr<Value*> OfShape(absl::string_view op, const Shape& shape) {
    return c_.Add(op, {state_}, {{"shape", Ints(shape)}, {"stream", NextStream()}});
  }

  ImportContext& c_;
  Value* state_;
  uint64_t stream_;
};

absl::StatusOr<Value*> ToDType(ImportContext& c, Value* x, fbs::DTypeEnum wanted) {
  DType file_dtype;
  file_dtype.type = wanted;
  ASSIGN_OR_RETURN(const graph::DType dtype, ToGraphDType(file_dtype));
  return c.Cast(x, dtype);
}

absl::StatusOr<Value*> ImportUniform(ImportContext& c) {
  const auto& p = c.Param<param::UniformRNG>();
  ASSIGN_OR_RETURN(const Shape shape, c.Ints(0));
  ASSIGN_OR_RETURN(Source source, Source::Make(c, p.seed()));
  ASSIGN_OR_RETURN(Value * y, source.Uniform(shape));
  return ToDType(c, y, p.dtype());
}

absl::StatusOr<Value*> ImportGaussian(ImportContext& c) {
  const auto& p = c.Param<param::GaussianRNG>();
  ASSIGN_OR_RETURN(const Shape shape, c.Ints(0));
  ASSIGN_OR_RETURN(Source source, Source::Make(c, p.seed()));
  ASSIGN_OR_RETURN(Value * y, source.Normal(shape));
  ASSIGN_OR_RETURN(y, c.Add("fuse_mul_add3", {y, c.graph().AddScalar(p.std()), c.graph().AddScalar(p.mean())}));
  return ToDType(c, y, p.dtype());
}

// Parameters are computed in float32, results come in their own type.
absl::StatusOr<Value*> Float32(ImportContext& c, int i) {
  RETURN_IF_ERROR(c.RequireFloat(i));
  return c.Cast(c.input(i), DTypeKind::kFloat32);
}

// Shape and scale.
absl::StatusOr<Value*> ImportGamma(ImportContext& c) {
  ASSIGN_OR_RETURN(Value * shape, Float32(c, 0));
  ASSIGN_OR_RETURN(Value * scale, Float32(c, 1));
  ASSIGN_OR_RETURN(Source source, Source::Make(c, c.Param<param::GammaRNG>().seed()));
  ASSIGN_OR_RETURN(Value * y, source.Of("random_gamma", shape));
  ASSIGN_OR_RETURN(y, c.Add("mul", {y, scale}));
  return c.Cast(y, c.input(0)->type.dtype);
}

// x / (x + y) for two gamma variates.
absl::StatusOr<Value*> ImportBeta(ImportContext& c) {
  ASSIGN_OR_RETURN(Value * alpha, Float32(c, 0));
  ASSIGN_OR_RETURN(Value * beta, Float32(c, 1));
  ASSIGN_OR_RETURN(Source source, Source::Make(c, c.Param<param::BetaRNG>().seed()));
  ASSIGN_OR_RETURN(Value * x, source.Of("random_gamma", alpha));
  ASSIGN_OR_RETURN(Value * y, source.Of("random_gamma", beta));
  ASSIGN_OR_RETURN(Value * sum, c.Add("add", {x, y}));
  ASSIGN_OR_RETURN(Value * result, c.Add("true_div", {x, sum}));
  return c.Cast(result, c.input(0)->type.dtype);
}

absl::StatusOr<Value*> ImportPoisson(ImportContext& c) {
  ASSIGN_OR_RETURN(Value * mean, Float32(c, 0));
  ASSIGN_OR_RETURN(Source source, Source::Make(c, c.Param<param::PoissonRNG>().seed()));
  ASSIGN_OR_RETURN(Value * y, source.Of("random_poisson", mean));
  return c.Cast(y, c.input(0)->type.dtype);
}

// Minus the scale times the logarithm of a uniform number.
absl::StatusOr<Value*> ImportExponential(ImportContext& c) {
  ASSIGN_OR_RETURN(Value * scale, Float32(c, 0));
  ASSIGN_OR_RETURN(Source source, Source::Make(c, c.Param<param::ExponentialRNG>().seed()));
  ASSIGN_OR_RETURN(Value * y, source.Uniform(scale->type.shape));
  ASSIGN_OR_RETURN(y, c.Add("log", {y}));
  ASSIGN_OR_RETURN(y, c.Add("negate", {y}));
  ASSIGN_OR_RETURN(y, c.Add("mul", {y, scale}));
  return c.Cast(y, c.input(0)->type.dtype);
}

// 0 to n - 1 in random order.
absl::StatusOr<Value*> Permutation(ImportContext& c, Source& source, int64_t n) {
  if (n < 1) return absl::InvalidArgumentError(absl::StrCat("there is no permutation of ", n, " elements"));
  ASSIGN_OR_RETURN(Value * keys, source.Uniform({n}));
  return c.Add("argsort", {keys}, {{"count", n}});
}

absl::StatusOr<Value*> ImportPermutation(ImportContext& c) {
  const auto& p = c.Param<param::PermutationRNG>();
  ASSIGN_OR_RETURN(const int64_t n, c.Int(0));
  ASSIGN_OR_RETURN(Source source, Source::Make(c, p.seed()));
  ASSIGN_OR_RETURN(Value * y, Permutation(c, source, n));
  return ToDType(c, y, p.dtype());
}

// x with its first axis in random order, and that order.
absl::StatusOr<Values> ImportShuffle(ImportContext& c) {
  ASSIGN_OR_RETURN(Source source, Source::Make(c, c.Param<param::ShuffleRNG>().seed()));
  ASSIGN_OR_RETURN(Value * order, Permutation(c, source, c.shape(0)[0]));
  ASSIGN_OR_RETURN(Value * y, c.Add("gather", {c.input(0), order}, {{"axis", int64_t{0}}}));
  return Values{y, order};
}

// Indices of categories with probabilities proportional to the operand's last axis. With replacement, where a uniform
// number lies among the running sums; without, the first of exponential arrivals at these rates.
absl::StatusOr<Value*> ImportMultinomial(ImportContext& c) {
  const auto& p = c.Param<param::MultinomialRNG>();
  ASSIGN_OR_RETURN(Value * weights, Float32(c, 0));
  const Shape& shape = weights->type.shape;
  const int64_t categories = shape.back(), samples = static_cast<int64_t>(p.num_samples()), last = shape.size() - 1;
  ASSIGN_OR_RETURN(Source source, Source::Make(c, p.seed()));
  if (!p.replacement()) {
    if (samples < 1 || samples > categories) {
      return absl::InvalidArgumentError(absl::StrCat("cannot draw ", samples, " of ", categories, " categories"));
    }
    ASSIGN_OR_RETURN(Value * u, source.Uniform(shape));
    ASSIGN_OR_RETURN(Value * log, c.Add("log", {u}));
    ASSIGN_OR_RETURN(Value * arrival, c.Add("true_div", {log, weights}));  // negative: the latest is the greatest
    return c.Add("argsort", {arrival}, {{"count", samples}, {"descending", int64_t{1}}});
  }
  Shape drawn = shape, wide = shape, each = shape;
  drawn.back() = samples;
  wide.push_back(1);       // [.., categories, 1]
  each.back() = 1;
  each.push_back(samples);  // [.., 1, samples]
  ASSIGN_OR_RETURN(Value * sums, c.Add("cumsum", {weights}, {{"axis", last}}));
  ASSIGN_OR_RETURN(Value * total, c.Add("reduce", {weights}, {{"mode", std::string("sum")}, {"axes", Ints{last}}}));
  ASSIGN_OR_RETURN(Value * u, source.Uniform(drawn));
  ASSIGN_OR_RETURN(u, c.Add("mul", {u, total}));
  ASSIGN_OR_RETURN(u, c.Reshape(u, each));
  ASSIGN_OR_RETURN(sums, c.Reshape(sums, wide));
  ASSIGN_OR_RETURN(Value * before, c.Add("lt", {sums, u}));  // [.., categories, samples]
  ASSIGN_OR_RETURN(Value * index, c.Add("reduce", {before}, {{"mode", std::string("sum")}, {"axes", Ints{last}}}));
  // Rounding may put the last running sum under the total.
  ASSIGN_OR_RETURN(index, c.Add("min", {index, c.graph().AddScalar(static_cast<float>(categories - 1))}));
  ASSIGN_OR_RETURN(index, c.Reshape(index, drawn));
  return c.Cast(index, DTypeKind::kInt32);
}

absl::StatusOr<Value*> ImportDropout(ImportContext& c) {
  RETURN_IF_ERROR(c.RequireFloat(0));
  const auto& p = c.Param<param::Dropout>();
  return DropElements(c, c.input(0), p.drop_prob(), p.seed());
}

}  // namespace

absl::StatusOr<Value*> DropElements(ImportContext& c, Value* x, float p, uint64_t seed) {
  if (!(p >= 0 && p < 1)) {
    return absl::InvalidArgumentError(absl::StrCat("drop_prob is ", p, ", need 0 <= drop_prob < 1"));
  }
  if (p == 0) return x;
  const graph::DType dtype = x->type.dtype;
  ASSIGN_OR_RETURN(x, c.Cast(x, DTypeKind::kFloat32));
  ASSIGN_OR_RETURN(Source source, Source::Make(c, seed));
  ASSIGN_OR_RETURN(Value * u, source.Uniform(x->type.shape));
  ASSIGN_OR_RETURN(Value * kept, c.Add("less", {c.graph().AddScalar(p), u}));
  ASSIGN_OR_RETURN(Value * scaled, c.Add("mul", {x, c.graph().AddScalar(1 / (1 - p))}));
  ASSIGN_OR_RETURN(Value * y, c.Add("where", {kept, scaled, c.graph().AddScalar(0)}));
  return c.Cast(y, dtype);
}

void RegisterRandom(Registry& r) {
  r.Add("BetaRNG", ImportBeta);
  r.Add("Dropout", ImportDropout);
  r.Add("ExponentialRNG", ImportExponential);
  r.Add("GammaRNG", ImportGamma);
  r.Add("GaussianRNG", ImportGaussian);
  r.Add("MultinomialRNG", ImportMultinomial);
  r.Add("PermutationRNG", ImportPermutation);
  r.Add("PoissonRNG", ImportPoisson);
  r.AddMany("ShuffleRNG", ImportShuffle);
  r.Add("UniformRNG", ImportUniform);
}

}  // namespace mgec::mge
