#include "compiler/mge/container.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/lite/packed_model_generated.h"
#include "compiler/mge/test_files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> OutputNames(const Model& model) {
  std::vector<std::string> names;
  for (const Output& output : model.outputs) names.emplace_back(output.name);
  return names;
}

// The types of all operators, in order.
std::vector<std::string> Types(const Model& model) {
  std::vector<std::string> types;
  for (const Operator& op : model.operators) types.emplace_back(op.type);
  return types;
}

const Operator* FindByType(const Model& model, absl::string_view type) {
  const auto it = std::find_if(model.operators.begin(), model.operators.end(),
                               [&](const Operator& op) { return op.type == type; });
  return it == model.operators.end() ? nullptr : &*it;
}

TEST(ContainerTest, ReadsLenetInBothContainers) {
  const std::string v1_bytes = ReadFile("testdata/nets/lenet5/model.v1.mge");
  const std::string v2_bytes = ReadFile("testdata/nets/lenet5/model.mge");
  const Model v1 = ReadModel(v1_bytes).value();
  const Model v2 = ReadModel(v2_bytes).value();
  EXPECT_EQ(v1.container, Container::kV1);
  EXPECT_EQ(v2.container, Container::kV2);
  for (const Model* model : {&v1, &v2}) {
    EXPECT_EQ(VersionText(model->mge_version), "1.13.0");
    EXPECT_EQ(model->operators.size(), 33u);
    EXPECT_EQ(model->variables.size(), 33u);
    EXPECT_THAT(OutputNames(*model), ElementsAre("f3.ADD"));
    EXPECT_EQ(model->user_info, absl::string_view("\x80\x04N.", 4));

    const Operator* input = FindByType(*model, "Host2DeviceCopy");
    ASSERT_NE(input, nullptr);
    EXPECT_EQ(input->tensors[0].name, "data");
    EXPECT_THAT(input->tensors[0].shape, ElementsAre(1, 1, 32, 32));
    EXPECT_TRUE(input->tensors[0].data.empty());

    const Operator* conv = FindByType(*model, "Convolution");
    ASSERT_NE(conv, nullptr);
    ASSERT_NE(conv->Param<fbs::param::Convolution>(), nullptr);
    EXPECT_EQ(conv->Param<fbs::param::Convolution>()->stride_h(), 1u);
    EXPECT_EQ(conv->Param<fbs::param::Pooling>(), nullptr);
    const Operator& weight = model->operators[model->variables[conv->inputs[1]].producer];
    EXPECT_EQ(weight.type, "ImmutableTensor");
    EXPECT_THAT(weight.tensors[0].shape, ElementsAre(6, 1, 5, 5));
    EXPECT_EQ(weight.tensors[0].data.size(), 600u);
    float first;
    std::memcpy(&first, weight.tensors[0].data.data(), sizeof(first));
    EXPECT_FLOAT_EQ(first, -0.16637501f);
  }
}

TEST(ContainerTest, NumbersOutputsAlikeInBothContainers) {
  const std::string v1_bytes = ReadFile("testdata/nets/two_inputs_three_outputs/model.v1.mge");
  const std::string v2_bytes = ReadFile("testdata/nets/two_inputs_three_outputs/model.mge");
  const Model v1 = ReadModel(v1_bytes).value();
  const Model v2 = ReadModel(v2_bytes).value();
  EXPECT_EQ(v1.outputs.size(), 3u);
  EXPECT_EQ(OutputNames(v1), OutputNames(v2));
  ASSERT_EQ(Types(v1), Types(v2));
  for (size_t i = 0; i < v1.operators.size(); ++i) {
    EXPECT_EQ(v1.operators[i].inputs, v2.operators[i].inputs) << i;
    EXPECT_EQ(v1.operators[i].num_outputs, v2.operators[i].num_outputs) << i;
  }
}

