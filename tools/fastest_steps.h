// The time of each step of a network, measured in several profiled passes.
#ifndef MGEC_TOOLS_FASTEST_STEPS_H_
#define MGEC_TOOLS_FASTEST_STEPS_H_

#include <vector>

#include "runtime/network.h"

namespace mgec {

// Lets `fastest`, empty at first, know another pass (Network::Profile()): each step has the shortest last_ns of all passes.
void KeepFastest(const std::vector<StepInfo>& pass, std::vector<StepInfo>& fastest);

// Of last_ns.
double Seconds(const StepInfo& step);

}  // namespace mgec

#endif  // MGEC_TOOLS_FASTEST_STEPS_H_
