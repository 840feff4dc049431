// Resize, Resize3D, GaussianBlur.
//
// MegEngine resizes NHWC images of 1 or 3 channels as OpenCV does, with places and weights that differ from those of all
// other images. These are written to tables here.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/ascii.h"
#include "compiler/mge/importer.h"
#include "compiler/mge/layout.h"

namespace mgec::mge {
namespace {

using param::BorderMode;
using param::InterpolationMode;

std::string ModeText(InterpolationMode mode) {
  return EnumText(EnumNameInterpolationMode(mode), static_cast<uint32_t>(mode));
}

// What the elements of the result take from those of the input, along one axis.
struct Table {
  struct Tap {
    int64_t index;
    double weight;
  };
  std::vector<std::vector<Tap>> taps;  // of each element of the result
};

// The weights of the eight nearest elements for a place at distance x behind the fourth.
std::vector<double> LanczosWeights(double x) {
  constexpr double kHalf = 0.70710678118654752440;
  static constexpr double kCs[8][2] = {{1, 0},  {-kHalf, -kHalf}, {0, 1},  {kHalf, -kHalf},
                                       {-1, 0}, {kHalf, kHalf},   {0, -1}, {-kHalf, kHalf}};
  std::vector<double> w(8, 0);
  if (x < 1.1920929e-7) {
    w[3] = 1;
    return w;
  }
  const double quarter = std::acos(-1.0) / 4, y0 = -(x + 3) * quarter;
  double sum = 0;
  for (int i = 0; i < 8; ++i) {
    const double y = -(x + 3 - i) * quarter;
    w[i] = (kCs[i][0] * std::sin(y0) + kCs[i][1] * std::cos(y0)) / (y * y);
    sum += w[i];
  }
  for (double& v : w) v /= sum;
  return w;
}

std::vector<double> CubicWeights(double x) {
  constexpr double kA = -0.75;
  auto near = [](double d) { return ((kA + 2) * d - (kA + 3)) * d * d + 1; };
  const double far = ((kA * (x + 1) - 5 * kA) * (x + 1) + 8 * kA) * (x + 1) - 4 * kA;
  return {far, near(x), near(1 - x), 1 - far - near(x) - near(1 - x)};
}

// Shares of the elements that each box of in / out elements covers.
Table BoxTable(int64_t in, int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  constexpr double kLeast = 1e-3;  // a smaller share counts for nothing
  Table t;
  for (int64_t i = 0; i < out; ++i) {
    const double begin = static_cast<double>(i) * scale, end = begin + scale;
    const double width = std::min(scale, static_cast<double>(in) - begin);
    const int64_t last = std::min(static_cast<int64_t>(std::floor(end)), in - 1);
    const int64_t first = std::min(static_cast<int64_t>(std::ceil(begin)), last);
    std::vector<Table::Tap> taps;
    const double before = static_cast<double>(first) - begin, after = end - static_cast<double>(last);
    if (before > kLeast) taps.push_back({first - 1, before / width});
    for (int64_t k = first; k < last; ++k) taps.push_back({k, 1 / width});
    if (after > kLeast) taps.push_back({last, std::min({after, 1.0, width}) / width});
    t.taps.push_back(std::move(taps));
  }
  return t;
}

// `fixed` rounds the weights to multiples of 1/2048 (down for LINEAR).
Table CvTable(InterpolationMode mode, int64_t in, int64_t out, bool fixed) {
  constexpr double kOne = 2048;
  const double inverse = static_cast<double>(out) / static_cast<double>(in), scale = 1 / inverse;
  Table t;
  for (int64_t i = 0; i < out; ++i) {
    const double at = static_cast<double>(i);
    int64_t first;
    std::vector<double> weights;
    if (mode == InterpolationMode::NEAREST) {
      first = static_cast<int64_t>(std::floor(at * scale));
      weights = {1};
    } else if (mode == InterpolationMode::AREA) {  // of an image that grows along an axis
      first = static_cast<int64_t>(std::floor(at * scale));
      double part = (at + 1) - static_cast<double>(first + 1) * inverse;
      part = part <= 0 ? 0 : part - std::floor(part);
      weights = {1 - part, part};
    } else {
      const float place = static_cast<float>((at + 0.5) * scale - 0.5);
      first = static_cast<int64_t>(std::floor(place));
      double part = static_cast<double>(place - std::floor(place));
      if (mode == InterpolationMode::LINEAR) {
        if (first < 0) part = 0;
        if (first >= in - 1) part = 1;
        first = std::clamp<int64_t>(first, 0, in - 2);
        if (fixed) part = std::trunc(part * kOne) / kOne;
        weights = {1 - part, part};
      } else if (mode == InterpolationMode::CUBIC) {
        weights = CubicWeights(part);
        first -= 1;
      } else {
        weights = LanczosWeights(part);
        first -= 3;
      }
    }
    std::vector<Table::Tap> taps;
    for (size_t k = 0; k < weights.size(); ++k) {
      const int64_t index = std::clamp<int64_t>(first + static_cast<int64_t>(k), 0, in - 1);
      taps.push_back({index, fixed ? std::nearbyint(weights[k] * kOne) : weights[k]});
    }
    t.taps.push_back(std::move(taps));
  }
  return t;
}

// The table as constants: indices, and weights as int32 or float32. All elements have as many taps as the one with most.
std::pair<Value*, Value*> Constants(ImportContext& c, const Table& t, bool fixed) {
  size_t most = 1;
  for (const auto& taps : t.taps) most = std::max(most, taps.size());
  std::string indices, weights;
  auto append = [](std::string& s, auto v) { s.append(reinterpret_cast<const char*>(&v), sizeof(v)); };
  for (const auto& taps : t.taps) {
    for (size_t k = 0; k < most; ++k) {
      const Table::Tap tap = k < taps.size() ? taps[k] : Table::Tap{0, 0};
      append(indices, static_cast<int32_t>(tap.index));
      if (fixed) append(weights, static_cast<int32_t>(tap.weight));
      else append(weights, static_cast<float>(tap.weight));
    }
  }
  const Shape shape = {static_cast<int64_t>(t.taps.size()), static_cast<int64_t>(most)};
  const graph::DType weight_type = fixed ? graph::DTypeKind::kInt32 : graph::DTypeKind::kFloat32;
  return {c.graph().AddConstant({graph::DTypeKind::kInt32, shape}, std::move(indices)),
          c.graph().AddConstant({weight_type, shape}, std::move(weights))};
}

absl::StatusOr<Value*> ByTables(ImportContext& c, Value* x, const Table& h, const Table& w, bool fixed,
                                graph::Attributes attributes) {
  const auto [ih, wh] = Constants(c, h, fixed);
  const auto [iw, ww] = Constants(c, w, fixed);
  return c.Add("resize_table", {x, ih, wh, iw, ww}, std::move(attributes));
}

// Tables beyond this are no image's.
constexpr int64_t kMostExtent = 1 << 16;

absl::StatusOr<Value*> ResizeLikeOpenCv(ImportContext& c, InterpolationMode mode, const Shape& size) {
  const Shape& in = c.shape(0);
  const bool bytes = c.input(0)->type.dtype.kind == graph::DTypeKind::kUint8;
  for (int64_t extent : {in[1], in[2], size[0], size[1]}) {
    if (extent < 1 || extent > kMostExtent || (mode == InterpolationMode::LINEAR && extent < 2)) {
      return absl::InvalidArgumentError(absl::StrCat("cannot resize to or from an extent of ", extent));
    }
  }
  if (mode == InterpolationMode::AREA && size[0] <= in[1] && size[1] <= in[2]) {
    const bool halves = in[1] == 2 * size[0] && in[2] == 2 * size[1];
    return ByTables(c, c.input(0), BoxTable(in[1], size[0]), BoxTable(in[2], size[1]), false,
                    {{"rounding", std::string(halves ? "away" : "even")}});
  }
  const bool fixed = bytes && mode != InterpolationMode::NEAREST;
  graph::Attributes attributes = {{"rounding", std::string("away")}};
  if (fixed) {
    attributes.Set("shift", int64_t{22});
    attributes.Set("add", int64_t{mode == InterpolationMode::LINEAR ? 0 : 1 << 21});
  }
  return ByTables(c, c.input(0), CvTable(mode, in[1], size[0], fixed), CvTable(mode, in[2], size[1], fixed), fixed,
                  attributes);
}

absl::Status CheckResize(const Operator& op) {
  const auto& p = *op.Param<param::Resize>();
  RETURN_IF_ERROR(CheckLayout(p.format()));
  if (p.imode() <= InterpolationMode::LANCZOS4) return absl::OkStatus();
  return Unsupported(absl::StrCat("imode=", ModeText(p.imode())), "NEAREST, LINEAR, AREA, CUBIC, LANCZOS4");
}

absl::StatusOr<Value*> ImportResize(ImportContext& c) {
  const auto& p = c.Param<param::Resize>();
  ASSIGN_OR_RETURN(const Layout layout, LayoutOf(p.format()));
  ASSIGN_OR_RETURN(Shape size, c.Ints(1));
  if (size.size() == 1) size.push_back(size[0]);
  if (size.size() != 2) return absl::InvalidArgumentError("the size of the output must be two numbers");
  const graph::DTypeKind kind = c.input(0)->type.dtype.kind;
  if (layout.kind == Layout::kNhwc && c.shape(0).size() == 4 && (c.shape(0)[3] == 1 || c.shape(0)[3] == 3) &&
      (kind == graph::DTypeKind::kFloat32 || kind == graph::DTypeKind::kUint8)) {
    return ResizeLikeOpenCv(c, p.imode(), size);
  }
  InterpolationMode mode = p.imode();
  if (layout.kind != Layout::kNchw && mode != InterpolationMode::NEAREST) {
    mode = InterpolationMode::LINEAR;  // MegEngine takes all others for that
  } else if (mode == InterpolationMode::AREA || mode == InterpolationMode::LANCZOS4) {
    return Unsupported(absl::StrCat("imode=", ModeText(mode)), "NEAREST, LINEAR, CUBIC; other formats");
  }
  ASSIGN_OR_RETURN(Value * x, ToNchw(c, c.input(0), layout));
  ASSIGN_OR_RETURN(Value * y, c.Add("resize", {x}, {{"mode", absl::AsciiStrToLower(ModeText(mode))},
                                                    {"size", size}}));
  return FromNchw(c, y, layout);
}

absl::Status CheckResize3d(const Operator& op) {
  const auto& p = *op.Param<param::Resize3D>();
  if (p.format() != param::Convolution3DFormat::NCDHW) return Unsupported("format=NDHWC", "NCDHW");
  if (p.imode() != InterpolationMode::LINEAR) return Unsupported(absl::StrCat("imode=", ModeText(p.imode())), "LINEAR");
  return absl::OkStatus();
}

absl::StatusOr<Value*> ImportResize3d(ImportContext& c) {
  ASSIGN_OR_RETURN(const Shape size, c.Ints(1));
  return c.Add("resize3d", {c.input(0)},
               {{"size", size}, {"align_corners", int64_t{c.Param<param::Resize3D>().align_corners()}}});
}

// The index of the element that stands for element i outside of [0, n); -1 if that is zero.
int64_t Bordered(BorderMode mode, int64_t i, int64_t n) {
  if (i >= 0 && i < n) return i;
  if (mode == BorderMode::CONSTANT) return -1;
  if (mode == BorderMode::REPLICATE || n == 1) return i < 0 ? 0 : n - 1;
  const int64_t period = mode == BorderMode::WRAP ? n : mode == BorderMode::REFLECT ? 2 * n : 2 * n - 2;
  const int64_t m = ((i % period) + period) % period;
  return m < n ? m : (mode == BorderMode::REFLECT ? period - 1 : period) - m;
}

// Weights of a Gauss curve around each element. `fixed`: in units of 1/256.
Table BlurTable(int64_t n, int64_t window, double sigma, BorderMode border, bool fixed) {
  std::vector<double> weights;
  double sum = 0;
  for (int64_t k = 0; k < window; ++k) {
    const double x = static_cast<double>(k) - static_cast<double>(window - 1) * 0.5;
    weights.push_back(std::exp(-0.5 * x * x / (sigma * sigma)));
    sum += weights.back();
  }
  Table t;
  for (int64_t i = 0; i < n; ++i) {
    std::vector<Table::Tap> taps;
    for (int64_t k = 0; k < window; ++k) {
      const int64_t index = Bordered(border, i + k - window / 2, n);
      const double weight = weights[k] / sum;
      if (index >= 0) taps.push_back({index, fixed ? std::nearbyint(weight * 256) : weight});
    }
    t.taps.push_back(std::move(taps));
  }
  return t;
}

absl::Status CheckBlur(const Operator& op) {
  const BorderMode border = op.Param<param::GaussianBlur>()->border_mode();
  if (border <= BorderMode::CONSTANT) return absl::OkStatus();
  return Unsupported(absl::StrCat("border_mode=", EnumText(EnumNameBorderMode(border), static_cast<uint32_t>(border))),
                     "REPLICATE, REFLECT, REFLECT_101, WRAP, CONSTANT");
}

// As OpenCV: a window of 0 is chosen for sigma, a sigma of 0 for the window.
absl::StatusOr<Value*> ImportBlur(ImportContext& c) {
  const auto& p = c.Param<param::GaussianBlur>();
  const Shape& in = c.shape(0);
  if (in.size() != 4) return absl::InvalidArgumentError("x is not an image");
  const bool bytes = c.input(0)->type.dtype.kind == graph::DTypeKind::kUint8;
  double sigma[2] = {p.sigma_y(), p.sigma_x()};
  if (sigma[0] <= 0) sigma[0] = sigma[1];
  Table tables[2];
  for (int axis = 0; axis < 2; ++axis) {
    int64_t window = axis == 0 ? p.kernel_height() : p.kernel_width();
    if (window == 0 && sigma[axis] > 0 && sigma[axis] < 1000) {
      window = static_cast<int64_t>(std::nearbyint(sigma[axis] * (bytes ? 3 : 4) * 2 + 1)) | 1;
    }
    if (window % 2 != 1 || window > 1024 || in[1 + axis] > kMostExtent || in[1 + axis] < 1) {
      return absl::InvalidArgumentError(absl::StrCat("a window of ", window, " is not possible"));
    }
    const double s = sigma[axis] > 0 ? sigma[axis] : 0.3 * (static_cast<double>(window - 1) * 0.5 - 1) + 0.8;
    tables[axis] = BlurTable(in[1 + axis], window, s, p.border_mode(), bytes);
  }
  return ByTables(c, c.input(0), tables[0], tables[1], bytes,
                  {{"shift", int64_t{16}}, {"add", int64_t{1 << 15}}, {"rounding", std::string("away")}});
}

}  // namespace

void RegisterResize(Registry& r) {
  r.Add("GaussianBlur", ImportBlur, CheckBlur);
  r.Add("Resize", ImportResize, CheckResize);
  r.Add("Resize3D", ImportResize3d, CheckResize3d);
}

}  // namespace mgec::mge
