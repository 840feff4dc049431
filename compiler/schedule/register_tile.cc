#include "compiler/schedule/register_tile.h"

#include <algorithm>

#include "compiler/schedule/contraction.h"

namespace mgec::schedule {

int TileHeight(const kernel::Target& target, int blocks) {
  const bool wide = target.vector_lanes >= 16;
  const int vectors = wide ? (blocks + 1) / 2 : blocks;
  // A narrower vector's operand takes another register.
  if (target.RegistersOf(kBlock) >= 32) return vectors == 1 ? 24 : vectors == 2 ? (wide && blocks == 3 ? 12 : 13) : 28 / vectors;
  // Where a vector takes two registers, so do the weights, and elements wait in pairs for being multiplied.
  return (vectors == 1 || target.vector_lanes < kBlock ? 10 : 12) / vectors;
}

std::vector<int> VectorsOf(const kernel::Target& target, int blocks) {
  std::vector<int> lanes;
  int left = blocks * kBlock;
  while (left > 0) {
    const int n = std::min(left, std::max(target.vector_lanes, kBlock) >= 16 ? 16 : 8);
    lanes.push_back(n);
    left -= n;
  }
  return lanes;
}

std::vector<int> PartsOf(const kernel::Target& target, int panel_blocks) {
  if (target.RegistersOf(kBlock) < 32 && panel_blocks == 4) return {2, 2};
  return {panel_blocks};
}

int LeastHeight(const kernel::Target& target, const std::vector<int>& panels) {
  int h = 1 << 20;
  for (int p : panels) {
    for (int part : PartsOf(target, p)) h = std::min(h, TileHeight(target, part));
  }
  return h;
}

}  // namespace mgec::schedule
