// Pooling of regions of interest: roi_pooling, roi_align, the places of their maxima, deformable_roi_pooling. NCHW. A region is a row (image, x0, y0,
// x1, y1) of rois.
#include "compiler/ops/common.h"

namespace mgec::ops {
namespace {

using kernel::Cast;
using kernel::Float;
using kernel::FloorDiv;
using kernel::Int;
using kernel::Select;
using kernel::Type;
using kernel::Unary;

const Type kF32(Scalar::kFloat32), kI32(Scalar::kInt32);

absl::StatusOr<Shape> RoiShape(const OpContext& c) {
  RETURN_IF_ERROR(CheckRank(c.inputs[0], 4, "x"));
  RETURN_IF_ERROR(CheckFloat(c.inputs[0], "x"));
  const TensorType& rois = c.inputs[1];
  if (rois.shape.size() != 2 || rois.shape[1] != 5 || !IsFloating(rois.dtype) || c.inputs[0].shape[0] < 1) {
    return absl::InvalidArgumentError(absl::StrCat("rois are ", ToString(rois), ", need f32[K,5]"));
  }
  ASSIGN_OR_RETURN(std::vector<int64_t> size, PairOf(c.attributes, "size", 1, 1));
  return Shape{rois.shape[0], c.inputs[0].shape[1], size[0], size[1]};
}

Types InferRoi(const OpContext& c) {
  ASSIGN_OR_RETURN(Shape shape, RoiShape(c));
  return std::vector<TensorType>{{c.inputs[0].dtype, shape}};
}

// The bilinear mean of the four neighbours of (h, w), each as `at` gives it.
template <typename At>
Expr Bilinear(const Expr& h, const Expr& w, At at) {
  const Expr top = Unary(Op::kFloor, h), left = Unary(Op::kFloor, w);
  const Expr ah = h - top, aw = w - left, h0 = BoundedIndex(top), w0 = BoundedIndex(left);
  const Expr h1 = h0 + int64_t{1}, w1 = w0 + int64_t{1};
  return (at(h0, w0) * (Float(1) - aw) + at(h0, w1) * aw) * (Float(1) - ah) +
         (at(h1, w0) * (Float(1) - aw) + at(h1, w1) * aw) * ah;
}

// --- roi_pooling: the maximum or mean of the elements in each bin; 0 where there is none ---
// [begin, end) of a bin along an axis.
struct Bin {
  Expr begin, end;
};

// Bin number `i` of region `roi`, cut to the image; axis 0: x.
Bin BinOf(const Definition& d, const OpContext& c, const Shape& out, const Expr& roi, const Expr& i, int axis) {
  const Shape& x = c.inputs[0].shape;
  const double scale = c.attributes.Float("scale", 1);
  const int64_t bins = out[axis == 0 ? 3 : 2], extent = x[axis == 0 ? 3 : 2];
  auto corner = [&](int k) {
    return Unary(Op::kRound, ToFloat(d.At(1, {roi, Int(k)})) * Float(scale));
  };
  const Expr first = corner(1 + axis), last = corner(3 + axis);
  const Expr size = Max((last - first) + Float(1), Float(1));
  const Expr at = Cast(kF32, i), count = Float(static_cast<double>(bins));
  auto clamped = [&](Expr e) { return Min(Max(BoundedIndex(e + first), Int(0)), Int(extent)); };
  return {clamped(Unary(Op::kFloor, at * size / count)), clamped(Unary(Op::kCeil, (at + Float(1)) * size / count))};
}

// Row r[0] and column r[1] of the image belong to the bin.
Expr Inside(const Bin& h, const Bin& w, const Indices& r) {
  return And(And(h.begin <= r[0], r[0] < h.end), And(w.begin <= r[1], r[1] < w.end));
}

absl::StatusOr<Definition> DefineRoiPooling(const OpContext& c) {
  ASSIGN_OR_RETURN(Shape out, RoiShape(c));
  Definition d = DefinitionFor(c);
  const Shape& x = c.inputs[0].shape;
  const Scalar s = StorageOf(c.inputs[0].dtype);
  const bool is_max = c.attributes.String("mode") == "max";
  d.AddStage(out, s, [&](const Indices& i) {
    const Expr image = BoundedIndex(ToFloat(d.At(1, {i[0], Int(0)})));
    const Bin h = BinOf(d, c, out, i[0], i[2], 1), w = BinOf(d, c, out, i[0], i[3], 0);
    Expr y = d.Reduce(is_max ? Combiner::kMax : Combiner::kSum, {x[2], x[3]}, [&](const Indices& r) {
      const Expr e = ToFloat(d.At(0, {image, i[1], r[0], r[1]}));
      return Select(Inside(h, w, r), e, Float(is_max ? -3.4028234663852886e38 : 0));
    });
    const Expr empty = Or(h.end <= h.begin, w.end <= w.begin);
    if (!is_max) y = y / Max(Cast(kF32, (h.end - h.begin) * (w.end - w.begin)), Float(1));
    return FromFloat(s, Select(empty, Float(0), y));
  });
  return d;
}

REGISTER_OP(roi_pooling).Inputs(2).Infer(InferRoi).Define(DefineRoiPooling);

// --- roi_pooling_index(x, rois, y): where in the image, as row * width + column, the maximum y of each bin was first; -1
// where the bin is empty ---
Types InferRoiIndex(const OpContext& c) {
  ASSIGN_OR_RETURN(Shape shape, RoiShape(c));
  if (c.inputs.size() == 3 && c.inputs[2] != TensorType{c.inputs[0].dtype, shape}) {
    return absl::InvalidArgumentError(absl::StrCat("maxima ", ToString(c.inputs[2]), " do not fit"));
  }
  return std::vector<TensorType>{{DTypeKind::kInt32, shape}};
}

absl::StatusOr<Definition> DefineRoiPoolingIndex(const OpContext& c) {
  ASSIGN_OR_RETURN(Shape out, RoiShape(c));
  Definition d = DefinitionFor(c);
  const Shape& x = c.inputs[0].shape;
  const Expr none = Int(x[2] * x[3], kI32);
  const int first = d.AddStage(out, Scalar::kInt32, [&](const Indices& i) {
    const Expr image = BoundedIndex(ToFloat(d.At(1, {i[0], Int(0)})));
    const Bin h = BinOf(d, c, out, i[0], i[2], 1), w = BinOf(d, c, out, i[0], i[3], 0);
    const Expr y = ToFloat(d.At(2, i));
    return d.Reduce(Combiner::kMin, {x[2], x[3]}, [&](const Indices& r) {
      const Expr here = kernel::Binary(Op::kEq, ToFloat(d.At(0, {image, i[1], r[0], r[1]})), y);
      return Select(And(Inside(h, w, r), here), Cast(kI32, r[0] * x[3] + r[1]), none);
    });
  });
  d.AddStage(out, Scalar::kInt32, [&](const Indices& i) {
    const Expr at = d.At(first, i);
    return Select(kernel::Binary(Op::kEq, at, none), Int(-1, kI32), at);
  });
  return d;
}

REGISTER_OP(roi_pooling_index).Inputs(3).Infer(InferRoiIndex).Define(DefineRoiPoolingIndex);

// --- roi_align: the maximum or mean of interpolated samples in each bin; the image is zero outside ---
// Sample number `r` (of rows and columns) of the bin i.
Expr RoiSample(const Definition& d, const OpContext& c, const Shape& out, const std::vector<int64_t>& samples,
               const Indices& i, const Indices& r) {
  const double scale = c.attributes.Float("scale", 1), offset = c.attributes.Float("offset");
  const Expr image = BoundedIndex(ToFloat(d.At(1, {i[0], Int(0)})));
  // Where the sample lies along an axis.
  auto place = [&](int axis, const Expr& bin, const Expr& sample) {
    auto corner = [&](int k) { return ToFloat(d.At(1, {i[0], Int(k)})) * Float(scale) - Float(offset); };
    const Expr start = corner(1 + axis), size = Max(corner(3 + axis) - start, Float(0));
    const double bins = static_cast<double>(out[axis == 0 ? 3 : 2]);
    const Expr in_bin = (Cast(kF32, sample) + Float(0.5)) / Float(static_cast<double>(samples[axis == 0 ? 1 : 0]));
    return start + size / Float(bins) * (Cast(kF32, bin) + in_bin);
  };
  const Type type(StorageOf(c.inputs[0].dtype));
  return Bilinear(place(1, i[2], r[0]), place(0, i[3], r[1]), [&](const Expr& h, const Expr& w) {
    return ToFloat(d.AtOr(0, {image, i[1], h, w}, Cast(type, Int(0))));
  });
}

absl::StatusOr<Definition> DefineRoiAlign(const OpContext& c) {
  ASSIGN_OR_RETURN(Shape out, RoiShape(c));
  ASSIGN_OR_RETURN(std::vector<int64_t> samples, PairOf(c.attributes, "samples", 2, 1));
  Definition d = DefinitionFor(c);
  const Scalar s = StorageOf(c.inputs[0].dtype);
  const bool is_max = c.attributes.String("mode") == "max";
  d.AddStage(out, s, [&](const Indices& i) {
    Expr y = d.Reduce(is_max ? Combiner::kMax : Combiner::kSum, samples,
                      [&](const Indices& r) { return RoiSample(d, c, out, samples, i, r); });
    if (!is_max) y = y * Float(1.0 / static_cast<double>(samples[0] * samples[1]));
    return FromFloat(s, y);
  });
  return d;
}

REGISTER_OP(roi_align).Inputs(2).Infer(InferRoi).Define(DefineRoiAlign);

// --- roi_align_index(x, rois): the number of the first of the largest samples of each bin ---
absl::StatusOr<Definition> DefineRoiAlignIndex(const OpContext& c) {
  ASSIGN_OR_RETURN(Shape out, RoiShape(c));
  ASSIGN_OR_RETURN(std::vector<int64_t> samples, PairOf(c.attributes, "samples", 2, 1));
  Definition d = DefinitionFor(c);
  const int64_t count = samples[0] * samples[1];
  Shape all = out;
  all.push_back(count);
  RETURN_IF_ERROR(CheckSize(all));
  auto at = [](Indices i, const Expr& r) {
    i.push_back(r);
    return i;
  };
  const int sampled = d.AddStage(all, Scalar::kFloat32, [&](const Indices& i) {
    const Expr row = FloorDiv(i[4], Int(samples[1])), column = kernel::FloorMod(i[4], Int(samples[1]));
    return RoiSample(d, c, out, samples, {i[0], i[1], i[2], i[3]}, {row, column});
  });
  const int best = d.AddStage(out, Scalar::kFloat32, [&](const Indices& i) {
    return d.Reduce(Combiner::kMax, {count}, [&](const Indices& r) { return d.At(sampled, at(i, r[0])); });
  });
  d.AddStage(out, Scalar::kInt32, [&](const Indices& i) {
    return d.Reduce(Combiner::kMin, {count}, [&](const Indices& r) {
      const Expr here = kernel::Binary(Op::kEq, d.At(sampled, at(i, r[0])), d.At(best, i));
      return Select(here, Cast(kI32, r[0]), Int(count - 1, kI32));
    });
  });
  return d;
}

REGISTER_OP(roi_align_index).Inputs(2).Infer(InferRoiIndex).Define(DefineRoiAlignIndex);

// --- deformable_roi_pooling(x, rois [, trans]): means of samples in bins that are shifted by trans, [K, 2 * classes, P, P]
// with the shifts along x and y of each class of channels, and how many samples lie in the image ---
struct DeformableRoi {
  Shape out;
  int64_t samples, part, classes;
  double scale, trans_std;
};

absl::StatusOr<DeformableRoi> DeformableRoiOf(const OpContext& c) {
  DeformableRoi p;
  ASSIGN_OR_RETURN(p.out, RoiShape(c));
  p.samples = c.attributes.Int("samples", 1);
  p.part = c.attributes.Int("part", 1);
  p.scale = c.attributes.Float("scale", 1);
  p.trans_std = c.attributes.Float("trans_std", 1);
  p.classes = 1;
  constexpr int64_t kMost = 1 << 20;
  if (p.samples < 1 || p.part < 1 || p.samples > kMost || p.part > kMost) {
    return absl::InvalidArgumentError("samples and parts must be positive");
  }
  if (c.inputs.size() == 3) {
    const TensorType& t = c.inputs[2];
    p.classes = t.shape.size() == 4 ? t.shape[1] / 2 : 0;
    if (p.classes < 1 || t.shape != Shape{p.out[0], 2 * p.classes, p.part, p.part} || p.out[1] % p.classes != 0 ||
        !IsFloating(t.dtype)) {
      return absl::InvalidArgumentError(absl::StrCat("shifts ", ToString(t), " do not fit"));
    }
  }
  return p;
}

Types InferDeformableRoi(const OpContext& c) {
  ASSIGN_OR_RETURN(DeformableRoi p, DeformableRoiOf(c));
  const TensorType t{c.inputs[0].dtype, p.out};
  return std::vector<TensorType>{t, t};
}

absl::StatusOr<Definition> DefineDeformableRoi(const OpContext& c) {
  ASSIGN_OR_RETURN(DeformableRoi p, DeformableRoiOf(c));
  Definition d = DefinitionFor(c);
  const Shape& x = c.inputs[0].shape;
  const Scalar s = StorageOf(c.inputs[0].dtype);
  // Where sample r lies along an axis (0: x).
  auto place = [&](const Indices& i, const Expr& r, int axis) {
    auto corner = [&](int k, double add) {
      const Expr v = Unary(Op::kRound, ToFloat(d.At(1, {i[0], Int(k)})));
      return (v + Float(add)) * Float(p.scale) - Float(0.5);
    };
    const Expr start = corner(1 + axis, 0), size = Max(corner(3 + axis, 1) - start, Float(0.1));
    const int64_t bins = p.out[axis == 0 ? 3 : 2];
    const Expr bin = size / Float(static_cast<double>(bins));
    Expr at = Cast(kF32, i[axis == 0 ? 3 : 2]) * bin + start;
    if (c.inputs.size() == 3) {
      const Expr plane = FloorDiv(i[1], Int(p.out[1] / p.classes)) * 2 + int64_t{axis};
      const Expr shift = d.At(2, {i[0], plane, FloorDiv(i[2] * p.part, Int(p.out[2])),
                                  FloorDiv(i[3] * p.part, Int(p.out[3]))});
      at = at + ToFloat(shift) * Float(p.trans_std) * size;
    }
    return at + Cast(kF32, r) * (bin / Float(static_cast<double>(p.samples)));
  };
  auto inside = [&](const Expr& h, const Expr& w) {
    auto along = [](const Expr& e, int64_t n) { return And(Float(-0.5) <= e, e <= Float(static_cast<double>(n) - 0.5)); };
    return And(along(h, x[2]), along(w, x[3]));
  };
  const int count = d.AddStage(p.out, s, [&](const Indices& i) {
    return FromFloat(s, d.Reduce(Combiner::kSum, {p.samples, p.samples}, [&](const Indices& r) {
      return Select(inside(place(i, r[0], 1), place(i, r[1], 0)), Float(1), Float(0));
    }));
  });
  const int y = d.AddStage(p.out, s, [&](const Indices& i) {
    const Expr image = BoundedIndex(ToFloat(d.At(1, {i[0], Int(0)})));
    const Expr sum = d.Reduce(Combiner::kSum, {p.samples, p.samples}, [&](const Indices& r) {
      const Expr h = place(i, r[0], 1), w = place(i, r[1], 0);
      auto clamped = [](const Expr& e, int64_t n) {
        return Min(Max(e, Float(0)), Float(static_cast<double>(n - 1)));
      };
      const Expr sample = Bilinear(clamped(h, x[2]), clamped(w, x[3]), [&](const Expr& row, const Expr& column) {
        return ToFloat(d.At(0, {image, i[1], Min(row, Int(x[2] - 1)), Min(column, Int(x[3] - 1))}));
      });
      return Select(inside(h, w), sample, Float(0));
    });
    return FromFloat(s, sum / Max(ToFloat(d.At(count, i)), Float(1)));
  });
  d.SetOutputs({y, count});
  return d;
}

REGISTER_OP(deformable_roi_pooling).Inputs(2, 3).Infer(InferDeformableRoi).Define(DefineDeformableRoi);

}  // namespace
}  // namespace mgec::ops
