#include "compiler/schedule/placement.h"

#include <algorithm>
#include <map>

namespace mgec::schedule {

bool BlockUse::full() const {
  return std::all_of(std::begin(channel), std::end(channel), [](int c) { return c >= 0; });
}

std::vector<BlockUse> BlocksOf(const Placement& p) {
  std::vector<BlockUse> blocks;
  std::map<std::pair<plan::StorageId, int32_t>, size_t> index;
  for (size_t c = 0; c < p.channels.size(); ++c) {
    const ChannelRef& r = p.channels[c];
    const auto [it, is_new] = index.emplace(std::make_pair(r.storage, r.block), blocks.size());
    // A lane that several channels share (a tensor concatenated with itself) needs its block several times.
    if (is_new || blocks[it->second].channel[r.lane] >= 0) {
      it->second = blocks.size();
      BlockUse use{r.storage, r.block, {}};
      std::fill(std::begin(use.channel), std::end(use.channel), -1);
      blocks.push_back(use);
    }
    blocks[it->second].channel[r.lane] = static_cast<int>(c);
  }
  return blocks;
}

std::vector<plan::StorageId> StoragesOf(const Placement& p) {
  std::vector<plan::StorageId> storages;
  for (const ChannelRef& r : p.channels) {
    if (std::find(storages.begin(), storages.end(), r.storage) == storages.end()) storages.push_back(r.storage);
  }
  return storages;
}

Placement NaturalPlacement(plan::StorageId storage, int64_t channels) {
  Placement p;
  p.blocked = true;
  for (int64_t c = 0; c < channels; ++c) {
    p.channels.push_back({storage, static_cast<int32_t>(c / 8), static_cast<int8_t>(c % 8)});
  }
  return p;
}

bool IsNatural(const Placement& p) {
  for (size_t c = 0; c < p.channels.size(); ++c) {
    const ChannelRef want{p.channels[0].storage, static_cast<int32_t>(c / 8), static_cast<int8_t>(c % 8)};
    if (!(p.channels[c] == want)) return false;
  }
  return p.blocked;
}

bool SameLanes(const Placement& a, const Placement& b) {
  const std::vector<BlockUse> x = BlocksOf(a), y = BlocksOf(b);
  if (x.size() != y.size()) return false;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!std::equal(std::begin(x[i].channel), std::end(x[i].channel), std::begin(y[i].channel))) return false;
  }
  return true;
}

int64_t BlockElements(const graph::Shape& shape) {
  int64_t n = 8;
  for (size_t i = 0; i < shape.size(); ++i) n *= i == 1 ? 1 : shape[i];
  return n;
}

}  // namespace mgec::schedule
