// Convolution of 3x3 windows with stride 1 by Winograd's minimal filtering, F(m x m, 3 x 3) for m = 2 and 4; and of 4x4 windows by
// F(3 x 3, 4 x 4), whose inputs are transformed like those of F(4 x 4, 3 x 3).
//
// Tiles of m + 2 by m + 2 inputs become as many products per channel, which are matrix products over the channels, one for
// each of the (m + 2)^2 positions; an inverse transform gives m x m outputs. That is 2.25 (m = 2) or 4 (m = 4) times fewer
// multiplications than directly.
//
// Windows with stride 2 are sums of windows with stride 1 over the image's phases (winograd_image_kernel.h).
//
// Integers go through m = 2, exactly: with weights times 4 everything is an integer, and so is a quarter of the result.
//
// Error of floats, relative to the largest output, against exact arithmetic (tested): below 2e-6 for m = 2 and 2e-5 for m = 3 and 4;
// direct convolution has about 1e-6.
#ifndef MGEC_COMPILER_SCHEDULE_WINOGRAD_H_
#define MGEC_COMPILER_SCHEDULE_WINOGRAD_H_

#include <cstdint>
#include <vector>

#include "compiler/kernel/stmt.h"

namespace mgec::schedule {

// Along one axis: B^T d for n = 4 or 6 inputs, A^T y for as many products, which gives m outputs. Let-bound in `b`.
std::vector<kernel::Expr> WinogradInput(kernel::Block& b, const std::vector<kernel::Expr>& d);
std::vector<kernel::Expr> WinogradOutput(kernel::Block& b, int m, const std::vector<kernel::Expr>& y);
// G w G^T, row-major n^2, of r x r weights w. n = m + r - 1.
std::vector<double> WinogradWeights(int m, int r, const float* w);

// The m that pays for a convolution of so many images of these sizes; 0 where direct convolution is faster.
int WinogradTile(int64_t images, int64_t in_channels, int64_t out_channels, int64_t out_h, int64_t out_w);
// Whether m, 3 or 4, pays for planar images in one kernel (winograd_image_kernel.h): windows of so many elements, all channels
// together, that become windows of `channels` channels with stride 1.
bool WinogradImagePays(int m, int64_t window, int64_t channels, int64_t out_channels, int64_t out_h, int64_t out_w);
// The same for integers that are multiplied in pairs.
int IntWinogradTile(int64_t in_channels, int64_t out_channels, int64_t out_h, int64_t out_w);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_WINOGRAD_H_
