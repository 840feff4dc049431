// Colour conversions of NHWC images, uint8 or float. Modes are MegEngine's, in lower case; names of channels there are not
// always true: "rgb2yuv" and "yuv2rgb" have coefficients for the order blue, green, red.
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "compiler/ops/common.h"

namespace mgec::ops {
namespace {

using kernel::Cast;
using kernel::Float;
using kernel::FloorDiv;
using kernel::FloorMod;
using kernel::Int;
using kernel::Select;
using kernel::Type;

const Type kI32(Scalar::kInt32);

// Channels of input and output for the modes that work pixel by pixel.
const std::map<std::string, std::pair<int64_t, int64_t>>& PixelModes() {
  static const auto* modes = new std::map<std::string, std::pair<int64_t, int64_t>>{
      {"rgb2gray", {3, 1}}, {"bgr2gray", {3, 1}}, {"rgba2gray", {4, 1}}, {"gray2rgb", {1, 3}}, {"rgb2bgr", {3, 3}},
      {"bgr2rgb", {3, 3}},  {"rgba2rgb", {4, 3}}, {"rgba2bgr", {4, 3}},  {"rgb2yuv", {3, 3}},  {"yuv2rgb", {3, 3}}};
  return *modes;
}

// The modes for images whose chroma has half the resolution: a plane of Y above planes of U and V, in one channel.
struct Planar {
  bool bt601 = false, gray = false, blue_first = false;
  bool interleaved = false;  // U and V alternate
  bool v_first = false;
};

bool ParsePlanar(absl::string_view mode, Planar& p) {
  p.bt601 = absl::ConsumePrefix(&mode, "bt601_");
  if (!absl::ConsumePrefix(&mode, "yuv2")) return false;
  p.gray = absl::ConsumePrefix(&mode, "gray_");
  p.blue_first = !p.gray && absl::ConsumePrefix(&mode, "bgr_");
  if (!p.gray && !p.blue_first && !absl::ConsumePrefix(&mode, "rgb_")) return false;
  p.interleaved = mode == "nv21" || mode == "nv12";
  p.v_first = mode == "nv21" || mode == "yv12";
  return p.interleaved || mode == "yv12" || mode == "yu12";
}

Types InferCvtColor(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  const std::string mode = c.attributes.String("mode");
  RETURN_IF_ERROR(CheckRank(x, 4, "x"));
  if (x.dtype.kind != DTypeKind::kUint8 && !IsFloating(x.dtype)) {
    return absl::InvalidArgumentError(absl::StrCat("does not take ", ToString(x.dtype)));
  }
  TensorType out = x;
  const auto it = PixelModes().find(mode);
  Planar planar;
  if (it != PixelModes().end()) {
    if (x.shape[3] != it->second.first) {
      return absl::InvalidArgumentError(absl::StrCat(mode, " takes ", it->second.first, " channels"));
    }
    out.shape[3] = it->second.second;
  } else if (ParsePlanar(mode, planar)) {
    if (x.shape[3] != 1 || x.shape[1] % 3 != 0 || x.shape[2] % 2 != 0 || x.shape[1] == 0 || x.shape[2] == 0 ||
        IsFloating(x.dtype)) {
      return absl::InvalidArgumentError(absl::StrCat("an image of ", ToString(x), " does not fit ", mode));
    }
    out.shape[1] = x.shape[1] / 3 * 2;
    out.shape[3] = planar.gray ? 1 : 3;
  } else {
    return absl::InvalidArgumentError(absl::StrCat("there is no mode '", mode, "'"));
  }
  return std::vector<TensorType>{out};
}

Expr Shift(Expr e, int64_t bits) { return Binary(Op::kShr, std::move(e), Int(bits, kI32)); }
Expr Sum(std::initializer_list<std::pair<int64_t, Expr>> terms, int64_t constant) {
  Expr sum = Int(constant, kI32);
  for (const auto& [k, e] : terms) sum = sum + e * Int(k, kI32);
  return sum;
}
Expr Byte(const Expr& e) { return Cast(Type(Scalar::kUint8), Min(Max(e, Int(0, kI32)), Int(255, kI32))); }
// The one of three values for a channel.
Expr Pick(const Expr& channel, const Expr& a, const Expr& b, const Expr& c) {
  return Select(channel < int64_t{1}, a, Select(channel < int64_t{2}, b, c));
}

// An integer with 14 binary places, to the nearest.
Expr Fixed14(std::initializer_list<std::pair<int64_t, Expr>> terms, int64_t offset = 0) {
  return Shift(Sum(terms, 8192 + (offset << 14)), 14);
}

Expr PixelByte(const std::string& mode, const std::function<Expr(int64_t)>& at, const Expr& channel) {
  auto in = [&](int64_t k) { return Cast(kI32, at(k)); };
  if (absl::EndsWith(mode, "2gray")) {
    const int64_t red = absl::StartsWith(mode, "bgr") ? 2 : 0;
    return Byte(Fixed14({{4899, in(red)}, {9617, in(1)}, {1868, in(2 - red)}}));
  }
  if (mode == "rgb2yuv") {
    const Expr y = Fixed14({{1868, in(0)}, {9617, in(1)}, {4899, in(2)}});
    return Byte(Pick(channel, y, Fixed14({{8061, in(0) - y}}, 128), Fixed14({{14369, in(2) - y}}, 128)));
  }
  const Expr y = in(0), u = in(1) - Int(128, kI32), v = in(2) - Int(128, kI32);
  return Byte(Pick(channel, y + Fixed14({{33292, u}}), y + Fixed14({{-9519, v}, {-6472, u}}),
                   y + Fixed14({{18678, v}})));
}

Expr PixelFloat(const std::string& mode, const std::function<Expr(int64_t)>& at, const Expr& channel) {
  auto in = [&](int64_t k) { return ToFloat(at(k)); };
  if (absl::EndsWith(mode, "2gray")) {
    const int64_t red = absl::StartsWith(mode, "bgr") ? 2 : 0;
    return in(red) * Float(0.299) + in(1) * Float(0.587) + in(2 - red) * Float(0.114);
  }
  if (mode == "rgb2yuv") {
    const Expr y = in(0) * Float(0.114) + in(1) * Float(0.587) + in(2) * Float(0.299);
    return Pick(channel, y, (in(0) - y) * Float(0.492) + Float(0.5), (in(2) - y) * Float(0.877) + Float(0.5));
  }
  const Expr y = in(0), u = in(1) - Float(0.5), v = in(2) - Float(0.5);
  return Pick(channel, y + u * Float(2.032), y - u * Float(0.395) - v * Float(0.581), y + v * Float(1.14));
}

// A pixel from its luma and the chroma of its block of two by two.
Expr PlanarPixel(const Planar& p, const Expr& luma, const Expr& u, const Expr& v, const Expr& channel) {
  Expr r, g, b;
  if (p.bt601) {
    const Expr y = Shift(luma * Int(257, kI32) * Int(18997, kI32), 16);
    r = Shift(Sum({{102, v}, {1, y}}, -14216), 6);
    g = Shift(Sum({{-25, u}, {-52, v}, {1, y}}, 8696), 6);
    b = Shift(Sum({{128, u}, {1, y}}, -17544), 6);
  } else {
    const Expr du = u - Int(128, kI32), dv = v - Int(128, kI32);
    r = luma + Shift(Sum({{359, dv}}, 0), 8);
    g = luma - Shift(Sum({{88, du}, {183, dv}}, 0), 8);
    b = luma + Shift(Sum({{454, du}}, 0), 8);
  }
  return Byte(p.blue_first ? Pick(channel, b, g, r) : Pick(channel, r, g, b));
}

absl::StatusOr<Definition> DefineCvtColor(const OpContext& c) {
  ASSIGN_OR_RETURN(std::vector<TensorType> out, InferCvtColor(c));
  Definition d = DefinitionFor(c);
  const std::string mode = c.attributes.String("mode");
  const Scalar s = StorageOf(out[0].dtype);
  const int64_t height = out[0].shape[1], width = out[0].shape[2];
  Planar planar;
  const bool is_planar = ParsePlanar(mode, planar);
  d.AddStage(out[0].shape, s, [&](const Indices& i) -> Expr {
    if (is_planar) {
      const Expr luma = d.At(0, {i[0], i[1], i[2], Int(0)});
      if (planar.gray) return luma;
      auto chroma = [&](bool is_v) {
        const Expr row = FloorDiv(i[1], Int(2)), column = FloorDiv(i[2], Int(2));
        const bool second = is_v != planar.v_first;
        // Its number in the rows below the luma, which are as wide as the image.
        const Expr at = planar.interleaved
                            ? row * width + column * 2 + int64_t{second}
                            : row * (width / 2) + column + (second ? height / 2 * (width / 2) : 0);
        return Cast(kI32, d.At(0, {i[0], FloorDiv(at, Int(width)) + height, FloorMod(at, Int(width)), Int(0)}));
      };
      return PlanarPixel(planar, Cast(kI32, luma), chroma(false), chroma(true), i[3]);
    }
    auto at = [&](int64_t k) { return d.At(0, {i[0], i[1], i[2], Int(k)}); };
    if (mode == "gray2rgb") return at(0);
    if (mode == "rgba2rgb") return d.At(0, i);
    if (mode == "rgb2bgr" || mode == "bgr2rgb" || mode == "rgba2bgr") {
      return d.At(0, {i[0], i[1], i[2], Int(2) - i[3]});
    }
    return IsFloating(out[0].dtype) ? FromFloat(s, PixelFloat(mode, at, i[3])) : PixelByte(mode, at, i[3]);
  });
  return d;
}

REGISTER_OP(cvt_color).Inputs(1).Infer(InferCvtColor).Define(DefineCvtColor);

}  // namespace
}  // namespace mgec::ops
