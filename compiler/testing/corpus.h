// The models of testdata/ops, one for each operator case, and of testdata/nets, with inputs and MegEngine's outputs.
#ifndef MGEC_COMPILER_TESTING_CORPUS_H_
#define MGEC_COMPILER_TESTING_CORPUS_H_

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/kernel/reference_math.h"
#include "compiler/testing/run_artifact.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tools/npy.h"

namespace mgec {

inline NpyArray LoadNpy(const std::string& path) {
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
inline std::vector<double> Elements(const std::string& descr, const std::string& data) {
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

// Names of the folders inside `folder`, sorted.
inline std::vector<std::string> CorpusCases(const std::string& folder = "testdata/ops") {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class CorpusCase {
 public:
  // `path` without a slash at its end.
  explicit CorpusCase(const std::string& path)
      : folder_(path + "/"), meta_(nlohmann::json::parse(FileBytes(folder_ + "meta.json"))) {}

  const std::string& folder() const { return folder_; }
  // Bytes by name.
  std::map<std::string, std::string> Inputs() const {
    std::map<std::string, std::string> inputs;
    for (const auto& input : meta_["inputs"]) {
      const std::string name = input["name"];
      inputs[name] = LoadNpy(folder_ + "input_" + name + ".npy").data;
    }
    return inputs;
  }
  size_t outputs() const { return meta_["outputs"].size(); }
  void ExpectOutputs(const std::vector<std::string>& outputs, const std::vector<Shape>& shapes) const {
    ASSERT_EQ(outputs.size(), meta_["outputs"].size());
    for (size_t k = 0; k < outputs.size(); ++k) {
      const NpyArray array = LoadNpy(absl::StrCat(folder_, "output_", k, ".npy"));
      ASSERT_EQ(outputs[k].size(), array.data.size()) << "output " << k;
      if (!array.shape.empty()) {
        ASSERT_EQ(shapes[k], array.shape) << "output " << k;
      }
      const std::vector<double> got = Elements(array.descr, outputs[k]), want = Elements(array.descr, array.data);
      const double atol = meta_["tolerance"][k]["atol"], rtol = meta_["tolerance"][k]["rtol"];
      for (size_t i = 0; i < want.size(); ++i) {
        const bool same = got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]));
        ASSERT_TRUE(same || std::fabs(got[i] - want[i]) <= atol + rtol * std::fabs(want[i]))
            << "output " << k << "[" << i << "] is " << got[i] << ", not " << want[i];
      }
    }
  }

 private:
  const std::string folder_;
  const nlohmann::json meta_;
};

}  // namespace mgec

#endif  // MGEC_COMPILER_TESTING_CORPUS_H_
