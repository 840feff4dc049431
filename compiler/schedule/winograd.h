// Convolution of 3x3 windows with stride 1 by Winograd's minimal filtering, F(m x m, 3 x 3) for m = 2 and 4.
//
// Tiles of m + 2 by m + 2 inputs become as many products per channel, which are matrix products over the channels, one for
// each of the (m + 2)^2 positions; an inverse transform gives m x m outputs. That is 2.25 (m = 2) or 4 (m = 4) times fewer
// multiplications than directly.
//
// Windows with stride 2 are sums of windows with stride 1 over the image's phases (winograd_image_kernel.h).
//
// Integers go through m = 2, exactly: with weights times 4 everything is an integer, and so is a quarter of the result.
//
// Error of floats, relative to the largest output, against exact arithmetic (tested): below 2e-6 for m = 2 and 2e-5 for m = 4; direct
// convolution has about 1e-6.
#ifndef MGEC_COMPILER_SCHEDULE_WINOGRAD_H_
#define MGEC_COMPILER_SCHEDULE_WINOGRAD_H_

#include <cstdint>
#include <vector>

#include "compiler/kernel/stmt.h"

namespace mgec::schedule {

// Along one axis: B^T d for m + 2 inputs, A^T y for m + 2 products. Let-bound in `b`.
std::vector<kernel::Expr> WinogradInput(kernel::Block& b, int m, const std::vector<kernel::Expr>& d);
std::vector<kernel::Expr> WinogradOutput(kernel::Block& b, int m, const std::vector<kernel::Expr>& y);
// G w G^T, row-major (m + 2)^2, of the 3x3 weights w.
std::vector<double> WinogradWeights(int m, const float w[9]);

// The m that pays for a convolution of so many images of these sizes; 0 where direct convolution is faster.
int WinogradTile(int64_t images, int64_t in_channels, int64_t out_channels, int64_t out_h, int64_t out_w);
// The same for planar images in one kernel (winograd_image_kernel.h): windows of so many elements, all channels together, that
// become 3x3 windows of `channels` channels.
int WinogradImageTile(int64_t window, int64_t channels, int64_t out_channels, int64_t out_h, int64_t out_w);
// The same for integers that are multiplied in pairs.
int IntWinogradTile(int64_t in_channels, int64_t out_channels, int64_t out_h, int64_t out_w);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_WINOGRAD_H_
