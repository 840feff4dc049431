#include "compiler/schedule/rows.h"

#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using kernel::Combiner;
using kernel::Definition;
using kernel::Expr;
using kernel::Scalar;
using Indices = std::vector<Expr>;

// Each element minus the sum over its row, [rows, columns], or over its column.
Definition MinusSum(int64_t rows, int64_t columns, bool along_rows) {
  Definition d({{Scalar::kFloat32, {rows, columns}}});
  const std::vector<int64_t> kept = along_rows ? std::vector<int64_t>{rows, 1} : std::vector<int64_t>{1, columns};
  const int sum = d.AddStage(kept, Scalar::kFloat32, [&](const Indices& i) {
    return d.Reduce(Combiner::kSum, {along_rows ? columns : rows}, [&](const Indices& r) {
      return along_rows ? d.At(0, {i[0], r[0]}) : d.At(0, {r[0], i[1]});
    });
  });
  d.AddStage({rows, columns}, Scalar::kFloat32, [&](const Indices& i) { return d.At(0, i) - d.AtBroadcast(sum, i); });
  return d;
}

TEST(RowsTest, StagesThatKeepToTheirRow) {
  const Rows r = RowsOf(MinusSum(100, 50, true), 1000, 32);
  EXPECT_EQ(r.dims, 1u);
  EXPECT_EQ(r.count, 100);
  EXPECT_EQ(r.tasks, 5);
  EXPECT_EQ(r.scratch, (std::vector<int64_t>{0, 0}));  // one number for each row, and the result
}

TEST(RowsTest, StagesThatReadOtherRows) { EXPECT_EQ(RowsOf(MinusSum(100, 50, false), 1000, 32).dims, 0u); }

TEST(RowsTest, FewLongRowsAreBetterDivided) {
  EXPECT_EQ(RowsOf(MinusSum(2, 100000, true), 1000, 32).dims, 0u);
  EXPECT_EQ(RowsOf(MinusSum(2, 100, true), 1000, 32).dims, 1u);
}

TEST(RowsTest, OneStageHasNothingToShare) {
  Definition d({{Scalar::kFloat32, {64, 64}}});
  d.AddStage({64, 64}, Scalar::kFloat32, [&](const Indices& i) { return d.At(0, i); });
  EXPECT_EQ(RowsOf(d, 1000, 32).dims, 0u);
}

}  // namespace
}  // namespace mgec::schedule
