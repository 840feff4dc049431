// Padding, also along axes whose size depends on values.
#include <algorithm>
#include <limits>

#include "absl/strings/ascii.h"
#include "compiler/mge/dynamic_rules.h"

namespace mgec::mge {
namespace {

using graph::DTypeKind;
using param::PaddingMode;

struct Amounts {
  Shape before, after;
};

Amounts AmountsOf(const ImportContext& c) {
  const auto& p = c.Param<param::Padding>();
  const Shape front = {p.front_offset_dim0(), p.front_offset_dim1(), p.front_offset_dim2(), p.front_offset_dim3(),
                       p.front_offset_dim4(), p.front_offset_dim5(), p.front_offset_dim6()};
  const Shape back = {p.back_offset_dim0(), p.back_offset_dim1(), p.back_offset_dim2(), p.back_offset_dim3(),
                      p.back_offset_dim4(), p.back_offset_dim5(), p.back_offset_dim6()};
  const size_t rank = c.shape(0).size();  // at most 7
  return {Shape(front.begin(), front.begin() + rank), Shape(back.begin(), back.begin() + rank)};
}

std::string ModeText(PaddingMode mode) { return EnumText(EnumNamePaddingMode(mode), static_cast<uint32_t>(mode)); }

absl::Status CheckPadding(const Operator& op) {
  const PaddingMode mode = op.Param<param::Padding>()->padding_mode();
  if (EnumNamePaddingMode(mode)[0] != '\0') return absl::OkStatus();
  return Unsupported(absl::StrCat("padding_mode=", ModeText(mode)), "REPLICATE, REFLECT, CONSTANT");
}

absl::StatusOr<Value*> Pad(ImportContext& c, Value* x, const Amounts& by) {
  const auto& p = c.Param<param::Padding>();
  return c.Add("pad", {x},
               {{"before", by.before},
                {"after", by.after},
                {"mode", absl::AsciiStrToLower(ModeText(p.padding_mode()))},
                {"value", static_cast<double>(p.padding_val())}});
}

absl::StatusOr<Value*> ImportPadding(ImportContext& c) { return Pad(c, c.input(0), AmountsOf(c)); }

// One axis whose size depends on values: element i of the result is element i - before of x, or what lies there by the mode.
absl::StatusOr<Value*> PadCounted(ImportContext& c, Value* x, int64_t axis, int64_t before, int64_t after) {
  const auto& p = c.Param<param::Padding>();
  DynamicShapes& shapes = c.shapes();
  const auto ints = [&](int64_t v) { return c.graph().AddInts({v}); };
  const int64_t most = x->type.shape[axis] + before + after;
  constexpr int64_t kMost = int64_t{1} << 26;
  if (most > kMost) return absl::InvalidArgumentError(absl::StrCat("cannot have ", most, " elements along an axis"));
  if (p.padding_mode() == PaddingMode::REFLECT && std::max(before, after) >= x->type.shape[axis]) {
    return absl::InvalidArgumentError(absl::StrCat("reflects more than the ", x->type.shape[axis], " elements that there can be"));
  }
  Extents extents = shapes.Of(x);
  std::vector<int64_t> numbers(most);
  for (int64_t i = 0; i < most; ++i) numbers[i] = i - before;
  ASSIGN_OR_RETURN(Value * size, shapes.AsValue(extents[axis]));
  ASSIGN_OR_RETURN(Value * last, c.Add("sub", {size, ints(1)}));
  Value* from = c.graph().AddInts(numbers);
  if (p.padding_mode() == PaddingMode::REFLECT) {
    ASSIGN_OR_RETURN(from, c.Add("abs", {from}));
    ASSIGN_OR_RETURN(Value * twice, c.Add("add", {last, last}));
    ASSIGN_OR_RETURN(Value * mirrored, c.Add("sub", {twice, from}));
    ASSIGN_OR_RETURN(from, c.Add("min", {from, mirrored}));
  }
  ASSIGN_OR_RETURN(from, c.Add("min", {from, last}));
  ASSIGN_OR_RETURN(from, c.Add("max", {from, ints(0)}));
  ASSIGN_OR_RETURN(Value * y, c.Add("gather", {x, from}, {{"axis", axis}}));
  ASSIGN_OR_RETURN(Value * count, c.Add("add", {size, ints(before + after)}));
  extents[axis] = shapes.Count(count, most);
  shapes.Set(y, extents);
  if (p.padding_mode() != PaddingMode::CONSTANT) return y;
  constexpr int64_t kOutside = std::numeric_limits<int32_t>::max();
  for (int64_t i = 0; i < before; ++i) numbers[i] = kOutside;
  ASSIGN_OR_RETURN(Value * inside, c.Add("lt", {c.graph().AddInts(numbers), size}));
  ASSIGN_OR_RETURN(inside, c.Cast(inside, DTypeKind::kBool));
  Shape along(extents.size(), 1);
  along[axis] = most;
  ASSIGN_OR_RETURN(inside, c.Reshape(inside, along));
  ASSIGN_OR_RETURN(Value * fill, c.Cast(c.graph().AddScalar(p.padding_val()), x->type.dtype));
  ASSIGN_OR_RETURN(Value * padded, c.Add("where", {inside, y, fill}));
  shapes.Set(padded, extents);
  return padded;
}

absl::StatusOr<Values> ImportPaddingCounted(ImportContext& c) {
  Amounts by = AmountsOf(c);
  Value* x = c.input(0);
  const Extents extents = c.shapes().Of(x);
  for (size_t axis = 0; axis < extents.size(); ++axis) {
    int64_t &before = by.before[axis], &after = by.after[axis];
    if (extents[axis].fixed() || before + after == 0) continue;
    if (IsQuantized(x->type.dtype)) {
      return Unsupported("quantized operands along an axis whose size depends on values", "float32, float16");
    }
    ASSIGN_OR_RETURN(x, PadCounted(c, x, static_cast<int64_t>(axis), before, after));
    before = after = 0;
  }
  ASSIGN_OR_RETURN(Value * y, Pad(c, x, by));
  RETURN_IF_ERROR(Follow(c.shapes(), *y->producer));
  return Values{y};
}

}  // namespace

void RegisterPadding(Registry& r) {
  r.Add("Padding", ImportPadding, CheckPadding);
  r.AddDynamic("Padding", ImportPaddingCounted);
}

}  // namespace mgec::mge
