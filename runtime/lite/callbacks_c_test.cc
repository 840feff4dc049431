// Functions of the user's that networks call: callbacks, allocators, thread affinity.
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <set>
#include <string>

#include "runtime/lite/testing/network_c.h"

namespace {

int g_calls[3];
int CountAsync() {
  ++g_calls[0];
  return 0;
}
int CheckStart(const LiteIO* ios, const LiteTensor* tensors, size_t size) {
  ++g_calls[1];
  if (size != 2 || std::string(ios[0].name) != "a" || ios[0].config_layout.shapes[1] != 3) g_calls[1] += 1000;
  void* data = nullptr;
  LITE_get_tensor_memory(tensors[0], &data);
  static_cast<float*>(data)[0] = 100;
  return 0;
}
int CheckFinish(const LiteIO* ios, const LiteTensor*, size_t size, void* user_data) {
  if (size == 2 && std::string(ios[1].name) == "scaled") ++*static_cast<int*>(user_data);
  return 0;
}

TEST_F(NetworkC, Callbacks) {
  Load();
  g_calls[1] = 0;
  int finished = 0;
  EXPECT_OK(LITE_set_start_callback(network_, CheckStart));
  EXPECT_OK(LITE_set_finish_callback_with_userdata(network_, CheckFinish, &finished));
  Fill();
  Run();
  EXPECT_EQ(g_calls[1], 1);
  EXPECT_EQ(finished, 1);
  EXPECT_EQ(Data("sum")[0], 100);
  EXPECT_OK(LITE_wait(network_));
  EXPECT_EQ(finished, 2);
  EXPECT_OK(LITE_set_start_callback(network_, nullptr));
  EXPECT_OK(LITE_set_finish_callback(network_, nullptr));
  Run();
  EXPECT_EQ(g_calls[1], 1);
  EXPECT_EQ(finished, 2);
}

TEST_F(NetworkC, AsyncCallback) {
  g_calls[0] = 0;
  EXPECT_OK(LITE_set_async_callback(network_, CountAsync));
  EXPECT_ERROR(LITE_set_cpu_inplace_mode(network_), "async");
  EXPECT_ERROR(LITE_set_async_callback(network_, nullptr), "null");
  Load();
  Fill(3);
  Run();
  EXPECT_EQ(g_calls[0], 2);  // when it was finished, and in wait()
  ExpectRight(3);
}

TEST_F(NetworkC, AsyncIsRefusedWhereItIsNotPossible) {
  EXPECT_OK(LITE_set_cpu_inplace_mode(network_));
  EXPECT_ERROR(LITE_set_async_callback(network_, CountAsync), "inplace");
  int inplace = 0, id = 0;
  EXPECT_OK(LITE_is_cpu_inplace_mode(network_, &inplace));
  EXPECT_OK(LITE_get_device_id(network_, &id));
  EXPECT_EQ(inplace, 1);
  EXPECT_EQ(id, -1024);
  LiteConfig config = *default_config();
  config.options.force_output_use_user_specified_memory = 1;
  LiteNetwork other;
  ASSERT_OK(LITE_make_network_config(&other, config));
  EXPECT_ERROR(LITE_set_async_callback(other, CountAsync), "user_specified_memory");
  LITE_destroy_network(other);
}

std::atomic<int> g_live{0};
void* Allocate(LiteDeviceType, int, size_t size, size_t align) {
  ++g_live;
  return std::aligned_alloc(align, (size + align - 1) / align * align);
}
void Free(LiteDeviceType, int, void* memory) {
  --g_live;
  std::free(memory);
}
void* AllocateNothing(LiteDeviceType, int, size_t, size_t) { return nullptr; }

TEST_F(NetworkC, UsersAllocator) {
  g_live = 0;
  EXPECT_OK(LITE_set_memory_allocator(network_, Allocate, Free));
  Load();
  EXPECT_EQ(g_live, 5);  // two inputs, two outputs, the arena
  Fill();
  Run();
  ExpectRight();
  EXPECT_OK(LITE_destroy_network(network_));
  EXPECT_EQ(g_live, 0);
  ASSERT_OK(LITE_make_default_network(&network_));
  EXPECT_OK(LITE_set_memory_allocator(network_, AllocateNothing, Free));
  std::string bytes = Artifact();
  EXPECT_ERROR(LITE_load_model_from_mem(network_, bytes.data(), bytes.size()), "allocator");
  EXPECT_ERROR(LITE_set_memory_allocator(network_, nullptr, Free), "null");
}

std::set<int> g_threads;
int NoteThread(int thread) {
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  g_threads.insert(thread);
  return 0;
}

TEST_F(NetworkC, Threads) {
  size_t threads = 0;
  EXPECT_ERROR(LITE_set_cpu_threads_number(network_, 100000), "100000 threads");
  EXPECT_OK(LITE_set_cpu_threads_number(network_, 3));
  EXPECT_OK(LITE_set_cpu_threads_number(network_, 1));
  EXPECT_OK(LITE_get_cpu_threads_number(network_, &threads));
  EXPECT_EQ(threads, 3u);
  EXPECT_ERROR(LITE_set_runtime_thread_affinity(network_, NoteThread), "after model loaded");
  Load();
  EXPECT_OK(LITE_set_runtime_thread_affinity(network_, NoteThread));
  EXPECT_EQ(g_threads, (std::set<int>{0, 1, 2}));
  Fill();
  Run();
  ExpectRight();
}

}  // namespace
