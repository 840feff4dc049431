// Every folder of testdata/ops: one small model for each operator case, compiled, run, and compared with what MegEngine
// computes. A new case is a new folder.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "compiler/compile.h"
#include "compiler/kernel/reference_math.h"
#include "compiler/testing/run_artifact.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tools/npy.h"

namespace mgec {
namespace {

NpyArray Load(const std::string& path) {
  absl::StatusOr<NpyArray> array = ReadNpy(path);
  EXPECT_TRUE(array.ok()) << array.status();
  return array.ok() ? *std::move(array) : NpyArray{};
}

template <typename T>
double ElementAs(const std::string& data, size_t i) {
  T value;
  std::memcpy(&value, &data[i * sizeof(T)], sizeof(T));
  return static_cast<double>(value);
}

// The elements of bytes that are stored like those of an array.
std::vector<double> Elements(const std::string& descr, const std::string& data) {
  const std::string type = descr.substr(1);  // without the byte order
  const size_t size = static_cast<size_t>(std::stoi(type.substr(1)));
  std::vector<double> values(data.size() / size);
  for (size_t i = 0; i < values.size(); ++i) {
    if (type == "f4") values[i] = ElementAs<float>(data, i);
    else if (type == "f2") values[i] = kernel::HalfToFloat(static_cast<uint16_t>(ElementAs<uint16_t>(data, i)));
    else if (type == "i4") values[i] = ElementAs<int32_t>(data, i);
    else if (type == "i2") values[i] = ElementAs<int16_t>(data, i);
    else if (type == "u2") values[i] = ElementAs<uint16_t>(data, i);
    else if (type == "i1") values[i] = ElementAs<int8_t>(data, i);
    else values[i] = ElementAs<uint8_t>(data, i);
  }
  return values;
}

std::vector<std::string> Cases() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("testdata/ops")) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class OpsCorpusTest : public testing::TestWithParam<std::string> {
 protected:
  void ExpectOutputs(const std::string& artifact) {
    std::map<std::string, std::string> inputs;
    for (const auto& input : meta_["inputs"]) {
      const std::string name = input["name"];
      inputs[name] = Load(folder_ + "input_" + name + ".npy").data;
    }
    std::vector<Shape> shapes;
    const auto outputs = RunArtifact(artifact, inputs, 1, &shapes);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    ASSERT_EQ(outputs->size(), meta_["outputs"].size());
    for (size_t k = 0; k < outputs->size(); ++k) {
      const NpyArray array = Load(absl::StrCat(folder_, "output_", k, ".npy"));
      ASSERT_EQ((*outputs)[k].size(), array.data.size()) << "output " << k;
      if (!array.shape.empty()) ASSERT_EQ(shapes[k], array.shape) << "output " << k;
      const std::vector<double> got = Elements(array.descr, (*outputs)[k]), want = Elements(array.descr, array.data);
      const double atol = meta_["tolerance"][k]["atol"], rtol = meta_["tolerance"][k]["rtol"];
      for (size_t i = 0; i < want.size(); ++i) {
        const bool same = got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]));
        ASSERT_TRUE(same || std::fabs(got[i] - want[i]) <= atol + rtol * std::fabs(want[i]))
            << "output " << k << "[" << i << "] is " << got[i] << ", not " << want[i];
      }
    }
  }

  const std::string folder_ = "testdata/ops/" + GetParam() + "/";
  const nlohmann::json meta_ = nlohmann::json::parse(FileBytes(folder_ + "meta.json"));
};

TEST_P(OpsCorpusTest, GivesMegEnginesResults) {
  for (const char* file : {"model.mge", "model.v1.mge"}) {
    const std::string path = folder_ + file;
    if (!std::filesystem::exists(path)) continue;
    SCOPED_TRACE(path);
    for (const kernel::Target& target : RunnableTargets()) {
      SCOPED_TRACE(target.name);
      CompileOptions options;
      options.targets = {target};
      options.threads = 1;
      const absl::StatusOr<std::string> artifact = Compile(FileBytes(path), options);
      ASSERT_TRUE(artifact.ok()) << artifact.status();
      ExpectOutputs(*artifact);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, OpsCorpusTest, testing::ValuesIn(Cases()), [](const auto& info) {
  std::string name = info.param;
  std::replace_if(name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
});

}  // namespace
}  // namespace mgec
