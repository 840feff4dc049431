#include "compiler/mge/import.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "compiler/mge/container.h"
#include "compiler/mge/test_files.h"
#include "compiler/mge/test_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
namespace param = fbs::param;

absl::StatusOr<graph::Graph> ImportFile(const std::string& path, const ImportOptions& options = {},
                                        std::vector<UnsupportedItem>* unsupported = nullptr) {
  const std::string bytes = ReadFile(path);
  const absl::StatusOr<Model> model = ReadModel(bytes);
  if (!model.ok()) return model.status();
  return Import(*model, options, unsupported);
}

TEST(ImportTest, ImportsNetworks) {
  struct Net {
    const char* file;
    std::vector<const char*> inputs, outputs;  // names and types
  };
  const Net kNets[] = {
      {"nets/lenet5/model.mge", {"data f32[1,1,32,32]"}, {"f3.ADD f32[1,10]"}},
      {"nets/lenet5/model.v1.mge", {"data f32[1,1,32,32]"}, {"f3.ADD f32[1,10]"}},
      {"nets/lenet5/model.fuse.mge", {"data f32[1,1,32,32]"}, {"f3.ADD f32[1,10]"}},
      {"nets/repvgg_tiny/model.keepvar0.mge", {"data f32[1,3,64,64]"}, {"unnamed0 f32[1,10]"}},
      {"nets/mlp_f16/model.mge", {"data f16[3,64]"}, {nullptr}},
      {"shufflenet.mge", {"data f32[1,3,224,224]"}, {nullptr}},
      {"efficientnet_lite0.mge", {"data f32[1,3,224,224]"}, {"Softmax f32[1,1000]"}},
      {"nets/squeezenet1_1/model.mge", {nullptr}, {nullptr}},
      {"nets/unet_bilinear/model.mge", {nullptr}, {nullptr, nullptr}},
      {"nets/vit_micro_f16/model.mge", {nullptr}, {nullptr}},
      {"nets/gpt_micro/model.mge", {nullptr}, {nullptr, nullptr}},
      {"nets/two_inputs_three_outputs/model.mge", {nullptr, nullptr}, {nullptr, nullptr, nullptr}},
  };
  for (const Net& net : kNets) {
    const absl::StatusOr<graph::Graph> g = ImportFile(absl::StrCat("testdata/", net.file));
    ASSERT_TRUE(g.ok()) << net.file << ": " << g.status();
    EXPECT_TRUE(graph::Verify(*g).ok()) << net.file << ": " << graph::Verify(*g);
    ASSERT_EQ(g->inputs().size(), net.inputs.size()) << net.file;
    for (size_t i = 0; i < net.inputs.size(); ++i) {
      const graph::Node& input = *g->inputs()[i];
      if (net.inputs[i] == nullptr) continue;
      EXPECT_EQ(absl::StrCat(input.name, " ", graph::ToString(input.output()->type)), net.inputs[i]) << net.file;
    }
    ASSERT_EQ(g->outputs().size(), net.outputs.size()) << net.file;
    for (size_t i = 0; i < net.outputs.size(); ++i) {
      const graph::GraphOutput& output = g->outputs()[i];
      if (net.outputs[i] == nullptr) continue;
      EXPECT_EQ(absl::StrCat(output.name, " ", graph::ToString(output.value->type)), net.outputs[i]) << net.file;
    }
  }
}

TEST(ImportTest, TakesOtherInputShapes) {
  ImportOptions options;
  options.input_shapes["data"] = {4, 1, 32, 32};
  const graph::Graph g = ImportFile("testdata/nets/lenet5/model.mge", options).value();
  EXPECT_EQ(graph::ToString(g.outputs()[0].value->type), "f32[4,10]");

  options.input_shapes["date"] = {1};
  EXPECT_THAT(std::string(ImportFile("testdata/nets/lenet5/model.mge", options).status().message()),
              HasSubstr("there is no input \"date\""));
  options.input_shapes.erase("date");
  options.input_shapes["data"] = {4, 1, 32};
  EXPECT_EQ(ImportFile("testdata/nets/lenet5/model.mge", options).status().code(), absl::StatusCode::kInvalidArgument);
  options.input_shapes["data"] = {0, 1, 32, 32};
  EXPECT_FALSE(ImportFile("testdata/nets/lenet5/model.mge", options).ok());
}

TEST(ImportTest, ReportsEverythingThatIsNotSupported) {
  TestModel m;
  const int x = m.Input("x", {1, 3, 8, 8});
  // Two kinds, one of them twice and on top of another.
  const int slept = m.Op("Sleep", {x}, [](auto& b) { return param::CreateMGBSleep(b); });
  const int sum = m.Op("Elemwise", {x, slept},
                       [](auto& b) { return param::CreateElemwise(b, param::ElemwiseMode::ADD); });
  const int bad_mode = m.Op("Elemwise", {sum}, [](auto& b) {
    return param::CreateElemwise(b, static_cast<param::ElemwiseMode>(1000));
  });
  m.Op("Sleep", {bad_mode}, [](auto& b) { return param::CreateMGBSleep(b); });
  m.Output(bad_mode);

  std::vector<UnsupportedItem> items;
  const absl::Status status = Import(m.model(), {}, &items).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].op, "Sleep");
  EXPECT_EQ(items[0].detail, "operator, which computes nothing: it is for tests of MegEngine");
  EXPECT_EQ(items[0].count, 2);
  EXPECT_THAT(items[0].nodes, ElementsAre("#1", "#4"));
  EXPECT_EQ(items[1].op, "Elemwise");
  EXPECT_EQ(items[1].detail, "mode=1000");
  EXPECT_EQ(std::string(status.message()),
            "needs 2 things that are not supported\n"
            "  Sleep     operator, which computes nothing: it is for tests of MegEngine  2 uses  \"#1\", \"#4\"\n"
            "  Elemwise  mode=1000                                                       1 use   \"#3\"\n");
}

