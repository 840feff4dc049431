// Convolution and matrix product of integers and quantized numbers. The sums are exact: int32, without zero points. The
// attribute "dtype" says what the result is: "i32", or "qs32(scale)" with the product of the operands' scales.
#include "compiler/ops/conv.h"
#include "compiler/ops/quantize.h"

namespace mgec::ops {
namespace {

using kernel::FloorDiv;
using kernel::FloorMod;
using kernel::Int;
using kernel::Type;

absl::StatusOr<DType> ResultOf(const OpContext& c) {
  for (const TensorType& t : c.inputs) {
    if (IsFloating(t.dtype) || t.dtype.kind == DTypeKind::kBool) {
      return absl::InvalidArgumentError(absl::StrCat("does not take ", ToString(t.dtype)));
    }
  }
  ASSIGN_OR_RETURN(DType d, graph::ParseDType(c.attributes.String("dtype")));
  if (StorageOf(d) != Scalar::kInt32) return absl::InvalidArgumentError("the result must be stored as int32");
  return d;
}

Types InferConv(const OpContext& c) {
  ASSIGN_OR_RETURN(ConvParams p, ConvParamsOf(c));
  ASSIGN_OR_RETURN(DType d, ResultOf(c));
  if (p.activation != "identity") return absl::InvalidArgumentError("has no activation");
  return std::vector<TensorType>{{d, {c.inputs[0].shape[0], p.out_channels, p.out_h, p.out_w}}};
}

absl::StatusOr<Definition> DefineConv(const OpContext& c) {
  ASSIGN_OR_RETURN(ConvParams p, ConvParamsOf(c));
  Definition d = DefinitionFor(c);
  const DType &x_type = c.inputs[0].dtype, &w_type = c.inputs[1].dtype;
  const bool grouped = c.inputs[1].shape.size() == 5;
  const int64_t icg = p.in_channels / p.group, ocg = p.out_channels / p.group;
  const Expr outside = Int(ZeroPointOf(x_type), Type(StorageOf(x_type)));
  d.AddStage({c.inputs[0].shape[0], p.out_channels, p.out_h, p.out_w}, Scalar::kInt32, [&](const Indices& i) {
    const Expr g = p.group == 1 ? Int(0) : FloorDiv(i[1], Int(ocg));
    const Expr o = p.group == 1 ? i[1] : FloorMod(i[1], Int(ocg));
    return d.Reduce(Combiner::kSum, {icg, p.kernel[0], p.kernel[1]}, [&](const Indices& r) {
      const Expr h = i[2] * p.stride[0] + r[1] * p.dilation[0] + (-p.pad[0]);
      const Expr w = i[3] * p.stride[1] + r[2] * p.dilation[1] + (-p.pad[1]);
      const Expr kh = p.flip ? Int(p.kernel[0] - 1) - r[1] : r[1], kw = p.flip ? Int(p.kernel[1] - 1) - r[2] : r[2];
      const Indices at = {i[0], g * icg + r[0], h, w};
      const Expr x = p.padded() ? d.AtOr(0, at, outside) : d.At(0, at);
      const Expr weight = grouped ? d.At(1, {g, o, r[0], kh, kw}) : d.At(1, {i[1], r[0], kh, kw});
      return Unbiased(x_type, x) * Unbiased(w_type, weight);
    });
  });
  return d;
}

REGISTER_OP(int_conv2d).Inputs(2).Infer(InferConv).Define(DefineConv);

// --- int_matmul: [B, M, K] by [B, K, N]; B may be absent ---
struct Product {
  bool ta, tb;
  int64_t k;
  Shape out;
};

absl::StatusOr<Product> ProductOf(const OpContext& c) {
  const Shape &a = c.inputs[0].shape, &b = c.inputs[1].shape;
  const size_t rank = a.size();
  Product p{c.attributes.Int("transpose_a") != 0, c.attributes.Int("transpose_b") != 0, 0, {}};
  const bool ranks = b.size() == rank && (rank == 2 || (rank == 3 && a[0] == b[0]));
  if (ranks) p.k = a[p.ta ? rank - 2 : rank - 1];
  if (!ranks || b[p.tb ? rank - 1 : rank - 2] != p.k) {
    return absl::InvalidArgumentError(absl::StrCat(ToString(a), " and ", ToString(b), " do not multiply"));
  }
  if (rank == 3) p.out.push_back(a[0]);
  p.out.push_back(a[p.ta ? rank - 1 : rank - 2]);
  p.out.push_back(b[p.tb ? rank - 2 : rank - 1]);
  return p;
}

Types InferMatMul(const OpContext& c) {
  ASSIGN_OR_RETURN(DType d, ResultOf(c));
  ASSIGN_OR_RETURN(Product p, ProductOf(c));
  return std::vector<TensorType>{{d, p.out}};
}

absl::StatusOr<Definition> DefineMatMul(const OpContext& c) {
  ASSIGN_OR_RETURN(Product p, ProductOf(c));
  Definition d = DefinitionFor(c);
  d.AddStage(p.out, Scalar::kInt32, [&](const Indices& i) {
    const Expr m = i[i.size() - 2], n = i.back();
    return d.Reduce(Combiner::kSum, {p.k}, [&](const Indices& k) {
      Indices ia = p.ta ? Indices{k[0], m} : Indices{m, k[0]};
      Indices ib = p.tb ? Indices{n, k[0]} : Indices{k[0], n};
      if (i.size() == 3) {
        ia.insert(ia.begin(), i[0]);
        ib.insert(ib.begin(), i[0]);
      }
      return Unbiased(c.inputs[0].dtype, d.At(0, ia)) * Unbiased(c.inputs[1].dtype, d.At(1, ib));
    });
  });
  return d;
}

REGISTER_OP(int_matmul).Inputs(2).Infer(InferMatMul).Define(DefineMatMul);

}  // namespace
}  // namespace mgec::ops
