#include "compiler/schedule/k_list.h"

#include <cstring>

#include "compiler/schedule/contraction.h"

namespace mgec::schedule {

KList BlockedKList(const std::vector<BlockUse>& blocks, const ops::ConvParams& p, int64_t row_pitch,
                   int64_t block_elements) {
  KList k;
  for (const bool full : {true, false}) {
    for (const BlockUse& b : blocks) {
      if (b.full() != full) continue;
      for (int64_t kh = 0; kh < p.kernel[0]; ++kh) {
        for (int64_t kw = 0; kw < p.kernel[1]; ++kw) {
          const int64_t tap = (kh * p.dilation[0] * row_pitch + kw * p.dilation[1]) * kBlock;
          const int64_t at = b.block * block_elements + tap;
          if (full) {
            k.offsets.emplace_back(b.storage, at);
            ++k.block_entries;
          }
          for (int lane = 0; lane < kBlock; ++lane) {
            if (b.channel[lane] < 0) continue;
            k.elements.push_back({b.channel[lane], kh, kw});
            if (!full) {
              k.offsets.emplace_back(b.storage, at + lane);
              ++k.single_entries;
            }
          }
        }
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
