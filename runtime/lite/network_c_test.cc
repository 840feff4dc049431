#include <sys/stat.h>

#include <string>
#include <vector>

#include "lite-c/extension_c.h"
#include "runtime/lite/testing/network_c.h"
#include "runtime/lite/testing/pack.h"

namespace {

TEST_F(NetworkC, Computes) {
  Load();
  Fill();
  Run();
  ExpectRight();
  Fill(5);
  Run();
  ExpectRight(5);
}

TEST_F(NetworkC, LoadsFiles) {
  const std::string path = Write("loads_files.mgec", Artifact());
  ASSERT_OK(LITE_load_model_from_path(network_, path.c_str()));
  Fill();
  Run();
  ExpectRight();
  EXPECT_ERROR(LITE_load_model_from_path(network_, "/nowhere/model.mgec"), "/nowhere/model.mgec");
  EXPECT_ERROR(LITE_load_model_from_path(network_, testing::TempDir().c_str()), "not a regular file");
  Run();  // still there
}

TEST_F(NetworkC, SaysHowToCompile) {
  const std::string path = Write("not_compiled.mge", std::string("\x20\0\0\0\x10\0\0\0mgv2 and so on", 22));
  EXPECT_ERROR(LITE_load_model_from_path(network_, path.c_str()), "megenginelite compile");
  EXPECT_ERROR(LITE_load_model_from_path(network_, path.c_str()), path);
  EXPECT_ERROR(LITE_load_model_from_path(network_, Write("noise", "some noise that is no model").c_str()), "invalid model format");
  EXPECT_ERROR(LITE_load_model_from_path(network_, Write("nothing", "").c_str()), "invalid model format");
}

TEST_F(NetworkC, CallsBeforeLoadingAreErrors) {
  LiteTensor tensor;
  const char* name;
  EXPECT_ERROR(LITE_forward(network_), "after model loaded");
  EXPECT_ERROR(LITE_wait(network_), "after model loaded");
  EXPECT_ERROR(LITE_get_io_tensor(network_, "a", LITE_IO, &tensor), "after model loaded");
  EXPECT_ERROR(LITE_get_input_name(network_, 0, &name), "index");
  EXPECT_ERROR(LITE_set_network_algo_workspace_limit(network_, 1), "after model loaded");
  EXPECT_ERROR(LITE_get_static_memory_alloc_info(network_, "x"), "after model loaded");
  size_t size = 7;
  EXPECT_OK(LITE_get_all_input_name(network_, &size, nullptr));
  EXPECT_EQ(size, 0u);
}

TEST_F(NetworkC, SettingsAfterLoadingAreErrors) {
  Load();
  EXPECT_ERROR(LITE_set_cpu_threads_number(network_, 2), "before model loaded");
  EXPECT_ERROR(LITE_set_cpu_inplace_mode(network_), "before model loaded");
  EXPECT_ERROR(LITE_set_device_id(network_, 1), "before model loaded");
  EXPECT_ERROR(LITE_set_stream_id(network_, 1), "before model loaded");
  EXPECT_ERROR(LITE_use_tensorrt(network_), "before model loaded");
  EXPECT_ERROR(LITE_enable_global_layout_transform(network_), "before model loaded");
  EXPECT_ERROR(LITE_extra_configure(network_, LiteExtraConfig{0}), "before model loaded");
  EXPECT_ERROR(LITE_dump_layout_transform_model(network_, "x"), "compiled artifact");
}

TEST_F(NetworkC, StaleAndNullHandlesAreErrors) {
  Load();
  LiteTensor tensor = nullptr;
  ASSERT_OK(LITE_get_io_tensor(network_, "a", LITE_IO, &tensor));
  EXPECT_OK(LITE_destroy_tensor(tensor));  // the network's: stays
  void* data;
  EXPECT_OK(LITE_get_tensor_memory(tensor, &data));
  LiteNetwork stale = network_;
  EXPECT_OK(LITE_destroy_network(stale));
  EXPECT_ERROR(LITE_destroy_network(stale), "no such network");
  EXPECT_ERROR(LITE_forward(stale), "no such network");
  EXPECT_ERROR(LITE_forward(nullptr), "null");
  EXPECT_ERROR(LITE_forward(tensor), "no such network");
  EXPECT_ERROR(LITE_get_tensor_memory(tensor, &data), "no such tensor");
  EXPECT_ERROR(LITE_make_default_network(nullptr), "null");
  ASSERT_OK(LITE_make_default_network(&network_));
  EXPECT_NE(network_, stale);
  EXPECT_ERROR(LITE_load_model_from_mem(network_, nullptr, 1), "null");
  EXPECT_ERROR(LITE_load_model_from_path(network_, nullptr), "null");
  EXPECT_ERROR(LITE_get_io_tensor(network_, nullptr, LITE_IO, &tensor), "null");
  EXPECT_ERROR(LITE_get_model_io_info_by_path(nullptr, *default_config(), nullptr), "null");
}

TEST_F(NetworkC, Names) {
  Load();
  const char* name = nullptr;
  EXPECT_OK(LITE_get_input_name(network_, 1, &name));
  EXPECT_STREQ(name, "b");
  EXPECT_OK(LITE_get_output_name(network_, 0, &name));
  EXPECT_STREQ(name, "sum");
  EXPECT_ERROR(LITE_get_output_name(network_, 2, &name), "index");
  size_t size = 0;
  EXPECT_OK(LITE_get_all_output_name(network_, &size, nullptr));
  std::vector<const char*> names(size);
  EXPECT_OK(LITE_get_all_output_name(network_, nullptr, names.data()));
  EXPECT_EQ(std::vector<std::string>(names.begin(), names.end()), (std::vector<std::string>{"sum", "scaled"}));
  LiteTensor tensor, again;
  EXPECT_ERROR(LITE_get_io_tensor(network_, "a", LITE_OUTPUT, &tensor), "inputs: a, b, outputs: sum, scaled");
  EXPECT_OK(LITE_get_io_tensor(network_, "a", LITE_INPUT, &tensor));
  EXPECT_OK(LITE_get_io_tensor(network_, "a", LITE_IO, &again));
  EXPECT_EQ(tensor, again);
}

TEST_F(NetworkC, ConfiguredOutputsComeFirst) {
  LITE_destroy_network(network_);
  LiteIO output = default_io;
  output.name = "scaled";
  LiteIO input = default_io;
  input.name = "unknown";
  ASSERT_OK(LITE_make_network(&network_, *default_config(), LiteNetworkIO{&input, &output, 1, 1}));
  Load();
  const char* names[2] = {};
  EXPECT_OK(LITE_get_all_output_name(network_, nullptr, names));
  EXPECT_STREQ(names[0], "scaled");
  EXPECT_STREQ(names[1], "sum");
  LITE_destroy_network(network_);
  ASSERT_OK(LITE_make_network(&network_, *default_config(), LiteNetworkIO{&input, &output, 1, 1}));
  EXPECT_OK(LITE_ext_compute_only_configured_output(network_));
  Load();
  size_t size = 0;
  EXPECT_OK(LITE_get_all_output_name(network_, &size, nullptr));
  EXPECT_EQ(size, 1u);
  LiteNetwork other;
  LiteIO nameless = default_io;
  EXPECT_ERROR(LITE_make_network(&other, *default_config(), LiteNetworkIO{&nameless, nullptr, 1, 0}), "name");
  EXPECT_ERROR(LITE_make_network(&other, *default_config(), LiteNetworkIO{nullptr, nullptr, 1, 0}), "null");
}

TEST_F(NetworkC, WrongInputsAreErrorsAndTheNetworkStaysUsable) {
  mgec::TestArtifactOptions options;
  options.shapes = {{2, 3}, {4, 3}};
  Load(mgec::MakeTestArtifact(options));
  LiteTensor a, b;
  ASSERT_OK(LITE_get_io_tensor(network_, "a", LITE_IO, &a));
  ASSERT_OK(LITE_get_io_tensor(network_, "b", LITE_IO, &b));
  LiteLayout layout;
  ASSERT_OK(LITE_get_tensor_layout(a, &layout));
  const LiteLayout right = layout;
  layout.data_type = LITE_INT;
  ASSERT_OK(LITE_set_tensor_layout(a, layout));
  EXPECT_ERROR(LITE_forward(network_), "input a is LITE_INT, but the model takes LITE_FLOAT");
  layout.data_type = LITE_FLOAT;
  layout.shapes[0] = 3;
  ASSERT_OK(LITE_set_tensor_layout(a, layout));
  ASSERT_OK(LITE_set_tensor_layout(b, layout));
  EXPECT_ERROR(LITE_forward(network_), "--input-shape");
  layout.shapes[0] = 4;
  ASSERT_OK(LITE_set_tensor_layout(a, layout));
  ASSERT_OK(LITE_set_tensor_layout(b, layout));
  for (int i = 0; i < 12; ++i) Data("a")[i] = Data("b")[i] = static_cast<float>(i);
  Run();
  EXPECT_EQ(Data("sum")[11], 22);
  ASSERT_OK(LITE_set_tensor_layout(a, right));
  ASSERT_OK(LITE_set_tensor_layout(b, right));
  Fill();
  Run();
  ExpectRight();
}

TEST_F(NetworkC, UsersMemoryForInputsAndOutputs) {
  Load();
  std::vector<float> a(6, 1), b(6, 2), sum(6), both(8, 1);
  LiteTensor tensor;
  ASSERT_OK(LITE_get_io_tensor(network_, "a", LITE_IO, &tensor));
  EXPECT_OK(LITE_reset_tensor_memory(tensor, a.data(), 24));
  ASSERT_OK(LITE_get_io_tensor(network_, "b", LITE_IO, &tensor));
  EXPECT_OK(LITE_reset_tensor_memory(tensor, b.data(), 24));
  ASSERT_OK(LITE_get_io_tensor(network_, "sum", LITE_IO, &tensor));
  EXPECT_OK(LITE_reset_tensor_memory(tensor, sum.data(), 24));
  Run();
  EXPECT_EQ(sum, std::vector<float>(6, 3));
  EXPECT_OK(LITE_reset_tensor_memory(tensor, b.data(), 24));
  EXPECT_ERROR(LITE_forward(network_), "output sum and b share memory");
  EXPECT_ERROR(LITE_forward(network_), "output sum and b share memory");
  EXPECT_OK(LITE_reset_tensor_memory(tensor, sum.data(), 24));
  Run();
}

TEST_F(NetworkC, SharedWeightsAndMemory) {
  Load();
  LiteNetwork other;
  ASSERT_OK(LITE_make_default_network(&other));
  EXPECT_ERROR(LITE_share_runtime_memroy(network_, other), "before model loaded");
  EXPECT_ERROR(LITE_share_runtime_memroy(other, other), "itself");
  EXPECT_OK(LITE_share_runtime_memroy(other, network_));
  EXPECT_OK(LITE_shared_weight_with_network(other, network_));
  Fill(1);
  Fill(2, other);
  Run();
  EXPECT_OK(LITE_forward(other));
  EXPECT_OK(LITE_wait(other));
  ExpectRight(1);
  ExpectRight(2, other);
  EXPECT_OK(LITE_destroy_network(network_));
  Fill(3, other);
  EXPECT_OK(LITE_forward(other));
  ExpectRight(3, other);
  ASSERT_OK(LITE_make_default_network(&network_));
  EXPECT_ERROR(LITE_shared_weight_with_network(other, network_), "after model loaded");
  LITE_destroy_network(other);
}

// A network with more intermediate results makes the shared memory grow under one that is already loaded.
TEST_F(NetworkC, SharedMemoryGrows) {
  Load();
  Fill(1);
  Run();
  mgec::TestArtifactOptions large;
  large.shapes = {{300, 1000}};
  std::string bytes = mgec::MakeTestArtifact(large);
  LiteNetwork other;
  ASSERT_OK(LITE_make_default_network(&other));
  EXPECT_OK(LITE_share_runtime_memroy(other, network_));
  ASSERT_OK(LITE_load_model_from_mem(other, bytes.data(), bytes.size()));
  EXPECT_OK(LITE_forward(other));
  Fill(2);
  Run();
  ExpectRight(2);
  LITE_destroy_network(other);
  Fill(3);
  Run();
  ExpectRight(3);
}

TEST_F(NetworkC, DiscreteInputs) {
  LITE_destroy_network(network_);
  LiteConfig config = *default_config();
  config.discrete_input_name = "a";
  ASSERT_OK(LITE_make_network_config(&network_, config));
  Load();
  LiteTensor tensor;
  EXPECT_ERROR(LITE_get_io_tensor(network_, "a", LITE_IO, &tensor), "discrete");
  EXPECT_ERROR(LITE_get_discrete_tensor(network_, "b", 0, LITE_INPUT, &tensor), "discrete_input_name");
  EXPECT_ERROR(LITE_get_discrete_tensor(network_, "a", 2, LITE_INPUT, &tensor), "less than 2");
  size_t count = 0;
  EXPECT_OK(LITE_ext_get_discrete_tensor_count(network_, "a", &count));
  EXPECT_EQ(count, 2u);
  std::vector<float> user = {7, 8, 9};
  void* data = nullptr;
  ASSERT_OK(LITE_get_discrete_tensor(network_, "a", 0, LITE_INPUT, &tensor));
  ASSERT_OK(LITE_get_tensor_memory(tensor, &data));
  for (int i = 0; i < 3; ++i) static_cast<float*>(data)[i] = static_cast<float>(i);
  ASSERT_OK(LITE_get_discrete_tensor(network_, "a", 1, LITE_INPUT, &tensor));
  ASSERT_OK(LITE_reset_tensor_memory(tensor, user.data(), 12));
  Run();
  EXPECT_EQ(std::vector<float>(Data("sum"), Data("sum") + 6), (std::vector<float>{0, 1, 2, 7, 8, 9}));
  user = {1, 1, 1};
  Run();
  EXPECT_EQ(Data("sum")[5], 1);
  LiteLayout layout = default_layout;
  layout.ndim = 1;
  layout.shapes[0] = 3;
  ASSERT_OK(LITE_set_tensor_layout(tensor, layout));
  EXPECT_ERROR(LITE_forward(network_), "item 1");
  LITE_destroy_network(network_);
  config.discrete_input_name = "c";
  ASSERT_OK(LITE_make_network_config(&network_, config));
  std::string bytes = Artifact();
  EXPECT_ERROR(LITE_load_model_from_mem(network_, bytes.data(), bytes.size()), "the inputs are: a, b");
}

TEST_F(NetworkC, ReportsTimeMemoryAndContents) {
  const std::string profile = TempPath("profile.json"), text = TempPath("dump.txt"), folder = TempPath("dumps");
  mkdir(folder.c_str(), 0777);
  EXPECT_OK(LITE_enable_profile_performance(network_, profile.c_str()));
  EXPECT_OK(LITE_enable_io_txt_dump(network_, text.c_str()));
  EXPECT_OK(LITE_enable_io_bin_dump(network_, folder.c_str()));
  Load();
  Fill();
  Run();
  EXPECT_NE(Read(profile).find("\"traceEvents\""), std::string::npos);
  EXPECT_NE(Read(profile).find("\"graph_exec\""), std::string::npos);
  EXPECT_NE(Read(text).find("var0 produced: name=a layout={2,3} val: [0,1,2,3,4,5]min=0 max=5 mean=2.5"), std::string::npos) << Read(text);
  EXPECT_EQ(Read(folder + "/000002"), std::string(reinterpret_cast<char*>(Data("sum")), 24));
  EXPECT_OK(LITE_get_static_memory_alloc_info(network_, (folder + "/a/b").c_str()));
  EXPECT_NE(Read(folder + "/a/b/static_memory.json").find("\"inputs\": {\"a\": 24, \"b\": 24}"), std::string::npos);
  EXPECT_OK(LITE_enable_io_bin_dump(network_, "/nowhere"));
  EXPECT_ERROR(LITE_forward(network_), "/nowhere/000000");
}

TEST_F(NetworkC, TakesASeedAfterLoading) {
  EXPECT_ERROR(LITE_ext_set_random_seed(network_, 7), "set_random_seed");
  Load();
  EXPECT_OK(LITE_ext_set_random_seed(network_, 7));
}

TEST_F(NetworkC, ModelIoWithoutANetwork) {
  const std::string path = Write("io.mgec", Artifact());
  LiteNetworkIO io;
  ASSERT_OK(LITE_get_model_io_info_by_path(path.c_str(), *default_config(), &io));
  ASSERT_EQ(io.input_size, 2u);
  EXPECT_STREQ(io.inputs[1].name, "b");
  EXPECT_EQ(io.outputs[0].config_layout.shapes[1], 3u);
  const std::string bytes = mgec::Pack(Artifact());
  ASSERT_OK(LITE_get_model_io_info_by_memory(bytes.data(), bytes.size(), *default_config(), &io));
  EXPECT_EQ(io.output_size, 2u);
  EXPECT_ERROR(LITE_get_model_io_info_by_path("/nowhere", *default_config(), &io), "/nowhere");
}

TEST_F(NetworkC, ConfigurationsThatCannotBe) {
  LiteNetwork other;
  LiteConfig config = *default_config();
  config.device_type = LITE_NPU;
  EXPECT_ERROR(LITE_make_network_config(&other, config), "LITE_CPU");
  config.device_type = LITE_CUDA;
  ASSERT_OK(LITE_make_network_config(&other, config));
  std::string bytes = Artifact();
  EXPECT_ERROR(LITE_load_model_from_mem(other, bytes.data(), bytes.size()), "gpu0");
  LITE_destroy_network(other);
  config = *default_config();
  config.has_compression = 1;
  ASSERT_OK(LITE_make_network_config(&other, config));
  EXPECT_ERROR(LITE_load_model_from_mem(other, bytes.data(), bytes.size()), "compression");
  LITE_destroy_network(other);
}

TEST_F(NetworkC, OptionsThatMeanSomething) {
  LITE_destroy_network(network_);
  LiteConfig config = *default_config();
  config.options.fake_next_exec = 1;
  config.options.weight_preprocess = 1;
  ASSERT_OK(LITE_make_network_config(&network_, config));
  Load();
  Fill();
  Run();
  EXPECT_EQ(Data("sum")[1], 0);
  Run();
  ExpectRight();
}

}  // namespace
