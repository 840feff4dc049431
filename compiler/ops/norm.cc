// Normalizations: batch (inference), layer, group (and instance), softmax, local response.
#include <algorithm>
#include <cmath>

#include "compiler/ops/common.h"

namespace mgec::ops {
namespace {

using kernel::Float;
using kernel::Int;
using kernel::Unary;

Types InferFloatSame(const OpContext& c) {
  RETURN_IF_ERROR(CheckFloat(c.inputs[0], "x"));
  for (size_t i = 1; i < c.inputs.size(); ++i) {
    RETURN_IF_ERROR(CheckFloat(c.inputs[i], "a parameter"));
    ASSIGN_OR_RETURN(Shape s, graph::BroadcastShapes(c.inputs[0].shape, c.inputs[i].shape));
    if (s != c.inputs[0].shape) {
      return absl::InvalidArgumentError(absl::StrCat("a parameter of shape ", ToString(c.inputs[i].shape),
                                                     " does not fit x of shape ", ToString(c.inputs[0].shape)));
    }
  }
  return InferSame(c);
}

absl::StatusOr<Definition> DefineBatchNorm(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const Scalar s = StorageOf(c.inputs[0].dtype);
  const double epsilon = c.attributes.Float("epsilon", 1e-4);
  d.AddStage(c.inputs[0].shape, s, [&](const Indices& i) {
    auto param = [&](int k) { return ToFloat(d.AtBroadcast(k, i)); };
    Expr inv = Float(1) / Unary(Op::kSqrt, param(4) + Float(epsilon));
    return FromFloat(s, (ToFloat(d.At(0, i)) - param(3)) * inv * param(1) + param(2));
  });
  return d;
}

REGISTER_OP(batch_norm).Inputs(5).Infer(InferFloatSame).Define(DefineBatchNorm).Pointwise();

// Mean and variance over `axes` for every position of the others (in the shape with those axes of size 1).
struct Moments {
  int mean, inverse_deviation;
};

Moments AddMoments(Definition& d, int x, const Shape& shape, const std::vector<int64_t>& axes, double eps) {
  Shape kept = shape;
  std::vector<int64_t> extents;
  double count = 1;
  for (int64_t a : axes) {
    extents.push_back(shape[a]);
    count *= static_cast<double>(shape[a]);
    kept[a] = 1;
  }
  auto over = [&](const Indices& i, const std::function<Expr(Expr)>& f) {
    return d.Reduce(Combiner::kSum, extents, [&](const Indices& r) {
      Indices index = i;
      for (size_t k = 0; k < axes.size(); ++k) index[axes[k]] = r[k];
      return f(ToFloat(d.At(x, index)));
    });
  };
  Moments m;
  m.mean = d.AddStage(kept, Scalar::kFloat32, [&](const Indices& i) {
    return over(i, [](Expr e) { return e; }) * Float(1 / count);
  });
  m.inverse_deviation = d.AddStage(kept, Scalar::kFloat32, [&](const Indices& i) {
    const Expr mean = d.At(m.mean, i);
    Expr variance = over(i, [&](Expr e) { return (e - mean) * (e - mean); }) * Float(1 / count);
    return Float(1) / Unary(Op::kSqrt, variance + Float(eps));
  });
  return m;
}

Types InferLayerNorm(const OpContext& c) {
  RETURN_IF_ERROR(CheckAxes(c.attributes.Ints("axes"), c.inputs[0].shape.size()));
  return InferFloatSame(c);
}

absl::StatusOr<Definition> DefineLayerNorm(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const Shape& shape = c.inputs[0].shape;
  const Scalar s = StorageOf(c.inputs[0].dtype);
  const std::vector<int64_t> axes = c.attributes.Ints("axes");
  const Moments m = AddMoments(d, 0, shape, axes, c.attributes.Float("eps", 1e-5));
  d.AddStage(shape, s, [&](const Indices& i) {
    Expr y = (ToFloat(d.At(0, i)) - d.AtBroadcast(m.mean, i)) * d.AtBroadcast(m.inverse_deviation, i);
    if (c.inputs.size() > 1) y = y * ToFloat(d.AtBroadcast(1, i));
    if (c.inputs.size() > 2) y = y + ToFloat(d.AtBroadcast(2, i));
    return FromFloat(s, y);
  });
  return d;
}

REGISTER_OP(layer_norm).Inputs(1, 3).Infer(InferLayerNorm).Define(DefineLayerNorm);

Types InferGroupNorm(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  RETURN_IF_ERROR(CheckFloat(x, "x"));
  if (x.shape.size() < 3) return absl::InvalidArgumentError("needs at least 3 dimensions");
  const int64_t group = c.attributes.Int("group", 1);
  if (group < 1 || x.shape[1] % group != 0) {
    return absl::InvalidArgumentError(absl::StrCat(x.shape[1], " channels do not divide into ", group, " groups"));
  }
  for (size_t i = 1; i < c.inputs.size(); ++i) {
    RETURN_IF_ERROR(CheckFloat(c.inputs[i], "a parameter"));
    const Shape& s = c.inputs[i].shape;  // all channels in one dimension
    if (graph::NumElements(s) != x.shape[1] || std::count(s.begin(), s.end(), 1) + 1 < static_cast<int64_t>(s.size())) {
      return absl::InvalidArgumentError("weight and bias need one element per channel");
    }
  }
  return InferSame(c);
}

// Statistics per (n, group); element (n, c, ...) uses group c / (C / group).
absl::StatusOr<Definition> DefineGroupNorm(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const Shape& shape = c.inputs[0].shape;
  const Scalar s = StorageOf(c.inputs[0].dtype);
  const int64_t group = c.attributes.Int("group", 1), per_group = shape[1] / group;
  std::vector<int64_t> extents = {per_group};
  double count = static_cast<double>(per_group);
  for (size_t i = 2; i < shape.size(); ++i) {
    extents.push_back(shape[i]);
    count *= static_cast<double>(shape[i]);
  }
  auto over = [&](const Indices& g, const std::function<Expr(Expr)>& f) {
    return d.Reduce(Combiner::kSum, extents, [&](const Indices& r) {
      Indices index = {g[0], per_group == 1 ? g[1] : g[1] * per_group + r[0]};
      index.insert(index.end(), r.begin() + 1, r.end());
      return f(ToFloat(d.At(0, index)));
    });
  };
  const int mean = d.AddStage({shape[0], group}, Scalar::kFloat32, [&](const Indices& g) {
    return over(g, [](Expr e) { return e; }) * Float(1 / count);
  });
  const int inverse = d.AddStage({shape[0], group}, Scalar::kFloat32, [&](const Indices& g) {
    const Expr m = d.At(mean, g);
    Expr variance = over(g, [&](Expr e) { return (e - m) * (e - m); }) * Float(1 / count);
    return Float(1) / Unary(Op::kSqrt, variance + Float(c.attributes.Float("eps", 1e-5)));
  });
  auto channel = [&](int t, const Expr& i) {  // weight and bias hold one element per channel in any shape
    Indices index;
    for (int64_t n : d.info(t).shape) index.push_back(n == 1 ? Int(0) : i);
    return ToFloat(d.At(t, index));
  };
  d.AddStage(shape, s, [&](const Indices& i) {
    const Indices g = {i[0], per_group == 1 ? i[1] : kernel::FloorDiv(i[1], Int(per_group))};
    Expr y = (ToFloat(d.At(0, i)) - d.At(mean, g)) * d.At(inverse, g);
    if (c.inputs.size() > 1) y = y * channel(1, i[1]);
    if (c.inputs.size() > 2) y = y + channel(2, i[1]);
    return FromFloat(s, y);
  });
  return d;
}

REGISTER_OP(group_norm).Inputs(1, 3).Infer(InferGroupNorm).Define(DefineGroupNorm);

Types InferSoftmax(const OpContext& c) {
  RETURN_IF_ERROR(CheckAxis(c.attributes.Int("axis"), c.inputs[0].shape.size()));
  return InferFloatSame(c);
}

absl::StatusOr<Definition> DefineSoftmax(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const Shape& shape = c.inputs[0].shape;
  const Scalar s = StorageOf(c.inputs[0].dtype);
  const int64_t axis = c.attributes.Int("axis");
  Shape kept = shape;
  kept[axis] = 1;
  auto over = [&](Combiner combiner, int t, const Indices& i) {
    return d.Reduce(combiner, {shape[axis]}, [&](const Indices& r) {
      Indices index = i;
      index[axis] = r[0];
      return ToFloat(d.At(t, index));
    });
  };
  const int max = d.AddStage(kept, Scalar::kFloat32, [&](const Indices& i) { return over(Combiner::kMax, 0, i); });
  const int exp = d.AddStage(shape, Scalar::kFloat32, [&](const Indices& i) {
    return Unary(Op::kExp, ToFloat(d.At(0, i)) - d.AtBroadcast(max, i));
  });
  const int sum = d.AddStage(kept, Scalar::kFloat32, [&](const Indices& i) { return over(Combiner::kSum, exp, i); });
  d.AddStage(shape, s, [&](const Indices& i) { return FromFloat(s, d.At(exp, i) / d.AtBroadcast(sum, i)); });
  return d;
}

REGISTER_OP(softmax).Inputs(1).Infer(InferSoftmax).Define(DefineSoftmax);

Types InferLrn(const OpContext& c) {
  RETURN_IF_ERROR(CheckRank(c.inputs[0], 4, "x"));
  if (c.attributes.Int("n", 5) < 1 || c.attributes.Int("n", 5) % 2 == 0) {
    return absl::InvalidArgumentError("n must be odd and positive");
  }
  return InferFloatSame(c);
}

// x / base^beta. Where beta is a small multiple of 1/4, as 0.75 usually is, roots are a fraction of the work of a power.
Expr OverPower(const Expr& x, const Expr& base, double beta) {
  const double quarters = beta * 4;
  if (!(quarters >= 1 && quarters <= 8 && quarters == std::floor(quarters))) {
    return x * kernel::Binary(Op::kPow, base, Float(-beta));
  }
  const int q = static_cast<int>(quarters);
  const Expr root = Unary(Op::kSqrt, base);
  Expr power;
  auto multiply = [&](const Expr& factor) { power = power == nullptr ? factor : power * factor; };
  for (int i = 0; i < q / 4; ++i) multiply(base);
  if ((q & 2) != 0) multiply(root);
  if ((q & 1) != 0) multiply(Unary(Op::kSqrt, root));
  return x / power;
}

// y = x * (k + alpha * sum of x^2 over n channels around)^-beta
absl::StatusOr<Definition> DefineLrn(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const Scalar s = StorageOf(c.inputs[0].dtype);
  const int64_t n = c.attributes.Int("n", 5);
  const double k = c.attributes.Float("k", 2), alpha = c.attributes.Float("alpha", 1e-4);
  const double beta = c.attributes.Float("beta", 0.75);
  d.AddStage(c.inputs[0].shape, s, [&](const Indices& i) {
    Expr sum = d.Reduce(Combiner::kSum, {n}, [&](const Indices& r) {
      Expr x = ToFloat(d.AtOr(0, {i[0], i[1] + r[0] + (-(n / 2)), i[2], i[3]}, FromFloat(s, Float(0))));
      return x * x;
    });
    Expr base = sum * Float(alpha) + Float(k);
    return FromFloat(s, OverPower(ToFloat(d.At(0, i)), base, beta));
  });
  return d;
}

REGISTER_OP(lrn).Inputs(1).Infer(InferLrn).Define(DefineLrn);

}  // namespace
}  // namespace mgec::ops
