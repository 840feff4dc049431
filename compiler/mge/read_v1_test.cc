// Small v1 files made by hand: what corpora of recent files do not have.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "compiler/mge/container.h"
#include "compiler/mge/schema/v1_generated.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

namespace v1 = fbs::v1;
using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using testing::HasSubstr;

template <typename T>
std::string Bytes(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

struct Net {
  FlatBufferBuilder b;
  std::vector<Offset<v1::Operator>> operators;
  std::string values;

  uint64_t Id(const char* class_name) {
    return OperatorId({class_name, fbs::OperatorParam::NONE, 0, 0, OutputRule::kOne}, IdKind::kFull);
  }

  void Constant(std::vector<uint32_t> shape, uint32_t size, uint32_t offset = 0) {
    const auto tensor = v1::CreateTensorDirect(b, nullptr, &shape, 0, 0, size, offset);
    operators.push_back(v1::CreateOperator(b, Id("ImmutableTensor"), fbs::OperatorParam::NONE, 0, 0, 0, 0, 0,
                                           b.CreateVector(&tensor, 1)));
  }

  void BatchNorm(std::vector<uint32_t> inputs, fbs::param::BNFwdMode mode,
                 std::vector<std::string> names = {}) {
    const auto param = fbs::param::CreateBN(b, fbs::param::BNParamDim::DIM_1C11, mode);
    operators.push_back(v1::CreateOperator(b, Id("BatchNormV1"), fbs::OperatorParam::BN, param.Union(),
                                           b.CreateVector(inputs), 0,
                                           names.empty() ? 0 : b.CreateVectorOfStrings(names)));
  }

  std::string Finish(uint32_t version, uint32_t output) {
    const v1::OutputVar var(output, 0);
    v1::FinishSizePrefixedGraphBuffer(
        b, v1::CreateGraph(b, version, 1, 0, b.CreateVector(operators), b.CreateVectorOfStructs(&var, 1)));
    return absl::StrCat("MGBC", Bytes<uint64_t>(0), Bytes<uint32_t>(0), Bytes<uint64_t>(values.size()), values,
                        absl::string_view(reinterpret_cast<const char*>(b.GetBufferPointer()), b.GetSize()));
  }
};

// A constant and a BatchNorm of it, as written by `version`.
absl::StatusOr<int> OutputsOfBatchNorm(uint32_t version, fbs::param::BNFwdMode mode,
                                       std::vector<std::string> names = {}) {
  Net net;
  net.values = std::string(4, '\0');
  net.Constant({1}, 4);
  net.BatchNorm({0, 0, 0, 0, 0}, mode, std::move(names));
  const std::string bytes = net.Finish(version, 1);
  const absl::StatusOr<Model> model = ReadModel(bytes);
  if (!model.ok()) return model.status();
  return model->operators[1].num_outputs;
}

TEST(ReadV1Test, OutputsOfBatchNormDependOnTheVersion) {
  using fbs::param::BNFwdMode;
  EXPECT_EQ(OutputsOfBatchNorm(100600, BNFwdMode::INFERENCE).value(), 3);
  EXPECT_EQ(OutputsOfBatchNorm(100700, BNFwdMode::INFERENCE).value(), 4);
  EXPECT_EQ(OutputsOfBatchNorm(100600, BNFwdMode::TRAINING).value(), 5);
  EXPECT_EQ(OutputsOfBatchNorm(101300, BNFwdMode::TRAINING).value(), 6);
  // Names, where the file has them, say how many there are.
  EXPECT_EQ(OutputsOfBatchNorm(100700, BNFwdMode::INFERENCE, {"a", "b", "y"}).value(), 3);
}

TEST(ReadV1Test, SkipsTheOffsetOfAValue) {
  Net net;
  net.values = "........abcdXYZ?";
  net.Constant({2}, 8);
  net.Constant({1}, 8, 2);
  const std::string bytes = net.Finish(101300, 0);
  const Model model = ReadModel(bytes).value();
  EXPECT_EQ(model.operators[0].tensors[0].data, "........");
  EXPECT_EQ(model.operators[1].tensors[0].data, "cdXY");
}

TEST(ReadV1Test, RefusesValuesThatAreNotThere) {
  const auto refusal = [](std::vector<uint32_t> shape, uint32_t size, uint32_t offset) {
    Net net;
    net.values = std::string(8, '\0');
    net.Constant(std::move(shape), size, offset);
    const std::string bytes = net.Finish(101300, 0);
    return std::string(ReadModel(bytes).status().message());
  };
  EXPECT_THAT(refusal({4}, 16, 0), HasSubstr("beyond the 8 bytes of values"));
  EXPECT_THAT(refusal({3}, 8, 0), HasSubstr("its shape needs 12"));
  EXPECT_THAT(refusal({1}, 8, 9), HasSubstr("to be skipped"));
  EXPECT_THAT(refusal({2}, 8, 4), HasSubstr("to be skipped"));
}

TEST(ReadV1Test, UnknownOperatorsNeedNames) {
  for (const bool named : {false, true}) {
    Net net;
    const auto names = net.b.CreateVectorOfStrings(std::vector<std::string>{"p", "q"});
    net.operators.push_back(v1::CreateOperator(net.b, 0xabcdef, fbs::OperatorParam::NONE, 0, 0, 0,
                                               named ? names : decltype(names)(0)));
    const std::string bytes = net.Finish(101300, 0);
    const absl::StatusOr<Model> model = ReadModel(bytes);
    if (named) {
      ASSERT_TRUE(model.ok()) << model.status();
      EXPECT_EQ(model->operators[0].type, "id 0000000000abcdef");
      EXPECT_EQ(model->variables[1].name, "q");
    } else {
      EXPECT_EQ(model.status().code(), absl::StatusCode::kUnimplemented);
      EXPECT_THAT(std::string(model.status().message()), HasSubstr("id 0000000000abcdef"));
    }
  }
}

TEST(ReadV1Test, CountsNamesOfOutputs) {
  Net net;
  net.values = std::string(4, '\0');
  const std::vector<uint32_t> shape = {1};
  const auto tensor = v1::CreateTensorDirect(net.b, nullptr, &shape, 0, 0, 4);
  net.operators.push_back(
      v1::CreateOperator(net.b, net.Id("ImmutableTensor"), fbs::OperatorParam::NONE, 0, 0, 0,
                         net.b.CreateVectorOfStrings(std::vector<std::string>{"a", "b"}), 0,
                         net.b.CreateVector(&tensor, 1)));
  const std::string bytes = net.Finish(101300, 0);
  EXPECT_THAT(std::string(ReadModel(bytes).status().message()), HasSubstr("has 1 outputs, but 2 names"));
}

}  // namespace
}  // namespace mgec::mge
