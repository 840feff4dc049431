// What schedules decide by rules of thumb and a measurement may know better (compiler/tune): the values decide speed, and with
// `winograd` rounding, but never what is computed.
#ifndef MGEC_COMPILER_SCHEDULE_CHOICE_H_
#define MGEC_COMPILER_SCHEDULE_CHOICE_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "compiler/kernel/target.h"

namespace mgec::schedule {

// kRule leaves a decision to the schedule. Schedules take other values as wishes: they keep to what their registers and the
// node's sizes allow.
struct Choice {
  static constexpr int kRule = -1;

  int winograd = kRule;      // convolution: outputs per tile and axis, 2 or 4; 0: direct
  int group_tiles = kRule;   // Winograd: tiles that go through all transforms together
  int tile_height = kRule;   // contraction: pixels of a register tile
  int split_pixels = kRule;  // contraction: whether the loop over pixels is outside that over panels of weights
  int chunk = kRule;         // contraction: entries of K added up in registers at a time
  int prefetch = kRule;      // contraction: whether a panel asks for the weights after it
  int tasks = kRule;         // tasks that a step is divided into
  int registers = kRule;     // channelwise: registers that are computed together
  int unroll = kRule;        // channelwise: pixels per iteration

  bool operator==(const Choice& o) const;
};

// A choice of one decision.
Choice Decided(int Choice::*decision, int64_t value);
// "tile_height=10 split_pixels=1"; "" where every decision is the schedule's.
std::string ToString(const Choice& choice);
// InvalidArgument for anything that ToString does not write.
absl::StatusOr<Choice> ParseChoice(absl::string_view text);
// The decisions of `wishes`, and where it has none those of `base`.
Choice Merged(Choice base, const Choice& wishes);

// The choice for a node of that key.
using Chooser = std::function<Choice(const kernel::Target& target, const std::string& key)>;
// What schedules could have chosen instead, by the keys of nodes: one or more decisions each, to be tried one at a time.
using Alternatives = std::map<std::string, std::vector<Choice>>;

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CHOICE_H_
