#include <gtest/gtest.h>

#include "compiler/kernel/stmt.h"

namespace mgec::kernel {
namespace {

Kernel Example(const std::string& kernel_name, const std::string& var_name, int64_t offset) {
  Kernel k;
  k.name = kernel_name;
  k.task = MakeVar("task");
  k.tasks = 4;
  Buffer x = ArgumentBuffer("x", Scalar::kFloat32, 64, 0, 64), y = ArgumentBuffer("y", Scalar::kFloat32, 64, 1, 64);
  k.arguments = {x, y};
  Buffer acc = RegisterBuffer("acc", Scalar::kFloat32, 8, 2);
  Block b;
  b.Set(acc, 0, Float(0));
  b.For(var_name, 0, 4, [&](Block& b, Expr i) {
    Expr v = b.Let("v", Load(x, Use(k.task) * 16 + i * 4 + offset));
    b.Set(acc, 0, Fma(Broadcast(v, 8), Load(x, i, 8), Reg(acc, 0)));
  });
  b.If(Use(k.task) < 2, [&](Block& b) { b.Store(y, Use(k.task) * 8, Max(Reg(acc, 0), Float(0))); },
       [&](Block& b) { b.Prefetch(y, Int(0)); });
  k.body = b.Take();
  return k;
}

// A kernel that stores a tree of 2^60 nodes, of which 61 are different.
Kernel OfSharedNodes() {
  Kernel k = Example("a", "i", 3);
  Expr e = Load(k.arguments[0], Int(0));
  for (int i = 0; i < 60; ++i) e = e + e;
  Block b;
  b.Store(k.arguments[1], Int(0), e);
  k.body = b.Take();
  return k;
}

TEST(PrintTest, KernelsReadLikeCode) {
  EXPECT_EQ(ToString(Example("demo", "i", 3)),
            "kernel demo(x: f32[64], y: f32[64]) for task in [0, 4):\n"
            "  acc[0] = broadcast8(0.0)\n"
            "  for i in [0, 4) step 1:\n"
            "    let v = x[((task * 16) + (i * 4)) + 3]\n"
            "    acc[0] = fma(broadcast8(v), x[i] x8, acc[0])\n"
            "  if task < 2:\n"
            "    y[task * 8] = max(acc[0], broadcast8(0.0))\n"
            "  else:\n"
            "    prefetch y[0]\n");
}

TEST(PrintTest, EqualNamesStayApart) {
  const Var a = MakeVar("i"), b = MakeVar("i");
  EXPECT_EQ(ToString(Use(a) + Use(b)), "i + i.1");
}

// What is short is repeated where it is used, the rest once and by name.
TEST(PrintTest, SharedNodesAreNamed) {
  Kernel k = Example("a", "i", 3);
  const Expr x = Load(k.arguments[0], Int(0)), y = x * x + x;
  Expr z = Max(y, Float(0));
  for (int i = 1; i < 4; ++i) z = z + Max(y, Float(i));
  const Expr twice = z * z;
  Block b;
  b.Store(k.arguments[1], Int(0), twice);
  b.If(Use(k.task) < 2, [&](Block& b) { b.Store(k.arguments[1], Int(1), twice); });
  k.body = b.Take();
  const std::string sum = "(((max((x[0] * x[0]) + x[0], 0.0) + max((x[0] * x[0]) + x[0], 1.0)) + max((x[0] * x[0]) + x[0], 2.0)) + "
                          "max((x[0] * x[0]) + x[0], 3.0))";
  const std::string bare = sum.substr(1, sum.size() - 2);
  EXPECT_EQ(ToString(k),
            "kernel a(x: f32[64], y: f32[64]) for task in [0, 4):\n"
            "  %0 = " + bare + "\n"
            "  y[0] = %0 * %0\n"
            "  if task < 2:\n"
            "    %1 = " + bare + "\n"  // memory may have changed
            "    y[1] = %1 * %1\n");
  EXPECT_EQ(ToString(twice), "%0 = " + bare + "; %0 * %0");
  EXPECT_EQ(ToString(z), bare);
}

TEST(PrintTest, TextOfSharedNodesStaysSmall) {
  const Kernel k = OfSharedNodes();
  EXPECT_LT(ToString(k).size(), 5000u);
  EXPECT_LT(ToString(k.body[0]->value).size(), 5000u);
}

TEST(PrintTest, FingerprintForgetsNames) {
  EXPECT_EQ(Fingerprint(Example("a", "i", 3)), Fingerprint(Example("b", "j", 3)));
}

TEST(PrintTest, FingerprintSeesEverythingElse) {
  const std::string base = Fingerprint(Example("a", "i", 3));
  EXPECT_NE(Fingerprint(Example("a", "i", 4)), base);
  Kernel k = Example("a", "i", 3);
  k.body.pop_back();
  EXPECT_NE(Fingerprint(k), base);
  // A kernel of one task has its task number folded in.
  k = Example("a", "i", 3);
  k.tasks = 1;
  EXPECT_NE(Fingerprint(k), base);
}

TEST(PrintTest, MatricesNameTheirMemory) {
  const Buffer a = SharedBuffer("a", Scalar::kInt32, 64), b = SharedBuffer("b", Scalar::kInt32, 64);
  EXPECT_EQ(ToString(LoadMatrices(a, Int(4))), "load_matrices(a, 4)");
  Kernel k = Example("a", "i", 3);
  auto fingerprint = [&](const Buffer& from) {
    Block body;
    body.Store(a, Int(0), Int(0, Scalar::kInt32));
    body.Store(b, Int(0), Int(1, Scalar::kInt32));
    body.Let("v", LoadMatrices(from, Int(4)));
    k.body = body.Take();
    return Fingerprint(k);
  };
  EXPECT_NE(fingerprint(a), fingerprint(b));
}

TEST(PrintTest, FingerprintOfSharedNodesStaysSmall) {
  EXPECT_LT(Fingerprint(OfSharedNodes()).size(), 10000u);
}

}  // namespace
}  // namespace mgec::kernel
