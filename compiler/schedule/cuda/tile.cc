#include "compiler/schedule/cuda/tile.h"

#include <algorithm>
#include <optional>

namespace mgec::schedule {
namespace {

// Threads read their rows, and their columns, of a tile four at a time. The small tiles are for results of few rows.
constexpr Tile kTiles[] = {{128, 128, 8, 8}, {64, 128, 8, 8}, {128, 64, 8, 8}, {64, 64, 8, 4}, {24, 128, 12, 4},
                           {16, 128, 8, 4},  {32, 128, 8, 4}, {32, 64, 4, 4}, {32, 32, 4, 4}};
// With tensor cores: the share of its products per clock that a processor reaches, as small tiles load more for each.
struct Candidate {
  Tile tile;
  double efficiency;
};
constexpr Candidate kTensorTiles[] = {
    {{128, 128, 8, 8}, 1.0}, {{64, 64, 8, 4}, 0.8}, {{32, 64, 4, 4}, 0.6}, {{32, 32, 4, 4}, 0.5}};

// Large GPUs, as their vendor states: an A100 and an H100. What suits both is wanted.
struct Processors {
  int64_t count;
  double macs;  // that each does in a clock
};
constexpr Processors kGpus[] = {{108, 64}, {132, 128}};
constexpr double kIssued = 128;  // instructions of threads that a processor begins in a clock
// Numbers that tensor cores multiply in a clock, before loading the factors takes longer than multiplying them, for each in a word.
constexpr double kTensorMacs = 128;
constexpr double kBytesPerClock = 16;  // of memory, for each processor
constexpr double kLaunchClocks = 3000;
// What a processor needs to reach its throughput while others wait at barriers: warps, and results that their threads add up, each
// of which is a chain of multiply-adds; with tensor cores, more warps.
constexpr double kBusyWarps = 8, kBusyResults = 12 * 32 * 16, kBusyTensorWarps = 16;
constexpr double kLessWork = 0.05;  // where processors wait, tiles that give them less to do are better by so much
// Parts shorter than this have little to hide their first loads behind.
constexpr int64_t kLeastPartDepth = 64;
constexpr int64_t kMostParts = 256;
constexpr double kWorthAKernel = 0.8;  // of the time in one part: less is within what this model is wrong by

// What a block's threads take a processor for, in clocks, at the least.
double BlockClocks(const Tile& t, const ProductSize& s, const Processors& gpu) {
  const double results = static_cast<double>(t.rows * t.cols);
  const double depth = static_cast<double>(s.depth), tiles = static_cast<double>(CeilDiv(s.depth, 2 * kTileDepth));
  const double instructions = t.threads() * (depth * InstructionsPerTerm(t) + tiles * kInstructionsPerTile);
  return std::max(results * depth / gpu.macs, instructions / kIssued);
}

double TensorBlockClocks(const Candidate& c, const ProductSize& s) {
  const int64_t step = kTileDepth * s.elements;
  const double macs = static_cast<double>(c.tile.rows * c.tile.cols * CeilDiv(s.depth, step) * step);
  return macs / (kTensorMacs * c.efficiency * std::min(s.elements, 2));
}

// The time of the product on a GPU, which shares out whole blocks, in multiply-adds that a processor could do meanwhile: all GPUs
// count the same then.
double Time(const Tile& t, const ProductSize& s, const Processors& gpu, double block) {
  const int64_t blocks = s.batches * CeilDiv(s.rows, t.rows) * CeilDiv(s.cols, t.cols);
  const double busy = s.tensor_cores ? kBusyTensorWarps * 32 / t.threads()
                                     : std::max(kBusyWarps * 32 / t.threads(), kBusyResults / static_cast<double>(t.rows * t.cols));
  const double rounds = static_cast<double>(CeilDiv(blocks, gpu.count));
  return gpu.macs * block * (std::max(rounds, busy) + kLessWork * rounds);
}

struct Choice {
  Tile tile;
  double time;  // on all GPUs together
};

Choice Best(const ProductSize& s) {
  std::optional<Choice> best;
  auto consider = [&](const Tile& t, auto block_clocks) {
    double time = 0;
    for (const Processors& gpu : kGpus) time += Time(t, s, gpu, block_clocks(gpu));
    if (!best || time < best->time) best = {t, time};
  };
  if (s.tensor_cores) {
    for (const Candidate& c : kTensorTiles) consider(c.tile, [&](const Processors&) { return TensorBlockClocks(c, s); });
  } else {
    for (const Tile& t : kTiles) consider(t, [&](const Processors& gpu) { return BlockClocks(t, s, gpu); });
  }
  return *best;
}

// Writing and reading the parts' sums, and the kernel that adds them up.
double AddingTime(const ProductSize& s, int64_t parts) {
  const double bytes = 8.0 * static_cast<double>(parts * s.batches * s.rows * s.cols);
  double sum = 0;
  for (const Processors& gpu : kGpus) sum += gpu.macs * (kLaunchClocks + bytes / (kBytesPerClock * static_cast<double>(gpu.count)));
  return sum;
}

}  // namespace

double InstructionsPerTerm(const Tile& t) {
  const double brought = static_cast<double>(t.rows / 4 + t.cols) / t.threads();  // rows, which are mostly weights, four at a time
  return t.thread_rows * t.thread_cols + (t.thread_rows + t.thread_cols) / 4 + brought;
}

Tile ChooseTile(const ProductSize& size) { return Best(size).tile; }

int64_t ChooseParts(const ProductSize& size, const std::vector<int64_t>& divisors) {
  int64_t best = 1;
  double least = kWorthAKernel * Best(size).time;
  for (int64_t parts : divisors) {
    if (parts < 2 || parts > kMostParts || size.depth / parts < kLeastPartDepth) continue;
    const ProductSize part = {size.batches * parts, size.rows, size.cols, size.depth / parts, size.elements, size.tensor_cores};
    const double time = Best(part).time + AddingTime(size, parts);
    if (time >= least) continue;
    least = time;
    best = parts;
  }
  return best;
}

}  // namespace mgec::schedule
