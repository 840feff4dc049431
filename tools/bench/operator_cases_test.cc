#include "tools/bench/operator_cases.h"

#include <set>

#include "compiler/ops/op.h"
#include "gtest/gtest.h"

namespace mgec::bench {
namespace {

TEST(OperatorCases, EveryOperatorHasOne) {
  std::set<std::string> covered;
  for (const OperatorCase& c : OperatorCases()) covered.insert(c.op);
  for (const std::string& op : ops::AllOps()) EXPECT_TRUE(covered.count(op) == 1) << op << " has no case";
}

TEST(OperatorCases, AreValidAndLarge) {
  std::set<std::string> names;
  for (const OperatorCase& c : OperatorCases()) {
    EXPECT_TRUE(names.insert(c.name()).second) << c.name() << " is there twice";
    const absl::StatusOr<graph::Graph> g = BuildGraph(c);
    ASSERT_TRUE(g.ok()) << c.name() << ": " << g.status();
    EXPECT_TRUE(graph::Verify(*g).ok()) << c.name();
    int64_t bytes = 0;
    for (const auto& node : g->nodes()) {
      for (const auto& v : node->outputs) bytes += graph::ByteSize(v->type);
    }
    if (c.op == "random_state") continue;  // always 16 bytes
    EXPECT_GE(bytes, 1 << 20) << c.name();
  }
}

TEST(OperatorCases, RandomDataIsInRange) {
  const absl::StatusOr<std::string> data = RandomData({"i32[1000]", -2, 3});
  ASSERT_TRUE(data.ok());
  std::set<int32_t> values;
  for (int i = 0; i < 1000; ++i) values.insert(reinterpret_cast<const int32_t*>(data->data())[i]);
  EXPECT_GE(*values.begin(), -2);
  EXPECT_EQ(*values.rbegin(), 3);
}

}  // namespace
}  // namespace mgec::bench
