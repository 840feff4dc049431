// What tests of MegEngine Lite's C interface begin with: macros for its errors, files, and a network.
#ifndef MGEC_RUNTIME_LITE_TESTING_NETWORK_C_H_
#define MGEC_RUNTIME_LITE_TESTING_NETWORK_C_H_

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "lite-c/global_c.h"
#include "lite-c/network_c.h"
#include "runtime/testing/test_artifact.h"

inline std::string LastError() { return LITE_get_last_error(); }

#define EXPECT_OK(call) EXPECT_EQ(call, 0) << LITE_get_last_error()
#define ASSERT_OK(call) ASSERT_EQ(call, 0) << LITE_get_last_error()
#define EXPECT_ERROR(call, text)                                             \
  do {                                                                       \
    LITE_clear_last_error();                                                 \
    EXPECT_EQ(call, -1);                                                     \
    EXPECT_NE(LastError().find(text), std::string::npos) << LastError();     \
  } while (0)

inline std::string Artifact() { return mgec::MakeTestArtifact(); }

inline std::string TempPath(const std::string& name) { return testing::TempDir() + name; }

inline std::string Write(const std::string& name, const std::string& content) {
  std::ofstream(TempPath(name), std::ios::binary) << content;
  return TempPath(name);
}

inline std::string Read(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

// (a, b) -> sum = a + b, scaled = sum / 2, all [2, 3].
class NetworkC : public testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(LITE_make_default_network(&network_)); }
  void TearDown() override { LITE_destroy_network(network_); }

  void Load(std::string bytes = Artifact()) {
    ASSERT_OK(LITE_load_model_from_mem(network_, bytes.data(), bytes.size()));
  }
  float* Data(const char* name, LiteNetwork network = nullptr) {
    LiteTensor tensor = nullptr;
    void* data = nullptr;
    EXPECT_OK(LITE_get_io_tensor(network ? network : network_, name, LITE_IO, &tensor));
    EXPECT_OK(LITE_get_tensor_memory(tensor, &data));
    return static_cast<float*>(data);
  }
  void Fill(float seed = 0, LiteNetwork network = nullptr) {
    for (int i = 0; i < 6; ++i) {
      Data("a", network)[i] = static_cast<float>(i) + seed;
      Data("b", network)[i] = 10.0f * static_cast<float>(i);
    }
  }
  void ExpectRight(float seed = 0, LiteNetwork network = nullptr) {
    for (int i = 0; i < 6; ++i) {
      EXPECT_EQ(Data("sum", network)[i], 11.0f * static_cast<float>(i) + seed);
      EXPECT_EQ(Data("scaled", network)[i], 0.5f * (11.0f * static_cast<float>(i) + seed));
    }
  }
  void Run() {
    EXPECT_OK(LITE_forward(network_));
    EXPECT_OK(LITE_wait(network_));
  }

  LiteNetwork network_ = nullptr;
};

#endif  // MGEC_RUNTIME_LITE_TESTING_NETWORK_C_H_
