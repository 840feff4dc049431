// Reduce, Argmax, Argmin.
#include <limits>

#include "absl/strings/ascii.h"
#include "compiler/mge/quantized.h"

namespace mgec::mge {
namespace {

using param::ReduceDataType;
using param::ReduceMode;

std::string ModeText(ReduceMode mode) { return EnumText(EnumNameReduceMode(mode), static_cast<uint32_t>(mode)); }

absl::Status CheckReduce(const Operator& op) {
  const auto& p = *op.Param<param::Reduce>();
  if (EnumNameReduceMode(p.mode())[0] == '\0') return Unsupported(absl::StrCat("mode=", ModeText(p.mode())));
  if (p.data_type() > ReduceDataType::QINT_I8xO32) {
    return Unsupported(absl::StrCat("data_type=", EnumText(EnumNameReduceDataType(p.data_type()),
                                                           static_cast<uint32_t>(p.data_type()))),
                       "DEFAULT, FLOAT_IO16xC32, FLOAT_O32xC32, FLOAT_O16xC32, QUINT_I8xO32, QINT_I8xO32");
  }
  return absl::OkStatus();
}

// The axes to reduce so that `shape` becomes `target`: where the target has 1 and the shape has not.
absl::StatusOr<std::vector<int64_t>> AxesTowards(const Shape& shape, const std::vector<int64_t>& target) {
  std::vector<int64_t> axes;
  const bool to_scalar = target.size() == 1 && target[0] == 1;
  if (!to_scalar && target.size() != shape.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot reduce ", graph::ToString(shape), " to ", graph::ToString(target)));
  }
  for (size_t i = 0; i < shape.size(); ++i) {
    const int64_t wanted = to_scalar ? 1 : target[i];
    if (wanted == shape[i]) continue;
    if (wanted != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("cannot reduce ", graph::ToString(shape), " to ", graph::ToString(target)));
    }
    axes.push_back(static_cast<int64_t>(i));
  }
  return axes;
}

// Quantized numbers are added as integers. Means are rounded half away from zero.
absl::StatusOr<Value*> ReduceQuantized(ImportContext& c, Value* x, const std::vector<int64_t>& axes) {
  using graph::DTypeKind;
  const auto& p = c.Param<param::Reduce>();
  const graph::DType dtype = x->type.dtype;
  const bool wide = p.data_type() >= ReduceDataType::QUINT_I8xO32;
  const graph::DType sums(DTypeKind::kQuantizedS32, dtype.scale);
  graph::Attributes attributes = {{"mode", absl::AsciiStrToLower(ModeText(p.mode()))}, {"axes", axes}};
  ASSIGN_OR_RETURN(Value * y, Unbiased(c, x));
  if (p.mode() == ReduceMode::PRODUCT || p.mode() == ReduceMode::SUM_SQR) {
    return Unsupported(absl::StrCat("mode=", ModeText(p.mode()), " of quantized operands"), "SUM, MEAN, MIN, MAX");
  }
  if (p.mode() != ReduceMode::MEAN || wide) {
    ASSIGN_OR_RETURN(y, c.Add("reduce", {y}, attributes));
    ASSIGN_OR_RETURN(y, Retype(c, y, sums));
    return c.Cast(y, wide ? sums : dtype);
  }
  attributes.Set("mode", std::string("sum"));
  ASSIGN_OR_RETURN(y, c.Add("reduce", {y}, attributes));
  float count = 1;
  for (int64_t axis : axes) count *= static_cast<float>(x->type.shape[axis]);
  ASSIGN_OR_RETURN(y, c.Cast(y, DTypeKind::kFloat32));
  ASSIGN_OR_RETURN(y, c.Add("true_div", {y, c.graph().AddScalar(count)}));
  // The mean is in units of the scale.
  ASSIGN_OR_RETURN(y, c.Cast(y, graph::DType(dtype.kind, 1, dtype.zero_point)));
  return Retype(c, y, dtype);
}

absl::StatusOr<Value*> ImportReduce(ImportContext& c) {
  const auto& p = c.Param<param::Reduce>();
  Value* x = c.input(0);
  std::vector<int64_t> axes;
  Shape target;
  if (c.num_inputs() == 2) {
    ASSIGN_OR_RETURN(target, c.Ints(1));
    ASSIGN_OR_RETURN(axes, AxesTowards(x->type.shape, target));
  } else {
    ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(p.axis(), x->type.shape.size()));
    axes.push_back(axis);
  }
  const bool to_float = p.data_type() == ReduceDataType::FLOAT_O32xC32 || p.data_type() == ReduceDataType::FLOAT_O16xC32;
  if (IsQuantized(x->type.dtype) && !to_float) {
    ASSIGN_OR_RETURN(Value * y, ReduceQuantized(c, x, axes));
    return c.num_inputs() == 2 ? c.Reshape(y, target) : y;
  }
  if (p.data_type() >= ReduceDataType::QUINT_I8xO32) {
    return Unsupported(absl::StrCat("data_type=", EnumText(EnumNameReduceDataType(p.data_type()),
                                                           static_cast<uint32_t>(p.data_type())),
                                    " of operands of type ", graph::ToString(x->type.dtype)),
                       "quantized operands");
  }
  // Sums of half floats are formed in float in any case; what remains of data_type is the type of the result.
  graph::DType result = x->type.dtype;
  if (p.data_type() == ReduceDataType::FLOAT_O32xC32) result = graph::DTypeKind::kFloat32;
  if (p.data_type() == ReduceDataType::FLOAT_O16xC32) result = graph::DTypeKind::kFloat16;
  if (result.kind == graph::DTypeKind::kFloat32) {
    ASSIGN_OR_RETURN(x, c.Cast(x, result));
  }
  Value* y = x;
  if (!axes.empty()) {
    ASSIGN_OR_RETURN(y, c.Add("reduce", {x}, {{"mode", absl::AsciiStrToLower(ModeText(p.mode()))}, {"axes", axes}}));
  } else if (p.mode() == ReduceMode::SUM_SQR) {
    ASSIGN_OR_RETURN(y, c.Add("square", {x}));
  }
  ASSIGN_OR_RETURN(y, c.Cast(y, result));
  return c.num_inputs() == 2 ? c.Reshape(y, target) : y;
}

absl::StatusOr<Value*> ImportArg(ImportContext& c, const char* op) {
  ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(c.Param<param::Axis>().axis(), c.shape(0).size()));
  return c.Add(op, {c.input(0)}, {{"axis", axis}});
}

absl::StatusOr<Value*> ImportArgmax(ImportContext& c) { return ImportArg(c, "argmax"); }
absl::StatusOr<Value*> ImportArgmin(ImportContext& c) { return ImportArg(c, "argmin"); }

}  // namespace

void RegisterReduce(Registry& r) {
  r.Add("Argmax", ImportArgmax);
  r.Add("Argmin", ImportArgmin);
  r.Add("Reduce", ImportReduce, CheckReduce);
}

}  // namespace mgec::mge
