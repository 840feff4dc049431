// Pointwise operators: Elemwise, PowC, TypeCvt, Where, MaskedFill.
#include "absl/strings/ascii.h"
#include "compiler/mge/importer.h"
#include "compiler/ops/op.h"

namespace mgec::mge {
namespace {

using param::ElemwiseMode;

std::string ModeText(ElemwiseMode mode) { return EnumText(EnumNameElemwiseMode(mode), static_cast<uint32_t>(mode)); }

// The graph names pointwise operators after the modes. ISNAN and ISINF have other names there.
std::string GraphOp(ElemwiseMode mode) {
  if (mode == ElemwiseMode::ISNAN) return "is_nan";
  if (mode == ElemwiseMode::ISINF) return "is_inf";
  return absl::AsciiStrToLower(ModeText(mode));
}

absl::Status CheckElemwise(const Operator& op) {
  const ElemwiseMode mode = op.Param<param::Elemwise>()->mode();
  const ops::OpDef* def = EnumNameElemwiseMode(mode)[0] == '\0' ? nullptr : ops::FindOp(GraphOp(mode));
  if (def == nullptr) return Unsupported(absl::StrCat("mode=", ModeText(mode)));
  if (static_cast<int>(op.inputs.size()) != def->min_inputs) {
    return absl::InvalidArgumentError(absl::StrCat(Describe(op), ": mode ", ModeText(mode), " takes ", def->min_inputs,
                                                   " inputs, not ", op.inputs.size()));
  }
  return absl::OkStatus();
}

absl::StatusOr<Value*> ImportElemwise(ImportContext& c) {
  ASSIGN_OR_RETURN(Value * y, c.Add(GraphOp(c.Param<param::Elemwise>().mode()), c.inputs()));
  // The result has the type of the operands, also where the graph's operator gives bool.
  return c.Cast(y, c.input(0)->type.dtype);
}

absl::StatusOr<Value*> ImportPowC(ImportContext& c) {
  RETURN_IF_ERROR(c.RequireFloat(0));
  return c.Add("powc", {c.input(0)}, {{"exp", static_cast<double>(c.Param<param::PowC>().exp())}});
}

absl::StatusOr<Value*> ImportTypeCvt(ImportContext& c) {
  ASSIGN_OR_RETURN(const DType file_dtype, DecodeDType(&c.Param<fbs::DType>()));
  ASSIGN_OR_RETURN(const graph::DType dtype, ToGraphDType(file_dtype));
  return c.Cast(c.input(0), dtype);
}

absl::StatusOr<Value*> ImportWhere(ImportContext& c) {
  ASSIGN_OR_RETURN(Value * mask, c.Cast(c.input(0), graph::DTypeKind::kBool));
  return c.Add("where", {mask, c.input(1), c.input(2)});
}

// The mask covers the first dimensions of x, and may lack the last ones.
absl::StatusOr<Value*> ImportMaskedFill(ImportContext& c) {
  Value* x = c.input(0);
  Shape mask_shape = c.shape(1);
  if (mask_shape.size() > x->type.shape.size()) {
    return absl::InvalidArgumentError("the mask has more dimensions than x");
  }
  mask_shape.resize(x->type.shape.size(), 1);
  ASSIGN_OR_RETURN(Value * mask, c.Reshape(c.input(1), mask_shape));
  ASSIGN_OR_RETURN(mask, c.Cast(mask, graph::DTypeKind::kBool));
  ASSIGN_OR_RETURN(Value * value, c.Cast(c.graph().AddScalar(c.Param<param::Fill>().value()), x->type.dtype));
  return c.Add("where", {mask, value, x});
}

}  // namespace

void RegisterElemwise(Registry& r) {
  r.Add("Elemwise", ImportElemwise, CheckElemwise);
  r.Add("MaskedFill", ImportMaskedFill);
  r.Add("PowC", ImportPowC);
  r.Add("TypeCvt", ImportTypeCvt);
  r.Add("Where", ImportWhere);
}

}  // namespace mgec::mge
