#include "compiler/schedule/channel_tail.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "compiler/schedule/contraction.h"
#include "compiler/schedule/narrow_floats.h"

namespace mgec::schedule {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Int;
using kernel::Scalar;

namespace {

constexpr int kMostChannels = 4;    // of a tail: beyond, adding up lanes costs what it saves
constexpr int64_t kFewPixels = 16;  // are no tiles worth the name

// Of 16 lanes of two vectors: sums of neighbours, each half of the first vector before the same half of the second.
Expr PairSums(const Expr& a, const Expr& b) {
  const Expr both = ConcatLanes(a, b);
  return Shuffle(both, {0, 2, 8, 10, 4, 6, 12, 14}) + Shuffle(both, {1, 3, 9, 11, 5, 7, 13, 15});
}

// The sums of the lanes of 8 vectors. All but the last step stay within the halves of registers.
Expr SumsOfLanes(Block& b, std::vector<Expr> v) {
  while (v.size() > 2) {
    std::vector<Expr> pairs;
    for (size_t i = 0; i < v.size(); i += 2) pairs.push_back(b.Let("pairs", PairSums(v[i], v[i + 1])));
    v = std::move(pairs);
  }
  const Expr both = ConcatLanes(v[0], v[1]);
  return b.Let("sums", Shuffle(both, {0, 1, 2, 3, 8, 9, 10, 11}) + Shuffle(both, {4, 5, 6, 7, 12, 13, 14, 15}));
}

}  // namespace

int TailChannels(int64_t channels, int64_t block_entries, int64_t pixels) {
  const int tail = static_cast<int>(channels % kBlock);
  if (channels < kBlock || tail == 0 || tail > kMostChannels || pixels < kFewPixels) return 0;
  // Multiplications saved, for each pixel, and what adding up its lanes costs.
  const int64_t saved = block_entries * (kBlock - tail), spent = 4 * tail + 4;
  return saved > spent ? tail : 0;
}

int64_t TailSize(int64_t block_entries, int64_t single_entries, int tail) {
  return tail == 0 ? 0 : (block_entries * tail + single_entries) * kBlock;
}

std::string PackTail(int64_t block_entries, int64_t single_entries, int64_t first, int tail, Scalar scalar,
                     const std::function<float(int64_t k, int64_t n)>& weight) {
  std::string packed;
  if (tail == 0) return packed;
  auto add = [&](float w) {
    const uint16_t narrow = scalar == Scalar::kFloat32 ? 0 : NarrowBits(w, scalar);
    if (scalar == Scalar::kFloat32) packed.append(reinterpret_cast<const char*>(&w), sizeof(w));
    else packed.append(reinterpret_cast<const char*>(&narrow), sizeof(narrow));
  };
  for (int64_t entry = 0; entry < block_entries; ++entry) {
    for (int n = 0; n < tail; ++n) {
      for (int i = 0; i < kBlock; ++i) add(weight(entry * kBlock + i, first + n));
    }
  }
  for (int64_t entry = 0; entry < single_entries; ++entry) {
    for (int n = 0; n < kBlock; ++n) add(n < tail ? weight(block_entries * kBlock + entry, first + n) : 0);
  }
  return packed;
}

int TailHeight(const kernel::Target& target, int tail) {
  // Besides the sums: a pixel's elements, and a weight for each channel.
  return std::clamp((target.RegistersOf(kBlock) - 1 - tail) / tail, 1, 24);
}

Buffer TailSums(Block& b, const TailTile& t) {
  const kernel::Type f32(Scalar::kFloat32, kBlock);
  const Buffer parts = kernel::RegisterBuffer("parts", Scalar::kFloat32, kBlock, t.tail * t.height);
  const Expr zero = Broadcast(kernel::Float(0), kBlock);
  for (int i = 0; i < t.tail * t.height; ++i) b.Set(parts, i, zero);
  const auto address = [&](Block& b, const Expr& entry) {
    return b.Let("at", Cast(kernel::kIndexType, Load(t.table, entry)) + t.in_tile);
  };
  b.For("k", 0, t.block_entries, [&](Block& b, const Expr& k) {
    const Expr at = address(b, k), w = b.Let("w", t.first_weight + k * (t.tail * kBlock));
    std::vector<Expr> weights;
    for (int n = 0; n < t.tail; ++n) weights.push_back(b.Let("b", Cast(f32, Load(t.weights, w + n * kBlock, kBlock))));
    for (int m = 0; m < t.height; ++m) {
      const Expr x = b.Let("a", Cast(f32, Load(t.in, at + m * t.in_col_stride, kBlock)));
      for (int n = 0; n < t.tail; ++n) {
        const int i = m * t.tail + n;
        b.Set(parts, i, Fma(x, weights[n], Reg(parts, i)));
      }
    }
  });
  const Buffer sums = kernel::RegisterBuffer("acc", Scalar::kFloat32, kBlock, t.height);
  // 8 vectors at a time, those of a pixel side by side.
  int slots = 1;
  while (slots < t.tail) slots *= 2;
  const int together = kBlock / slots;
  for (int first = 0; first < t.height; first += together) {
    std::vector<Expr> vectors;
    for (int i = 0; i < kBlock; ++i) {  // what nobody wants is what somebody else does
      const int m = std::min(first + i / slots, t.height - 1), n = std::min(i % slots, t.tail - 1);
      vectors.push_back(Reg(parts, m * t.tail + n));
    }
    const Expr added = ConcatLanes(SumsOfLanes(b, std::move(vectors)), zero);
    for (int p = 0; p < together && first + p < t.height; ++p) {
      std::vector<int> lanes;
      for (int n = 0; n < kBlock; ++n) lanes.push_back(n < t.tail ? p * slots + n : kBlock + n);
      const Expr sum = Shuffle(added, std::move(lanes));
      b.Set(sums, first + p, t.start != nullptr ? sum + t.start : sum);
    }
  }
  b.For("k1", 0, t.single_entries, [&](Block& b, const Expr& k) {
    const Expr at = address(b, k + t.block_entries);
    const Expr w = t.first_weight + (k * kBlock + t.block_entries * t.tail * kBlock);
    const Expr weight = b.Let("b", Cast(f32, Load(t.weights, w, kBlock)));
    for (int m = 0; m < t.height; ++m) {
      const Expr x = Cast(Scalar::kFloat32, Load(t.in, at + m * t.in_col_stride));
      b.Set(sums, m, Fma(Broadcast(x, kBlock), weight, Reg(sums, m)));
    }
  });
  return sums;
}

}  // namespace mgec::schedule
