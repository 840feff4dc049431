#include "runtime/lite/model_info.h"

#include <gtest/gtest.h>

namespace mgec {
namespace {

Status Parse(const std::string& json, ModelSettings* settings, const std::string& name = "net") {
  return ParseInfo("LITE_default", json.data(), json.size(), name, settings);
}

std::string Error(const std::string& json) {
  ModelSettings settings;
  return Parse(json, &settings).message();
}

TEST(ModelInfo, EverythingMayBeSet) {
  ModelSettings settings;
  settings.io.inputs.resize(1);
  settings.io.inputs[0].name = "data";
  const Status status = Parse(R"({
    "valid": true, "name": "net", "version": "1.13.0", "has_compression": false, "backend": "MGE",
    "device": {"type": "CPU", "device_id": 3, "number_threads": 2, "enable_inplace_model": true, "use_tensorrt": false},
    "options": {"weight_preprocess": true, "graph_opt_level": 0, "var_sanity_check_first_run": false},
    "IO": {
      "inputs": [{"name": "data", "io_type": "value", "dtype": "uint8", "shape": {"dim0": 1, "dim1": 3, "dim2": 8}},
                 {"name": "roi", "is_host": false}],
      "outputs": [{"name": "out", "io_type": "shape"}]},
    "extra_info": {"note": ["a", 1, null]}})",
                              &settings);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(settings.device_id, 3);
  EXPECT_EQ(settings.threads, 2u);
  EXPECT_TRUE(settings.inplace);
  EXPECT_EQ(settings.config.options.weight_preprocess, 1);
  EXPECT_EQ(settings.config.options.graph_opt_level, 0);
  EXPECT_EQ(settings.config.options.var_sanity_check_first_run, 0);
  EXPECT_EQ(settings.config.options.async_exec_level, 1);
  ASSERT_EQ(settings.io.inputs.size(), 2u);
  EXPECT_EQ(settings.io.inputs[0].layout.data_type, LITE_UINT8);
  EXPECT_EQ(settings.io.inputs[0].layout.ndim, 3u);
  EXPECT_EQ(settings.io.inputs[0].layout.shapes[2], 8u);
  EXPECT_EQ(settings.io.inputs[1].name, "roi");
  EXPECT_FALSE(settings.io.inputs[1].is_host);
  EXPECT_EQ(settings.io.outputs.at(0).io_type, LITE_IO_SHAPE);
  EXPECT_EQ(settings.extra_info, R"({"note":["a",1,null]})");
}

TEST(ModelInfo, NothingElseIsReadIfNotValid) {
  ModelSettings settings;
  EXPECT_TRUE(Parse(R"({"valid": false, "name": 7, "device": []})", &settings).ok());
  EXPECT_EQ(settings.threads, 1u);
}

TEST(ModelInfo, ZerosBehindTheTextAreIgnored) {
  ModelSettings settings;
  EXPECT_TRUE(Parse(std::string("{\"valid\": false}\0\0\0", 19), &settings).ok());
}

TEST(ModelInfo, ErrorsNameWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "not a JSON object"},
      {"[1]", "not a JSON object"},
      {"{\"valid\": true", "not a JSON object"},
      {"{}", "no \"valid\""},
      {R"({"valid": "yes"})", "\"valid\" must be a number"},
      {R"({"valid": true, "name": "other"})", "not match"},
      {R"({"valid": true, "name": 1})", "\"name\" must be a text"},
      {R"({"valid": true, "device": 1})", "\"device\" must be an object"},
      {R"({"valid": true, "device": {"type": "TPU"}})", "\"TPU\""},
      {R"({"valid": true, "device": {"number_threads": -1}})", "out of range"},
      {R"({"valid": true, "device": {"number_threads": 1.5}})", "whole number"},
      {R"({"valid": true, "device": {"device_id": 99999999999999999999}})", "whole number"},
      {R"({"valid": true, "options": {"jit_level": "x"}})", "\"jit_level\" must be a number"},
      {R"({"valid": true, "IO": {"inputs": {}}})", "\"inputs\" must be a list"},
      {R"({"valid": true, "IO": {"inputs": [1]}})", "\"name\""},
      {R"({"valid": true, "IO": {"inputs": [{"name": "x", "dtype": "complex64"}]}})", "complex64"},
      {R"({"valid": true, "IO": {"inputs": [{"name": "x", "shape": {"dim0": 0}}]}})", "out of range"},
  };
  for (const auto& [json, message] : cases) {
    EXPECT_NE(Error(json).find(message), std::string::npos) << json << " gives: " << Error(json);
  }
}

TEST(ModelInfo, DeepNestingIsAnErrorNotAStackOverflow) {
  const std::string deep = R"({"valid": true, "extra_info": )" + std::string(1000000, '[') + std::string(1000000, ']') + "}";
  EXPECT_NE(Error(deep).find("nested"), std::string::npos);
  EXPECT_NE(Error(std::string(1000000, '{')).find("nested"), std::string::npos);
  // Brackets inside of texts do not count.
  ModelSettings settings;
  EXPECT_TRUE(Parse(R"({"valid": true, "extra_info": ")" + std::string(1000, '[') + "\\\"" + std::string(1000, '[') + "\"}", &settings).ok());
}

TEST(ModelInfo, AnErrorChangesNothing) {
  ModelSettings settings;
  EXPECT_FALSE(Parse(R"({"valid": true, "device": {"number_threads": 4, "device_id": "x"}})", &settings).ok());
  EXPECT_EQ(settings.threads, 1u);
}

TEST(ModelInfo, UsersRegisterTheirOwn) {
  const auto parser = [](const void* info, size_t size, const std::string& name, ModelSettings* settings) {
    settings->extra_info = name + ":" + std::string(static_cast<const char*>(info), size);
    return Status();
  };
  ASSERT_TRUE(RegisterInfoParser("mine", parser).ok());
  EXPECT_FALSE(RegisterInfoParser("mine", parser).ok());
  EXPECT_FALSE(RegisterInfoParser("LITE_default", parser).ok());
  EXPECT_FALSE(RegisterInfoParser("empty", nullptr).ok());
  ModelSettings settings;
  ASSERT_TRUE(ParseInfo("mine", "abc", 3, "net", &settings).ok());
  EXPECT_EQ(settings.extra_info, "net:abc");
  EXPECT_NE(ParseInfo("other", "abc", 3, "net", &settings).message().find("other"), std::string::npos);
}

}  // namespace
}  // namespace mgec
