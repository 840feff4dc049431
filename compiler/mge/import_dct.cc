// DctChannelSelect: the discrete cosine transform of blocks of an image of bytes, of which some frequencies are kept.
#include <cmath>
#include <cstring>

#include "compiler/mge/importer.h"

namespace mgec::mge {
namespace {

using param::ConvolutionFormat;

absl::Status CheckDct(const Operator& op) {
  const auto& p = *op.Param<param::DctChannelSelect>();
  if (p.format() != ConvolutionFormat::NCHW && p.format() != ConvolutionFormat::NCHW4) {
    return Unsupported(absl::StrCat("format=", EnumText(EnumNameConvolutionFormat(p.format()),
                                                        static_cast<uint32_t>(p.format()))),
                       "NCHW, NCHW4");
  }
  if (p.dct_block_size() < 1 || p.dct_block_size() > 64) {
    return Unsupported(absl::StrCat("dct_block_size=", p.dct_block_size()), "1 to 64");
  }
  return absl::OkStatus();
}

// One filter for each pair of frequencies: the product of two cosines, orthonormal.
Value* Filters(ImportContext& c, int64_t n) {
  auto wave = [n](int64_t frequency, int64_t at) {
    const double scale = std::sqrt((frequency == 0 ? 1.0 : 2.0) / static_cast<double>(n));
    return scale * std::cos((2.0 * static_cast<double>(at) + 1) * static_cast<double>(frequency) * M_PI /
                            (2.0 * static_cast<double>(n)));
  };
  std::vector<float> filters;
  for (int64_t u = 0; u < n; ++u) {
    for (int64_t v = 0; v < n; ++v) {
      for (int64_t h = 0; h < n; ++h) {
        for (int64_t w = 0; w < n; ++w) filters.push_back(static_cast<float>(wave(u, h) * wave(v, w)));
      }
    }
  }
  std::string data(filters.size() * sizeof(float), '\0');
  std::memcpy(&data[0], filters.data(), data.size());
  return c.graph().AddConstant({graph::DTypeKind::kFloat32, {n * n, 1, n, n}}, std::move(data));
}

// The frequencies that the masks keep, as channels of the whole transform: values [offsets[c], offsets[c + 1]) are those of
// channel c.
absl::StatusOr<std::vector<int64_t>> KeptChannels(ImportContext& c, int64_t channels, int64_t frequencies) {
  ASSIGN_OR_RETURN(const std::vector<int64_t> offsets, c.Ints(1));
  ASSIGN_OR_RETURN(const std::vector<int64_t> values, c.Ints(2));
  const int64_t count = static_cast<int64_t>(values.size());
  if (static_cast<int64_t>(offsets.size()) != channels + 1 || offsets.front() != 0 || offsets.back() != count) {
    return absl::InvalidArgumentError(absl::StrCat("the mask's ", offsets.size(), " offsets do not fit ", channels,
                                                   " channels and ", count, " values"));
  }
  std::vector<int64_t> kept;
  for (int64_t channel = 0; channel < channels; ++channel) {
    if (offsets[channel] > offsets[channel + 1]) return absl::InvalidArgumentError("the mask's offsets do not ascend");
    for (int64_t k = offsets[channel]; k < offsets[channel + 1]; ++k) {
      if (values[k] < 0 || values[k] >= frequencies) {
        return absl::InvalidArgumentError(absl::StrCat("there is no frequency ", values[k]));
      }
      kept.push_back(channel * frequencies + values[k]);
    }
  }
  return kept;
}

absl::StatusOr<Value*> ImportDct(ImportContext& c) {
  const auto& p = c.Param<param::DctChannelSelect>();
  const Shape in = c.shape(0);
  const int64_t n = p.dct_block_size(), frequencies = n * n;
  if (in.size() != 4 || in[2] % n != 0 || in[3] % n != 0) {
    return absl::InvalidArgumentError(absl::StrCat("an image ", graph::ToString(in), " is not made of blocks of ", n));
  }
  ASSIGN_OR_RETURN(Value * x, c.Cast(c.input(0), graph::DTypeKind::kFloat32));
  ASSIGN_OR_RETURN(x, c.Reshape(x, {in[0] * in[1], 1, in[2], in[3]}));
  ASSIGN_OR_RETURN(Value * y, c.Add("conv2d", {x, Filters(c, n)}, {{"stride", Shape{n, n}}}));
  ASSIGN_OR_RETURN(y, c.Reshape(y, {in[0], in[1] * frequencies, in[2] / n, in[3] / n}));
  if (c.num_inputs() == 3) {
    ASSIGN_OR_RETURN(const std::vector<int64_t> kept, KeptChannels(c, in[1], frequencies));
    ASSIGN_OR_RETURN(y, c.Add("gather", {y, c.graph().AddInts(kept)}, {{"axis", int64_t{1}}}));
  }
  if (p.format() == ConvolutionFormat::NCHW) return y;
  const Shape out = y->type.shape;
  if (!c.op().output_dtype.has_value() || out[1] % 4 != 0) {
    return absl::InvalidArgumentError("NCHW4 needs a quantized type and a multiple of 4 channels");
  }
  ASSIGN_OR_RETURN(const graph::DType dtype, ToGraphDType(*c.op().output_dtype));
  ASSIGN_OR_RETURN(y, c.Cast(y, dtype));
  ASSIGN_OR_RETURN(y, c.Reshape(y, {out[0], out[1] / 4, 4, out[2], out[3]}));
  return c.Transpose(y, {0, 1, 3, 4, 2});
}

}  // namespace

void RegisterDct(Registry& r) { r.Add("DctChannelSelect", ImportDct, CheckDct); }

}  // namespace mgec::mge