TEST(ContainerTest, ReadsTheOldMagic) {
  const std::string bytes = ReadFile("testdata/nets/repvgg_tiny_mgbs/model.mge");
  const std::string new_bytes = ReadFile("testdata/nets/repvgg_tiny/model.v1.mge");
  const Model model = ReadModel(bytes).value();
  EXPECT_EQ(model.container, Container::kV1Old);
  EXPECT_EQ(Types(model), Types(ReadModel(new_bytes).value()));
}

TEST(ContainerTest, ReadsEveryTestModel) {
  for (const char* name :
       {"nets/gpt_micro/model.mge", "nets/lenet5/model.fuse.mge", "nets/mlp_f16/model.mge", "nets/mlp_f16/model.v1.mge",
        "nets/q_quint8_act/model.mge", "nets/q_quint8_act/model.v1.mge", "nets/repvgg_tiny/model.allnames_v1.mge",
        "nets/repvgg_tiny/model.keepvar0.mge", "nets/repvgg_tiny/model.keepvar0_v1.mge",
        "nets/repvgg_tiny/model.opname.mge", "nets/repvgg_tiny/model.outname.mge",
        "nets/repvgg_tiny/model.userinfo.mge", "nets/squeezenet1_1/model.mge", "nets/unet_bilinear/model.mge",
        "nets/vit_micro_f16/model.mge", "shufflenet.mge", "efficientnet_lite0.mge"}) {
    const std::string bytes = ReadFile(absl::StrCat("testdata/", name));
    const absl::StatusOr<Model> model = ReadModel(bytes);
    ASSERT_TRUE(model.ok()) << name << ": " << model.status();
    for (const Operator& op : model->operators) EXPECT_NE(op.info, nullptr) << name << ": " << Describe(op);
  }
}

TEST(ContainerTest, NamesAreOptional) {
  const std::string named = ReadFile("testdata/nets/repvgg_tiny/model.opname.mge");
  EXPECT_FALSE(FindByType(ReadModel(named).value(), "Convolution")->name.empty());
  for (const char* file : {"model.keepvar0.mge", "model.keepvar0_v1.mge"}) {
    const std::string bytes = ReadFile(absl::StrCat("testdata/nets/repvgg_tiny/", file));
    EXPECT_THAT(OutputNames(ReadModel(bytes).value()), ElementsAre("")) << file;
  }
}

TEST(ContainerTest, ReadsAtAnyAlignment) {
  for (const char* file : {"model.mge", "model.v1.mge"}) {
    const std::string bytes = ReadFile(absl::StrCat("testdata/nets/lenet5/", file));
    for (size_t shift = 0; shift < 8; ++shift) {
      const std::string shifted = std::string(shift, 'x') + bytes;
      const absl::StatusOr<Model> model = ReadModel(absl::string_view(shifted).substr(shift));
      ASSERT_TRUE(model.ok()) << model.status();
      EXPECT_EQ(model->operators.size(), 33u);
    }
  }
}

TEST(ContainerTest, IgnoresWhatFollowsTheFirstGraph) {
  const std::string bytes = ReadFile("testdata/nets/lenet5/model.mge");
  const std::string twice = bytes + bytes;
  EXPECT_EQ(ReadModel(twice).value().operators.size(), 33u);
}

TEST(ContainerTest, SkipsTheHeaderOfTestCases) {
  const std::string bytes = absl::StrCat("mgbtest0", absl::string_view("\x02\0\0\0", 4),
                                         ReadFile("testdata/nets/lenet5/model.v1.mge"));
  EXPECT_EQ(ReadModel(bytes).value().operators.size(), 33u);
  EXPECT_FALSE(ReadModel("mgbtest0").ok());
  EXPECT_FALSE(ReadModel("mgbtest0\x01").ok());
}

