// Small v2 files made by hand, mostly wrong ones.
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "compiler/mge/container.h"
#include "compiler/mge/schema/v2_generated.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

namespace v2 = fbs::v2;
using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using testing::HasSubstr;

// A file with an input "x", %1 = RELU(x), output %1. Tests change parts of it before it is written.
struct Net {
  FlatBufferBuilder b;
  std::vector<Offset<v2::Operator>> operators;
  std::vector<Offset<v2::OutputVar>> outputs;
  std::vector<Offset<v2::MiddleTensor>> middle;
  std::vector<Offset<v2::OutputAlias>> aliases;

  Offset<v2::Operator> Op(const char* class_name, int version, fbs::OperatorParam type, Offset<void> param,
                          std::vector<uint32_t> inputs, std::vector<uint32_t> outs,
                          std::vector<Offset<v2::Tensor>> tensors = {}, Offset<fbs::DType> dtype = 0) {
    OperatorInfo info{class_name, type, 0, 0, OutputRule::kOne};
    const uint64_t id = OperatorId(info, version == 1 ? IdKind::kUnversioned : IdKind::kFull);
    return v2::CreateOperator(b, b.CreateString(class_name), id, 0, type, param, 0, 0, b.CreateVector(inputs),
                              b.CreateVector(outs), 0, dtype, b.CreateVector(tensors), version);
  }

  Offset<v2::Operator> Input(std::vector<uint32_t> shape = {2, 3}) {
    const auto tensor = v2::CreateTensorDirect(b, "x", &shape);
    return Op("Host2DeviceCopy", 2, fbs::OperatorParam::Host2DeviceCopy,
              fbs::param::CreateHost2DeviceCopy(b).Union(), {}, {0}, {tensor});
  }

  Offset<v2::Operator> Relu(std::vector<uint32_t> inputs = {0}, std::vector<uint32_t> outs = {1},
                            Offset<fbs::DType> dtype = 0) {
    return Op("Elemwise", 1, fbs::OperatorParam::Elemwise, fbs::param::CreateElemwise(b).Union(), inputs, outs, {},
              dtype);
  }

  void Output(uint32_t variable, uint32_t original_id) {
    outputs.push_back(v2::CreateOutputVar(b, variable, original_id));
  }

  std::string Finish() {
    v2::FinishSizePrefixedModelBuffer(
        b, v2::CreateModel(b, 101300, 2, b.CreateVector(operators), b.CreateVector(middle), b.CreateVector(outputs),
                           b.CreateVector(aliases)));
    return std::string(reinterpret_cast<const char*>(b.GetBufferPointer()), b.GetSize());
  }
};

// Makes entry `i` of a vector null, which FlatBufferBuilder cannot.
template <typename T>
void MakeNull(const flatbuffers::Vector<Offset<T>>* vector, size_t i) {
  auto* entry = const_cast<uint8_t*>(vector->Data()) + i * sizeof(flatbuffers::uoffset_t);
  flatbuffers::WriteScalar<flatbuffers::uoffset_t>(entry, 0);
}

// The message with which a changed net is refused.
std::string Refusal(const std::function<void(Net&)>& make) {
  Net net;
  make(net);
  const std::string bytes = net.Finish();
  return std::string(ReadModel(bytes).status().message());
}

TEST(ReadV2Test, ReadsTheSmallestNet) {
  Net net;
  net.operators = {net.Input(), net.Relu()};
  net.middle = {v2::CreateMiddleTensorDirect(net.b, "x"), v2::CreateMiddleTensorDirect(net.b, "y")};
  net.Output(1, 7);
  std::string bytes = net.Finish();
  MakeNull(v2::GetSizePrefixedModel(bytes.data())->middle_tensors(), 1);
  const absl::StatusOr<Model> model = ReadModel(bytes);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->operators[1].type, "Elemwise");
  EXPECT_EQ(model->variables[0].name, "x");
  EXPECT_EQ(model->outputs[0].variable, 1);
  EXPECT_EQ(model->outputs[0].name, "") << "the entry of its name is null";
}

TEST(ReadV2Test, AliasesReplaceTheOutputs) {
  Net net;
  net.operators = {net.Input(), net.Relu()};
  net.Output(0, 5);
  net.Output(1, 7);
  net.aliases = {v2::CreateOutputAliasDirect(net.b, 7, "b"), v2::CreateOutputAliasDirect(net.b, 5, "a"),
                 v2::CreateOutputAliasDirect(net.b, 7, "c")};
  const std::string bytes = net.Finish();
  const Model model = ReadModel(bytes).value();
  ASSERT_EQ(model.outputs.size(), 3u);
  EXPECT_EQ(model.outputs[0].variable, 1);
  EXPECT_EQ(model.outputs[0].name, "b");
  EXPECT_EQ(model.outputs[1].variable, 0);
  EXPECT_EQ(model.outputs[2].name, "c");

  EXPECT_THAT(Refusal([](Net& n) {
                n.operators = {n.Input()};
                n.Output(0, 5);
                n.aliases = {v2::CreateOutputAliasDirect(n.b, 6, "b")};
              }),
              HasSubstr("output alias 0 is for variable 6"));
}

