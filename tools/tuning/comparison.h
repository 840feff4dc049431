// Two compilations of a model, timed in turns on this machine.
#ifndef MGEC_TOOLS_TUNING_COMPARISON_H_
#define MGEC_TOOLS_TUNING_COMPARISON_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/network.h"

namespace mgec::tuning {

// A compiled network that adds up what nodes take.
class TimedNetwork {
 public:
  // `step_keys` names the node of each step (CompileReport). Inputs are filled with random numbers.
  static absl::StatusOr<TimedNetwork> Load(absl::string_view artifact, std::vector<std::string> step_keys, int threads);

  // Runs one forward pass and takes the time of each step.
  void Pass();

  // Seconds of the fastest pass of each step, added up by node, and of all of them.
  std::map<std::string, double> NodeSeconds() const;
  double Seconds() const;

 private:
  std::vector<std::string> step_keys_;
  std::vector<StepInfo> fastest_;
  std::unique_ptr<Network> network_;
};

// Passes of both in turns: at least `least`, and until `enough` says so.
void RunInTurns(TimedNetwork& a, TimedNetwork& b, int least, const std::function<bool()>& enough);

}  // namespace mgec::tuning

#endif  // MGEC_TOOLS_TUNING_COMPARISON_H_
