#include "compiler/mge/operator_table.h"

#include <map>
#include <set>

#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

// Numbers seen in files.
TEST(OperatorTableTest, FindsIdsOfRealFiles) {
  struct Seen {
    uint64_t id;
    IdKind kind;
    const char* class_name;
  };
  const Seen kSeen[] = {
      {0x21d09889fd709229, IdKind::kFull, "Host2DeviceCopy"},
      {0x60d52856bbd5a2b1, IdKind::kFull, "ImmutableTensor"},
      {0x0589235f97273d9f, IdKind::kFull, "ConvolutionV2"},
      {0xbc193eef48c27b7e, IdKind::kFull, "Convolution"},
      {0xc2910e49be9f970a, IdKind::kFull, "ConvBiasForward"},
      {0xebb39bdd9278b6da, IdKind::kFull, "Elemwise"},
      {0x71fef6bc913ac154, IdKind::kUnversioned, "ImmutableTensor"},
      {0xd6c488c11172ec08, IdKind::kUnversioned, "Elemwise"},
      {0x108a555a9ec4f635, IdKind::kUnversioned, "GetVarShapeV1"},
      {0x806e9167b0ba086b, IdKind::kUnversioned, "Concat"},
      {0xba3296a9aa9b5098, IdKind::kUnversioned, "ReshapeV1"},
      {0x3107308c558de242, IdKind::kUnversioned, "MatrixMulV2"},
  };
  for (const Seen& seen : kSeen) {
    const OperatorInfo* info = FindOperator(seen.id, seen.kind);
    ASSERT_NE(info, nullptr) << seen.class_name;
    EXPECT_EQ(info->class_name, seen.class_name);
  }
}

TEST(OperatorTableTest, DoesNotFindOtherIds) {
  EXPECT_EQ(FindOperator(0, IdKind::kFull), nullptr);
  EXPECT_EQ(FindOperator(0x60d52856bbd5a2b1, IdKind::kUnversioned), nullptr);
}

TEST(OperatorTableTest, FullIdsDifferAndUnversionedIdsMeanOneType) {
  std::set<uint64_t> full;
  std::map<uint64_t, const OperatorInfo*> unversioned;
  for (const OperatorInfo& info : AllOperators()) {
    EXPECT_TRUE(full.insert(OperatorId(info, IdKind::kFull)).second) << info.class_name;
    const auto [it, is_new] = unversioned.emplace(OperatorId(info, IdKind::kUnversioned), &info);
    if (is_new) continue;
    // Two names of one operator: whichever is found must do.
    EXPECT_EQ(it->second->type(), info.type());
    EXPECT_EQ(it->second->param, info.param);
    EXPECT_EQ(it->second->min_inputs, info.min_inputs);
    EXPECT_EQ(it->second->max_inputs, info.max_inputs);
    EXPECT_EQ(it->second->outputs, info.outputs);
  }
}

TEST(OperatorTableTest, IsSortedByName) {
  const auto operators = AllOperators();
  for (size_t i = 1; i < operators.size(); ++i) EXPECT_LT(operators[i - 1].class_name, operators[i].class_name);
}

TEST(OperatorTableTest, StripsVersions) {
  EXPECT_EQ(StripVersion("ConvBiasForwardV4"), "ConvBiasForward");
  EXPECT_EQ(StripVersion("CorrelationBackwardData1"), "CorrelationBackwardData1");
  EXPECT_EQ(StripVersion("SVD"), "SVD");
  EXPECT_EQ(StripVersion("V2"), "V2");
  EXPECT_EQ(StripVersion(""), "");
}

}  // namespace
}  // namespace mgec::mge
