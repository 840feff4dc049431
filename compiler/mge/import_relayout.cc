// RelayoutFormat: activations and weights from one layout to another.
#include <algorithm>
#include <optional>

#include "compiler/mge/layout.h"
#include "compiler/mge/quantized.h"
#include "compiler/mge/weight_layout.h"

namespace mgec::mge {
namespace {

using param::RelayoutFormatMode;

struct Change {
  Layout from, to;
};

// Nothing for the modes that are for weights.
std::optional<Change> ChangeOf(RelayoutFormatMode mode) {
  const Layout nchw, nhwc{Layout::kNhwc}, nhwcd4{Layout::kNhwcd4, 4}, chwn4{Layout::kChwn4, 4};
  const auto blocked = [](int64_t block) { return Layout{Layout::kNchwBlocked, block}; };
  switch (mode) {
    case RelayoutFormatMode::NHWC_NHWCD4:
    case RelayoutFormatMode::NHWC_NHWCD4I:
      return Change{nhwc, nhwcd4};
    case RelayoutFormatMode::NHWCD4_NHWC:
    case RelayoutFormatMode::NHWCD4I_NHWC:
      return Change{nhwcd4, nhwc};
    case RelayoutFormatMode::NCHW_NHWCD4:
    case RelayoutFormatMode::NCHW_NHWCD4I:
      return Change{nchw, nhwcd4};
    case RelayoutFormatMode::NHWCD4_NCHW:
    case RelayoutFormatMode::NHWCD4I_NCHW:
      return Change{nhwcd4, nchw};
    case RelayoutFormatMode::NCHW4_CHWN4:
      return Change{blocked(4), chwn4};
    case RelayoutFormatMode::CHWN4_NCHW4:
      return Change{chwn4, blocked(4)};
    case RelayoutFormatMode::NCHW_NCHW4:
    case RelayoutFormatMode::NCHW_NCHW4_IC_SMALL:
      return Change{nchw, blocked(4)};
    case RelayoutFormatMode::NCHW4_NCHW:
      return Change{blocked(4), nchw};
    case RelayoutFormatMode::NCHW_NCHW88:
      return Change{nchw, blocked(8)};
    case RelayoutFormatMode::NCHW88_NCHW:
      return Change{blocked(8), nchw};
    case RelayoutFormatMode::NCHW_NCHW64:
      return Change{nchw, blocked(64)};
    case RelayoutFormatMode::NCHW64_NCHW:
      return Change{blocked(64), nchw};
    case RelayoutFormatMode::NCHW_NHWC:
      return Change{nchw, nhwc};
    case RelayoutFormatMode::NHWC_NCHW:
      return Change{nhwc, nchw};
    default:
      return std::nullopt;
  }
}

absl::Status CheckRelayout(const Operator& op) {
  const auto& p = *op.Param<param::RelayoutFormat>();
  if (IsWeightMode(p.mode())) return absl::OkStatus();
  if (!ChangeOf(p.mode()).has_value()) {
    return Unsupported(absl::StrCat("mode=", EnumText(EnumNameRelayoutFormatMode(p.mode()),
                                                      static_cast<uint32_t>(p.mode()))),
                       "MegEngine's modes");
  }
  const bool groups = p.mode() == RelayoutFormatMode::NCHW_NCHW4 || p.mode() == RelayoutFormatMode::NCHW4_NCHW;
  if (p.group() > 1 && !groups) return Unsupported("group > 1", "NCHW_NCHW4, NCHW4_NCHW");
  return absl::OkStatus();
}

// The operand in the type that the file wants. Bytes become numbers around 0.
absl::StatusOr<Value*> ConvertType(ImportContext& c) {
  Value* x = c.input(0);
  ASSIGN_OR_RETURN(const graph::DType dtype, OutputType(c, x->type.dtype));
  if (x->type.dtype.kind == graph::DTypeKind::kUint8 && dtype.kind == graph::DTypeKind::kQuantizedS8) {
    ASSIGN_OR_RETURN(x, c.Cast(x, graph::DTypeKind::kFloat32));
    ASSIGN_OR_RETURN(x, c.Add("sub", {x, c.graph().AddScalar(128)}));
  }
  return c.Cast(x, dtype);
}

absl::StatusOr<Value*> ImportRelayout(ImportContext& c) {
  const auto& p = c.Param<param::RelayoutFormat>();
  if (IsWeightMode(p.mode())) {
    ASSIGN_OR_RETURN(Value * w, ConvertType(c));
    return WeightToLayout(c, w, p.mode());
  }
  const Change change = *ChangeOf(p.mode());
  // The channels that fill up a block are zero in the type of the result.
  ASSIGN_OR_RETURN(Value * x, ConvertType(c));
  ASSIGN_OR_RETURN(x, ToNchw(c, x, change.from));
  const int64_t groups = std::max<int64_t>(p.group(), 1);
  const Shape in = x->type.shape;
  if (groups > 1) {  // each has filling of its own: they are taken for images
    if (in.size() != 4 || in[1] % groups != 0) return absl::InvalidArgumentError("the channels do not fit the groups");
    ASSIGN_OR_RETURN(x, c.Reshape(x, {in[0] * groups, in[1] / groups, in[2], in[3]}));
  }
  const bool drops = p.mode() == RelayoutFormatMode::NCHW4_NCHW || p.mode() == RelayoutFormatMode::NCHW64_NCHW;
  if (drops && p.oc() != 0 && x->type.shape.size() == 4 && x->type.shape[1] > p.oc() / groups) {
    Shape end = x->type.shape;
    end[1] = p.oc() / groups;
    ASSIGN_OR_RETURN(x, c.Add("slice", {x}, {{"begin", Shape{0, 0, 0, 0}}, {"end", end}, {"step", Shape{1, 1, 1, 1}}}));
  }
  ASSIGN_OR_RETURN(x, FromNchw(c, x, change.to));
  if (groups == 1) return x;
  Shape out = x->type.shape;
  out[0] /= groups;
  out[1] *= groups;
  return c.Reshape(x, out);
}

}  // namespace

void RegisterRelayout(Registry& r) { r.Add("RelayoutFormat", ImportRelayout, CheckRelayout); }

}  // namespace mgec::mge
