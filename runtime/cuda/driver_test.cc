#include "runtime/cuda/driver.h"

#include <cstdlib>

#include "gtest/gtest.h"

namespace mgec::cuda {
namespace {

constexpr char kEmulated[] = "runtime/cuda/testing/libcuda_emulated.so";

// Sets an environment variable for a block.
class Setting {
 public:
  Setting(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Setting() { unsetenv(name_); }

 private:
  const char* name_;
};

std::string ErrorOf(const std::string& path) {
  const Status status = Driver::Open(path).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  return status.message();
}

void ExpectContains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(DriverTest, Opens) {
  const Result<std::unique_ptr<const Driver>> driver = Driver::Open(kEmulated);
  ASSERT_TRUE(driver.ok()) << driver.status().message();
  EXPECT_EQ(driver.value()->devices(), 2);
  EXPECT_EQ(driver.value()->version(), "12.4");
}

TEST(DriverTest, SaysWhatIsMissing) {
  ExpectContains(ErrorOf("/nowhere/libcuda.so.1"), "cannot open NVIDIA's driver: /nowhere/libcuda.so.1");
  ExpectContains(ErrorOf("libm.so.6"), "libm.so.6 is no driver of NVIDIA's: it has no version");
  {
    const Setting old("MGEC_EMULATED_VERSION", "11030");
    ExpectContains(ErrorOf(kEmulated), "is too old: it supports CUDA 11.3, and 11.4 is needed; update NVIDIA's driver");
  }
  {
    const Setting none("MGEC_EMULATED_GPUS", "0");
    ExpectContains(ErrorOf(kEmulated), "finds no GPU");
  }
  EXPECT_TRUE(Driver::Open(kEmulated).ok()) << "and it opens again";
}

TEST(DriverTest, GetNamesTheVariableAndTriesAgain) {
  const std::string before = std::getenv("MGEC_CUDA_DRIVER");
  setenv("MGEC_CUDA_DRIVER", "/nowhere.so", 1);
  ExpectContains(Driver::Get().status().message(), "; MGEC_CUDA_DRIVER names it");
  setenv("MGEC_CUDA_DRIVER", before.c_str(), 1);
  ASSERT_TRUE(Driver::Get().ok());
  EXPECT_EQ(Driver::Get().value(), Driver::Get().value());
}

TEST(DriverTest, ErrorsHaveCodesAndNames) {
  const Result<std::unique_ptr<const Driver>> driver = Driver::Open(kEmulated);
  const auto check = [&](Error error) { return driver.value()->Check(error, "do this"); };
  EXPECT_TRUE(check(kSuccess).ok());
  EXPECT_EQ(check(kOutOfMemory).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(check(kOutOfMemory).message(), "failed to do this: out of memory (CUDA_ERROR_OUT_OF_MEMORY, 2)");
  EXPECT_EQ(check(kNoBinaryForGpu).code(), StatusCode::kUnsupported);
  EXPECT_EQ(check(kInvalidValue).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(check(kLaunchFailed).code(), StatusCode::kDeviceFailed);
  ExpectContains(check(kIllegalAddress).message(), "the GPU's context is lost");
}

}  // namespace
}  // namespace mgec::cuda
