#include "tools/bench/schedule_cases.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "compiler/passes/passes.h"
#include "compiler/plan/program.h"
#include "compiler/schedule/schedule.h"
#include "gtest/gtest.h"

namespace mgec::bench {
namespace {

// What the benchmark relies on, for each case and target: steps of the measured node, with its multiply-adds where it has
// any.
TEST(ScheduleCasesTest, StepsOfTheMeasuredNodeCanBeTold) {
  static const char* const kMultiply[] = {"conv", "matmul", "attention"};
  std::set<std::string> names;
  for (const ScheduleCase& c : ScheduleCases()) {
    SCOPED_TRACE(c.name);
    EXPECT_TRUE(names.insert(c.name).second);
    absl::StatusOr<graph::Graph> g = c.graph();
    ASSERT_TRUE(g.ok()) << g.status();
    ASSERT_TRUE(passes::RunPasses(*g).ok());
    for (const kernel::Target& target : kernel::AllTargets()) {
      SCOPED_TRACE(target.name);
      schedule::Options options;
      options.winograd = c.winograd;
      absl::StatusOr<plan::Program> scheduled = schedule::ScheduleGraph(*g, target, options);
      ASSERT_TRUE(scheduled.ok()) << scheduled.status();
      plan::ConstantPool constants;
      const absl::StatusOr<plan::PlannedProgram> program = std::move(*scheduled).Finish(constants);
      ASSERT_TRUE(program.ok()) << program.status();
      int64_t macs = 0, bytes = 0;
      bool winograd = false;
      for (const plan::PlannedStep& step : program->steps) {
        if (step.info.name != kMeasured) continue;
        macs += step.info.macs;
        bytes += step.info.bytes;
        winograd |= step.info.op == "winograd_input";
      }
      EXPECT_GT(bytes, 0);
      const bool multiplies = std::any_of(std::begin(kMultiply), std::end(kMultiply),
                                          [&](const char* name) { return c.name.find(name) != std::string::npos; });
      EXPECT_EQ(macs > 0, multiplies);
      // In integers it is exact, and needs no leave.
      EXPECT_TRUE(!winograd || c.winograd || c.integers);
    }
  }
}

}  // namespace
}  // namespace mgec::bench
