// MatrixMul, BatchedMatrixMul, Dot, MatrixInverse, SVD.
#include "compiler/mge/quantized.h"

namespace mgec::mge {
namespace {

absl::Status CheckMatrixMul(const Operator& op) {
  const param::MatrixMulFormat format = op.Param<param::MatrixMul>()->format();
  if (format == param::MatrixMulFormat::DEFAULT) return absl::OkStatus();
  return Unsupported(absl::StrCat("format=", EnumText(EnumNameMatrixMulFormat(format), static_cast<uint32_t>(format))),
                     "DEFAULT");
}

absl::StatusOr<Value*> Multiply(ImportContext& c, size_t rank) {
  if (c.shape(0).size() != rank || c.shape(1).size() != rank) {
    return absl::InvalidArgumentError(absl::StrCat("operands ", graph::ToString(c.shape(0)), " and ",
                                                   graph::ToString(c.shape(1)), " must have ", rank, " dimensions"));
  }
  const auto& p = c.Param<param::MatrixMul>();
  ASSIGN_OR_RETURN(Value * y, Contract(c, "matmul", c.input(0), c.input(1),
                                       {{"transpose_a", int64_t{p.transpose_a()}},
                                        {"transpose_b", int64_t{p.transpose_b()}}}));
  if (graph::IsFloating(y->type.dtype)) return y;
  ASSIGN_OR_RETURN(const graph::DType dtype, OutputType(c, y->type.dtype));
  return FromSums(c, y, dtype);
}

absl::StatusOr<Value*> ImportMatrixMul(ImportContext& c) { return Multiply(c, 2); }
absl::StatusOr<Value*> ImportBatchedMatrixMul(ImportContext& c) { return Multiply(c, 3); }

// Two vectors; one of a single element counts for all elements of the other.
absl::StatusOr<Value*> ImportDot(ImportContext& c) {
  RETURN_IF_ERROR(c.RequireFloat(0));
  RETURN_IF_ERROR(c.RequireFloat(1));
  if (c.shape(0).size() != 1 || c.shape(1).size() != 1) return absl::InvalidArgumentError("operands must be vectors");
  ASSIGN_OR_RETURN(Value * product, c.Add("mul", c.inputs()));
  return c.Add("reduce", {product}, {{"mode", std::string("sum")}, {"axes", std::vector<int64_t>{0}}});
}

absl::StatusOr<Value*> ImportMatrixInverse(ImportContext& c) {
  RETURN_IF_ERROR(c.RequireFloat(0));
  return c.Add("matrix_inverse", {c.input(0)});
}

// U, S and V^T; S alone where compute_uv is off.
absl::StatusOr<Values> ImportSvd(ImportContext& c) {
  const auto& p = c.Param<param::SVD>();
  RETURN_IF_ERROR(c.RequireFloat(0));
  const graph::DType dtype = c.input(0)->type.dtype;
  ASSIGN_OR_RETURN(Value * x, c.Cast(c.input(0), graph::DTypeKind::kFloat32));
  ASSIGN_OR_RETURN(graph::Node * node, c.graph().AddNode("svd", {x}, {{"full_matrices", int64_t{p.full_matrices()}}}, c.name()));
  Values results;
  for (int i = 0; i < 3; ++i) {
    ASSIGN_OR_RETURN(Value * y, c.Cast(node->output(i), dtype));
    results.push_back(y);
  }
  return p.compute_uv() ? results : Values{results[1]};
}

}  // namespace

void RegisterLinalg(Registry& r) {
  r.Add("BatchedMatrixMul", ImportBatchedMatrixMul, CheckMatrixMul);
  r.Add("Dot", ImportDot);
  r.Add("MatrixInverse", ImportMatrixInverse);
  r.AddMany("SVD", ImportSvd);
  r.Add("MatrixMul", ImportMatrixMul, CheckMatrixMul);
}

}  // namespace mgec::mge
