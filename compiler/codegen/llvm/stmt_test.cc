// Memory, loops and branches against the interpreter.
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "compiler/codegen/llvm/testing/compare.h"
#include "compiler/codegen/llvm/testing/run_image.h"

namespace mgec::codegen {
namespace {

using namespace kernel;  // NOLINT: these tests are written in its language

const Scalar kAll[] = {Scalar::kBool,  Scalar::kInt8,  Scalar::kUint8,   Scalar::kInt16,    Scalar::kUint16,
                       Scalar::kInt32, Scalar::kInt64, Scalar::kFloat16, Scalar::kBFloat16, Scalar::kFloat32};

TEST(StmtTest, TasksAndNestedLoops) {
  Comparison c;
  c.set_tasks(5);
  Buffer x = c.Input(Scalar::kFloat32, 5 * 7 * 24), o = c.Output(Scalar::kFloat32, 5 * 7 * 24);
  Block b;
  b.For("i", 0, 7, [&](Block& b, Expr i) {
    b.For("j", Int(0), Int(24), 8, [&](Block& b, Expr j) {
      const Expr at = c.task() * 168 + i * 24 + j;
      b.Store(o, at, Load(x, at, 8) + Load(x, i * 24 + j, 8));
    });
  });
  EXPECT_EQ(c.Run(std::move(b)), "");
}

TEST(StmtTest, LoopBoundsAreComputed) {
  Comparison c;
  c.set_tasks(12);
  Buffer x = c.Input(Scalar::kInt32, 64), o = c.Output(Scalar::kInt32, 12 * 40);
  Block b;
  // From task - 6 to min(task, 9) by 3, also not at all.
  b.For("i", c.task() - 6, Min(c.task(), Int(9)) - 2, 3, [&](Block& b, Expr i) {
    b.For("j", Int(0), i, 1, [&](Block& b, Expr j) { b.Store(o, c.task() * 40 + j, Load(x, i + j + 8)); });
    b.Store(o, c.task() * 40 + 20 + FloorMod(i, Int(7)), Load(x, FloorDiv(i, Int(4)) + 8));
  });
  EXPECT_EQ(c.Run(std::move(b)), "");
}

TEST(StmtTest, IndicesDivide) {
  Comparison c;
  c.set_tasks(60);
  Buffer o = c.Output(Scalar::kInt64, 60 * 16);
  Block b;
  const Expr t = c.task(), s = c.task() - 30;
  const Expr values[] = {FloorDiv(t, Int(7)), FloorMod(t, Int(7)), FloorDiv(s, Int(7)), FloorMod(s, Int(7)),
                         FloorDiv(s, Int(8)), FloorMod(s, Int(8)), FloorDiv(s, Int(-7)), FloorMod(s, Int(-7)),
                         s / Int(7), Binary(Op::kMod, s, Int(7)), FloorDiv(Int(100), t + 1), FloorMod(Int(-100), t + 1),
                         Max(s, Int(3)), FloorDiv(Max(s, Int(0)), Int(3)), Select(s < 0, s * 2, t), FloorDiv(t * t, Int(3))};
  for (size_t i = 0; i < std::size(values); ++i) b.Store(o, t * 16 + static_cast<int64_t>(i), values[i]);
  EXPECT_EQ(c.Run(std::move(b)), "");
}

TEST(StmtTest, BranchesKeepRegistersApart) {
  Comparison c;
  c.set_tasks(8);
  Buffer x = c.Input(Scalar::kFloat32, 64), o = c.Output(Scalar::kFloat32, 64);
  Buffer acc = RegisterBuffer("acc", Scalar::kFloat32, 8, 2);
  Block b;
  b.Set(acc, 0, Float(1));
  b.Set(acc, 1, Float(2));
  b.If(c.task() < 4, [&](Block& b) {
    b.For("i", 0, 3, [&](Block& b, Expr i) {
      // A load under a branch and a loop, at an address that is computed outside of both.
      b.If(i >= 1, [&](Block& b) { b.Set(acc, 1, Reg(acc, 1) + Load(x, c.task() * 8, 8)); });
    });
  }, [&](Block& b) { b.Set(acc, 0, Reg(acc, 1)); });
  b.Store(o, c.task() * 8, Reg(acc, 0) + Reg(acc, 1));
  EXPECT_EQ(c.Run(std::move(b)), "");
}

TEST(StmtTest, LetsAndSharedNodes) {
  Comparison c;
  Buffer x = c.Input(Scalar::kInt32, 64), o = c.Output(Scalar::kInt32, 64);
  Block b;
  b.For("i", 0, 8, [&](Block& b, Expr i) {
    const Expr row = b.Let("row", i * 3 + 1);
    const Expr shared = row * 2 + i;  // as a value in the loop and in addresses that are hoisted out of the next
    b.For("j", 0, 2, [&](Block& b, Expr j) {
      b.Store(o, i * 8 + j, Load(x, row + j) + Cast(Type(Scalar::kInt32), shared));
      b.Store(o, i * 8 + 2 + j, Cast(Type(Scalar::kInt32), shared) - Load(x, shared + j));
    });
    const Expr before = b.Let("before", Load(o, i * 8));
    b.Store(o, i * 8, Int(7, Type(Scalar::kInt32)));
    b.Store(o, i * 8 + 5, before + Load(o, i * 8));
  });
  EXPECT_EQ(c.Run(std::move(b)), "");
}

TEST(StmtTest, StackBuffers) {
  for (Scalar s : kAll) {
    Comparison c;
    c.set_tasks(3);
    Buffer x = c.Input(s, 3 * 64), o = c.Output(s, 3 * 64), tmp = StackBuffer("tmp", s, 64);
    Block b;
    b.For("i", Int(0), Int(64), 8, [&](Block& b, Expr i) { b.Store(tmp, i, Load(x, c.task() * 64 + i, 8)); });
    b.For("i", 0, 64, [&](Block& b, Expr i) { b.Store(o, c.task() * 64 + i, Load(tmp, Int(63) - i)); });
    EXPECT_EQ(c.Run(std::move(b)), "") << Name(s);
  }
}

TEST(StmtTest, Prefetch) {
  Comparison c;
  Buffer x = c.Input(Scalar::kFloat32, 8), o = c.Output(Scalar::kFloat32, 8);
  Block b;
  b.Prefetch(x, Int(int64_t{1} << 40));  // any address is allowed
  b.Store(o, Int(0), Load(x, Int(0), 8));
  EXPECT_EQ(c.Run(std::move(b)), "");
}

TEST(StmtTest, MaskedAccesses) {
  for (Scalar s : kAll) {
    for (int lanes : {1, 8, 16}) {
      Comparison c;
      c.set_tasks(20);
      Buffer x = c.Input(s, 512), m = c.Input(Scalar::kBool, 512), o = c.Output(s, 20 * 64);
      Block b;
      const Expr first = Ramp(Int(0), 1, lanes) < c.task(), some = Load(m, c.task() * 16, lanes);
      b.Store(o, c.task() * 64, Load(x, c.task() * 16, lanes, first));
      b.Store(o, c.task() * 64 + 16, Load(x, Int(5), lanes), first);
      b.Store(o, c.task() * 64 + 32, Load(x, Int(5), lanes, some));
      b.Store(o, c.task() * 64 + 48, Load(x, Int(9), lanes), some);
      EXPECT_EQ(c.Run(std::move(b)), "") << Name(Type(s, lanes));
    }
  }
}

TEST(StmtTest, GathersAndScatters) {
  for (Scalar s : {Scalar::kFloat32, Scalar::kInt8, Scalar::kFloat16, Scalar::kBool}) {
    Comparison c;
    c.set_tasks(4);
    std::vector<int32_t> order(64);
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>((i * 23) % 64);
    Buffer x = c.Input(s, 256), index = c.InputOf(Scalar::kInt32, order), o = c.Output(s, 2048);
    Block b;
    const Expr t = c.task(), indices = Cast(Type(Scalar::kInt64), Load(index, t * 16, 8));
    int64_t at = 0;
    auto store = [&](Expr v) { b.Store(o, t * 512 + 16 * at++, std::move(v)); };
    store(Load(x, Ramp(t * 2, 2, 8)));
    store(Load(x, Ramp(t + 20, -1, 8)));
    store(Load(x, Ramp(t, 1, 8) + Broadcast(t * 8, 8)));  // consecutive after all
    store(Load(x, Broadcast(t * 8, 8)));                  // one element
    store(Load(x, indices));
    store(Load(x, indices + Broadcast(t, 8)));
    store(Load(x, FloorDiv(Ramp(t, 1, 8), Int(3, Type(Scalar::kInt64)))));
    store(Load(x, Select(indices < Int(32), indices, Broadcast(t, 8))));
    const Expr mask = indices < Int(40);
    // Lanes that are off would be far out of bounds.
    store(Load(x, Select(mask, indices, indices + Int(int64_t{1} << 40)), 8, mask));
    b.Store(o, Ramp(t * 512 + 200, 3, 8), Load(x, t * 8, 8));
    b.Store(o, indices + Broadcast(t * 512 + 300, 8), Load(x, t * 8, 8));
    b.Store(o, Select(mask, indices + Broadcast(t * 512 + 400, 8), indices - Int(int64_t{1} << 40)), Load(x, t * 8, 8), mask);
    EXPECT_EQ(c.Run(std::move(b)), "") << Name(s);
  }
}

// Lanes that are off are not touched, even where touching them would fault.
TEST(StmtTest, MaskedAccessesStopAtTheEndOfMemory) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  auto* memory = static_cast<char*>(mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(memory, MAP_FAILED);
  ASSERT_EQ(mprotect(memory + page, page, PROT_NONE), 0);
  std::string why_not, skipped;
  for (Scalar s : {Scalar::kFloat32, Scalar::kInt8, Scalar::kFloat16}) {
    Kernel k;
    k.name = "k";
    k.task = MakeVar("n");
    k.tasks = 17;
    Buffer x = ArgumentBuffer("x", s, 16, 0, SizeOf(s));
    k.arguments = {x};
    Block b;
    const Expr mask = Ramp(Int(0), 1, 16) < Use(k.task);
    b.Store(x, Int(0), Load(x, Int(0), 16, mask), mask);
    k.body = b.Take();
    for (const Target& target : DefaultTargets()) {
      if (!CanRun(target, &why_not)) {
        skipped = target.name + " " + why_not;
        continue;
      }
      absl::StatusOr<CodeImage> image = Generate({k}, target, Options());
      ASSERT_TRUE(image.ok()) << image.status();
      absl::StatusOr<MappedImage> code = MappedImage::Map(*image);
      ASSERT_TRUE(code.ok());
      for (uint32_t n = 0; n <= 16; ++n) code->Run(0, {memory + page - n * static_cast<size_t>(SizeOf(s))}, n, n + 1);
    }
  }
  munmap(memory, 2 * page);
  if (!skipped.empty()) GTEST_SKIP() << "skipped: " << skipped;
}

// Random index expressions in loops: what is hoisted must not change what is computed.
TEST(StmtTest, RandomIndices) {
  std::mt19937 random(7);
  for (int round = 0; round < 30; ++round) {
    Comparison c(static_cast<uint32_t>(round));
    c.set_tasks(3);
    Buffer x = c.Input(Scalar::kInt32, 1024), o = c.Output(Scalar::kInt32, 3 * 4 * 4 * 8);
    std::vector<Expr> vars = {c.task()};
    std::function<Expr(int)> expr = [&](int size) -> Expr {
      if (size == 0) return random() % 3 == 0 ? Int(static_cast<int64_t>(random() % 20)) : vars[random() % vars.size()];
      const Expr a = expr(size - 1), e = expr(size / 2);
      switch (random() % 8) {
        case 0: return FloorDiv(a, Int(1 + static_cast<int64_t>(random() % 9)));
        case 1: return FloorMod(a, Int(1 + static_cast<int64_t>(random() % 9)));
        case 2: return Max(a, e);
        case 3: return a - e;
        case 4: return a * static_cast<int64_t>(random() % 5);
        case 5: return Select(a < e, a, e);
        case 6: return Cast(kIndexType, Load(x, FloorMod(a, Int(1024)))) * 0 + a;
        default: return a + e;
      }
    };
    auto bounded = [&] { return FloorMod(expr(4), Int(1000)); };
    Block b;
    b.For("i", 0, 4, [&](Block& b, Expr i) {
      vars.push_back(i);
      vars.push_back(b.Let("v", expr(3)));
      b.For("j", Int(0), Int(4), 1, [&](Block& b, Expr j) {
        vars.push_back(j);
        const Expr at = ((c.task() * 4 + i) * 4 + j) * 8;
        b.Store(o, at, Load(x, bounded(), 8));
        b.If(expr(2) < expr(2), [&](Block& b) { b.Store(o, at + 3, Load(x, bounded())); });
        vars.pop_back();
      });
      vars.resize(1);
    });
    ASSERT_EQ(c.Run(std::move(b)), "") << round;
  }
}

// Says which targets the tests above have left out.
TEST(StmtTest, OnEveryTarget) {
  Comparison c;
  Buffer o = c.Output(Scalar::kFloat32, 1);
  Block b;
  b.Store(o, Int(0), Float(1));
  EXPECT_EQ(c.Run(std::move(b)), "");
  if (!c.skipped().empty()) GTEST_SKIP() << "skipped: " << c.skipped();
}

}  // namespace
}  // namespace mgec::codegen
