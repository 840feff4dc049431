#include "compiler/schedule/channel_runs.h"

#include <algorithm>

#include "compiler/kernel/simplify.h"
#include "compiler/schedule/contraction.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Expr;
using kernel::Int;
using kernel::Op;

constexpr int64_t kUnrolled = 4;  // runs of whole blocks that become straight code

// Channels [begin, begin + count) are neighbours; `count` is a power of two of at most a block.
struct Run {
  int64_t begin;
  int count;
};

std::vector<Run> RunsOf(const std::vector<ChannelRef>& channels) {
  std::vector<Run> runs;
  const int64_t n = static_cast<int64_t>(channels.size());
  for (int64_t begin = 0, end; begin < n; begin = end) {
    const ChannelRef& first = channels[begin];
    for (end = begin + 1; end < n; ++end) {
      const ChannelRef& c = channels[end];
      if (c.storage != first.storage || c.block != first.block || c.lane != first.lane + (end - begin)) break;
    }
    for (int64_t at = begin; at < end; at += runs.back().count) {
      int count = kBlock;
      while (count > end - at) count /= 2;
      runs.push_back({at, count});
    }
  }
  return runs;
}

// Whether `index` depends on the channel by the load of its place, and by that alone.
bool LooksUpChannel(const Expr& index, const ChannelCopy& copy) {
  const auto is_place = [&](const Expr& e) {
    return e->op == Op::kLoad && e->buffer == copy.table && e->args[0]->op == Op::kVar && e->args[0]->var == copy.channel;
  };
  bool found = false;
  const Expr rest = kernel::Replace(index, [&](const Expr& e) -> Expr {
    if (!is_place(e)) return nullptr;
    found = true;
    return Int(0, e->type);
  });
  return found && !kernel::DependsOn(rest, copy.channel);
}

}  // namespace

bool EmitChannelRuns(Block& b, const ChannelCopy& copy) {
  if (copy.channels == nullptr || copy.value->op != Op::kLoad || copy.value->type.lanes != 1 || copy.value->args.size() != 1) return false;
  if (kernel::StrideOf(copy.to, copy.channel) != 1 || !LooksUpChannel(copy.value->args[0], copy)) return false;
  const std::vector<Run> runs = RunsOf(*copy.channels);
  // Single elements are better gathered.
  if (2 * runs.size() > copy.channels->size()) return false;
  const auto at = [&](const Expr& e, const Expr& channel) { return kernel::Substitute(e, {{copy.channel.get(), channel}}); };
  const auto emit = [&](Block& b, const Expr& channel, int count) {
    b.Store(copy.out, at(copy.to, channel), Load(copy.value->buffer, at(copy.value->args[0], channel), count));
  };
  for (size_t i = 0, last; i < runs.size(); i = last) {
    for (last = i + 1; last < runs.size() && runs[last].count == runs[i].count;) ++last;
    const int count = runs[i].count;
    const int64_t n = static_cast<int64_t>(last - i);
    if (count == kBlock && n > kUnrolled) {  // neighbours of each other, as there is nothing between them
      b.For("run", Int(runs[i].begin), Int(runs[i].begin + n * count), count, [&](Block& b, const Expr& c) { emit(b, c, count); });
      continue;
    }
    for (size_t j = i; j < last; ++j) emit(b, Int(runs[j].begin), count);
  }
  return true;
}

}  // namespace mgec::schedule
