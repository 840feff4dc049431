// Measures what schedules decide by rules of thumb (schedule/choice.h), on this machine and inside the network itself.
//
// The network is compiled as the rules have it, and again with another choice for every node at once, as often as the node with
// the most alternatives asks for. Two networks at a time run in turns, step by step by the clock, so that each node's time is
// compared under the same conditions: caches as its neighbours leave them. What won has to win again, twice: with what else won
// for its node, and with what won for all others.
#ifndef MGEC_TOOLS_TUNING_TUNER_H_
#define MGEC_TOOLS_TUNING_TUNER_H_

#include <atomic>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "compiler/compile.h"
#include "tools/tuning/database.h"

namespace mgec::tuning {

struct Progress {
  std::string target;
  int round = 0, rounds = 0;    // comparisons done, and in all
  double seconds_left = 0;
};

struct Options {
  double seconds = 60;  // of the whole, about; compilations that have begun are finished
  int threads = 1;      // that the network runs on
  std::string cpu;      // what the database calls this machine
  // Called before each comparison.
  std::function<void(const Progress&)> progress;
  // Called whenever the database has got new entries, to save it; an error ends Tune().
  std::function<absl::Status()> recorded;
  // Becomes true when somebody wants to stop: what has been found is then confirmed and recorded. May be null.
  const std::atomic<bool>* stop = nullptr;
};

struct Report {
  struct Target {
    std::string name;
    bool runs_here = true;              // others cannot be measured
    int nodes = 0, known = 0, better = 0;  // kinds of nodes with alternatives; measured before; that have a new choice
    bool complete = true;               // every alternative was tried
    double rule_seconds = 0, tuned_seconds = 0;  // of a pass; both 0 if there was nothing to measure
  };
  std::vector<Target> targets;  // for each set of input shapes
};

// Measures what `database` does not know of `mge` compiled with `options`, and records it there. Errors: those of Compile().
absl::Status Tune(absl::string_view mge, const CompileOptions& options, const Options& tuning, Database& database, Report& report);

}  // namespace mgec::tuning

#endif  // MGEC_TOOLS_TUNING_TUNER_H_
