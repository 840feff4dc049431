// The C++ interface of MegEngine Lite.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "lite/global.h"
#include "lite/network.h"
#include "lite/tensor.h"
#include "runtime/lite/testing/pack.h"
#include "runtime/testing/test_artifact.h"

namespace {

std::shared_ptr<lite::Network> Load(const lite::Config& config = {}, const lite::NetworkIO& io = {}) {
  std::string bytes = mgec::MakeTestArtifact();
  auto network = std::make_shared<lite::Network>(config, io);
  network->load_model(&bytes[0], bytes.size());
  return network;
}

float* Data(lite::Network& network, const char* name) {
  return static_cast<float*>(network.get_io_tensor(name)->get_memory_ptr());
}

void Fill(lite::Network& network, float seed = 0) {
  for (int i = 0; i < 6; ++i) {
    Data(network, "a")[i] = static_cast<float>(i) + seed;
    Data(network, "b")[i] = 10.0f * static_cast<float>(i);
  }
}

void ExpectRight(lite::Network& network, float seed = 0) {
  for (int i = 0; i < 6; ++i) EXPECT_EQ(Data(network, "sum")[i], 11.0f * static_cast<float>(i) + seed);
}

template <typename Function>
std::string Thrown(Function function) {
  try {
    function();
  } catch (const lite::Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

#define EXPECT_THROWN(statement, text) \
  EXPECT_NE(Thrown([&] { statement; }).find(text), std::string::npos) << Thrown([&] { statement; })

TEST(LiteTensor, Works) {
  lite::Tensor tensor(LITE_CPU, lite::Layout{{2, 3}, 2, LiteDataType::LITE_INT});
  EXPECT_EQ(tensor.get_tensor_total_size_in_byte(), 24u);
  for (int i = 0; i < 6; ++i) static_cast<int*>(tensor.get_memory_ptr())[i] = i;
  EXPECT_EQ(*static_cast<int*>(tensor.get_memory_ptr({1, 1})), 4);
  auto part = tensor.slice({0, 1}, {2, 3});
  EXPECT_FALSE(part->is_continue_memory());
  lite::Tensor copy;
  copy.copy_from(*part);
  EXPECT_EQ(copy.get_layout(), (lite::Layout{{2, 2}, 2, LiteDataType::LITE_INT}));
  EXPECT_EQ(static_cast<int*>(copy.get_memory_ptr())[3], 5);
  copy.reshape({4});
  EXPECT_EQ(copy.get_layout().ndim, 1u);
  auto joined = lite::TensorUtils::concat({copy, copy}, 0);
  EXPECT_EQ(joined->get_layout().shapes[0], 8u);
  lite::Tensor shared;
  shared.share_memory_with(copy);
  EXPECT_EQ(shared.get_memory_ptr(), copy.get_memory_ptr());
  shared.fill_zero();
  EXPECT_EQ(static_cast<int*>(copy.get_memory_ptr())[3], 0);
  int memory[4] = {1, 2, 3, 4};
  copy.reset(memory, sizeof(memory));
  EXPECT_EQ(copy.get_memory_ptr(), memory);
  copy.reset(memory, lite::Layout{{2}, 1, LiteDataType::LITE_INT});
  EXPECT_EQ(copy.get_layout().shapes[0], 2u);
  EXPECT_EQ(lite::Layout().get_elem_size(), 4u);
  EXPECT_EQ(tensor.get_device_type(), LITE_CPU);
  EXPECT_FALSE(tensor.is_pinned_host());
}

TEST(LiteTensor, Throws) {
  lite::Tensor empty;
  EXPECT_THROWN(empty.get_memory_ptr(), "memory ptr");
  EXPECT_THROWN(empty.reshape({}), "empty");
  EXPECT_THROWN(empty.slice({0}, {1}), "ndim");
  EXPECT_THROWN(empty.slice({0}, {}), "different length");
  EXPECT_THROWN(lite::Tensor{LITE_CUDA}, "request gpu0 out of valid range [0, 0)");
  EXPECT_THROWN(lite::TensorUtils::concat({}, 0), "at least one");
}

TEST(LiteAny, HoldsOneType) {
  const lite::LiteAny any(std::string("text"));
  EXPECT_EQ(any.safe_cast<std::string>(), "text");
  EXPECT_TRUE(any.try_cast<std::string>());
  EXPECT_FALSE(any.try_cast<int>());
  EXPECT_EQ(any.type(), lite::LiteAny::STRING);
  EXPECT_THROWN(any.safe_cast<int>(), "another type");
  const lite::LiteAny copy = any;
  EXPECT_EQ(copy.safe_cast<std::string>(), "text");
  EXPECT_THROWN(lite::LiteAny().cast_void_ptr(), "empty");
  EXPECT_EQ(*static_cast<int*>(lite::LiteAny(7).cast_void_ptr()), 7);
}

TEST(LiteNetwork, Computes) {
  auto network = Load();
  Fill(*network);
  network->forward();
  network->wait();
  ExpectRight(*network);
  EXPECT_EQ(network->get_all_input_name(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(network->get_output_name(1), "scaled");
  EXPECT_EQ(network->get_output_tensor(0)->get_memory_ptr(), Data(*network, "sum"));
  EXPECT_EQ(network->get_input_tensor(0)->get_layout(), (lite::Layout{{2, 3}, 2, LITE_FLOAT}));
  EXPECT_EQ(network->get_device_type(), LITE_CPU);
}

TEST(LiteNetwork, TensorsOutliveIt) {
  auto network = Load();
  Fill(*network);
  network->forward();
  auto sum = network->get_io_tensor("sum");
  network.reset();
  EXPECT_EQ(static_cast<float*>(sum->get_memory_ptr())[1], 11);
}

TEST(LiteNetwork, Throws) {
  lite::Network network;
  EXPECT_THROWN(network.forward(), "after model loaded");
  EXPECT_THROWN(network.load_model("/nowhere/model"), "/nowhere/model");
  EXPECT_THROWN(Load()->get_io_tensor("c"), "inputs: a, b");
  EXPECT_THROWN(Load()->get_discrete_tensors("a"), "discrete");
  EXPECT_THROWN(lite::Runtime::set_cpu_inplace_mode(nullptr), "null");
  EXPECT_THROWN(lite::Runtime::set_cpu_threads_number(Load(), 2), "before model loaded");
  lite::Config config;
  config.device_type = LITE_ATLAS;
  EXPECT_THROWN(lite::Network{config}, "LITE_CPU");
}

TEST(LiteNetwork, Callbacks) {
  auto network = Load();
  int finished = 0;
  network
      ->set_start_callback([](const std::unordered_map<std::string, std::pair<lite::IO, std::shared_ptr<lite::Tensor>>>& inputs) {
        static_cast<float*>(inputs.at("a").second->get_memory_ptr())[0] = 100;
      })
      .set_finish_callback([&](const auto& outputs) {
        finished += outputs.at("scaled").first.config_layout.ndim == 2 && outputs.size() == 2;
      });
  Fill(*network);
  network->forward();
  network->wait();
  EXPECT_EQ(Data(*network, "sum")[0], 100);
  EXPECT_EQ(finished, 1);
}

TEST(LiteNetwork, WhatCallbacksThrowComesOutOfTheCall) {
  auto network = Load();
  network->set_start_callback([](const auto&) { throw std::runtime_error("not today"); });
  EXPECT_THROW(network->forward(), std::runtime_error);
  network->set_start_callback(nullptr);
  network->set_finish_callback([](const auto&) { throw 7; });
  network->forward();
  EXPECT_THROW(network->wait(), int);
  network->set_finish_callback(nullptr);
  network->set_async_callback([] { throw std::runtime_error("nor then"); });
  const auto run = [&] {
    network->forward();  // where the pass may have ended already
    network->wait();
  };
  EXPECT_THROW(run(), std::runtime_error);
}

TEST(LiteNetwork, CallbacksAreReleased) {
  auto token = std::make_shared<int>(0);
  {
    auto network = Load();
    network->set_async_callback([token] { ++*token; });
    network->forward();
    network->wait();
    EXPECT_EQ(*token, 2);
    EXPECT_GT(token.use_count(), 1);
  }
  // The thread of the pass may have the network for a moment longer.
  for (int i = 0; i < 1000 && token.use_count() > 1; ++i) usleep(1000);
  EXPECT_EQ(token.use_count(), 1);
}

TEST(LiteNetwork, MayGoInItsOwnCallback) {
  auto network = Load();
  network->set_start_callback([&](const auto&) { network.reset(); });
  lite::Network* raw = network.get();
  raw->forward();
  EXPECT_EQ(network, nullptr);
}

class CountingAllocator : public lite::Allocator {
 public:
  void* allocate(LiteDeviceType, int, size_t size, size_t align) override {
    ++live;
    return std::aligned_alloc(align, (size + align - 1) / align * align);
  }
  void free(LiteDeviceType, int, void* memory) override {
    --live;
    std::free(memory);
  }
  int live = 0;
};

TEST(LiteRuntime, Settings) {
  auto allocator = std::make_shared<CountingAllocator>();
  auto network = std::make_shared<lite::Network>();
  lite::Runtime::set_memory_allocator(network, allocator);
  lite::Runtime::set_cpu_threads_number(network, 2);
  EXPECT_EQ(lite::Runtime::get_cpu_threads_number(network), 2u);
  EXPECT_FALSE(lite::Runtime::is_cpu_inplace_mode(network));
  lite::Runtime::use_tensorrt(network);
  lite::Runtime::enable_global_layout_transform(network);
  using lite::operator|;
  lite::Runtime::set_network_algo_policy(network, LITE_ALGO_PROFILE | LITE_ALGO_REPRODUCIBLE);
  std::string bytes = mgec::MakeTestArtifact();
  network->load_model(&bytes[0], bytes.size());
  EXPECT_EQ(allocator->live, 5);
  std::atomic<int> threads{0};
  lite::Runtime::set_runtime_thread_affinity(network, [&](int thread) { threads += 1 + thread; });
  EXPECT_EQ(threads, 3);
  auto other = std::make_shared<lite::Network>();
  lite::Runtime::share_runtime_memory_with(other, network);
  lite::Runtime::shared_weight_with_network(other, network);
  Fill(*other, 2);
  other->forward();
  ExpectRight(*other, 2);
  network.reset();
  other.reset();
  EXPECT_EQ(allocator->live, 0);
  EXPECT_EQ(allocator.use_count(), 1);
  const lite::NetworkIO io = lite::Runtime::get_model_io_info(bytes.data(), bytes.size());
  EXPECT_EQ(io.inputs.at(1).name, "b");
  EXPECT_EQ(io.outputs.at(0).config_layout, (lite::Layout{{2, 3}, 2, LITE_FLOAT}));
}

TEST(LiteNetwork, DiscreteInputs) {
  lite::Config config;
  config.discrete_input_name = "a";
  auto network = Load(config);
  auto items = network->get_discrete_tensors("a");
  ASSERT_EQ(items.size(), 2u);
  for (int i = 0; i < 3; ++i) static_cast<float*>(items[1]->get_memory_ptr())[i] = 5;
  network->forward();
  EXPECT_EQ(Data(*network, "sum")[5], 5);
}

TEST(LiteGlobal, DecryptionAndInformation) {
  EXPECT_TRUE(lite::register_decryption_and_key(
      "lite_test_add",
      [](const void* data, size_t size, const std::vector<uint8_t>& key) {
        const auto* bytes = static_cast<const uint8_t*>(data);
        if (key.size() != 1) throw std::runtime_error("a key of one byte, please");
        std::vector<uint8_t> plain(bytes, bytes + size);
        for (uint8_t& byte : plain) byte = static_cast<uint8_t>(byte - key[0]);
        return plain;
      },
      {1, 2}));
  EXPECT_THROWN(lite::register_decryption_and_key("lite_test_add", nullptr, {1}), "null");
  std::string file = mgec::MakeTestArtifact();
  for (char& c : file) c = static_cast<char>(c + 9);
  mgec::PackOptions options;
  options.model_cryption = "lite_test_add";
  options.info = "7";
  options.info_parser = "lite_test_parse";
  std::string packed = mgec::Pack(file, options);
  EXPECT_TRUE(lite::register_parse_info_func(
      "lite_test_parse", [](const void* info, size_t size, const std::string model_name, lite::Config& config,
                            lite::NetworkIO& io, std::unordered_map<std::string, lite::LiteAny>& isolated,
                            std::string& extra_info) {
        extra_info = model_name + std::string(static_cast<const char*>(info), size);
        config.options.weight_preprocess = true;
        io.outputs.push_back({"scaled"});
        isolated["device_id"] = 3;
        return true;
      }));
  lite::Network network;
  EXPECT_THROWN(network.load_model(&packed[0], packed.size()), "lite_test_add failed");
  EXPECT_TRUE(lite::update_decryption_or_key("lite_test_add", nullptr, {9}));
  network.load_model(&packed[0], packed.size());
  EXPECT_EQ(network.get_model_extra_info(), "model7");
  EXPECT_EQ(network.get_device_id(), 3);
  EXPECT_EQ(network.get_all_output_name()[0], "scaled");
  Fill(network);
  network.forward();
  ExpectRight(network);
}

TEST(LiteGlobal, Settings) {
  int major = 0, minor = 0, patch = 0;
  lite::get_version(major, minor, patch);
  EXPECT_EQ(major, 1);
  lite::set_log_level(INFO);
  EXPECT_EQ(lite::get_log_level(), INFO);
  EXPECT_GE(lite::get_device_count(LITE_CPU), 1u);
  EXPECT_THROWN(lite::get_device_count(LITE_NPU), "LITE_CPU");
  EXPECT_THROWN(lite::set_loader_lib_path("x.so"), "x.so");
  EXPECT_THROWN(lite::lookup_physic_ptr(&major, LITE_CPU), "not implement");
}

}  // namespace
