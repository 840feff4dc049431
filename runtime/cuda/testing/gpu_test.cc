#include "runtime/cuda/testing/gpu_test.h"

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>
#include <utility>

#include "runtime/cuda/driver.h"

namespace mgec::cuda {
namespace {

template <typename F>
F Control(const char* name) {
  void* const library = dlopen(std::getenv("MGEC_CUDA_DRIVER"), RTLD_NOW | RTLD_NOLOAD);
  return reinterpret_cast<F>(dlsym(library, name));
}

// Where the models for a real GPU are, which the first test compiles.
std::string CompiledFolder() {
  static const std::string folder = [] {
    const std::string path = ::testing::TempDir() + "/gpu_models";
    const std::string testing = "runtime/cuda/testing/";
    const std::string command =
        testing + "compile_models.sh tools/compile " + testing + "make_random_model " + path + " cuda,x86-64-v3";
    EXPECT_EQ(std::system(command.c_str()), 0);
    return path;
  }();
  return folder;
}

}  // namespace

bool Emulated() {
  const char* driver = std::getenv("MGEC_CUDA_DRIVER");
  return driver != nullptr && *driver != '\0';
}

std::string WhyNoGpu() {
  const Status status = Driver::Get().status();
  if (!status.ok() && Emulated()) ADD_FAILURE() << status.message();
  return status.message();
}

std::shared_ptr<Device> Gpu(int id) {
  Result<std::shared_ptr<Device>> device = Device::Open(id);
  EXPECT_TRUE(device.ok()) << device.status().message();
  return device.value();
}

std::string TestModelPath(const std::string& name) {
  return (Emulated() ? "runtime/cuda/testing/models" : CompiledFolder()) + "/" + name + ".mgec";
}

std::shared_ptr<const Artifact> TestModel(const std::string& name) {
  Result<std::shared_ptr<const Artifact>> artifact = Artifact::Open(TestModelPath(name));
  EXPECT_TRUE(artifact.ok()) << artifact.status().message();
  return artifact.value();
}

std::unique_ptr<Network> LoadNetwork(std::shared_ptr<const Artifact> artifact, const NetworkOptions& options) {
  Result<std::unique_ptr<Network>> network = Network::Load(std::move(artifact), options);
  EXPECT_TRUE(network.ok()) << network.status().message();
  return std::move(network.value());
}

std::unique_ptr<Network> LoadOnGpu(std::shared_ptr<const Artifact> artifact, NetworkOptions options) {
  if (options.gpu == nullptr) options.gpu = Gpu();
  return LoadNetwork(std::move(artifact), options);
}

void FillInputs(Network& network, unsigned seed) {
  for (size_t i = 0; i < network.input_count(); ++i) {
    const TensorInfo& info = network.input(i);
    std::mt19937 random(seed + static_cast<unsigned>(i));
    uint8_t* const data = network.input_data(i);
    for (size_t e = 0; info.dtype == DataType::kFloat32 && e < info.bytes / 4; ++e) {
      reinterpret_cast<float*>(data)[e] = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
    }
    for (size_t e = 0; info.dtype == DataType::kInt32 && e < info.bytes / 4; ++e) {
      reinterpret_cast<int32_t*>(data)[e] = static_cast<int32_t>(random() % 16);
    }
    for (size_t e = 0; info.dtype == DataType::kFloat16 && e < info.bytes / 2; ++e) {
      reinterpret_cast<uint16_t*>(data)[e] = static_cast<uint16_t>(0x3800 + random() % 0x400);  // 0.5 .. 1
    }
    for (size_t e = 0; BitsPerElement(info.dtype) == 8 && e < info.bytes; ++e) data[e] = random() % 2;
  }
}

std::vector<std::string> RunOnce(Network& network) {
  Status status = network.Forward();
  if (status.ok()) status = network.Wait();
  EXPECT_TRUE(status.ok()) << status.message();
  std::vector<std::string> outputs;
  for (size_t i = 0; i < network.output_count(); ++i) {
    outputs.emplace_back(reinterpret_cast<const char*>(network.output_data(i)), network.output(i).bytes);
  }
  return outputs;
}

namespace {

// The elements of a float32 or float16 tensor.
std::vector<float> FloatsOf(const std::string& bytes, DataType dtype) {
  if (dtype == DataType::kFloat32) {
    std::vector<float> floats(bytes.size() / sizeof(float));
    std::memcpy(floats.data(), bytes.data(), bytes.size());
    return floats;
  }
  std::vector<_Float16> halves(bytes.size() / sizeof(_Float16));
  std::memcpy(halves.data(), bytes.data(), bytes.size());
  return std::vector<float>(halves.begin(), halves.end());
}

}  // namespace

void ExpectSame(const Network& network, const std::vector<std::string>& got, const std::vector<std::string>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    SCOPED_TRACE(network.output(i).name);
    ASSERT_EQ(got[i].size(), want[i].size());
    const DataType dtype = network.output(i).dtype;
    if (dtype != DataType::kFloat32 && dtype != DataType::kFloat16) {
      EXPECT_TRUE(got[i] == want[i]);
      continue;
    }
    const std::vector<float> a = FloatsOf(got[i], dtype), b = FloatsOf(want[i], dtype);
    float peak = 0;
    for (float v : b) peak = std::max(peak, std::fabs(v));
    // GPUs round the factors of products of float16 networks to float16.
    const float tolerance = dtype == DataType::kFloat16 ? 4e-3f : 2e-4f;
    for (size_t k = 0; k < a.size(); ++k) ASSERT_NEAR(a[k], b[k], tolerance * peak) << "element " << k;
  }
}

void EmulatedFail(const char* function, int nth, int error) {
  Control<void (*)(const char*, int, int)>("emulated_fail")(function, nth, error);
}
int EmulatedCalls(const char* function) { return Control<int (*)(const char*)>("emulated_calls")(function); }
int EmulatedLive() { return Control<int (*)()>("emulated_live")(); }

}  // namespace mgec::cuda
