// Parameters of conv2d, shared by its definition, the passes and the schedules.
#ifndef MGEC_COMPILER_OPS_CONV_H_
#define MGEC_COMPILER_OPS_CONV_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/ops/op.h"

namespace mgec::ops {

struct ConvParams {
  std::vector<int64_t> stride, dilation, kernel;  // {height, width}
  std::vector<int64_t> pad, pad_after;            // {top, left}, {bottom, right}
  int64_t group = 1;
  int64_t in_channels = 0, out_channels = 0;  // of all groups together
  int64_t out_h = 0, out_w = 0;
  bool flip = false;  // true convolution: the kernel is mirrored in both axes
  std::string activation;

  bool padded() const { return pad[0] != 0 || pad[1] != 0 || pad_after[0] != 0 || pad_after[1] != 0; }
};

// InvalidArgument where operands and attributes do not fit.
absl::StatusOr<ConvParams> ConvParamsOf(const OpContext& c);

}  // namespace mgec::ops

#endif  // MGEC_COMPILER_OPS_CONV_H_
