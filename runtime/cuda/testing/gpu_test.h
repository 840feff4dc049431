// For tests that run on a GPU: on the emulated one if MGEC_CUDA_DRIVER names a driver, or else on a real one.
//
//   TEST(FooTest, Bar) {
//     SKIP_WITHOUT_GPU();
//     const std::shared_ptr<const Artifact> model = TestModel("lenet5");
#ifndef MGEC_RUNTIME_CUDA_TESTING_GPU_TEST_H_
#define MGEC_RUNTIME_CUDA_TESTING_GPU_TEST_H_

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "runtime/artifact.h"
#include "runtime/cuda/device.h"
#include "runtime/network.h"

namespace mgec::cuda {

// "" or why tests cannot run here.
std::string WhyNoGpu();
#define SKIP_WITHOUT_GPU() \
  if (const std::string why = ::mgec::cuda::WhyNoGpu(); !why.empty()) GTEST_SKIP() << "skipped: needs an NVIDIA GPU: " << why

bool Emulated();
#define SKIP_UNLESS_EMULATED() \
  if (!::mgec::cuda::Emulated()) GTEST_SKIP() << "skipped: needs the emulated driver"

std::shared_ptr<Device> Gpu(int id = 0);

// A model of compile_models.sh, compiled for the driver in use and for the CPU.
std::string TestModelPath(const std::string& name);
std::shared_ptr<const Artifact> TestModel(const std::string& name);

// A loaded network, or null after a failure.
std::unique_ptr<Network> LoadNetwork(std::shared_ptr<const Artifact> artifact, const NetworkOptions& options);
std::unique_ptr<Network> LoadOnGpu(std::shared_ptr<const Artifact> artifact, NetworkOptions options = {});

// Numbers that depend on the seed, or small counts for integers, in every input; for inputs in memory of the CPU.
void FillInputs(Network& network, unsigned seed);
// Forward(), Wait(), and the outputs' bytes.
std::vector<std::string> RunOnce(Network& network);
// The same numbers up to rounding.
void ExpectSame(const Network& network, const std::vector<std::string>& got, const std::vector<std::string>& want);

// The emulated driver's controls: see emulated_driver.cc.
void EmulatedFail(const char* function, int nth, int error);
int EmulatedCalls(const char* function);
int EmulatedLive();

}  // namespace mgec::cuda

#endif  // MGEC_RUNTIME_CUDA_TESTING_GPU_TEST_H_
