#include "compiler/schedule/tile_store.h"

#include <algorithm>
#include <utility>

#include "compiler/kernel/join_lanes.h"
#include "compiler/schedule/functions.h"

namespace mgec::schedule {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Int;
using kernel::Scalar;

namespace {

constexpr int kChainsOfFunctions = 8;  // vectors of an epilogue with functions that are computed together

Expr BlockOf(const Expr& lane, int half) { return lane / Int(kBlock) + half; }

}  // namespace

TileStore::TileStore(const ContractionSpec& spec, const kernel::Target& target, Buffer out, Buffer partial)
    : s_(spec), target_(target), out_(std::move(out)), partial_(std::move(partial)) {
  const Expr zero = ZeroOf(kernel::Type(spec.sum_scalar(), kBlock));
  finishes_in_memory_ = spec.epilogue && ComputesFunctions(spec.epilogue(zero, Int(0), Int(0), Int(0)));
}

Expr TileStore::LastMask(const Expr& block) const {
  if (!s_.mask_last || s_.channels % kBlock == 0) return nullptr;
  const kernel::Type i32(Scalar::kInt32);
  const Expr left = Cast(i32, Int(s_.channels) - block * kBlock);
  return Ramp(Int(0, i32), 1, kBlock) < Broadcast(left, kBlock);
}

Expr TileStore::OutAt(const TilePlace& at, const Expr& m, const Expr& j) const {
  return at.out + (m * s_.out_col_stride + j * s_.out_block_stride);
}

Expr TileStore::LoadPartial(const TilePlace& at, const Expr& m, const Expr& j) const {
  return Load(partial_, OutAt(at, m, j), kBlock, LastMask(at.block + j));
}

// The epilogue of pixel `m` of a tile and block `j` of its part.
Expr TileStore::Finished(const Expr& sum, const TilePlace& at, const Expr& m, const Expr& j) const {
  return ToStored(s_.out, s_.epilogue ? s_.epilogue(sum, at.block + j, at.row, at.col + m) : sum);
}

void TileStore::Finish(Block& b, const RegisterTile& tile, const TilePlace& at) const {
  if (finishes_in_memory_) FinishInMemory(b, tile, at);
  else StoreOf(b, tile, at, true);
}

// The epilogue of a tile by way of the stack: loops, so that the code generator cannot keep the sums in registers all the
// same, over many independent chains of operations, which hide their latency.
void TileStore::FinishInMemory(Block& b, const RegisterTile& tile, const TilePlace& at) const {
  const std::vector<int>& lanes = tile.lanes;
  const int height = tile.height;
  int all = 0;
  for (int n : lanes) all += n;
  const Buffer sums = kernel::StackBuffer("sums", s_.sum_scalar(), all * height);
  int first_lane = 0;
  for (size_t v = 0; v < lanes.size(); first_lane += lanes[v++]) {
    for (int m = 0; m < height; ++m) b.Store(sums, Int(first_lane * height + m * lanes[v]), Reg(tile.registers[v], m));
  }
  // Runs of vectors of one width.
  first_lane = 0;
  for (size_t v = 0, last; v < lanes.size(); v = last) {
    for (last = v; last < lanes.size() && lanes[last] == lanes[v];) ++last;
    const int width = lanes[v], count = static_cast<int>(last - v), halves = width / kBlock;
    const int most = kChainsOfFunctions * target_.vector_lanes / width, groups = (height + most - 1) / most;
    int together = (height + groups - 1) / groups;
    if (count == 1 && height > most / 2) together = std::min(together, (height + 1) / 2);  // more than one iteration
    b.For("v", 0, count, [&](Block& b, const Expr& nth) {
      const Expr lane = b.Let("lane", nth * width + first_lane);
      auto finish = [&](Block& b, const Expr& from, int n) {
        std::vector<Expr> results;
        for (int i = 0; i < n; ++i) {
          const Expr sum = Load(sums, lane * height + (from + i) * width, width);
          for (int half = 0; half < halves; ++half) {
            results.push_back(Finished(Slice(sum, half * kBlock, kBlock), at, from + i, BlockOf(lane, half)));
          }
        }
        const Expr y = b.Let("y", kernel::JoinLanes(results));
        for (int i = 0; i < n * halves; ++i) {
          const Expr j = BlockOf(lane, i % halves);
          b.Store(out_, OutAt(at, from + i / halves, j), Slice(y, i * kBlock, kBlock), LastMask(at.block + j));
        }
      };
      b.For("finish", Int(0), Int(height / together * together), together, [&](Block& b, const Expr& m) { finish(b, m, together); });
      if (height % together > 0) finish(b, Int(height / together * together), height % together);
    });
    first_lane += count * width;
  }
}

// Stores the blocks of lanes of `y`. Of narrow integers, what is neighbours in memory is brought together for one store.
void TileStore::StoreResults(Block& b, const Buffer& to, const Expr& y, const std::vector<Result>& results, const TilePlace& at) const {
  const bool gathers = SizeOf(to->scalar) < 4 && !IsFloat(to->scalar) && s_.out_col_stride == kBlock;
  std::vector<int> order;
  std::vector<std::pair<Result, int>> stores;  // the first result, and how many pixels
  std::vector<bool> done(results.size(), false);
  for (size_t i = 0; i < results.size(); ++i) {
    if (done[i]) continue;
    stores.emplace_back(results[i], 0);
    for (size_t k = i; k < results.size(); ++k) {
      if (results[k].j != results[i].j || results[k].m != results[i].m + stores.back().second) continue;
      for (int l = 0; l < kBlock; ++l) order.push_back(static_cast<int>(k) * kBlock + l);
      done[k] = true;
      ++stores.back().second;
      if (!gathers) break;
    }
  }
  const Expr sorted = gathers ? b.Let("sorted", Shuffle(y, std::move(order))) : y;
  int first = 0;
  for (const auto& [result, pixels] : stores) {
    b.Store(to, OutAt(at, Int(result.m), Int(result.j)), Slice(sorted, first, pixels * kBlock), LastMask(at.block + result.j));
    first += pixels * kBlock;
  }
}

void TileStore::StoreOf(Block& b, const RegisterTile& tile, const TilePlace& at, bool with_epilogue) const {
  // The results that wait for being computed together, in blocks of 8 lanes, and where they go.
  std::vector<Expr> values;
  std::vector<Result> results;
  auto flush = [&] {
    // Vectors of a power of two of lanes, which divide into registers.
    for (size_t first = 0, n; first < values.size(); first += n) {
      for (n = 1; 2 * n <= values.size() - first;) n *= 2;
      const Expr y = b.Let("y", kernel::JoinLanes({values.begin() + first, values.begin() + first + n}));
      StoreResults(b, with_epilogue ? out_ : partial_, y, {results.begin() + first, results.begin() + first + n}, at);
    }
    values.clear();
    results.clear();
  };
  const size_t together = std::max(1, target_.chains * target_.vector_lanes / kBlock);
  // Vectors of one width after the other, so that pairs of blocks stay registers.
  int first_block = 0;
  for (size_t v = 0; v < tile.lanes.size(); first_block += tile.lanes[v++] / kBlock) {
    for (int m = 0; m < tile.height; ++m) {
      for (int half = 0; half < tile.lanes[v] / kBlock; ++half) {
        const int j = first_block + half;
        Expr y = Slice(Reg(tile.registers[v], m), half * kBlock, kBlock);
        if (with_epilogue) y = Finished(y, at, Int(m), Int(j));
        values.push_back(y);
        results.push_back({m, j});
        if (values.size() == together) flush();
      }
    }
  }
  flush();
}

}  // namespace mgec::schedule
