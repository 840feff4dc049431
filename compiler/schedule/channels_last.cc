#include "compiler/schedule/channels_last.h"

#include "compiler/schedule/contraction.h"

namespace mgec::schedule {
namespace {

using kernel::Expr;
using kernel::Int;

// Blocks at the beginning that a loop can copy.
int64_t WholeBlocks(const std::vector<ChannelRun>& runs) {
  int64_t n = 0;
  while (n < static_cast<int64_t>(runs.size()) && runs[n].count == kBlock) ++n;
  return n;
}

}  // namespace

std::vector<ChannelRun> RunsOf(const Placement& p) {
  std::vector<ChannelRun> runs;
  for (size_t c = 0; c < p.channels.size(); ++c) {
    const ChannelRef& r = p.channels[c];
    const bool follows = c > 0 && r.lane > 0 && p.channels[c - 1] == ChannelRef{r.storage, r.block, static_cast<int8_t>(r.lane - 1)};
    if (follows) ++runs.back().count;
    else runs.push_back({static_cast<int64_t>(c), 1});
  }
  return runs;
}

bool CopiesRuns(const std::vector<ChannelRun>& runs) {
  constexpr size_t kMostUnrolled = 24;
  constexpr int64_t kFewestTogether = 4;  // on average, or gathers are as fast
  if (runs.empty()) return false;
  const int64_t channels = runs.back().first + runs.back().count;
  return static_cast<int64_t>(runs.size()) * kFewestTogether <= channels && runs.size() - WholeBlocks(runs) <= kMostUnrolled;
}

void EmitRuns(kernel::Block& b, const std::vector<ChannelRun>& runs, const BlockElement& element, const kernel::Buffer& arena,
              const kernel::Buffer& table, const Expr& pixel, const kernel::Buffer& out, const Expr& to) {
  auto copy = [&](kernel::Block& b, const Expr& channel, int count) {
    const Expr from = b.Let("from", Cast(kernel::kIndexType, Load(table, channel)) + pixel);
    b.Store(out, to + channel, FromStored(element, Load(arena, from, count)));
  };
  const int64_t whole = runs.size() > 4 ? WholeBlocks(runs) : 0;
  if (whole > 0) b.For("c", Int(0), Int(whole * kBlock), kBlock, [&](kernel::Block& b, const Expr& c) { copy(b, c, kBlock); });
  for (size_t i = whole; i < runs.size(); ++i) copy(b, Int(runs[i].first), runs[i].count);
}

}  // namespace mgec::schedule