TEST(ReadV2Test, RefusesMissingParts) {
  Net net;
  net.operators = {net.Input(), net.Relu()};
  net.Output(0, 5);
  std::string bytes = net.Finish();
  MakeNull(v2::GetSizePrefixedModel(bytes.data())->oprs(), 1);
  EXPECT_THAT(std::string(ReadModel(bytes).status().message()), HasSubstr("operator 1: is missing"));

  EXPECT_THAT(Refusal([](Net& n) { n.operators = {n.Input()}; }), HasSubstr("no outputs"));
  EXPECT_THAT(Refusal([](Net& n) {
                n.operators = {n.Input(), n.Relu({})};
                n.Output(0, 5);
              }),
              HasSubstr("operator 1 (Elemwise): has 0 inputs, needs 1 to 4"));
  EXPECT_THAT(Refusal([](Net& n) {
                n.operators = {n.Op("ImmutableTensor", 2, fbs::OperatorParam::NONE, 0, {}, {0})};
                n.Output(0, 5);
              }),
              HasSubstr("holds 0 tensors, needs 1"));
}

TEST(ReadV2Test, RefusesWrongParameters) {
  EXPECT_THAT(Refusal([](Net& n) {
                n.operators = {n.Input(), n.Op("Elemwise", 1, fbs::OperatorParam::PowC,
                                               fbs::param::CreatePowC(n.b).Union(), {0}, {1})};
                n.Output(0, 5);
              }),
              HasSubstr("parameter is of type PowC, expected Elemwise"));
  EXPECT_THAT(Refusal([](Net& n) {
                n.operators = {n.Input(), n.Op("Elemwise", 1, fbs::OperatorParam::NONE, 0, {0}, {1})};
                n.Output(0, 5);
              }),
              HasSubstr("parameter is of type NONE, expected Elemwise"));
}

TEST(ReadV2Test, RefusesWrongOutputs) {
  EXPECT_THAT(Refusal([](Net& n) {
                n.operators = {n.Input(), n.Relu({0}, {1, 2})};
                n.Output(0, 5);
              }),
              HasSubstr("has 2 outputs instead of 1"));
  EXPECT_THAT(Refusal([](Net& n) {
                n.operators = {n.Input(), n.Relu({0}, {2})};
                n.Output(0, 5);
              }),
              HasSubstr("output 0 is variable 2, but 1 is the next one"));
}

TEST(ReadV2Test, ReadsAndChecksOutputTypes) {
  Net net;
  const auto scale = fbs::CreateLinearQuantizationParam(net.b, 0.5f);
  const auto dtype = fbs::CreateDType(net.b, fbs::DTypeEnum::QuantizedS8, fbs::DTypeParam::LinearQuantizationParam,
                                      scale.Union());
  net.operators = {net.Input(), net.Relu({0}, {1}, dtype)};
  net.Output(1, 7);
  const std::string bytes = net.Finish();
  EXPECT_EQ(ToString(*ReadModel(bytes).value().operators[1].output_dtype), "QuantizedS8(scale=0.5)");

  EXPECT_THAT(Refusal([](Net& n) {
                n.operators = {n.Input(), n.Relu({0}, {1}, fbs::CreateDType(n.b, fbs::DTypeEnum::QuantizedS8))};
                n.Output(0, 5);
              }),
              HasSubstr("output type: QuantizedS8 has no scale"));
}

// A small file must not unfold to a large model because many tables refer to one vector.
TEST(ReadV2Test, RefusesSharedVectors) {
  Net net;
  const std::vector<uint32_t> many(10000, 0);
  const auto inputs = net.b.CreateVector(many);
  net.operators = {net.Input()};
  OperatorInfo concat{"Concat", fbs::OperatorParam::Axis, 0, 0, OutputRule::kOne};
  const auto param = fbs::param::CreateAxis(net.b).Union();
  for (uint32_t i = 1; i < 1000; ++i) {
    net.operators.push_back(v2::CreateOperator(net.b, net.b.CreateSharedString("Concat"),
                                               OperatorId(concat, IdKind::kUnversioned), 0, fbs::OperatorParam::Axis,
                                               param, 0, 0, inputs, net.b.CreateVector<uint32_t>({i}), 0, 0, 0, 1));
  }
  net.Output(0, 5);
  const std::string bytes = net.Finish();
  EXPECT_THAT(std::string(ReadModel(bytes).status().message()), HasSubstr("describes more data than it holds"));
}

TEST(ReadV2Test, RefusesImpossibleShapes) {
  EXPECT_THAT(Refusal([](Net& n) {
                n.operators = {n.Input({1, 1, 1, 1, 1, 1, 1, 1})};
                n.Output(0, 5);
              }),
              HasSubstr("8 axes"));
  EXPECT_THAT(Refusal([](Net& n) {
                n.operators = {n.Input({0xffffffff, 0xffffffff, 0xffffffff})};
                n.Output(0, 5);
              }),
              HasSubstr("too large"));
}

}  // namespace
}  // namespace mgec::mge
