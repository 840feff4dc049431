// ElemwiseMultiType, operators that round to a grid (FakeQuant, LSQ, TQT), and CheckNonFinite.
#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "compiler/mge/quantized.h"
#include "compiler/ops/op.h"

namespace mgec::mge {
namespace {

using graph::DTypeKind;
using Mode = param::ElemwiseMultiTypeMode;

std::string ModeText(Mode mode) {
  return EnumText(EnumNameElemwiseMultiTypeMode(mode), static_cast<uint32_t>(mode));
}

// Modes with a name of their own in the graph. Null for others.
const char* PlainOp(Mode mode) {
  switch (mode) {
    case Mode::EQ:
      return "equal";
    case Mode::NEQ:
      return "not_equal";
    case Mode::LT:
      return "less";
    case Mode::LEQ:
      return "less_equal";
    case Mode::ISNAN:
      return "is_nan";
    case Mode::ISINF:
      return "is_inf";
    default:
      return nullptr;
  }
}

// For a mode on quantized numbers, the pointwise operator on real ones. Null for others.
const ops::OpDef* QuantizedOp(Mode mode) {
  const std::string text = ModeText(mode);
  absl::string_view name = text;
  if (!absl::ConsumePrefix(&name, "Q")) return nullptr;
  return ops::FindOp(absl::AsciiStrToLower(name));
}

// The number of inputs of the modes on integers; 0 for others.
int IntegerArity(Mode mode) {
  switch (mode) {
    case Mode::FUSE_MUL_ADD3_INT16x32x32x32:
    case Mode::FUSE_MUL_ADD3_IXxF32xF32xI8:
    case Mode::FUSE_MUL_ADD3_INT16xF32xF32xF32:
    case Mode::FUSE_MUL_ADD3_UINT8xF32xF32xF32:
      return 3;
    case Mode::ROUND_SHR_SATURATE_IXxI8xI8:
    case Mode::ROUND_SHR_SATURATE_IXxI8xI16:
    case Mode::MUL_INT16xF32xF32:
      return 2;
    case Mode::FUSE_ADD_RMULH_ROUND_SHR_SATURATE_INT16x16x16x8:
    case Mode::FUSE_ADD_RMULH_ROUND_SHR_SATURATE_INT32x32x32x8:
      return 6;
    default:
      return 0;
  }
}

absl::Status CheckMultiType(const Operator& op) {
  const Mode mode = op.Param<param::ElemwiseMultiType>()->mode();
  int arity = IntegerArity(mode);
  if (const ops::OpDef* quantized = QuantizedOp(mode); quantized != nullptr) {
    arity = quantized->min_inputs;
    if (!op.output_dtype.has_value()) return Unsupported("no type of the output", "a type in the file");
  }
  if (PlainOp(mode) != nullptr) return absl::OkStatus();  // its operator checks the number of inputs
  if (arity == 0) return Unsupported(absl::StrCat("mode=", ModeText(mode)), "modes for inference");
  if (static_cast<int>(op.inputs.size()) == arity) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(Describe(op), ": mode ", ModeText(mode), " takes ", arity,
                                                 " inputs, not ", op.inputs.size()));
}

// `op` on all operands as `dtype`.
absl::StatusOr<Value*> ApplyAs(ImportContext& c, const std::string& op, const graph::DType& dtype, int operands) {
  Values inputs;
  for (int i = 0; i < operands; ++i) {
    ASSIGN_OR_RETURN(Value * x, c.Cast(c.input(i), dtype));
    inputs.push_back(x);
  }
  return c.Add(op, inputs);
}

// An int32 divided by 2^k for the operand k, in the range of the operands or numbers, as the type.
absl::StatusOr<Value*> ShiftAndSaturate(ImportContext& c, Value* x, int k, Value* lowest, Value* highest,
                                        const graph::DType& dtype) {
  ASSIGN_OR_RETURN(Value * shift, c.Cast(c.input(k), DTypeKind::kInt32));
  ASSIGN_OR_RETURN(Value * y, c.Add("round_shr", {x, shift}));
  ASSIGN_OR_RETURN(lowest, c.Cast(lowest, DTypeKind::kInt32));
  ASSIGN_OR_RETURN(highest, c.Cast(highest, DTypeKind::kInt32));
  ASSIGN_OR_RETURN(y, c.Add("max", {y, lowest}));
  ASSIGN_OR_RETURN(y, c.Add("min", {y, highest}));
  return c.Cast(y, dtype);
}

absl::StatusOr<Value*> Clip(ImportContext& c, Value* x, int32_t lowest, int32_t highest) {
  ASSIGN_OR_RETURN(Value * y, c.Add("max", {x, c.graph().AddScalar(static_cast<float>(lowest))}));
  return c.Add("min", {y, c.graph().AddScalar(static_cast<float>(highest))});
}

absl::StatusOr<Value*> ImportInteger(ImportContext& c, Mode mode) {
  graph::Graph& g = c.graph();
  switch (mode) {
    case Mode::FUSE_MUL_ADD3_INT16x32x32x32:
      return ApplyAs(c, "fuse_mul_add3", DTypeKind::kInt32, 3);
    case Mode::MUL_INT16xF32xF32:
      return ApplyAs(c, "mul", DTypeKind::kFloat32, 2);
    case Mode::FUSE_MUL_ADD3_IXxF32xF32xI8: {
      ASSIGN_OR_RETURN(Value * y, ApplyAs(c, "fuse_mul_add3", DTypeKind::kFloat32, 3));
      ASSIGN_OR_RETURN(y, c.Add("round_even", {y}));
      ASSIGN_OR_RETURN(y, Clip(c, y, -128, 127));
      return c.Cast(y, DTypeKind::kInt8);
    }
    case Mode::ROUND_SHR_SATURATE_IXxI8xI8:
    case Mode::ROUND_SHR_SATURATE_IXxI8xI16: {
      const bool byte = mode == Mode::ROUND_SHR_SATURATE_IXxI8xI8;
      ASSIGN_OR_RETURN(Value * x, c.Cast(c.input(0), DTypeKind::kInt32));
      return ShiftAndSaturate(c, x, 1, g.AddInts({byte ? -128 : -32768}), g.AddInts({byte ? 127 : 32767}),
                              byte ? DTypeKind::kInt8 : DTypeKind::kInt16);
    }
    case Mode::FUSE_ADD_RMULH_ROUND_SHR_SATURATE_INT16x16x16x8:
    case Mode::FUSE_ADD_RMULH_ROUND_SHR_SATURATE_INT32x32x32x8: {
      ASSIGN_OR_RETURN(Value * x, c.Add("add", {c.input(0), c.input(1)}));
      ASSIGN_OR_RETURN(x, c.Add("rmulh", {x, c.input(2)}));
      ASSIGN_OR_RETURN(x, c.Cast(x, DTypeKind::kInt32));
      return ShiftAndSaturate(c, x, 3, c.input(4), c.input(5), DTypeKind::kInt8);
    }
    default:
      return ApplyAs(c, "fuse_mul_add3", DTypeKind::kFloat32, 3);
  }
}

// What ElemwiseMultiType's FUSE_MUL_ADD3_IXxF32xF32xI8 was before there was that.
absl::StatusOr<Value*> ImportAffineInt(ImportContext& c) { return ImportInteger(c, Mode::FUSE_MUL_ADD3_IXxF32xF32xI8); }

absl::StatusOr<Value*> ImportMultiType(ImportContext& c) {
  const Mode mode = c.Param<param::ElemwiseMultiType>().mode();
  if (PlainOp(mode) != nullptr) return c.Add(PlainOp(mode), c.inputs());
  const ops::OpDef* quantized = QuantizedOp(mode);
  if (quantized == nullptr) return ImportInteger(c, mode);
  ASSIGN_OR_RETURN(Value * y, ApplyAs(c, quantized->name, DTypeKind::kFloat32, c.num_inputs()));
  ASSIGN_OR_RETURN(const graph::DType dtype, OutputType(c, DTypeKind::kFloat32));
  return c.Cast(y, dtype);
}

// The operands as float32.
absl::StatusOr<Values> AsFloats(ImportContext& c) {
  Values values;
  for (int i = 0; i < c.num_inputs(); ++i) {
    RETURN_IF_ERROR(c.RequireFloat(i));
    ASSIGN_OR_RETURN(Value * x, c.Cast(c.input(i), DTypeKind::kFloat32));
    values.push_back(x);
  }
  return values;
}

// q = clip(round(x / scale) + zero_point), where LSQ rounds after it has clipped.
template <typename P>
absl::StatusOr<Value*> ImportFakeQuant(ImportContext& c) {
  constexpr bool kRoundLast = std::is_same_v<P, param::LSQ>;
  const P& p = c.Param<P>();
  ASSIGN_OR_RETURN(const Values in, AsFloats(c));
  ASSIGN_OR_RETURN(Value * y, c.Add("true_div", {in[0], in[1]}));
  if (!kRoundLast) {
    ASSIGN_OR_RETURN(y, c.Add("round", {y}));
  }
  ASSIGN_OR_RETURN(y, c.Add("add", {y, in[2]}));
  ASSIGN_OR_RETURN(y, Clip(c, y, p.qmin(), p.qmax()));
  if (kRoundLast) {
    ASSIGN_OR_RETURN(y, c.Add("round", {y}));
  }
  ASSIGN_OR_RETURN(y, c.Add("sub", {y, in[2]}));
  ASSIGN_OR_RETURN(y, c.Add("mul", {y, in[1]}));
  return c.Cast(y, c.input(0)->type.dtype);
}

// The scale is a power of two.
absl::StatusOr<Value*> ImportTqt(ImportContext& c) {
  const auto& p = c.Param<param::TQT>();
  ASSIGN_OR_RETURN(const Values in, AsFloats(c));
  ASSIGN_OR_RETURN(Value * t, c.Add("pow", {c.graph().AddScalar(2), in[1]}));
  ASSIGN_OR_RETURN(Value * y, c.Add("true_div", {in[0], t}));
  ASSIGN_OR_RETURN(y, c.Add("round", {y}));
  ASSIGN_OR_RETURN(y, Clip(c, y, p.qmin(), p.qmax()));
  ASSIGN_OR_RETURN(y, c.Add("mul", {y, t}));
  return c.Cast(y, c.input(0)->type.dtype);
}

// Each operand times a scale, then whether any of their elements is infinite or NaN; files of the first kind have the
// last only.
absl::StatusOr<Values> ImportCheckNonFinite(ImportContext& c) {
  graph::Graph& g = c.graph();
  const float scale = c.Param<param::CheckNonFinite>().scale();
  Values outputs;
  Value* any = nullptr;
  for (int i = 0; i < c.num_inputs(); ++i) {
    RETURN_IF_ERROR(c.RequireFloat(i));
    ASSIGN_OR_RETURN(Value * factor, c.Cast(g.AddScalar(scale), c.input(i)->type.dtype));
    ASSIGN_OR_RETURN(Value * scaled, c.Add("mul", {c.input(i), factor}));
    outputs.push_back(scaled);
    // What is not finite minus itself is NaN, which differs from itself.
    ASSIGN_OR_RETURN(Value * zero, c.Add("sub", {c.input(i), c.input(i)}));
    ASSIGN_OR_RETURN(Value * bad, c.Add("is_nan", {zero}));
    ASSIGN_OR_RETURN(bad, c.Cast(bad, DTypeKind::kInt32));
    ASSIGN_OR_RETURN(bad, c.Reshape(bad, {graph::NumElements(bad->type.shape)}));
    ASSIGN_OR_RETURN(bad, c.Add("reduce", {bad}, {{"mode", std::string("max")}, {"axes", Shape{0}}}));
    if (any != nullptr) {
      ASSIGN_OR_RETURN(bad, c.Add("max", {any, bad}));
    }
    any = bad;
  }
  if (c.op().num_outputs == 1) outputs.clear();
  outputs.push_back(any);
  return outputs;
}

}  // namespace

void RegisterQuantize(Registry& r) {
  r.Add("AffineInt", ImportAffineInt);
  r.AddMany("CheckNonFinite", ImportCheckNonFinite);
  r.Add("ElemwiseMultiType", ImportMultiType, CheckMultiType);
  r.Add("FakeQuant", ImportFakeQuant<param::FakeQuant>);
  r.Add("LSQ", ImportFakeQuant<param::LSQ>);
  r.Add("TQT", ImportTqt);
}

}  // namespace mgec::mge
