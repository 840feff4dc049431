#include "compiler/schedule/cuda/tile.h"

#include <algorithm>
#include <iterator>

namespace mgec::schedule {
namespace {

// The share of its multiply-adds per clock that a processor reaches in the tile's loop: small tiles load more for each.
struct Candidate {
  Tile tile;
  double efficiency;
};
// Threads read their rows, and their columns, of a tile four at a time.
constexpr Candidate kCandidates[] = {
    {{128, 128, 8, 8}, 1.0}, {{64, 64, 8, 4}, 0.8}, {{32, 64, 4, 4}, 0.6}, {{32, 32, 4, 4}, 0.5}};

// Large GPUs, as their vendor states: an A100 has 108 processors, an H100 132. What suits both is wanted.
constexpr int64_t kProcessors[] = {108, 132};
constexpr double kMacsPerClock = 64;   // of a processor; newer ones have twice as many
// What tensor cores add to that before loading the factors takes longer than multiplying them, for each number in a word.
constexpr double kTensorCores = 2;
constexpr double kBytesPerClock = 16;  // of memory, for each processor
constexpr double kLaunchClocks = 3000;
constexpr double kBusyWarps = 16;      // that a processor needs to reach its throughput while others wait at barriers
// Parts shorter than this have little to hide their first loads behind.
constexpr int64_t kLeastPartDepth = 64;
constexpr int64_t kMostParts = 256;
constexpr double kWorthAKernel = 0.8;  // of the time in one part: less is within what this model is wrong by

// The clocks that the product takes on GPUs with so many processors, which share out whole blocks.
double Clocks(const Candidate& c, const ProductSize& s, int64_t processors) {
  const int64_t blocks = s.batches * CeilDiv(s.rows, c.tile.rows) * CeilDiv(s.cols, c.tile.cols);
  const int64_t step = kTileDepth * s.elements;
  const double macs = static_cast<double>(c.tile.rows * c.tile.cols * CeilDiv(s.depth, step) * step);
  const double warps = c.tile.threads() / 32.0;
  const double rounds = std::max(static_cast<double>(CeilDiv(blocks, processors)), kBusyWarps / warps);
  return rounds * macs / (kMacsPerClock * c.efficiency * (s.tensor_cores ? kTensorCores * std::min(s.elements, 2) : 1));
}

double Clocks(const Candidate& c, const ProductSize& s) {
  double sum = 0;
  for (int64_t processors : kProcessors) sum += Clocks(c, s, processors);
  return sum;
}

const Candidate& Best(const ProductSize& s) {
  return *std::min_element(std::begin(kCandidates), std::end(kCandidates),
                           [&](const Candidate& a, const Candidate& b) { return Clocks(a, s) < Clocks(b, s); });
}

// Writing and reading the parts' sums, and the kernel that adds them up.
double AddingClocks(const ProductSize& s, int64_t parts) {
  const double bytes = 8.0 * static_cast<double>(parts * s.batches * s.rows * s.cols);
  double sum = 0;
  for (int64_t processors : kProcessors) sum += kLaunchClocks + bytes / (kBytesPerClock * static_cast<double>(processors));
  return sum;
}

}  // namespace

Tile ChooseTile(const ProductSize& size) { return Best(size).tile; }

int64_t ChooseParts(const ProductSize& size, const std::vector<int64_t>& divisors) {
  int64_t best = 1;
  double least = kWorthAKernel * Clocks(Best(size), size);
  for (int64_t parts : divisors) {
    if (parts < 2 || parts > kMostParts || size.depth / parts < kLeastPartDepth) continue;
    const ProductSize part = {size.batches * parts, size.rows, size.cols, size.depth / parts, size.elements, size.tensor_cores};
    const double clocks = Clocks(Best(part), part) + AddingClocks(size, parts);
    if (clocks >= least) continue;
    least = clocks;
    best = parts;
  }
  return best;
}

}  // namespace mgec::schedule
