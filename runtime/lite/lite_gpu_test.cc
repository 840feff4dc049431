// MegEngine Lite's C++ interface (and C where it has more) on a GPU.
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "lite/global.h"
#include "lite/network.h"
#include "lite/tensor.h"
#include "runtime/cuda/testing/gpu_test.h"
#include "runtime/include/lite-c/network_c.h"

namespace mgec {
namespace {

#define EXPECT_THROWN(statement, text)                                                     \
  try {                                                                                    \
    statement;                                                                             \
    ADD_FAILURE() << "nothing was thrown";                                                 \
  } catch (const std::exception& e) {                                                      \
    EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();            \
  }

// A tensor of the CPU with 0, 1, 2, ...
lite::Tensor Iota(const lite::Layout& layout) {
  lite::Tensor tensor(LITE_CPU, layout);
  float* const data = static_cast<float*>(tensor.get_memory_ptr());
  std::iota(data, data + tensor.get_tensor_total_size_in_byte() / 4, 0.0f);
  return tensor;
}

std::vector<float> Values(const lite::Tensor& tensor) {
  lite::Tensor host(LITE_CPU);
  host.copy_from(tensor);
  const float* const data = static_cast<const float*>(host.get_memory_ptr());
  return std::vector<float>(data, data + host.get_tensor_total_size_in_byte() / 4);
}

lite::Config CudaConfig() {
  lite::Config config;
  config.device_type = LITE_CUDA;
  return config;
}

std::shared_ptr<lite::Network> Load(const char* model, const lite::NetworkIO& io = {}) {
  auto network = std::make_shared<lite::Network>(CudaConfig(), io);
  network->load_model(cuda::TestModelPath(model));
  return network;
}

// What the CPU computes of LeNet for the input 0.5, 0.5, ...
std::vector<float> OnCpu(const char* model, const lite::Tensor& input) {
  lite::Network network;
  network.load_model(cuda::TestModelPath(model));
  network.get_input_tensor(0)->copy_from(input);
  network.forward();
  network.wait();
  return Values(*network.get_output_tensor(0));
}

lite::Tensor Halves(const lite::Layout& layout) {
  lite::Tensor tensor(LITE_CPU, layout);
  float* const data = static_cast<float*>(tensor.get_memory_ptr());
  std::fill(data, data + tensor.get_tensor_total_size_in_byte() / 4, 0.5f);
  return tensor;
}

void ExpectNear(const std::vector<float>& got, const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-3f) << i;
}

TEST(GpuTensorTest, CopiesBothWays) {
  SKIP_WITHOUT_GPU();
  lite::Tensor device(LITE_CUDA);
  EXPECT_EQ(device.get_device_type(), LITE_CUDA);
  EXPECT_FALSE(device.is_pinned_host());
  const lite::Tensor host = Iota({{2, 3, 4}, 3, LITE_FLOAT});
  device.copy_from(host);
  EXPECT_EQ(device.get_layout().ndim, 3u);
  lite::Tensor other(LITE_CUDA);
  other.copy_from(device);
  EXPECT_EQ(Values(other), Values(host));
  device.fill_zero();
  EXPECT_EQ(Values(device), std::vector<float>(24, 0));
  EXPECT_EQ(Values(other), Values(host));
}

// Every kind of slice, in each direction between CPU and GPU.
TEST(GpuTensorTest, Slices) {
  SKIP_WITHOUT_GPU();
  const lite::Layout layout = {{4, 5, 6}, 3, LITE_FLOAT};
  struct Range {
    std::vector<size_t> start, end, step;
  };
  const size_t minus_one = static_cast<size_t>(-1), minus_nine = static_cast<size_t>(-9);
  for (const Range& r : std::vector<Range>{{{1}, {3}, {}},
                                            {{0, 1}, {4, 3}, {}},
                                            {{1, 0, 2}, {3, 5, 4}, {}},
                                            {{0, 0, 1}, {4, 5, 6}, {1, 2, 2}},
                                            {{3, 4, 5}, {minus_nine, minus_nine, minus_nine}, {minus_one, minus_one, minus_one}},
                                            {{0, 2, 0}, {4, 3, 6}, {}}}) {
    lite::Tensor host = Iota(layout), device(LITE_CUDA), copy(LITE_CUDA);
    device.copy_from(host);
    const auto host_part = host.slice(r.start, r.end, r.step), device_part = device.slice(r.start, r.end, r.step);
    const std::vector<float> want = Values(*host_part);
    EXPECT_EQ(Values(*device_part), want);
    copy.copy_from(*device_part);
    EXPECT_EQ(Values(copy), want);
    // Into the part, from all sides.
    lite::Tensor zeros(LITE_CPU, host_part->get_layout());
    zeros.fill_zero();
    host_part->copy_from(zeros);
    device_part->copy_from(zeros);
    EXPECT_EQ(Values(device), Values(host));
    host.copy_from(Iota(layout));
    device_part->copy_from(copy);
    EXPECT_EQ(Values(device), Values(host));
    device_part->fill_zero();
    host_part->fill_zero();
    EXPECT_EQ(Values(device), Values(host));
    host_part->copy_from(*device_part);
  }
}

TEST(GpuTensorTest, SharesReshapesAndJoins) {
  SKIP_WITHOUT_GPU();
  lite::Tensor device(LITE_CUDA), alias(LITE_CPU);
  device.copy_from(Iota({{2, 6}, 2, LITE_FLOAT}));
  alias.share_memory_with(device);
  EXPECT_EQ(alias.get_device_type(), LITE_CUDA);
  EXPECT_EQ(alias.get_memory_ptr(), device.get_memory_ptr());
  alias.reshape({3, -1});
  EXPECT_EQ(Values(alias), Values(device));
  const auto joined = lite::TensorUtils::concat({device, Iota({{1, 6}, 2, LITE_FLOAT})}, 0);
  EXPECT_EQ(joined->get_device_type(), LITE_CUDA);
  EXPECT_EQ(joined->get_layout().shapes[0], 3u);
  std::vector<float> want = Values(device);
  for (int i = 0; i < 6; ++i) want.push_back(static_cast<float>(i));
  EXPECT_EQ(Values(*joined), want);
  const auto on_cpu = lite::TensorUtils::concat({device, device}, 1, LITE_CPU);
  EXPECT_EQ(on_cpu->get_device_type(), LITE_CPU);
  EXPECT_EQ(static_cast<float*>(on_cpu->get_memory_ptr())[6], 0);
}

TEST(GpuTensorTest, Pinned) {
  SKIP_WITHOUT_GPU();
  lite::Tensor pinned(LITE_CUDA, {{3}, 1, LITE_FLOAT}, true);
  EXPECT_TRUE(pinned.is_pinned_host());
  static_cast<float*>(pinned.get_memory_ptr())[2] = 7;
  EXPECT_EQ(Values(pinned), (std::vector<float>{0, 0, 7}));
  lite::Tensor device(LITE_CUDA);
  device.copy_from(pinned);
  pinned.fill_zero();
  pinned.copy_from(device);
  EXPECT_TRUE(pinned.is_pinned_host());
  EXPECT_EQ(static_cast<float*>(pinned.get_memory_ptr())[2], 7);
}

TEST(GpuTensorTest, MemoryOfTheUser) {
  SKIP_WITHOUT_GPU();
  lite::Tensor device(LITE_CUDA), view(LITE_CUDA);
  device.copy_from(Iota({{4}, 1, LITE_FLOAT}));
  view.reset(device.get_memory_ptr(), {{4}, 1, LITE_FLOAT});
  EXPECT_EQ(Values(view), (std::vector<float>{0, 1, 2, 3}));
  float host[4] = {};
  EXPECT_THROWN(view.reset(host, {{4}, 1, LITE_FLOAT}), "is not on gpu0");
}

TEST(GpuTensorTest, Devices) {
  SKIP_WITHOUT_GPU();
  const size_t count = lite::get_device_count(LITE_CUDA);
  ASSERT_GE(count, 1u);
  EXPECT_THROWN(lite::Tensor(static_cast<int>(count), LITE_CUDA), "request gpu");
  if (count < 2) return;
  lite::Tensor first(0, LITE_CUDA), second(1, LITE_CUDA);
  EXPECT_EQ(second.get_device_id(), 1);
  first.copy_from(Iota({{2, 3}, 2, LITE_FLOAT}));
  second.copy_from(first);
  EXPECT_EQ(Values(second), (std::vector<float>{0, 1, 2, 3, 4, 5}));
}

TEST(GpuNetworkTest, InputsAndOutputsOnTheHost) {
  SKIP_WITHOUT_GPU();
  const auto network = Load("lenet5");
  EXPECT_EQ(network->get_device_type(), LITE_CUDA);
  const auto input = network->get_io_tensor("data");
  EXPECT_EQ(input->get_device_type(), LITE_CPU);
  EXPECT_TRUE(input->is_pinned_host());
  const lite::Tensor halves = Halves(input->get_layout());
  const std::vector<float> want = OnCpu("lenet5", halves);
  std::memcpy(input->get_memory_ptr(), halves.get_memory_ptr(), input->get_tensor_total_size_in_byte());
  for (int i = 0; i < 3; ++i) {
    network->forward();
    network->wait();
  }
  const auto output = network->get_output_tensor(0);
  const float* const data = static_cast<float*>(output->get_memory_ptr());
  ExpectNear(std::vector<float>(data, data + 10), want);
  // Memory of the user that is not pinned.
  std::vector<float> mine(1024, 0.5f), result(10);
  input->reset(mine.data(), input->get_layout());
  output->reset(result.data(), output->get_layout());
  network->forward();
  network->wait();
  ExpectNear(result, want);
}

// As in the example "device IO" of MegEngine Lite.
TEST(GpuNetworkTest, InputsAndOutputsOnTheDevice) {
  SKIP_WITHOUT_GPU();
  lite::NetworkIO io;
  io.inputs.push_back({"data", false});
  io.outputs.push_back({"f3.ADD", false});
  const auto network = Load("lenet5", io);
  const auto input = network->get_input_tensor(0);
  EXPECT_EQ(input->get_device_type(), LITE_CUDA);
  EXPECT_FALSE(input->is_pinned_host());
  const lite::Layout layout = input->get_layout();
  lite::Tensor on_device(LITE_CUDA, layout);
  on_device.copy_from(Halves(layout));
  const std::vector<float> want = OnCpu("lenet5", Halves(layout));
  input->reset(on_device.get_memory_ptr(), layout);
  network->forward();
  network->wait();
  const auto output = network->get_io_tensor("f3.ADD");
  EXPECT_EQ(output->get_device_type(), LITE_CUDA);
  ExpectNear(Values(*output), want);

  input->share_memory_with(on_device);
  on_device.fill_zero();
  network->forward();
  network->wait();
  ExpectNear(Values(*output), OnCpu("lenet5", lite::Tensor(LITE_CPU, layout)));
  input->copy_from(Halves(layout));
  network->forward();
  network->wait();
  ExpectNear(Values(*output), want);
}

TEST(GpuNetworkTest, PinnedInput) {
  SKIP_WITHOUT_GPU();
  const auto network = Load("lenet5");
  const lite::Layout layout = network->get_input_tensor(0)->get_layout();
  lite::Tensor pinned(LITE_CUDA, layout, true);
  pinned.copy_from(Halves(layout));
  network->get_input_tensor(0)->reset(pinned.get_memory_ptr(), layout);
  network->forward();
  network->wait();
  ExpectNear(Values(*network->get_output_tensor(0)), OnCpu("lenet5", Halves(layout)));
}

TEST(GpuNetworkTest, AsynchronousWithCallbacks) {
  SKIP_WITHOUT_GPU();
  const auto network = Load("lenet5");
  network->get_input_tensor(0)->copy_from(Halves(network->get_input_tensor(0)->get_layout()));
  std::vector<float> seen;
  network->set_finish_callback([&](const auto& outputs) { seen = Values(*outputs.at("f3.ADD").second); });
  int called = 0;
  network->set_async_callback([&] { ++called; });
  network->forward();
  network->wait();
  EXPECT_EQ(called, 2);
  ExpectNear(seen, OnCpu("lenet5", Halves(network->get_input_tensor(0)->get_layout())));
}

TEST(GpuNetworkTest, OtherShapesAndSizesThatDependOnValues) {
  SKIP_WITHOUT_GPU();
  const auto network = Load("lenet5_any_batch");
  const lite::Tensor three = Halves({{3, 1, 32, 32}, 4, LITE_FLOAT});
  network->get_input_tensor(0)->copy_from(three);
  network->forward();
  network->wait();
  EXPECT_EQ(network->get_output_tensor(0)->get_layout().shapes[0], 3u);
  ExpectNear(Values(*network->get_output_tensor(0)), OnCpu("lenet5_any_batch", three));

  lite::NetworkIO io;
  const auto cpu = std::make_shared<lite::Network>();
  cpu->load_model(cuda::TestModelPath("cond_take"));
  for (const std::string& name : cpu->get_all_output_name()) io.outputs.push_back({name, false});
  const auto taken = Load("cond_take", io);
  for (const auto& n : {cpu, taken}) {
    n->forward();
    n->wait();
  }
  EXPECT_EQ(taken->get_output_tensor(0)->get_layout().shapes[0], cpu->get_output_tensor(0)->get_layout().shapes[0]);
}

TEST(GpuNetworkTest, ShareWeightsAndMemory) {
  SKIP_WITHOUT_GPU();
  const auto first = Load("lenet5");
  auto second = std::make_shared<lite::Network>(CudaConfig());
  lite::Runtime::share_runtime_memory_with(second, first);
  lite::Runtime::shared_weight_with_network(second, first);
  for (const auto& network : {first, second}) {
    network->get_input_tensor(0)->copy_from(Halves(network->get_input_tensor(0)->get_layout()));
    network->forward();
  }
  first->wait();
  second->wait();
  EXPECT_EQ(Values(*first->get_output_tensor(0)), Values(*second->get_output_tensor(0)));
}

// Memory of the driver, as another library in the process would manage it.
class DeviceAllocator : public lite::Allocator {
 public:
  void* allocate(LiteDeviceType device_type, int device_id, size_t size, size_t align) override {
    EXPECT_EQ(device_type, LITE_CUDA);
    EXPECT_EQ(device_id, 0);
    EXPECT_EQ(align, 256u);
    if (exhausted) return nullptr;
    ++live;
    cuda::Pointer memory = 0;
    EXPECT_EQ(cuda::Gpu()->driver().cuMemAlloc_v2(&memory, size), cuda::kSuccess);
    return reinterpret_cast<void*>(memory);
  }
  void free(LiteDeviceType device_type, int device_id, void* memory) override {
    EXPECT_EQ(device_type, LITE_CUDA);
    EXPECT_EQ(device_id, 0);
    --live;
    EXPECT_EQ(cuda::Gpu()->driver().cuMemFree_v2(reinterpret_cast<uintptr_t>(memory)), cuda::kSuccess);
  }
  int live = 0;
  bool exhausted = false;
};

TEST(GpuNetworkTest, UsersAllocator) {
  SKIP_WITHOUT_GPU();
  const auto allocator = std::make_shared<DeviceAllocator>();
  lite::NetworkIO io;
  io.outputs.push_back({"f3.ADD", false});
  auto network = std::make_shared<lite::Network>(CudaConfig(), io);
  lite::Runtime::set_memory_allocator(network, allocator);
  allocator->exhausted = true;
  EXPECT_THROWN(network->load_model(cuda::TestModelPath("lenet5")), "the memory allocator of the network gave nothing");
  EXPECT_EQ(allocator->live, 0);
  allocator->exhausted = false;
  network->load_model(cuda::TestModelPath("lenet5"));
  EXPECT_EQ(allocator->live, 2);  // the arena, the output
  auto input = network->get_input_tensor(0);
  input->copy_from(Halves(input->get_layout()));
  network->forward();
  network->wait();
  EXPECT_EQ(allocator->live, 3);  // and room for the input
  auto output = network->get_output_tensor(0);
  ExpectNear(Values(*output), OnCpu("lenet5", Halves(input->get_layout())));
  // A network's tensor gets new memory from the same place.
  output->set_layout({{4, 10}, 2, LITE_FLOAT});
  output->fill_zero();
  EXPECT_EQ(allocator->live, 4);  // the network keeps what it writes to until its next pass
  network->forward();
  network->wait();
  ExpectNear(Values(*output), OnCpu("lenet5", Halves(input->get_layout())));
  // Who shares the runtime memory shares its source.
  auto second = std::make_shared<lite::Network>(CudaConfig());
  lite::Runtime::share_runtime_memory_with(second, network);
  lite::Runtime::shared_weight_with_network(second, network);
  second->forward();
  second->wait();
  network.reset();
  second.reset();
  EXPECT_EQ(allocator->live, 3);  // tensors keep their network
  input.reset();
  output.reset();
  EXPECT_EQ(allocator->live, 0);
  EXPECT_EQ(allocator.use_count(), 1);
}

TEST(GpuNetworkTest, ReportsAndSettings) {
  SKIP_WITHOUT_GPU();
  const std::string profile = testing::TempDir() + "/profile.json", dump = testing::TempDir() + "/dump.txt";
  auto network = std::make_shared<lite::Network>(CudaConfig());
  EXPECT_THROWN(lite::Runtime::set_cpu_threads_number(network, 2), "only avaliable in CPU");
  EXPECT_THROWN(lite::Runtime::set_cpu_inplace_mode(network), "only avaliable in CPU");
  network->set_stream_id(3);
  network->load_model(cuda::TestModelPath("lenet5"));
  network->enable_profile_performance(profile);
  lite::Runtime::enable_io_txt_dump(network, dump);
  network->forward();
  network->wait();
  std::ifstream profile_file(profile), dump_file(dump);
  const std::string text((std::istreambuf_iterator<char>(profile_file)), std::istreambuf_iterator<char>());
  EXPECT_NE(text.find("\"kernel\""), std::string::npos);
  const std::string lines((std::istreambuf_iterator<char>(dump_file)), std::istreambuf_iterator<char>());
  EXPECT_NE(lines.find("name=f3.ADD"), std::string::npos) << lines;
}

TEST(GpuNetworkTest, Refusals) {
  SKIP_WITHOUT_GPU();
  lite::Config config = CudaConfig();
  config.device_id = 1000;
  lite::Network far(config);
  EXPECT_THROWN(far.load_model(cuda::TestModelPath("lenet5")), "request gpu1000 out of valid range [0, ");
}

TEST(GpuNetworkTest, ErrorsOfTheGpuComeOut) {
  SKIP_WITHOUT_GPU();
  SKIP_UNLESS_EMULATED();
  {
    const auto network = Load("lenet5");
    cuda::EmulatedFail("cuGraphLaunch", 1, cuda::kOutOfMemory);
    EXPECT_THROWN(network->forward(), "out of memory");
    network->forward();
    network->wait();
    cuda::EmulatedFail("kernel", 1, cuda::kLaunchFailed);
    network->forward();
    EXPECT_THROWN(network->wait(), "the GPU's context is lost");
    EXPECT_THROWN(Load("lenet5"), "let go of all networks and tensors on it");
  }
  const auto again = Load("lenet5");
  again->forward();
  again->wait();
}

}  // namespace
}  // namespace mgec
