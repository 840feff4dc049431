#include "compiler/codegen/llvm/index.h"

#include <gtest/gtest.h>

namespace mgec::codegen {
namespace {

using kernel::Binary;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Unary;

TEST(IndexTest, SplitsSums) {
  const Expr i = Use(kernel::MakeVar("i")), j = Use(kernel::MakeVar("j"));
  const LinearIndex x = Linearize((i * 64 + j + 3) * 2 - i);
  ASSERT_EQ(x.terms.size(), 2u);
  EXPECT_EQ(x.terms[0].expr->var, i->var);
  EXPECT_EQ(x.terms[0].scale, 127);
  EXPECT_EQ(x.terms[1].expr->var, j->var);
  EXPECT_EQ(x.terms[1].scale, 2);
  EXPECT_EQ(x.constant, 6);
}

TEST(IndexTest, WhatIsNotLinearIsOneTerm) {
  const Expr i = Use(kernel::MakeVar("i"));
  const Expr quotient = FloorDiv(i, Int(3));
  const LinearIndex x = Linearize(Int(5) - quotient * 4 + Unary(Op::kNeg, i));
  ASSERT_EQ(x.terms.size(), 2u);
  EXPECT_EQ(x.terms[0].expr, quotient);
  EXPECT_EQ(x.terms[0].scale, -4);
  EXPECT_EQ(x.terms[1].scale, -1);
  EXPECT_EQ(x.constant, 5);
}

TEST(IndexTest, TermsCancel) {
  const Expr i = Use(kernel::MakeVar("i"));
  EXPECT_TRUE(Linearize(i + 4 - i).terms.empty());
}

TEST(IndexTest, SameTerms) {
  const Expr i = Use(kernel::MakeVar("i")), j = Use(kernel::MakeVar("j"));
  EXPECT_TRUE(SameTerms(Linearize(i * 2 + j + 1), Linearize(i * 2 + j + 9)));
  EXPECT_FALSE(SameTerms(Linearize(i * 2 + j), Linearize(i * 3 + j)));
  EXPECT_FALSE(SameTerms(Linearize(i), Linearize(j)));
  EXPECT_FALSE(SameTerms(Linearize(i), Linearize(i + j)));
}

}  // namespace
}  // namespace mgec::codegen
