#include "compiler/kernel/work.h"

#include "gtest/gtest.h"

namespace mgec::kernel {
namespace {

class WorkTest : public testing::Test {
 protected:
  WorkTest() {
    k_.name = "k";
    k_.task = MakeVar("task");
    k_.tasks = 10;
    k_.arguments = {ArgumentBuffer("x", Scalar::kFloat32, 4000, 0, 16), ArgumentBuffer("y", Scalar::kFloat32, 4000, 1, 4)};
  }
  GpuWork Count(int64_t tasks) {
    k_.body = b_.Take();
    return WorkOnGpu(k_, tasks);
  }

  Kernel k_;
  Block b_;
};

TEST_F(WorkTest, StatementsOfAllThreads) {
  const Expr x = Load(k_.arguments[0], Use(k_.task));
  b_.Store(k_.arguments[1], Use(k_.task) + 1, x * x);  // a load, a product, a store: shared ones count once
  const GpuWork w = Count(100);
  EXPECT_EQ(w.instructions, 300);
  EXPECT_EQ(w.accesses, 200);
  EXPECT_EQ(w.products, 0);
}

// Equal values are computed once, and outside of loops that do not change them.
TEST_F(WorkTest, Values) {
  b_.For("i", 0, 100, [&](Block& b, const Expr& i) {
    b.Store(k_.arguments[0], Use(k_.task) * Use(k_.task) * 3 + i, Float(0));  // two products outside, a sum with one of them inside
    b.Store(k_.arguments[0], Use(k_.task) * Use(k_.task) * 3 + i + 5, Float(0));
  });
  // Of each iteration: the sum, two stores, count and branch.
  EXPECT_LE(Count(1).instructions, 100 * 5 + 2);
  // What memory holds may change.
  const Buffer x = k_.arguments[0];
  for (int i = 0; i < 2; ++i) b_.Store(x, Int(1), Load(x, Int(0)) + Float(1));
  EXPECT_EQ(Count(1).instructions, 6);
}

TEST_F(WorkTest, Loops) {
  b_.For("i", 0, 7, [&](Block& b, const Expr& i) { b.Store(k_.arguments[0], i, Float(0)); });
  EXPECT_EQ(Count(1).accesses, 7);
  k_.threads = 32;
  k_.thread = MakeVar("thread");
  // Threads share the steps; the estimate is of the average thread.
  b_.For("i", Use(k_.thread), Int(320), 32, [&](Block& b, const Expr& i) { b.Store(k_.arguments[0], i, Float(0)); });
  const int64_t shared = Count(1).accesses;
  EXPECT_GE(shared, 300);
  EXPECT_LE(shared, 320);
}

// Aligned neighbours are one access, others as many as there are.
TEST_F(WorkTest, Vectors) {
  b_.Store(k_.arguments[0], Use(k_.task) * 4, Load(k_.arguments[0], Use(k_.task) * 4, 4));
  EXPECT_EQ(Count(1).accesses, 2);
  b_.Store(k_.arguments[1], Use(k_.task) * 4, Load(k_.arguments[1], Use(k_.task) * 4, 4));
  EXPECT_EQ(Count(1).accesses, 8);
}

TEST_F(WorkTest, Branches) {
  b_.If(FromArchitecture(80), [&](Block& b) { b.Store(k_.arguments[0], Int(0), Float(0)); },
        [&](Block& b) {
          for (int i = 0; i < 5; ++i) b.Store(k_.arguments[0], Int(i), Float(0));
        });
  EXPECT_EQ(Count(1).accesses, 1);
  b_.If(FromArchitecture(90), [&](Block& b) { b.Store(k_.arguments[0], Int(0), Float(0)); },
        [&](Block& b) {
          for (int i = 0; i < 5; ++i) b.Store(k_.arguments[0], Int(i), Float(0));
        });
  EXPECT_EQ(Count(1).accesses, 5);
  b_.If(Use(k_.task) < Int(3), [&](Block& b) { b.Store(k_.arguments[0], Int(0), Float(0)); });
  EXPECT_EQ(Count(1).accesses, 1);
}

TEST_F(WorkTest, Divisions) {
  b_.Store(k_.arguments[0], Use(k_.task) / Int(8), Float(0));
  const int64_t shift = Count(1).instructions;
  b_.Store(k_.arguments[0], Use(k_.task) / Int(7), Float(0));
  EXPECT_GT(Count(1).instructions, shift);
}

TEST_F(WorkTest, ProductsOfMatrices) {
  k_.threads = 64;
  k_.thread = MakeVar("thread");
  const Buffer acc = RegisterBuffer("acc", Scalar::kInt32, 4, 1);
  b_.Set(acc, 0, Broadcast(Int(0, Type(Scalar::kInt32)), 4));
  b_.For("i", 0, 3, [&](Block& b, const Expr&) {
    b.Set(acc, 0, b.Let("p", Mma(Reg(acc, 0), Broadcast(Int(1, Type(Scalar::kInt32)), 2), Reg(acc, 0))));
  });
  EXPECT_EQ(Count(5).products, 5 * 2 * 3);
}

// One comparison without sign.
TEST_F(WorkTest, TestsOfRanges) {
  k_.threads = 64;
  k_.thread = MakeVar("thread");
  const Expr x = Use(k_.thread) + Int(-3);
  auto instructions = [&](const Expr& condition) {
    b_ = Block();
    b_.Let("inside", condition);
    return Count(1).instructions / 64;
  };
  EXPECT_EQ(instructions(And(Int(0) <= x, x < Int(20))), 1 + 1);
  EXPECT_EQ(instructions(And(Int(1) <= x, x < Int(20))), 1 + 3);
}

// One instruction for four words of each thread.
TEST_F(WorkTest, MatricesOfSharedMemory) {
  k_.threads = 64;
  k_.thread = MakeVar("thread");
  const Buffer words = SharedBuffer("words", Scalar::kInt32, 1024);
  b_.For("i", 0, 3, [&](Block& b, const Expr&) {
    for (int64_t row : {0, 8}) b.Let("p", LoadMatrices(words, Use(k_.thread) + row));
  });
  const GpuWork work = Count(5);
  EXPECT_EQ(work.instructions, 5 * 64 * 3 * (2 + 2));  // and the loop's
  EXPECT_EQ(work.accesses, 0);
}

}  // namespace
}  // namespace mgec::kernel
