// Whole models, from file to answer: compiled, loaded, run, and compared with what MegEngine computes.
#include "compiler/compile.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "compiler/kernel/reference_math.h"
#include "compiler/testing/run_artifact.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tools/npy.h"

namespace mgec {
namespace {

using testing::HasSubstr;

std::vector<float> AsFloats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

std::vector<float> HalvesAsFloats(const std::string& bytes) {
  std::vector<float> values;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
    uint16_t bits;
    std::memcpy(&bits, &bytes[i], sizeof(bits));
    values.push_back(kernel::HalfToFloat(bits));
  }
  return values;
}

std::string Npy(const std::string& path) {
  const absl::StatusOr<NpyArray> array = ReadNpy(path);
  EXPECT_TRUE(array.ok()) << array.status();
  return array.ok() ? array->data : "";
}

// Largest |got - want| beyond atol + rtol * |want|; negative if all is well.
double Excess(const std::vector<float>& got, const std::vector<float>& want, double atol, double rtol) {
  double worst = -1;
  for (size_t i = 0; i < want.size(); ++i) {
    const double difference = std::fabs(double{got[i]} - want[i]);
    worst = std::max(worst, std::isnan(difference) ? HUGE_VAL : difference - atol - rtol * std::fabs(want[i]));
  }
  return worst;
}

// A compiled model, for each target that this CPU runs.
struct Compiled {
  std::vector<std::string> artifacts;  // one per target
  CompileReport report;                // of the last
};

Compiled CompileForEach(const std::string& path, CompileOptions options = {}) {
  Compiled result;
  for (const kernel::Target& target : RunnableTargets()) {
    options.targets = {target};
    result.report = {};
    absl::StatusOr<std::string> artifact = Compile(FileBytes(path), options, &result.report);
    EXPECT_TRUE(artifact.ok()) << path << ": " << artifact.status();
    if (artifact.ok()) result.artifacts.push_back(*std::move(artifact));
    for (const CompileReport::Target& t : result.report.targets) {
      EXPECT_LE(t.arena_bytes, 1.3 * t.arena_lower_bound) << path << ", " << t.name;
    }
  }
  return result;
}

// The outputs, which are the same for 1, 2 and 3 threads.
std::vector<std::string> RunOnAnyThreads(const std::string& artifact, const std::map<std::string, std::string>& inputs) {
  std::vector<std::string> first;
  for (int threads = 1; threads <= 3; ++threads) {
    const auto outputs = RunArtifact(artifact, inputs, threads);
    EXPECT_TRUE(outputs.ok()) << outputs.status();
    if (!outputs.ok()) return {};
    if (threads == 1) first = *outputs;
    EXPECT_EQ(*outputs, first) << threads << " threads";
  }
  return first;
}

// Every .mge file of testdata/nets.
std::vector<std::string> NetFiles() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("testdata/nets")) {
    if (entry.path().extension() == ".mge") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class NetTest : public testing::TestWithParam<std::string> {};

TEST_P(NetTest, ComputesWhatMegEngineComputes) {
  const std::filesystem::path path = GetParam(), folder = path.parent_path();
  const auto meta = nlohmann::json::parse(FileBytes(folder / "meta.json"));
  std::map<std::string, std::string> inputs;
  for (const auto& input : meta["inputs"]) {
    const std::string name = input["name"];
    inputs[name] = Npy(folder / ("input_" + name + ".npy"));
  }
  for (const std::string& artifact : CompileForEach(path).artifacts) {
    const std::vector<std::string> outputs = RunOnAnyThreads(artifact, inputs);
    ASSERT_EQ(outputs.size(), meta["outputs"].size());
    for (size_t i = 0; i < outputs.size(); ++i) {
      const std::string want = Npy(folder / absl::StrCat("output_", i, ".npy"));
      ASSERT_EQ(outputs[i].size(), want.size());
      const std::string dtype = meta["outputs"][i]["dtype"];
      if (dtype != "float32" && dtype != "float16") {
        EXPECT_EQ(outputs[i], want) << "output " << i;
        continue;
      }
      const auto floats = dtype == "float16" ? HalvesAsFloats : AsFloats;
      const auto& tolerance = meta["tolerance"][i];
      EXPECT_LE(Excess(floats(outputs[i]), floats(want), tolerance["atol"], tolerance["rtol"]), 0) << "output " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, NetTest, testing::ValuesIn(NetFiles()), [](const auto& info) {
  std::string name = info.param.substr(std::string("testdata/nets/").size());
  std::replace_if(name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
});

TEST(CompileTest, ShuffleNet) {
  const Compiled compiled = CompileForEach("testdata/shufflenet.mge");
  ASSERT_FALSE(compiled.artifacts.empty());
  const std::vector<float> want = AsFloats(Npy("testdata/output_data.npy"));
  for (const std::string& artifact : compiled.artifacts) {
    const auto outputs = RunOnAnyThreads(artifact, {{"data", Npy("testdata/input_data.npy")}});
    ASSERT_EQ(outputs.size(), 1u);
    ASSERT_EQ(outputs[0].size(), want.size() * sizeof(float));
    EXPECT_LE(Excess(AsFloats(outputs[0]), want, 1e-6, 1e-4), 0);
  }
  EXPECT_EQ(compiled.report.operators, 666);
  EXPECT_EQ(compiled.report.container, "v2");
  // Splits, concatenations and shuffles of channels take no step.
  EXPECT_LT(compiled.report.targets[0].steps, 100);
}

TEST(CompileTest, EfficientNetSeesACat) {
  const std::vector<float> want = AsFloats(Npy("testdata/efficientnet_lite0/output_0.npy"));
  for (const std::string& artifact : CompileForEach("testdata/efficientnet_lite0.mge").artifacts) {
    const auto outputs = RunOnAnyThreads(artifact, {{"data", Npy("testdata/efficientnet_lite0/input_data.npy")}});
    ASSERT_EQ(outputs.size(), 1u);
    const std::vector<float> got = AsFloats(outputs[0]);
    ASSERT_EQ(got.size(), want.size());
    EXPECT_LE(Excess(got, want, 1e-4, 0), 0);
    std::vector<int> classes(got.size());
    std::iota(classes.begin(), classes.end(), 0);
    std::sort(classes.begin(), classes.end(), [&](int a, int b) { return got[a] > got[b]; });
    classes.resize(3);
    EXPECT_THAT(classes, testing::ElementsAre(282, 285, 281));  // tiger cat, Egyptian cat, tabby
  }
}

TEST(CompileTest, OneArtifactForAllTargets) {
  const std::string model = FileBytes("testdata/nets/squeezenet1_1/model.mge");
  CompileReport report;
  const absl::StatusOr<std::string> all = Compile(model, {}, &report);
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(report.targets.size(), 2u);
  EXPECT_EQ(report.targets[0].name, "x86-64-v4");  // the most demanding first, whatever the order asked for
  CompileOptions options;
  options.targets = {kernel::DefaultTargets()[1], kernel::DefaultTargets()[0], kernel::DefaultTargets()[1]};
  EXPECT_EQ(*Compile(model, options), *all);
  // Weights are there once.
  options.targets = {kernel::DefaultTargets()[0]};
  EXPECT_LT(all->size(), 1.2 * Compile(model, options)->size());
}

TEST(CompileTest, TargetsAreKnownWithoutCode) {
  for (const char* name : {"squeezenet1_1", "q_quint8_act"}) {
    const std::string model = FileBytes(std::string("testdata/nets/") + name + "/model.mge");
    CompileOptions options;
    for (bool chosen : {false, true}) {
      if (chosen) options.targets = {kernel::DefaultTargets()[1], kernel::DefaultTargets()[0]};
      CompileReport report;
      ASSERT_TRUE(Compile(model, options, &report).ok());
      const absl::StatusOr<std::vector<kernel::Target>> targets = TargetsOf(model, options);
      ASSERT_TRUE(targets.ok()) << targets.status();
      std::vector<std::string> told, compiled;
      for (const kernel::Target& t : *targets) told.push_back(t.name);
      for (const CompileReport::Target& t : report.targets) compiled.push_back(t.name);
      EXPECT_EQ(told, compiled);
      EXPECT_EQ(told.size(), !chosen && std::string(name) == "q_quint8_act" ? 3u : 2u);
    }
  }
  EXPECT_EQ(TargetsOf("no model", {}).status(), Compile("no model", {}).status());
}

TEST(CompileTest, SameBytesEveryTime) {
  for (const char* path : {"testdata/nets/lenet5/model.mge", "testdata/nets/unet_bilinear/model.mge"}) {
    const std::string model = FileBytes(path);
    CompileOptions options;
    const absl::StatusOr<std::string> first = Compile(model, options);
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(*Compile(model, options), *first);
    options.threads = 2;
    EXPECT_EQ(*Compile(model, options), *first);
  }
}

TEST(CompileTest, InputShapes) {
  const std::string image = Npy("testdata/nets/repvgg_tiny/input_data.npy");
  CompileOptions options;
  options.input_shapes = {{{"data", {2, 3, 64, 64}}}};
  const Compiled compiled = CompileForEach("testdata/nets/repvgg_tiny/model.mge", options);
  EXPECT_EQ(compiled.report.inputs[0].second.shape, (graph::Shape{2, 3, 64, 64}));
  const std::string want = Npy("testdata/nets/repvgg_tiny/output_0.npy");
  for (const std::string& artifact : compiled.artifacts) {
    const auto outputs = RunOnAnyThreads(artifact, {{"data", image + image}});
    ASSERT_EQ(outputs.size(), 1u);
    EXPECT_LE(Excess(AsFloats(outputs[0]), AsFloats(want + want), 1e-5, 1e-4), 0);
  }
  options.input_shapes = {{{"date", {1}}}};
  EXPECT_THAT(Compile(FileBytes("testdata/nets/repvgg_tiny/model.mge"), options).status().message(),
              HasSubstr("no input \"date\""));
  options.input_shapes = {{{"data", {1, 4, 64, 64}}}};
  EXPECT_EQ(Compile(FileBytes("testdata/nets/repvgg_tiny/model.mge"), options).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(CompileTest, SeveralSetsOfShapes) {
  CompileOptions options;
  options.targets = {RunnableTargets().back()};
  options.input_shapes = {{}, {{"data", {3, 3, 64, 64}}}};
  const std::string model = FileBytes("testdata/nets/repvgg_tiny/model.mge");
  const absl::StatusOr<std::string> artifact = Compile(model, options);
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  auto file = Artifact::FromBytes(artifact->data(), artifact->size());
  ASSERT_TRUE(file.ok()) << file.status().message();
  auto network = Network::Load(file.value(), {});
  ASSERT_TRUE(network.ok()) << network.status().message();
  EXPECT_EQ(network.value()->input(0).shape, (Shape{1, 3, 64, 64}));
  EXPECT_TRUE(network.value()->SelectShapes({{3, 3, 64, 64}}).ok());
  EXPECT_EQ(network.value()->output(0).shape[0], 3u);
  EXPECT_FALSE(network.value()->SelectShapes({{2, 3, 64, 64}}).ok());
}

TEST(CompileTest, EverythingUnsupportedAtOnce) {
  std::string model = FileBytes("testdata/nets/repvgg_tiny/model.mge");
  model = absl::StrReplaceAll(model, {{std::string("\0\0\0Elemwise\0", 12), std::string("\0\0\0Elemwhat\0", 12)},
                                      {std::string("\0\0\0Convolution\0", 15), std::string("\0\0\0Konvolution\0", 15)}});
  CompileReport report;
  const absl::Status status = Compile(model, {}, &report).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  ASSERT_EQ(report.unsupported.size(), 2u);
  EXPECT_GT(report.unsupported[0].count, 1);
  EXPECT_THAT(status.message(), testing::AllOf(HasSubstr("Elemwhat"), HasSubstr("Konvolution")));
}

TEST(CompileTest, SaysWhatIsWrong) {
  EXPECT_THAT(Compile("", {}).status().message(), HasSubstr("empty"));
  EXPECT_THAT(Compile("\x7f""ELF and more", {}).status().message(), HasSubstr("ELF"));
  const std::string model = FileBytes("testdata/nets/lenet5/model.mge");
  EXPECT_EQ(Compile(model.substr(0, model.size() / 2), {}).status().code(), absl::StatusCode::kDataLoss);
}

TEST(CompileTest, WritesDownWhatItDoes) {
  CompileOptions options;
  options.targets = {kernel::DefaultTargets()[1]};
  options.emit_graph = options.emit_kernels = options.emit_llvm = options.emit_asm = true;
  int last = 0, total = 0;
  options.progress = [&](const std::string& target, int done, int of) {
    EXPECT_EQ(target, "x86-64-v3");
    last = std::max(last, done);
    total = of;
  };
  CompileReport report;
  ASSERT_TRUE(Compile(FileBytes("testdata/nets/lenet5/model.mge"), options, &report).ok());
  EXPECT_THAT(report.graph, HasSubstr("fused("));
  EXPECT_THAT(report.kernels, HasSubstr("kernel k0"));
  EXPECT_THAT(report.llvm_ir, HasSubstr("define"));
  EXPECT_THAT(report.assembly, HasSubstr("vfmadd"));
  EXPECT_GT(total, 0);
  EXPECT_EQ(last, total);
  EXPECT_GT(report.macs, 100000);
  EXPECT_GT(report.constant_bytes, 1000);
}

}  // namespace
}  // namespace mgec
