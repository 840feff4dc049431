#include "compiler/mge/layout.h"

namespace mgec::mge {
namespace {

using param::ConvolutionFormat;

// Permutes the axes of x, then joins neighbours: `joined[i]` of them become axis i.
absl::StatusOr<Value*> PermuteAndJoin(ImportContext& c, Value* x, const std::vector<int64_t>& perm,
                                      const std::vector<int>& joined) {
  if (x->type.shape.size() != perm.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("shape ", graph::ToString(x->type.shape), " does not fit the format"));
  }
  ASSIGN_OR_RETURN(Value * y, c.Transpose(x, perm));
  Shape shape;
  size_t axis = 0;
  for (int count : joined) {
    int64_t extent = 1;
    for (int i = 0; i < count; ++i) extent *= y->type.shape[axis++];
    shape.push_back(extent);
  }
  return c.Reshape(y, shape);
}

absl::StatusOr<Value*> PadChannels(ImportContext& c, Value* x, int64_t block) {
  const int64_t missing = (block - x->type.shape[1] % block) % block;
  if (missing == 0) return x;
  return c.Add("pad", {x},
               {{"before", Shape{0, 0, 0, 0}}, {"after", Shape{0, missing, 0, 0}},
                {"mode", std::string("constant")},
                {"value", static_cast<double>(x->type.dtype.zero_point)}});
}

}  // namespace

absl::StatusOr<Layout> LayoutOf(ConvolutionFormat format) {
  switch (format) {
    case ConvolutionFormat::NCHW:
      return Layout{};
    case ConvolutionFormat::NHWC:
      return Layout{Layout::kNhwc};
    case ConvolutionFormat::NHWCD4:
      return Layout{Layout::kNhwcd4, 4};
    case ConvolutionFormat::CHWN4:
      return Layout{Layout::kChwn4, 4};
    case ConvolutionFormat::NCHW4:
      return Layout{Layout::kNchwBlocked, 4};
    case ConvolutionFormat::NCHW8:
      return Layout{Layout::kNchwBlocked, 8};
    case ConvolutionFormat::NCHW32:
      return Layout{Layout::kNchwBlocked, 32};
    case ConvolutionFormat::NCHW64:
      return Layout{Layout::kNchwBlocked, 64};
    case ConvolutionFormat::NCHW44:
      return Layout{Layout::kNchwBlocked, 4, Layout::kInputFirst};
    case ConvolutionFormat::NCHW88:
      return Layout{Layout::kNchwBlocked, 8, Layout::kInputFirst};
    case ConvolutionFormat::NCHW44_DOT:
      return Layout{Layout::kNchwBlocked, 4, Layout::kOutputFirst};
    default:
      return Unsupported(
          absl::StrCat("format=", EnumText(EnumNameConvolutionFormat(format), static_cast<uint32_t>(format))),
          "NCHW, NHWC, NHWCD4, NCHW4, NCHW8, NCHW32, NCHW64, NCHW44, NCHW88, NCHW44_DOT, CHWN4");
  }
}

absl::StatusOr<ConvLayouts> ConvLayoutsOf(ConvolutionFormat format) {
  const Layout nchw, nhwc{Layout::kNhwc}, nchw4{Layout::kNchwBlocked, 4}, nchw32{Layout::kNchwBlocked, 32};
  switch (format) {
    case ConvolutionFormat::NCHW4_NCHW:
      return ConvLayouts{nchw4, nchw};
    case ConvolutionFormat::NCHW4_NHWC:
      return ConvLayouts{nchw4, nhwc};
    case ConvolutionFormat::NCHW4_NCHW32:
      return ConvLayouts{nchw4, nchw32};
    case ConvolutionFormat::NCHW32_NCHW4:
      return ConvLayouts{nchw32, nchw4};
    default:
      break;
  }
  ASSIGN_OR_RETURN(const Layout both, LayoutOf(format));
  return ConvLayouts{both, both};
}

absl::Status CheckLayout(ConvolutionFormat format) { return LayoutOf(format).status(); }

absl::StatusOr<Value*> ToNchw(ImportContext& c, Value* x, const Layout& layout) {
  switch (layout.kind) {
    case Layout::kNchw:
      return x;
    case Layout::kNhwc:
      return PermuteAndJoin(c, x, {0, 3, 1, 2}, {1, 1, 1, 1});
    case Layout::kNchwBlocked:
      return PermuteAndJoin(c, x, {0, 1, 4, 2, 3}, {1, 2, 1, 1});
    case Layout::kNhwcd4:
      return PermuteAndJoin(c, x, {0, 2, 4, 1, 3}, {1, 2, 1, 1});
    case Layout::kChwn4:
      return PermuteAndJoin(c, x, {3, 0, 4, 1, 2}, {1, 2, 1, 1});
  }
  return absl::InternalError("no such layout");
}

