#include "compiler/kernel/verify.h"

#include <memory>

#include <gtest/gtest.h>

namespace mgec::kernel {
namespace {

class VerifyTest : public ::testing::Test {
 protected:
  VerifyTest() {
    k_.name = "k";
    k_.task = MakeVar("task");
    k_.arguments = {x_, y_};
  }

  // The message of the error that the verifier finds in the kernel with these statements; "" if it finds none.
  std::string Check(Block b) {
    k_.body = b.Take();
    const absl::Status s = Verify(k_);
    EXPECT_TRUE(s.ok() || s.code() == absl::StatusCode::kInternal);
    return std::string(s.message());
  }
  std::string CheckStore(Expr value) {
    Block b;
    b.Store(y_, Int(0), std::move(value));
    return Check(std::move(b));
  }
  // A node as no constructor would build it.
  static Expr Raw(Op op, Type type, std::vector<Expr> args) {
    auto e = std::make_shared<ExprNode>();
    e->op = op;
    e->type = type;
    e->args = std::move(args);
    return e;
  }

  Buffer x_ = ArgumentBuffer("x", Scalar::kFloat32, 64, 0, 4), y_ = ArgumentBuffer("y", Scalar::kFloat32, 64, 1, 4);
  Kernel k_;
};

TEST_F(VerifyTest, AcceptsAKernel) {
  Buffer acc = RegisterBuffer("acc", Scalar::kFloat32, 8, 2), tmp = StackBuffer("tmp", Scalar::kInt8, 128);
  Block b;
  b.For("i", 0, 8, [&](Block& b, Expr i) {
    Expr v = b.Let("v", Load(x_, i, 8));
    b.Set(acc, 1, Unary(Op::kExp, v));
    b.Store(tmp, i, Cast(Type(Scalar::kInt8), Load(x_, i)));
  });
  b.Store(y_, Int(0), Reg(acc, 1), Ramp(Int(0), 1, 8) < 3);
  EXPECT_EQ(Check(std::move(b)), "");
}

TEST_F(VerifyTest, NameIsAnIdentifier) {
  k_.name = "a b";
  EXPECT_EQ(Check(Block()), "malformed kernel a b: the name is not an identifier");
}

TEST_F(VerifyTest, ArgumentsAreNumbered) {
  k_.arguments = {y_, x_};
  EXPECT_EQ(Check(Block()), "malformed kernel k: argument 0 is not the buffer of that number");
}

TEST_F(VerifyTest, BuffersAreArguments) {
  EXPECT_EQ(CheckStore(Load(ArgumentBuffer("z", Scalar::kFloat32, 1, 0, 4), Int(0))),
            "malformed kernel k, store to y: buffer z is not an argument");
}

TEST_F(VerifyTest, VariablesAreDefinedWhereTheyAreUsed) {
  Block b;
  Expr leaked;
  b.For("i", 0, 8, [&](Block&, Expr i) { leaked = i; });
  b.Store(y_, leaked, Float(0));
  EXPECT_EQ(Check(std::move(b)),
            "malformed kernel k, store to y: variable i is not defined here in var of type i64");
}

TEST_F(VerifyTest, VariablesAreDefinedOnce) {
  Block one;
  one.Let("v", Load(x_, Int(0)));
  const Stmt s = one.Take()[0];
  Block b;
  b.Append(s);
  b.Append(s);
  EXPECT_EQ(Check(std::move(b)), "malformed kernel k, let v: variable v is defined twice");
}

TEST_F(VerifyTest, RegisterNumbersAreConstants) {
  Buffer acc = RegisterBuffer("acc", Scalar::kFloat32, 8, 2);
  Block b;
  b.For("i", 0, 2, [&](Block& b, Expr i) { b.Store(acc, i, Float(0, 8)); });
  EXPECT_EQ(Check(std::move(b)),
            "malformed kernel k, store to acc: register number of acc is not a constant below 2");
}

TEST_F(VerifyTest, StackIsBounded) {
  Block b;
  b.Store(StackBuffer("big", Scalar::kFloat32, 16385), Int(0), Float(0));
  EXPECT_EQ(Check(std::move(b)), "malformed kernel k, store to big: more than 64 KiB of stack");
}

TEST_F(VerifyTest, NothingOfTheDefinitionLevel) {
  EXPECT_EQ(CheckStore(Read(0, Scalar::kFloat32, {Int(0)})),
            "malformed kernel k, store to y: definition-level operator in read of type f32");
}

TEST_F(VerifyTest, TypesMatch) {
  const Expr f = Load(x_, Int(0)), half = Raw(Op::kCast, Type(Scalar::kFloat16), {f});
  EXPECT_EQ(CheckStore(Raw(Op::kAdd, Type(), {f, Int(1)})),
            "malformed kernel k, store to y: arguments differ in type in add of type f32");
  EXPECT_EQ(CheckStore(Cast(Type(), Raw(Op::kNeg, half->type, {half}))),
            "malformed kernel k, store to y: arithmetic on a storage type in neg of type f16");
  EXPECT_EQ(CheckStore(Raw(Op::kShl, Type(), {f, f})),
            "malformed kernel k, store to y: not an integer in shl of type f32");
  EXPECT_EQ(CheckStore(Cast(Type(), Raw(Op::kExp, kIndexType, {Int(1)}))),
            "malformed kernel k, store to y: not a float32 in exp of type i64");
  EXPECT_EQ(CheckStore(Raw(Op::kSelect, Type(), {f, f, f})),
            "malformed kernel k, store to y: bad condition in select of type f32");
  EXPECT_EQ(CheckStore(Raw(Op::kAdd, Type(), {f})),
            "malformed kernel k, store to y: wrong number of arguments in add of type f32");
  EXPECT_EQ(CheckStore(Raw(Op::kBroadcast, Type(Scalar::kFloat32, 8), {Load(x_, Int(0), 4)})),
            "malformed kernel k, store to y: argument is not the scalar in broadcast of type f32x8");
}

class VerifyThreadsTest : public VerifyTest {
 protected:
  VerifyThreadsTest() {
    k_.threads = 64;
    k_.thread = MakeVar("thread");
    thread_ = Use(k_.thread);
  }
  Expr thread_;
  Buffer tile_ = SharedBuffer("tile", Scalar::kFloat32, 64);
};

TEST_F(VerifyThreadsTest, AcceptsThreadsThatMeet) {
  Block b;
  b.Store(tile_, thread_, Load(x_, thread_));
  b.For("i", 0, 4, [&](Block& b, Expr i) {
    b.Barrier();
    b.If(i < 2, [&](Block& b) { b.Let("other", WarpXor(Load(tile_, thread_), 16)); });
  });
  b.If(thread_ < 3, [&](Block& b) { b.Store(y_, thread_, Load(tile_, Int(63) - thread_)); });
  EXPECT_EQ(Check(std::move(b)), "");
}

TEST_F(VerifyThreadsTest, BarriersAreReachedByAll) {
  Block branch;
  branch.If(thread_ < 3, [&](Block& b) { b.Barrier(); });
  EXPECT_EQ(Check(std::move(branch)), "malformed kernel k, barrier: a barrier where threads may differ");
  Block loop;
  loop.For("i", thread_, Int(64), 32, [&](Block& b, Expr) { b.Barrier(); });
  EXPECT_EQ(Check(std::move(loop)), "malformed kernel k, barrier: a barrier where threads may differ");
  Block variable;  // what depends on the thread through a variable, or on memory
  const Expr half = variable.Let("half", thread_ / Int(2));
  variable.If(half < 3, [&](Block& b) { b.Barrier(); });
  EXPECT_EQ(Check(std::move(variable)), "malformed kernel k, barrier: a barrier where threads may differ");
  Block memory;
  memory.If(Load(x_, Int(0)) < Float(0), [&](Block& b) { b.Barrier(); });
  EXPECT_EQ(Check(std::move(memory)), "malformed kernel k, barrier: a barrier where threads may differ");
}

TEST_F(VerifyThreadsTest, ExchangesAreLetsThatAllReach) {
  Block stored;
  stored.Store(y_, thread_, WarpXor(Load(x_, thread_), 1));
  EXPECT_EQ(Check(std::move(stored)), "malformed kernel k, store to y: not the value of a let in warp_xor of type f32");
  Block branch;
  branch.If(thread_ < 3, [&](Block& b) { b.Let("v", WarpXor(Load(x_, thread_), 1)); });
  EXPECT_EQ(Check(std::move(branch)), "malformed kernel k, let v: an exchange where threads may differ");
}

TEST_F(VerifyThreadsTest, WarpsMultiplyMatricesTogether) {
  const Buffer words = SharedBuffer("words", Scalar::kInt32, 64), acc = RegisterBuffer("acc", Scalar::kInt32, 4, 1);
  const Expr a = Load(words, Int(0), 4), b = Load(words, Int(4), 2);
  Block good;
  good.Set(acc, 0, good.Let("v", Mma(a, b, Broadcast(Int(0, Scalar::kInt32), 4))));
  EXPECT_EQ(Check(std::move(good)), "");
  Block stored;
  stored.Set(acc, 0, Mma(a, b, Reg(acc, 0)));
  EXPECT_EQ(Check(std::move(stored)), "malformed kernel k, store to acc: not the value of a let in mma of type i32x4");
  Block branch;
  branch.If(thread_ < 3, [&](Block& inner) { inner.Let("v", Mma(a, b, Broadcast(Float(0), 4))); });
  EXPECT_EQ(Check(std::move(branch)), "malformed kernel k, let v: a product of matrices where threads may differ");
  Block types;
  types.Let("v", Raw(Op::kMma, Type(Scalar::kFloat32, 4), {a, b, Broadcast(Int(0, Scalar::kInt32), 4)}));
  EXPECT_EQ(Check(std::move(types)), "malformed kernel k, let v: matrices of the wrong type in mma of type f32x4");
}

TEST_F(VerifyThreadsTest, WarpsLoadMatricesTogether) {
  const Buffer words = SharedBuffer("words", Scalar::kInt32, 128);
  Block good;
  good.Let("v", LoadMatrices(words, thread_ * 4));
  EXPECT_EQ(Check(std::move(good)), "");
  Block stored;
  stored.Set(RegisterBuffer("acc", Scalar::kInt32, 4, 1), 0, LoadMatrices(words, thread_ * 4));
  EXPECT_EQ(Check(std::move(stored)), "malformed kernel k, store to acc: not the value of a let in load_matrices of type i32x4");
  Block branch;
  branch.If(thread_ < 3, [&](Block& inner) { inner.Let("v", LoadMatrices(words, Int(0))); });
  EXPECT_EQ(Check(std::move(branch)), "malformed kernel k, let v: loading matrices where threads may differ");
  Block divergent;  // what threads load differs
  const Expr loaded = divergent.Let("v", LoadMatrices(words, Int(0)));
  divergent.If(Slice(loaded, 0, 1) < Int(3, Scalar::kInt32), [&](Block& b) { b.Barrier(); });
  EXPECT_EQ(Check(std::move(divergent)), "malformed kernel k, barrier: a barrier where threads may differ");
  Block index;
  index.Let("v", Raw(Op::kLoadMatrices, Type(Scalar::kInt32, 4), {Int(0, Scalar::kInt32)}));
  EXPECT_EQ(Check(std::move(index)), "malformed kernel k, let v: matrices of the wrong type in load_matrices of type i32x4");
  Block lanes;
  lanes.Let("v", Raw(Op::kLoadMatrices, Type(Scalar::kInt32, 2), {Int(0)}));
  EXPECT_EQ(Check(std::move(lanes)), "malformed kernel k, let v: matrices of the wrong type in load_matrices of type i32x2");
  Block halves;
  halves.Let("v", LoadMatrices(SharedBuffer("halves", Scalar::kFloat16, 128), thread_ * 8));
  EXPECT_EQ(Check(std::move(halves)), "");
  Block bytes;
  bytes.Let("v", LoadMatrices(SharedBuffer("bytes", Scalar::kInt8, 128), Int(0)));
  EXPECT_EQ(Check(std::move(bytes)), "malformed kernel k, let v: matrices of the wrong type in load_matrices of type i8x4");
  Block buffer;
  buffer.Let("v", Raw(Op::kLoadMatrices, Type(Scalar::kInt32, 4), {Int(0)}));
  EXPECT_EQ(Check(std::move(buffer)), "malformed kernel k, let v: a buffer is missing");
}

TEST_F(VerifyThreadsTest, ThreadsAreWarps) {
  k_.threads = 48;
  EXPECT_EQ(Check(Block()), "malformed kernel k: 48 threads");
  k_.threads = 2048;
  EXPECT_EQ(Check(Block()), "malformed kernel k: 2048 threads");
  k_.threads = 0;
  EXPECT_EQ(Check(Block()), "malformed kernel k: threads without a variable, or the reverse");
}

TEST_F(VerifyThreadsTest, SharedMemoryFits) {
  Block b;
  b.Store(SharedBuffer("large", Scalar::kFloat32, 12289), thread_, Float(0));
  EXPECT_EQ(Check(std::move(b)), "malformed kernel k, store to large: more than 48 KiB of shared memory");
}

// Each branch on the architecture may use all of it: there is one of them only.
TEST_F(VerifyThreadsTest, SharedMemoryFitsEveryArchitecture) {
  auto use = [&](Block& b, const char* name, int64_t size) { b.Store(SharedBuffer(name, Scalar::kFloat32, size), thread_, Float(0)); };
  Block good;
  good.If(FromArchitecture(80), [&](Block& b) { use(b, "new", 8000); }, [&](Block& b) { use(b, "old", 12288); });
  EXPECT_EQ(Check(std::move(good)), "");
  Block later;
  later.If(FromArchitecture(80), [&](Block& b) { use(b, "new", 8000); }, [&](Block& b) { use(b, "old", 12288); });
  use(later, "more", 4);
  EXPECT_EQ(Check(std::move(later)), "malformed kernel k, store to more: more than 48 KiB of shared memory");
  Block both;
  both.If(FromArchitecture(80), [&](Block& b) { use(b, "a", 8000), use(b, "b", 8000); });
  EXPECT_EQ(Check(std::move(both)), "malformed kernel k, store to b: more than 48 KiB of shared memory");
}

TEST_F(VerifyThreadsTest, CopiesAreOfWholeAlignedWords) {
  const Buffer tile = SharedBuffer("tile", Scalar::kFloat32, 64), bytes = SharedBuffer("bytes", Scalar::kInt8, 64);
  k_.arguments.push_back(ArgumentBuffer("wide", Scalar::kFloat32, 64, static_cast<int>(k_.arguments.size()), 16));
  const Buffer wide = k_.arguments.back();
  Block good;
  good.CopyAsync(tile, Int(4), Load(wide, Int(8), 4), thread_ < 3);
  good.CopyAsync(tile, Int(0), Load(x_, Int(1)));
  good.CommitCopies();
  good.WaitCopies(0);
  EXPECT_EQ(Check(std::move(good)), "");
  auto check = [&](const Buffer& to, const Expr& load) {
    Block b;
    b.CopyAsync(to, Int(0), load);
    return Check(std::move(b));
  };
  EXPECT_EQ(check(tile, Load(x_, Int(0), 2)), "malformed kernel k, copy to tile: 8 bytes at a time");
  EXPECT_EQ(check(tile, Load(wide, Int(0), 3)), "malformed kernel k, copy to tile: 12 bytes at a time");
  EXPECT_EQ(check(bytes, Load(wide, Int(0))), "malformed kernel k, copy to bytes: not to shared memory of words or halves");
  EXPECT_EQ(check(tile, Load(tile, Int(0))), "malformed kernel k, copy to tile: not a load of neighbours from an argument");
}

TEST_F(VerifyTest, SharingNeedsThreads) {
  Block b;
  b.Store(SharedBuffer("tile", Scalar::kFloat32, 8), Int(0), Float(0));
  EXPECT_EQ(Check(std::move(b)), "malformed kernel k, store to tile: shared buffer tile without threads");
  Block barrier;
  barrier.Barrier();
  EXPECT_EQ(Check(std::move(barrier)), "malformed kernel k, barrier: a barrier without threads");
  Block commit;
  commit.CommitCopies();
  EXPECT_EQ(Check(std::move(commit)), "malformed kernel k, commit: copies without threads");
}

}  // namespace
}  // namespace mgec::kernel
