// Matrix product: 2-d, or 3-d with a leading batch dimension. Accumulates in float32.
#include "compiler/ops/common.h"

namespace mgec::ops {
namespace {

struct MatMulShape {
  bool batched, ta, tb;
  int64_t batch, m, n, k;
};

absl::StatusOr<MatMulShape> ShapeOf(const OpContext& c) {
  const Shape& a = c.inputs[0].shape;
  const Shape& b = c.inputs[1].shape;
  if (a.size() != b.size() || (a.size() != 2 && a.size() != 3)) {
    return absl::InvalidArgumentError(
        absl::StrCat("takes two 2-d or two 3-d operands, not ", ToString(a), " and ", ToString(b)));
  }
  MatMulShape s;
  s.batched = a.size() == 3;
  s.ta = c.attributes.Int("transpose_a") != 0;
  s.tb = c.attributes.Int("transpose_b") != 0;
  const size_t r = s.batched ? 1 : 0;
  s.batch = s.batched ? a[0] : 1;
  s.m = a[s.ta ? r + 1 : r];
  s.k = a[s.ta ? r : r + 1];
  s.n = b[s.tb ? r : r + 1];
  if (s.k != b[s.tb ? r + 1 : r] || (s.batched && a[0] != b[0])) {
    return absl::InvalidArgumentError(absl::StrCat(ToString(a), s.ta ? " transposed" : "", " and ", ToString(b),
                                                   s.tb ? " transposed" : "", " do not multiply"));
  }
  return s;
}

Types InferMatMul(const OpContext& c) {
  RETURN_IF_ERROR(CheckFloat(c.inputs[0], "a"));
  if (c.inputs[0].dtype != c.inputs[1].dtype) return absl::InvalidArgumentError("operands have different dtypes");
  ASSIGN_OR_RETURN(MatMulShape s, ShapeOf(c));
  Shape out = {s.m, s.n};
  if (s.batched) out.insert(out.begin(), s.batch);
  return std::vector<TensorType>{{c.inputs[0].dtype, out}};
}

absl::StatusOr<Definition> DefineMatMul(const OpContext& c) {
  ASSIGN_OR_RETURN(MatMulShape s, ShapeOf(c));
  Definition d = DefinitionFor(c);
  const Scalar type = StorageOf(c.inputs[0].dtype);
  Shape out = {s.m, s.n};
  if (s.batched) out.insert(out.begin(), s.batch);
  d.AddStage(out, type, [&](const Indices& i) {
    const Expr m = i[i.size() - 2], n = i[i.size() - 1];
    return FromFloat(type, d.Reduce(Combiner::kSum, {s.k}, [&](const Indices& k) {
      Indices ia = s.ta ? Indices{k[0], m} : Indices{m, k[0]};
      Indices ib = s.tb ? Indices{n, k[0]} : Indices{k[0], n};
      if (s.batched) {
        ia.insert(ia.begin(), i[0]);
        ib.insert(ib.begin(), i[0]);
      }
      return ToFloat(d.At(0, ia)) * ToFloat(d.At(1, ib));
    }));
  });
  return d;
}

REGISTER_OP(matmul).Inputs(2).Infer(InferMatMul).Define(DefineMatMul);

}  // namespace
}  // namespace mgec::ops