absl::StatusOr<Value*> FromNchw(ImportContext& c, Value* x, const Layout& layout) {
  if (x->type.shape.size() != 4) {
    return absl::InvalidArgumentError(absl::StrCat("shape ", graph::ToString(x->type.shape), " is not NCHW"));
  }
  if (layout.kind == Layout::kNchw) return x;
  if (layout.kind == Layout::kNhwc) return c.Transpose(x, {0, 2, 3, 1});
  ASSIGN_OR_RETURN(Value * y, PadChannels(c, x, layout.block));
  const Shape& s = y->type.shape;
  ASSIGN_OR_RETURN(y, c.Reshape(y, {s[0], s[1] / layout.block, layout.block, s[2], s[3]}));
  switch (layout.kind) {
    case Layout::kNhwcd4:
      return c.Transpose(y, {0, 3, 1, 4, 2});
    case Layout::kChwn4:
      return c.Transpose(y, {1, 3, 4, 0, 2});
    default:
      return c.Transpose(y, {0, 1, 3, 4, 2});
  }
}

absl::StatusOr<Value*> WeightToOihw(ImportContext& c, Value* w, const Layout& layout, bool grouped,
                                    size_t input_rank) {
  const size_t rank = w->type.shape.size();
  switch (layout.kind) {
    case Layout::kNchw:
      return w;
    case Layout::kNhwc:  // [O, H, W, I]
      return grouped ? PermuteAndJoin(c, w, {0, 1, 4, 2, 3}, {1, 1, 1, 1, 1})
                     : PermuteAndJoin(c, w, {0, 3, 1, 2}, {1, 1, 1, 1});
    case Layout::kChwn4:  // [I/4, H, W, O, 4]
      return grouped ? PermuteAndJoin(c, w, {0, 4, 1, 5, 2, 3}, {1, 1, 2, 1, 1})
                     : PermuteAndJoin(c, w, {3, 0, 4, 1, 2}, {1, 2, 1, 1});
    case Layout::kNhwcd4:  // [O/4, H, W, I, 4]; channel-wise [G/4, 1, H, W, 4]; of integers [O/4, H, W, I/4, 4(o), 4(i)]
      if (rank == (grouped ? 7u : 6u)) {
        return grouped ? PermuteAndJoin(c, w, {0, 1, 5, 4, 6, 2, 3}, {1, 2, 2, 1, 1})
                       : PermuteAndJoin(c, w, {0, 4, 3, 5, 1, 2}, {2, 2, 1, 1});
      }
      if (grouped && rank == 5) return PermuteAndJoin(c, w, {0, 4, 1, 2, 3}, {2, 1, 0, 1, 1});
      return grouped ? PermuteAndJoin(c, w, {0, 1, 5, 4, 2, 3}, {1, 2, 1, 1, 1})
                     : PermuteAndJoin(c, w, {0, 4, 3, 1, 2}, {2, 1, 1, 1});
    case Layout::kNchwBlocked:
      break;
  }
  if (layout.weight == Layout::kPlain) {  // [O, I/b, H, W, b]
    return grouped ? PermuteAndJoin(c, w, {0, 1, 2, 5, 3, 4}, {1, 1, 2, 1, 1})
                   : PermuteAndJoin(c, w, {0, 1, 4, 2, 3}, {1, 2, 1, 1});
  }
  if (grouped && rank == 6) {  // channel-wise: [G/b, 1, 1, H, W, b]
    return PermuteAndJoin(c, w, {0, 5, 1, 2, 3, 4}, {2, 1, 1, 1, 1});
  }
  if (!grouped && rank == 5 && input_rank == 4) {  // first layer: [O/b, H, W, I, b]
    return PermuteAndJoin(c, w, {0, 4, 3, 1, 2}, {2, 1, 1, 1});
  }
  // [O/b, I/b, H, W, b, b], after the group if there is one.
  if (layout.weight == Layout::kInputFirst) {
    return grouped ? PermuteAndJoin(c, w, {0, 1, 6, 2, 5, 3, 4}, {1, 2, 2, 1, 1})
                   : PermuteAndJoin(c, w, {0, 5, 1, 4, 2, 3}, {2, 2, 1, 1});
  }
  return grouped ? PermuteAndJoin(c, w, {0, 1, 5, 2, 6, 3, 4}, {1, 2, 2, 1, 1})
                 : PermuteAndJoin(c, w, {0, 4, 1, 5, 2, 3}, {2, 2, 1, 1});
}

}  // namespace mgec::mge
