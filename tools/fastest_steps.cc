#include "tools/fastest_steps.h"

#include <cassert>

namespace mgec {

void KeepFastest(const std::vector<StepInfo>& pass, std::vector<StepInfo>& fastest) {
  if (fastest.empty()) fastest = pass;
  assert(fastest.size() == pass.size());
  for (size_t i = 0; i < pass.size(); ++i) {
    if (pass[i].last_ns < fastest[i].last_ns) fastest[i] = pass[i];
  }
}

double Seconds(const StepInfo& step) { return static_cast<double>(step.last_ns) * 1e-9; }

}  // namespace mgec