TEST(ImportTest, ReportsOutputsThatAreNotThere) {
  TestModel m;
  const int x = m.Input("x", {1, 1, 4, 4}), rois = m.Input("rois", {2, 5});
  const auto average = [](auto& b) { return param::CreateROIAlign(b, param::ROIAlignMode::AVERAGE); };
  const int means = m.Op("ROIAlignV1", {x, rois}, average, 2);
  m.Output(means);
  EXPECT_TRUE(m.Import().ok());
  m.Output(means + 1);
  EXPECT_THAT(m.Text(), HasSubstr("ROIAlign  use of output 1  1 use"));
}

TEST(ImportTest, SaysWhyAnOperatorIsNotSupported) {
  TestModel m;
  const int x = m.Input("x", {1, 1, 4, 4});
  m.Output(m.Op("ConvolutionBackwardFilterV2", {x, x, x}, [](auto& b) { return param::CreateConvolution(b); }));
  EXPECT_THAT(m.Text(), HasSubstr("ConvolutionBackwardFilter  operator, which is for training  1 use"));
}

TEST(ImportTest, RefusesModelsThatMakeNoSense) {
  const std::pair<const char*, absl::StatusCode> kFiles[] = {
      {"v2_conv_stride_zero", absl::StatusCode::kInvalidArgument},
      {"v2_conv_pad_huge", absl::StatusCode::kInvalidArgument},
      {"v2_input_channels_wrong", absl::StatusCode::kInvalidArgument},
      {"v2_elemwise_mode_bad", absl::StatusCode::kUnimplemented},
      {"v2_unknown_op", absl::StatusCode::kUnimplemented},
  };
  for (const auto& [name, code] : kFiles) {
    const absl::Status status = ImportFile(absl::StrCat("testdata/bad/", name, ".mge")).status();
    EXPECT_EQ(status.code(), code) << name << ": " << status;
  }
  EXPECT_THAT(std::string(ImportFile("testdata/bad/v2_unknown_op.mge").status().message()), HasSubstr("Elemwhat"));
  EXPECT_THAT(std::string(ImportFile("testdata/bad/v2_conv_stride_zero.mge").status().message()),
              HasSubstr("(Convolution): conv2d"));
}

// The reader keeps the name of an operator that it does not know, whatever it is.
TEST(ImportTest, RefusesUnknownOperatorsWithKnownNames) {
  TestModel m;
  const int x = m.Input("x", {2});
  m.model().operators[0].info = nullptr;
  m.model().operators[0].tensors.clear();
  m.Output(x);
  EXPECT_THAT(m.Text(), HasSubstr("Host2DeviceCopy  operator that MegEngine does not have"));
}

TEST(ImportTest, PassesValuesOn) {
  TestModel m;
  const int x = m.Input("x", {2});
  m.Output(m.Op("Identity", {m.Op("Copy", {x})}));
  const graph::Graph g = m.Import().value();
  EXPECT_EQ(g.outputs()[0].value, g.inputs()[0]->output());
  EXPECT_EQ(g.outputs()[0].name, "unnamed0");
}

TEST(ImportTest, RefusesInputsOfOneName) {
  TestModel m;
  m.Input("x", {2});
  m.Input("x", {2});
  m.Output(0);
  EXPECT_THAT(m.Text(), HasSubstr("two inputs have the name \"x\""));
}

TEST(ImportTest, TakesAnOutputThatIsListedTwiceOnce) {
  TestModel m;
  const int x = m.Input("x", {2}), y = m.Input("y", {2});
  m.model().outputs = {{x, "a"}, {y, "b"}, {x, "a"}, {x, "c"}, {y, {}}, {y, {}}};
  std::vector<std::string> names;
  const graph::Graph g = m.Import().value();
  for (const graph::GraphOutput& o : g.outputs()) names.push_back(o.name);
  EXPECT_THAT(names, ElementsAre("a", "b", "c", "unnamed4"));
}

TEST(ImportTest, RefusesOutputsOfOneName) {
  TestModel m;
  m.model().outputs = {{m.Input("x", {2}), "a"}, {m.Input("y", {2}), "a"}};
  EXPECT_THAT(m.Text(), HasSubstr("two outputs of the network have the name \"a\""));
}

TEST(ImportTest, UnpacksConstantsOfFourBits) {
  TestModel m;
  const std::vector<uint8_t> packed = {0x71, 0x0f, 0x98, 0x02};  // rows of three elements take two bytes
  m.Output(m.Constant({2, 3}, fbs::DTypeEnum::QuantizedS4, packed));
  m.model().operators[0].tensors[0].dtype.scale = 0.5f;
  const graph::Graph g = m.Import().value();
  EXPECT_EQ(*g.outputs()[0].value->producer->data, std::string("\x01\x07\xff\xf8\xf9\x02", 6));
}

}  // namespace
}  // namespace mgec::mge
