// Winograd's algorithm (winograd.h) for planar images of few channels, as one kernel: the first convolution of most networks.
//
// A window with stride 2 is the sum of windows with stride 1 over the image's phases: of every second row and column, from the
// first and from the second on. A window of 5x5 or 6x6 has phases of up to 3x3, so that 3 channels become 12 of a 3x3
// convolution with stride 1; one of 7x7 has phases of up to 4x4.
//
// A task computes one row of tiles, a strip of them at a time, all of which stays in the first levels of the cache:
//
//   rows         the input transform along y of the image's rows, as vectors of columns; what is outside of the image is zero
//   transformed  the transform along x of the same columns of many tiles, whose lanes are tiles and phases along x
//   halfway      products, a column of positions at a time, and from registers the inverse transform along y
//   out          the inverse transform along x, and the epilogue
#ifndef MGEC_COMPILER_SCHEDULE_WINOGRAD_IMAGE_KERNEL_H_
#define MGEC_COMPILER_SCHEDULE_WINOGRAD_IMAGE_KERNEL_H_

#include <functional>
#include <string>

#include "compiler/kernel/stmt.h"
#include "compiler/kernel/target.h"
#include "compiler/ops/conv.h"
#include "compiler/schedule/contraction.h"

namespace mgec::schedule {

struct WinogradImage {
  int m = 4, r = 3;                               // outputs per tile and axis, extent of the phases' windows
  ops::ConvParams conv;                           // strides of 1 or 2, windows of at most r times as much
  int64_t images = 0, height = 0, width = 0;      // of the input
  kernel::Scalar in = kernel::Scalar::kFloat32;   // what the image holds
  int lanes = 0;                                  // of the input transform's vectors
  int strip = 0;                                  // tiles, a multiple of those of a vector

  int n() const { return m + r - 1; }
  int vector_tiles() const { return lanes / static_cast<int>(conv.stride[1]); }
  int64_t phases() const { return conv.stride[0] * conv.stride[1]; }
  int64_t channels() const { return conv.in_channels * phases(); }  // (channel, phase along y, phase along x)
  int64_t tiles_h() const { return (conv.out_h + m - 1) / m; }
  int64_t tiles_w() const { return (conv.out_w + m - 1) / m; }
};

// Sets lanes and strip: about `wanted` tiles, fewer where the kernel would need too much memory. False where it cannot compute
// such convolutions.
bool DivideIntoStrips(WinogradImage& w, int wanted, const kernel::Target& target);

// The transformed weights, [pair of output blocks][x][channel][y][8 or 16 channels]; weight(i) is number i of [OC, IC, KH, KW].
std::string PackWinogradImage(const WinogradImage& w, const std::function<float(int64_t i)>& weight);

// Arguments: the image, packed weights, blocked output, then the epilogue's, from kWinogradImageExtra on. Of `epilogue`, only
// out, extra and epilogue are used; its rows are those of all images, one after the other.
inline constexpr int kWinogradImageExtra = 3;
kernel::Kernel WinogradImageKernel(const WinogradImage& w, const ContractionSpec& epilogue, const kernel::Target& target);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_WINOGRAD_IMAGE_KERNEL_H_