// A MegEngine Lite package of one model.
std::string Pack(const std::string& model, const char* method) {
  namespace lite = ::mgec::packed;
  flatbuffers::FlatBufferBuilder builder;
  const auto header = lite::CreateModelHeaderDirect(builder, "net", "NONE", "LITE_default", method);
  const std::string json = "{\"valid\":true}";
  const auto info = lite::CreateModelInfo(
      builder, builder.CreateVector(reinterpret_cast<const uint8_t*>(json.data()), json.size()));
  const auto data = lite::CreateModelData(
      builder, builder.CreateVector(reinterpret_cast<const uint8_t*>(model.data()), model.size()));
  const auto packed = lite::CreateModel(builder, header, info, data);
  builder.Finish(lite::CreatePackModel(builder, builder.CreateVector(&packed, 1)));
  return absl::StrCat("packed_model", absl::string_view(reinterpret_cast<const char*>(builder.GetBufferPointer()),
                                                        builder.GetSize()));
}

TEST(ContainerTest, ReadsLitePackages) {
  for (const char* file : {"model.mge", "model.v1.mge"}) {
    const std::string bytes = Pack(ReadFile(absl::StrCat("testdata/nets/lenet5/", file)), "NONE");
    const absl::StatusOr<Model> model = ReadModel(bytes);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(model->operators.size(), 33u);
    EXPECT_EQ(model->lite_name, "net");
    EXPECT_EQ(model->lite_info, "{\"valid\":true}");
  }
}

TEST(ContainerTest, RefusesEncryptedPackages) {
  const std::string bytes = Pack("secret", "AES_default");
  const absl::Status status = ReadModel(bytes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), HasSubstr("encrypted (AES_default)"));
}

TEST(ContainerTest, SaysWhatAFileIsThatIsNoModel) {
  const auto message = [](absl::string_view bytes) {
    const absl::Status status = ReadModel(bytes).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bytes;
    return std::string(status.message());
  };
  EXPECT_THAT(message(""), HasSubstr("empty"));
  EXPECT_THAT(message("\x80\x04\x95 and so on"), HasSubstr("pickle"));
  EXPECT_THAT(message("mgb0001 and so on"), HasSubstr("predecessor"));
  EXPECT_THAT(message("PK\x03\x04"), HasSubstr("zip"));
  EXPECT_THAT(message("MGEC...."), HasSubstr("compiled model"));
  EXPECT_THAT(message("hello, world"), HasSubstr("it begins with \"hello, world\""));
}

TEST(ContainerTest, KeepsOperatorsThatItDoesNotKnow) {
  const std::string bytes = ReadFile("testdata/bad/v2_unknown_op.mge");
  const Model model = ReadModel(bytes).value();
  const Operator* unknown = FindByType(model, "Elemwhat");
  ASSERT_NE(unknown, nullptr) << absl::StrJoin(Types(model), " ");
  EXPECT_EQ(unknown->info, nullptr);
}

TEST(ContainerTest, SaysWhereAFileIsDamaged) {
  const std::pair<const char*, const char*> kFiles[] = {
      {"header_only_v1", "cut off or damaged"},
      {"header_only_v2", "cut off or damaged"},
      {"magic_only_v1", "ends inside of its header"},
      {"v1_graph_offset_huge", "cut off or damaged"},
      {"v2_dup_output_id", "operator 10 (Convolution): output 0 is variable 3, but 13 is the next one"},
      {"v2_forward_ref", "operator 3 (Convolution): input 0 refers to variable 150, but only 3 exist so far"},
      {"v2_oprs_len_zero", "no operators"},
      {"v2_output_id_oob", "output 0 of the network is variable 99999, but only 151 exist"},
      {"v2_param_union_200", "operator 3 (Convolution): parameter type 200 does not exist"},
      {"v2_root_end", "no operators"},
      {"v2_tensor_shape_huge", "operator 2 (ImmutableTensor): tensor 0: value has 864 bytes; its shape needs"},
  };
  for (const auto& [name, what] : kFiles) {
    const std::string bytes = ReadFile(absl::StrCat("testdata/bad/", name, ".mge"));
    const absl::Status status = ReadModel(bytes).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(what)) << name;
  }
}

}  // namespace
}  // namespace mgec::mge
