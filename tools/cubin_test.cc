#include "tools/cubin.h"

#include <gtest/gtest.h>

#include "compiler/codegen/cuda/nvrtc.h"

namespace mgec {
namespace {

using codegen::cuda::Nvrtc;

constexpr char kSource[] = R"(
extern "C" __global__ void add(float* x) { x[threadIdx.x] += 1; }
extern "C" __global__ void turn(float* x) {
  __shared__ float s[256];
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = s[255 - threadIdx.x];
}
extern "C" __global__ void pick(float* x, const int* order) {
  float local[40];
  for (int i = 0; i < 40; ++i) local[order[i]] = x[i];
  for (int i = 0; i < 40; ++i) x[i] = local[order[i + 40]];
}
)";

TEST(CubinTest, ReadsWhatPtxasWrote) {
  const auto nvrtc = Nvrtc::Get();
  if (!nvrtc.ok()) GTEST_SKIP() << "skipped: " << nvrtc.status().message();
  for (int architecture : {(*nvrtc)->architectures().front(), (*nvrtc)->architectures().back()}) {
    const auto compiled = (*nvrtc)->Compile(kSource, architecture);
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    const auto kernels = ReadCubin(compiled->cubin);
    ASSERT_TRUE(kernels.ok()) << kernels.status();
    ASSERT_EQ(kernels->size(), 3u);
    for (const auto& [name, r] : *kernels) {
      EXPECT_GT(r.registers, 0) << name;
      EXPECT_LT(r.registers, 128) << name;
      EXPECT_GE(r.local_bytes, name == "pick" ? 160 : 0) << name;
      EXPECT_EQ(r.local_bytes > 0, name == "pick") << name;
    }
    EXPECT_EQ(kernels->at("turn").shared_bytes, 1024);
    EXPECT_EQ(kernels->at("add").shared_bytes, 0);
    for (size_t size = 0; size < compiled->cubin.size(); size += 97) {
      const auto part = ReadCubin(absl::string_view(compiled->cubin).substr(0, size));
      if (part.ok()) {
        EXPECT_EQ(part->size(), 3u) << size;  // what is missing is of no interest
      }
    }
  }
}

TEST(CubinTest, RefusesWhatIsNone) {
  EXPECT_FALSE(ReadCubin("").ok());
  EXPECT_FALSE(ReadCubin("\177ELF").ok());
  EXPECT_FALSE(ReadCubin(std::string(1000, 'x')).ok());
}

}  // namespace
}  // namespace mgec
