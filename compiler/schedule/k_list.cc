#include "compiler/schedule/k_list.h"

#include <algorithm>
#include <cstring>

#include "compiler/schedule/contraction.h"

namespace mgec::schedule {

KList BlockedKList(const std::vector<BlockUse>& blocks, const ops::ConvParams& p, int64_t row_pitch,
                   int64_t block_elements, int group) {
  KList k;
  auto add = [&](const BlockUse& b, int64_t at, int64_t kh, int64_t kw, int first, int lanes) {
    k.offsets.emplace_back(b.storage, at + first);
    for (int lane = first; lane < first + lanes; ++lane) k.elements.push_back({b.channel[lane], kh, kw});
  };
  for (const bool full : {true, false}) {
    for (const BlockUse& b : blocks) {
      if (b.full() != full) continue;
      for (int64_t kh = 0; kh < p.kernel[0]; ++kh) {
        for (int64_t kw = 0; kw < p.kernel[1]; ++kw) {
          const int64_t tap = (kh * p.dilation[0] * row_pitch + kw * p.dilation[1]) * kBlock;
          const int64_t at = b.block * block_elements + tap;
          if (full) {
            add(b, at, kh, kw, 0, kBlock);
            ++k.block_entries;
            continue;
          }
          for (int first = 0; first < kBlock; first += group) {
            const bool used = std::any_of(b.channel + first, b.channel + first + group, [](int c) { return c >= 0; });
            if (!used) continue;
            add(b, at, kh, kw, first, group);
            ++k.single_entries;
          }
        }
      }
    }
  }
  return k;
}

KList PlanarKList(const ops::ConvParams& p, int64_t height, int64_t width, int group) {
  KList k;
  const int64_t taps = p.dilation[1] == 1 ? group : 1;  // of a group
  for (int64_t c = 0; c < p.in_channels; ++c) {
    for (int64_t kh = 0; kh < p.kernel[0]; ++kh) {
      for (int64_t kw = 0; kw < p.kernel[1]; kw += taps) {
        for (int64_t i = 0; i < group; ++i) {
          const bool used = i < taps && kw + i < p.kernel[1];
          k.elements.push_back({used ? c : -1, kh, kw + i});
        }
        k.offsets.emplace_back(plan::kWholeArena, (c * height + kh * p.dilation[0]) * width + kw * p.dilation[1]);
        ++k.single_entries;
      }
    }
  }
  return k;
}

std::string FixedTable(const KList& k) {
  std::string table(k.offsets.size() * 4, '\0');
  for (size_t i = 0; i < k.offsets.size(); ++i) {
    const int32_t v = static_cast<int32_t>(k.offsets[i].second);
    std::memcpy(&table[i * 4], &v, 4);
  }
  return table;
}

}  // namespace mgec::schedule
