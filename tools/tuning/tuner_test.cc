#include "tools/tuning/tuner.h"

#include <gtest/gtest.h>

#include <string>

#include "runtime/cpu.h"
#include "tools/files.h"

namespace mgec::tuning {
namespace {

std::string Model() { return *ReadFile("testdata/nets/repvgg_tiny/model.mge"); }

CompileOptions ForV3() {
  CompileOptions options;
  options.targets = {*kernel::FindTarget("x86-64-v3")};
  return options;
}

Options Seconds(double seconds) {
  Options tuning;
  tuning.seconds = seconds;
  tuning.cpu = "this";
  return tuning;
}

// Repeatable: what a database says decides what is compiled.
std::string CompileWith(const Database& database) {
  CompileOptions options = ForV3();
  options.schedule.choose = database.ChooserFor("this", 1);
  return *Compile(Model(), options);
}

TEST(Tuner, MeasuresEachKindOfNodeOnce) {
  Database database;
  Report report;
  int saved = 0, comparisons = 0;
  Options tuning = Seconds(20);
  tuning.recorded = [&] {
    ++saved;
    return absl::OkStatus();
  };
  tuning.progress = [&](const Progress& p) {
    EXPECT_EQ(p.target, "x86-64-v3");
    EXPECT_EQ(p.round, comparisons++);
    EXPECT_LT(p.round, p.rounds);
  };
  ASSERT_TRUE(Tune(Model(), ForV3(), tuning, database, report).ok());
  ASSERT_EQ(report.targets.size(), 1u);
  const Report::Target& t = report.targets[0];
  EXPECT_GT(t.nodes, 3);
  EXPECT_EQ(t.known, 0);
  EXPECT_EQ(static_cast<int>(database.size()), t.nodes);
  EXPECT_EQ(saved, 1);
  EXPECT_GT(comparisons, 1);
  EXPECT_GT(t.rule_seconds, 0);
  EXPECT_GT(t.tuned_seconds, 0);
  EXPECT_EQ(CompileWith(database), CompileWith(database));

  if (!t.complete) return;  // a slow machine
  Report again;
  ASSERT_TRUE(Tune(Model(), ForV3(), Seconds(20), database, again).ok());
  EXPECT_EQ(again.targets[0].known, t.nodes);
  EXPECT_EQ(again.targets[0].rule_seconds, 0);
}

TEST(Tuner, LittleTimeGivesIncompleteMeasurements) {
  Database database;
  Report report;
  ASSERT_TRUE(Tune(Model(), ForV3(), Seconds(0.001), database, report).ok());
  EXPECT_FALSE(report.targets[0].complete);
  EXPECT_EQ(static_cast<int>(database.size()), report.targets[0].nodes);
  Report again;
  ASSERT_TRUE(Tune(Model(), ForV3(), Seconds(0.001), database, again).ok());
  EXPECT_LT(again.targets[0].known, again.targets[0].nodes);
}

TEST(Tuner, StopsWhenAsked) {
  std::atomic<bool> stop = false;
  Options tuning = Seconds(1000);
  tuning.stop = &stop;
  tuning.progress = [&](const Progress&) { stop = true; };
  Database database;
  Report report;
  ASSERT_TRUE(Tune(Model(), ForV3(), tuning, database, report).ok());
  EXPECT_FALSE(report.targets[0].complete);
}

TEST(Tuner, TargetsOfOtherMachinesAreNotMeasured) {
  CompileOptions options;
  options.targets = {kernel::CudaTarget({80})};
  Database database;
  Report report;
  ASSERT_TRUE(Tune(Model(), options, Seconds(10), database, report).ok());
  ASSERT_EQ(report.targets.size(), 1u);
  EXPECT_FALSE(report.targets[0].runs_here);
  EXPECT_EQ(database.size(), 0u);
}

TEST(Tuner, ErrorsAreTheCompilers) {
  Database database;
  Report report;
  EXPECT_FALSE(Tune("no model", ForV3(), Seconds(10), database, report).ok());
}

}  // namespace
}  // namespace mgec::tuning
