// Channel layouts of MegEngine, rewritten to NCHW and back.
//
// A file that was dumped for a certain device holds activations and weights in blocks of channels. The graph knows NCHW
// and OIHW only: operators are imported between a reshape and transpose to NCHW and one back. Between two operators of
// one layout these cancel out, and on weights they are folded.
#ifndef MGEC_COMPILER_MGE_LAYOUT_H_
#define MGEC_COMPILER_MGE_LAYOUT_H_

#include "absl/status/statusor.h"
#include "compiler/mge/importer.h"

namespace mgec::mge {

struct Layout {
  enum Kind {
    kNchw,
    kNhwc,
    kNchwBlocked,  // [N, C/b, H, W, b]
    kNhwcd4,       // [N, H, C/4, W, 4]
    kChwn4,        // [C/4, H, W, N, 4]
  };
  // How a blocked weight orders what is inside of a block of input and output channels.
  enum Weight {
    kPlain,       // only input channels are in blocks
    kInputFirst,  // [.., b(ic), b(oc)]
    kOutputFirst  // [.., b(oc), b(ic)]
  };
  Kind kind = kNchw;
  int64_t block = 1;
  Weight weight = kPlain;
};

// Unsupported for formats that differ between input and output.
absl::StatusOr<Layout> LayoutOf(param::ConvolutionFormat format);
// Of the input and the output of a convolution, which differ for formats such as NCHW4_NCHW. Weights are in the format of
// the input, what is added in that of the output.
struct ConvLayouts {
  Layout in, out;
};
absl::StatusOr<ConvLayouts> ConvLayoutsOf(param::ConvolutionFormat format);
// CheckLayout(p.format()) as a check of parameters.
absl::Status CheckLayout(param::ConvolutionFormat format);

// `x` as NCHW. Channels are a multiple of the block.
absl::StatusOr<Value*> ToNchw(ImportContext& c, Value* x, const Layout& layout);
// An NCHW value in the layout, with zeros for the channels that are missing to a whole block.
absl::StatusOr<Value*> FromNchw(ImportContext& c, Value* x, const Layout& layout);

// The weight of a convolution as [OC, IC, KH, KW], or [G, OC/G, IC/G, KH, KW] if it is `grouped`. `input_rank` is 4 for
// the first layer of a blocked network, which takes NCHW.
absl::StatusOr<Value*> WeightToOihw(ImportContext& c, Value* w, const Layout& layout, bool grouped,
                                    size_t input_rank);

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_LAYOUT_H_
