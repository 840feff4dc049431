#include "compiler/mge/weight_layout.h"

#include <algorithm>

namespace mgec::mge {
namespace {

using Mode = param::RelayoutFormatMode;

// Axis i is padded to a multiple of pad[i] and, where split[i] > 1, becomes two: blocks, and what is inside of a block. The
// axes that result are then permuted.
struct Rearrangement {
  Mode mode;
  std::vector<int64_t> pad, split;
  std::vector<int64_t> perm;
  size_t join = 0;  // this axis and the next, of extent 1, become one in the end; 0: none
};

const std::vector<Rearrangement>& Rearrangements() {
  // Letters: O and I are blocks of output and input channels, o and i what is inside; G, g alike.
  static const auto* all = new std::vector<Rearrangement>{
      // OoIHW -> OHWIo
      {Mode::INTER_WEIGHT_DENSE, {4, 1, 1, 1}, {4, 1, 1, 1}, {0, 3, 4, 2, 1}},
      {Mode::INTER_WEIGHT_DENSEI, {4, 1, 1, 1}, {4, 1, 1, 1}, {0, 3, 4, 2, 1}},
      // GOoIHW -> GOHWIo
      {Mode::INTER_WEIGHT_GROUP, {1, 4, 1, 1, 1}, {1, 4, 1, 1, 1}, {0, 1, 4, 5, 3, 2}},
      {Mode::INTER_WEIGHT_GROUPI, {1, 4, 1, 1, 1}, {1, 4, 1, 1, 1}, {0, 1, 4, 5, 3, 2}},
      // Gg11HW -> G1HWg
      {Mode::INTER_WEIGHT_CHAN, {4, 1, 1, 1, 1}, {4, 1, 1, 1, 1}, {0, 2, 3, 4, 5, 1}, 1},
      {Mode::INTER_WEIGHT_CHANI, {4, 1, 1, 1, 1}, {4, 1, 1, 1, 1}, {0, 2, 3, 4, 5, 1}, 1},
      // OoIiHW -> OHWIoi
      {Mode::INTER_WEIGHT_DENSEI_DOT, {4, 4, 1, 1}, {4, 4, 1, 1}, {0, 4, 5, 2, 1, 3}},
      // GOoIiHW -> GOHWIoi
      {Mode::INTER_WEIGHT_GROUPI_DOT, {1, 4, 4, 1, 1}, {1, 4, 4, 1, 1}, {0, 1, 5, 6, 3, 2, 4}},
      // OIiHW -> OIHWi
      {Mode::NCHW_NCHW4_IC_SMALL_CONV_DENSE_WEIGHT, {1, 4, 1, 1}, {1, 4, 1, 1}, {0, 1, 3, 4, 2}},
      {Mode::NCHW_NCHW4_WEIGHT, {4, 4, 1, 1}, {1, 4, 1, 1}, {0, 1, 3, 4, 2}},
      {Mode::NCHW_NCHW4_WEIGHT, {1, 4, 4, 1, 1}, {1, 1, 4, 1, 1}, {0, 1, 2, 4, 5, 3}},
      // OoIiHW -> OIHWio
      {Mode::NCHW_NCHW88_CONV_DENSE_WEIGHT, {8, 8, 1, 1}, {8, 8, 1, 1}, {0, 2, 4, 5, 3, 1}},
      // GOoIiHW -> GOIHWio
      {Mode::NCHW_NCHW88_CONV_GROUP_WEIGHT, {1, 8, 8, 1, 1}, {1, 8, 8, 1, 1}, {0, 1, 3, 5, 6, 4, 2}},
      // Gg11HW -> G11HWg
      {Mode::NCHW_NCHW88_CONV_CHAN_WEIGHT, {8, 1, 1, 1, 1}, {8, 1, 1, 1, 1}, {0, 2, 3, 4, 5, 1}},
  };
  return *all;
}

}  // namespace

bool IsWeightMode(Mode mode) {
  const auto& all = Rearrangements();
  return std::any_of(all.begin(), all.end(), [&](const Rearrangement& r) { return r.mode == mode; });
}

absl::StatusOr<Value*> WeightToLayout(ImportContext& c, Value* w, Mode mode) {
  const Shape shape = w->type.shape;
  for (const Rearrangement& r : Rearrangements()) {
    if (r.mode != mode || r.pad.size() != shape.size()) continue;
    Shape missing(shape.size(), 0), split;
    for (size_t k = 0; k < shape.size(); ++k) {
      missing[k] = (r.pad[k] - shape[k] % r.pad[k]) % r.pad[k];
      const int64_t padded = shape[k] + missing[k];
      split.push_back(padded / r.split[k]);
      if (r.split[k] > 1) split.push_back(r.split[k]);
    }
    if (std::any_of(missing.begin(), missing.end(), [](int64_t m) { return m != 0; })) {
      ASSIGN_OR_RETURN(w, c.Add("pad", {w},
                                {{"before", Shape(shape.size(), 0)},
                                 {"after", missing},
                                 {"mode", std::string("constant")},
                                 {"value", static_cast<double>(w->type.dtype.zero_point)}}));
    }
    ASSIGN_OR_RETURN(w, c.Reshape(w, split));
    ASSIGN_OR_RETURN(w, c.Transpose(w, r.perm));
    if (r.join == 0) return w;
    Shape joined = w->type.shape;
    joined[r.join] *= joined[r.join + 1];
    joined.erase(joined.begin() + r.join + 1);
    return c.Reshape(w, joined);
  }
  return absl::InvalidArgumentError(absl::StrCat("a weight of shape ", graph::ToString(shape), " does not fit the mode"));
}

}  // namespace mgec::mge
