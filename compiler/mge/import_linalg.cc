// MatrixMul, BatchedMatrixMul, Dot, MatrixInverse, SVD.
#include "compiler/mge/quantized.h"

namespace mgec::mge {
namespace {

absl::Status CheckMatrixMul(const Operator& op) {
  const param::MatrixMulFormat format = op.Param<param::MatrixMul>()->format();
  if (format <= param::MatrixMulFormat::N32K4_DOT) return absl::OkStatus();
  return Unsupported(absl::StrCat("format=", EnumText(EnumNameMatrixMulFormat(format), static_cast<uint32_t>(format))),
                     "DEFAULT, MK4, MK8, MK4_DOT, N32K4_DOT");
}

// Operands in blocks of 4 or 8: A is [M/b, K/b, b(k), b(m)], with MK4_DOT [.., b(m), b(k)]; B is [K/b, N, b], the result
// [M/b, N, b].
absl::StatusOr<Value*> MultiplyBlocked(ImportContext& c) {
  const auto& p = c.Param<param::MatrixMul>();
  const Shape &a = c.shape(0), &b = c.shape(1);
  const int64_t block = p.format() == param::MatrixMulFormat::MK8 ? 8 : 4;
  if (p.transpose_a() || p.transpose_b()) return Unsupported("transposed operands in blocks", "format=DEFAULT");
  if (a.size() != 4 || b.size() != 3 || a[2] != block || a[3] != block || b[2] != block) {
    return absl::InvalidArgumentError(absl::StrCat("operands ", graph::ToString(a), " and ", graph::ToString(b),
                                                   " are not made of blocks of ", block));
  }
  const bool dot = p.format() == param::MatrixMulFormat::MK4_DOT;
  ASSIGN_OR_RETURN(Value * left, c.Transpose(c.input(0), dot ? std::vector<int64_t>{0, 2, 1, 3}
                                                             : std::vector<int64_t>{0, 3, 1, 2}));
  ASSIGN_OR_RETURN(left, c.Reshape(left, {a[0] * block, a[1] * block}));
  ASSIGN_OR_RETURN(Value * right, c.Transpose(c.input(1), {0, 2, 1}));
  ASSIGN_OR_RETURN(right, c.Reshape(right, {b[0] * block, b[1]}));
  ASSIGN_OR_RETURN(Value * y, Contract(c, "matmul", left, right, {}));
  if (!graph::IsFloating(y->type.dtype)) {
    ASSIGN_OR_RETURN(const graph::DType dtype, OutputType(c, y->type.dtype));
    ASSIGN_OR_RETURN(y, FromSums(c, y, dtype));
  }
  ASSIGN_OR_RETURN(y, c.Reshape(y, {a[0], block, b[1]}));
  return c.Transpose(y, {0, 2, 1});
}

// A is a row [1, K], B is [N/32, K/4, 32(n), 4(k)].
absl::StatusOr<Value*> MultiplyRow(ImportContext& c) {
  const auto& p = c.Param<param::MatrixMul>();
  const Shape &a = c.shape(0), &b = c.shape(1);
  if (p.transpose_a() || p.transpose_b()) return Unsupported("transposed operands in blocks", "format=DEFAULT");
  if (a.size() != 2 || b.size() != 4 || b[2] != 32 || b[3] != 4 || a[1] != b[1] * 4) {
    return absl::InvalidArgumentError(absl::StrCat("operands ", graph::ToString(a), " and ", graph::ToString(b),
                                                   " are not a row and blocks of 32 by 4"));
  }
  ASSIGN_OR_RETURN(Value * right, c.Transpose(c.input(1), {1, 3, 0, 2}));
  ASSIGN_OR_RETURN(right, c.Reshape(right, {b[1] * 4, b[0] * 32}));
  ASSIGN_OR_RETURN(Value * y, Contract(c, "matmul", c.input(0), right, {}));
  if (graph::IsFloating(y->type.dtype)) return y;
  ASSIGN_OR_RETURN(const graph::DType dtype, OutputType(c, y->type.dtype));
  return FromSums(c, y, dtype);
}

absl::StatusOr<Value*> Multiply(ImportContext& c, size_t rank) {
  if (c.Param<param::MatrixMul>().format() != param::MatrixMulFormat::DEFAULT) {
    if (rank != 2) return Unsupported("batches of operands in blocks", "format=DEFAULT");
    const bool row = c.Param<param::MatrixMul>().format() == param::MatrixMulFormat::N32K4_DOT;
    return row ? MultiplyRow(c) : MultiplyBlocked(c);
  }
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

// Two vectors; one of a single element counts for all elements of the other. Sums of integers wrap in their own type.
absl::StatusOr<Value*> ImportDot(ImportContext& c) {
  if (c.shape(0).size() != 1 || c.shape(1).size() != 1) return absl::InvalidArgumentError("operands must be vectors");
  const graph::DType dtype = c.input(0)->type.dtype;
  const graph::DType sum = graph::IsFloating(dtype) ? dtype : graph::DType(graph::DTypeKind::kInt32);
  if (graph::IsQuantized(dtype)) RETURN_IF_ERROR(c.RequireFloat(0));
  Values operands;
  for (int i = 0; i < 2; ++i) {
    ASSIGN_OR_RETURN(Value * x, c.Cast(c.input(i), sum));
    operands.push_back(x);
  }
  ASSIGN_OR_RETURN(Value * product, c.Add("mul", operands));
  ASSIGN_OR_RETURN(Value * y, c.Add("reduce", {product}, {{"mode", std::string("sum")}, {"axes", std::vector<int64_t>{0}}}));
  return c.Cast(y, dtype);
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
