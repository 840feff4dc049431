#include "compiler/plan/program.h"

#include "gtest/gtest.h"

namespace mgec::plan {
namespace {

using kernel::Kernel;
using kernel::Scalar;

// y[task] = x[task] * factor
Kernel Scale(const std::string& name, float factor, int64_t tasks) {
  Kernel k;
  k.name = name;
  k.task = kernel::MakeVar("task");
  k.tasks = tasks;
  k.arguments = {kernel::ArgumentBuffer("x", Scalar::kFloat32, tasks, 0, 4),
                 kernel::ArgumentBuffer("y", Scalar::kFloat32, tasks, 1, 4)};
  kernel::Block b;
  b.Store(k.arguments[1], Use(k.task), kernel::Load(k.arguments[0], Use(k.task)) * kernel::Float(factor));
  k.body = b.Take();
  return k;
}

StepInfo Info(const std::string& name, int64_t macs = 0, int64_t bytes = 0) {
  StepInfo info;
  info.name = name;
  info.macs = macs;
  info.bytes = bytes;
  return info;
}

TEST(ProgramTest, BindsStoragesWhereTheyArePlaced) {
  Program p;
  const StorageId in = p.AddInput(0, 400), a = p.AddArena(400), b = p.AddArena(400), c = p.AddArena(400),
                  out = p.AddOutput(2, 400), constant = p.AddConstant(std::string(400, 'c'));
  p.AddStep(Scale("first", 2, 100), {{in}, {a}}, Info("1"));
  p.AddStep(Scale("second", 3, 100), {{a}, {b}}, Info("2"));
  p.AddStep(Scale("third", 4, 100), {{b}, {c}}, Info("3"));
  p.AddStep(Scale("fourth", 5, 100), {{c}, {out}}, Info("4"));
  p.AddStep(Scale("fifth", 6, 50), {{constant, 200}, {out, 100, 200}}, Info("5"));
  EXPECT_EQ(p.storage(out).index, 2);
  ConstantPool pool;
  pool.Add("what another target wrote");
  const absl::StatusOr<PlannedProgram> planned = std::move(p).Finish(pool);
  ASSERT_TRUE(planned.ok()) << planned.status();
  ASSERT_EQ(planned->steps.size(), 5u);
  EXPECT_EQ(planned->arena_bytes, 896);  // two of 448: a and c share
  EXPECT_EQ(planned->arena_lower_bound, 896);
  const auto& steps = planned->steps;
  EXPECT_EQ(steps[0].bindings[0].space, Space::kInput);
  EXPECT_EQ(steps[0].bindings[1].space, Space::kArena);
  EXPECT_EQ(steps[0].bindings[1].offset, steps[1].bindings[0].offset);
  EXPECT_NE(steps[1].bindings[0].offset, steps[1].bindings[1].offset);
  EXPECT_EQ(steps[2].bindings[1].offset, steps[0].bindings[1].offset);
  EXPECT_EQ(steps[3].bindings[1].space, Space::kOutput);
  EXPECT_EQ(steps[3].bindings[1].index, 2);
  EXPECT_EQ(steps[3].bindings[1].bytes, 400);
  EXPECT_EQ(steps[4].bindings[0].space, Space::kConstant);
  EXPECT_EQ(steps[4].bindings[0].offset, 64 + 200);
  EXPECT_EQ(steps[4].bindings[0].bytes, 200);  // to the end
  EXPECT_EQ(steps[4].bindings[1].offset, 100);
  EXPECT_EQ(steps[4].bindings[1].bytes, 200);
  EXPECT_EQ(pool.bytes().substr(64), std::string(400, 'c'));
}

TEST(ProgramTest, KeepsEqualKernelsOnce) {
  Program p;
  const StorageId in = p.AddInput(0, 400), out = p.AddOutput(0, 400);
  p.AddStep(Scale("conv 1/a", 2, 100), {{in}, {out}}, Info("a"));
  p.AddStep(Scale("conv 1/b", 2, 100), {{in}, {out}}, Info("b"));
  p.AddStep(Scale("conv 1/c", 3, 100), {{in}, {out}}, Info("c"));
  ConstantPool pool;
  const absl::StatusOr<PlannedProgram> planned = std::move(p).Finish(pool);
  ASSERT_TRUE(planned.ok());
  ASSERT_EQ(planned->kernels.size(), 2u);
  EXPECT_EQ(planned->kernels[0].name, "k0_conv_1_a");  // an identifier
  EXPECT_EQ(planned->kernels[1].name, "k1_conv_1_c");
  EXPECT_EQ(planned->steps[0].kernel, 0);
  EXPECT_EQ(planned->steps[1].kernel, 0);
  EXPECT_EQ(planned->steps[2].kernel, 1);
  EXPECT_EQ(planned->steps[1].info.name, "b");
}

TEST(ProgramTest, WritesTablesWhenTheArenaIsPlanned) {
  Program p;
  const StorageId a = p.AddArena(100), b = p.AddArena(100), unused = p.AddArena(100), out = p.AddOutput(0, 400);
  const StorageId table = p.AddTable(16, [=](const ArenaOffsets& offsets) {
    return std::to_string(offsets[a]) + " " + std::to_string(offsets[b]) + std::string(8, ' ');
  });
  StepInfo info = Info("reads a and b through the table");
  info.touches = {a, b};
  p.AddStep(Scale("k", 2, 4), {{table}, {kWholeArena}}, info);
  p.AddStep(Scale("l", 3, 4), {{b}, {out}}, Info("b lives on"));
  (void)unused;
  ConstantPool pool;
  const absl::StatusOr<PlannedProgram> planned = std::move(p).Finish(pool);
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_EQ(planned->arena_bytes, 256);  // a and b together, nothing for what no step touches
  const auto& whole = planned->steps[0].bindings[1];
  EXPECT_EQ(whole.space, Space::kArena);
  EXPECT_EQ(whole.offset, 0);
  EXPECT_EQ(whole.bytes, 256);
  const std::string text = pool.bytes().substr(planned->steps[0].bindings[0].offset);
  const int64_t at_b = planned->steps[1].bindings[0].offset;
  EXPECT_EQ(text.substr(0, text.find_last_not_of(' ') + 1), std::to_string(128 - at_b) + " " + std::to_string(at_b));
}

TEST(ProgramTest, SmallStepsRunOnTheCallingThread) {
  Program p;
  const StorageId in = p.AddInput(0, 400), out = p.AddOutput(0, 400);
  p.AddStep(Scale("a", 1.5f, 100), {{in}, {out}}, Info("little", 10, 400));
  p.AddStep(Scale("a", 1.5f, 100), {{in}, {out}}, Info("many operations", 10 * 1000 * 1000, 400));
  p.AddStep(Scale("a", 1.5f, 100), {{in}, {out}}, Info("much memory", 0, 10 * 1000 * 1000));
  p.AddStep(Scale("b", 2.5f, 1), {{in}, {out}}, Info("one task", 10 * 1000 * 1000, 400));
  ConstantPool pool;
  const absl::StatusOr<PlannedProgram> planned = std::move(p).Finish(pool);
  ASSERT_TRUE(planned.ok());
  std::vector<bool> serial;
  for (const PlannedStep& s : planned->steps) serial.push_back(s.serial);
  EXPECT_EQ(serial, (std::vector<bool>{true, false, false, true}));
}

TEST(ProgramTest, RefusesArgumentsBeyondTheirStorage) {
  const Argument kBad[] = {{0, 4, 400}, {0, -4, 4}, {0, 404, -1}};
  for (const Argument& bad : kBad) {
    Program p;
    const StorageId in = p.AddInput(0, 400), out = p.AddOutput(0, 400);
    ASSERT_EQ(in, bad.storage);
    p.AddStep(Scale("k", 2, 100), {bad, {out}}, Info("greedy"));
    ConstantPool pool;
    const absl::Status s = std::move(p).Finish(pool).status();
    EXPECT_EQ(s.code(), absl::StatusCode::kInternal);
    EXPECT_EQ(s.message(), "step greedy reaches beyond a buffer of 400 bytes");
  }
}

}  // namespace
}  // namespace mgec::plan
