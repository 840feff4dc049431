// What must not break: networks that go while they are used, processes that fork, memory that must not grow. Also meant for
// --config=asan and --config=tsan.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "lite-c/extension_c.h"
#include "lite-c/global_c.h"
#include "runtime/testing/test_artifact.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitizer = true;
#else
constexpr bool kSanitizer = false;
#endif

namespace {

#define ASSERT_OK(call) ASSERT_EQ(call, 0) << LITE_get_last_error()

LiteNetwork Load(size_t threads = 1, int repeats = 1) {
  mgec::TestArtifactOptions options;
  options.shapes = {{64, 64}};
  options.repeats = repeats;
  std::string bytes = mgec::MakeTestArtifact(options);
  LiteNetwork network = nullptr;
  EXPECT_EQ(LITE_make_default_network(&network), 0);
  EXPECT_EQ(LITE_set_cpu_threads_number(network, threads), 0);
  EXPECT_EQ(LITE_load_model_from_mem(network, &bytes[0], bytes.size()), 0) << LITE_get_last_error();
  return network;
}

float* Data(LiteNetwork network, const char* name) {
  LiteTensor tensor = nullptr;
  void* data = nullptr;
  EXPECT_EQ(LITE_get_io_tensor(network, name, LITE_IO, &tensor), 0) << LITE_get_last_error();
  EXPECT_EQ(LITE_get_tensor_memory(tensor, &data), 0) << LITE_get_last_error();
  return static_cast<float*>(data);
}

int Destroy(void* network) { return LITE_destroy_network(network); }
int DestroyIo(const LiteIO*, const LiteTensor*, size_t, void* network) { return LITE_destroy_network(network); }

TEST(Robustness, DestroyedInItsStartCallback) {
  LiteNetwork network = Load();
  ASSERT_OK(LITE_set_start_callback_with_userdata(network, DestroyIo, network));
  EXPECT_EQ(LITE_forward(network), 0);
  EXPECT_EQ(LITE_forward(network), -1);
}

TEST(Robustness, DestroyedInItsFinishCallback) {
  LiteNetwork network = Load();
  ASSERT_OK(LITE_set_finish_callback_with_userdata(network, DestroyIo, network));
  ASSERT_OK(LITE_forward(network));
  EXPECT_EQ(LITE_wait(network), 0);
  EXPECT_EQ(LITE_wait(network), -1);
}

TEST(Robustness, DestroyedInItsAsyncCallback) {
  for (int i = 0; i < 20; ++i) {
    LiteNetwork network = Load(1 + i % 2, 10);
    ASSERT_OK(LITE_set_async_callback_with_userdata(network, Destroy, network));
    ASSERT_OK(LITE_forward(network));
    LITE_wait(network);  // finds it alive or gone
    while (LITE_forward(network) == 0) LITE_wait(network);
  }
}

TEST(Robustness, DestroyedWhileAnotherThreadWaits) {
  for (int i = 0; i < 20; ++i) {
    LiteNetwork network = Load(1 + i % 2, 50);
    ASSERT_OK(LITE_set_async_callback(network, [] { return 0; }));
    ASSERT_OK(LITE_forward(network));
    std::thread waiter([network] { LITE_wait(network); });
    EXPECT_EQ(LITE_destroy_network(network), 0);
    waiter.join();
  }
}

TEST(Robustness, DestroyedWhileAnotherThreadComputes) {
  for (int i = 0; i < 20; ++i) {
    LiteNetwork network = Load(1 + i % 2, 50);
    std::thread runner([network] {
      while (LITE_forward(network) == 0) LITE_wait(network);
    });
    usleep(500);
    EXPECT_EQ(LITE_destroy_network(network), 0);
    runner.join();
  }
}

TEST(Robustness, ThreadsShareANetwork) {
  LiteNetwork network = Load();
  std::atomic<int> errors{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        size_t count = 0;
        errors += LITE_forward(network) != 0 || LITE_wait(network) != 0 ||
                  LITE_get_all_input_name(network, &count, nullptr) != 0 || count != 2;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(errors, 0);
  LITE_destroy_network(network);
}

TEST(Robustness, NetworksThatShareMemoryComputeOneAfterTheOther) {
  LiteNetwork first = Load(), second = nullptr;
  ASSERT_OK(LITE_make_default_network(&second));
  ASSERT_OK(LITE_share_runtime_memroy(second, first));
  ASSERT_OK(LITE_shared_weight_with_network(second, first));
  std::atomic<int> wrong{0};
  const auto run = [&](LiteNetwork network, float seed) {
    for (int i = 0; i < 64 * 64; ++i) {
      Data(network, "a")[i] = seed;
      Data(network, "b")[i] = static_cast<float>(i);
    }
    for (int pass = 0; pass < 300; ++pass) {
      LITE_forward(network);
      for (int i = 0; i < 64 * 64; ++i) wrong += Data(network, "scaled")[i] != 0.5f * (static_cast<float>(i) + seed);
      if (wrong > 0) return;
    }
  };
  std::thread other([&] { run(second, 1000); });
  run(first, 1);
  other.join();
  EXPECT_EQ(wrong, 0);
  LITE_destroy_network(first);
  LITE_destroy_network(second);
}

int ForwardAgain(const LiteIO*, const LiteTensor*, size_t, void* network) {
  EXPECT_EQ(LITE_forward(network), -1);
  EXPECT_NE(std::string(LITE_get_last_error()).find("callback"), std::string::npos);
  EXPECT_EQ(LITE_wait(network), -1);
  size_t count = 0;
  EXPECT_EQ(LITE_get_all_input_name(network, &count, nullptr), 0);
  EXPECT_EQ(count, 2u);
  return 0;
}

TEST(Robustness, CallbacksMayNotStartAnotherPass) {
  LiteNetwork network = Load();
  ASSERT_OK(LITE_set_start_callback_with_userdata(network, ForwardAgain, network));
  EXPECT_EQ(LITE_forward(network), 0);
  LITE_destroy_network(network);
}

// The next pass may be started from the async callback, until it has had enough.
struct Chain {
  LiteNetwork network;
  std::atomic<int> passes{0};
};
int Next(void* user_data) {
  Chain* chain = static_cast<Chain*>(user_data);
  if (++chain->passes < 50) {
    EXPECT_EQ(LITE_forward(chain->network), 0) << LITE_get_last_error();
  }
  return 0;
}

TEST(Robustness, AsyncCallbacksMayStartTheNextPass) {
  Chain chain;
  chain.network = Load();
  ASSERT_OK(LITE_set_async_callback_with_userdata(chain.network, Next, &chain));
  ASSERT_OK(LITE_forward(chain.network));
  while (chain.passes < 50) usleep(100);
  EXPECT_EQ(LITE_wait(chain.network), 0);
  LITE_destroy_network(chain.network);
}

// Runs `function` in a child process; the result is its exit status, or -1 if it did not end in time.
template <typename Function>
int InChild(Function function) {
  const pid_t child = fork();
  if (child == 0) _exit(function());
  for (int i = 0; i < 2000; ++i) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    usleep(10000);
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return -1;
}

TEST(Robustness, ChildrenGoOnUsingNetworks) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer does not support threads after fork()";
#endif
  for (size_t threads : {1, 2, 4}) {
    LiteNetwork network = Load(threads);
    for (int i = 0; i < 64 * 64; ++i) Data(network, "a")[i] = static_cast<float>(i);
    ASSERT_OK(LITE_forward(network));
    const auto check = [&] {
      for (int pass = 0; pass < 20; ++pass) {
        Data(network, "a")[5] = static_cast<float>(100 + pass);
        if (LITE_forward(network) != 0 || LITE_wait(network) != 0) return 1;
        if (Data(network, "sum")[5] != static_cast<float>(100 + pass)) return 2;
      }
      return 0;
    };
    EXPECT_EQ(InChild([&] {
                const int result = check();
                if (result != 0) return result;
                return InChild(check) != 0 ? 10 : LITE_destroy_network(network) != 0 ? 11 : 0;  // and grandchildren
              }),
              0);
    EXPECT_EQ(check(), 0);
    LITE_destroy_network(network);
  }
}

TEST(Robustness, ChildrenOfAnAsyncPassDoNotHang) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer does not support threads after fork()";
#endif
  LiteNetwork network = Load(2, 2000);
  ASSERT_OK(LITE_set_async_callback(network, [] { return 0; }));
  ASSERT_OK(LITE_forward(network));
  EXPECT_EQ(InChild([&] {
              LITE_wait(network);
              return LITE_forward(network) == 0 && LITE_wait(network) == 0 ? 0 : 1;
            }),
            0);
  ASSERT_OK(LITE_wait(network));
  LITE_destroy_network(network);
}

// Resident memory in bytes.
size_t Resident() {
  std::ifstream file("/proc/self/statm");
  size_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// Environment MGEC_CYCLES: how often.
TEST(Robustness, LoadingAndUnloadingDoesNotGrow) {
  const char* text = getenv("MGEC_CYCLES");
  const int cycles = text != nullptr ? atoi(text) : 1000;
  std::string bytes = mgec::MakeTestArtifact();
  const auto cycle = [&](int i) {
    LiteNetwork network = nullptr;
    LiteTensor tensor = nullptr;
    ASSERT_OK(LITE_make_default_network(&network));
    ASSERT_OK(LITE_set_cpu_threads_number(network, static_cast<size_t>(1 + i % 2)));
    ASSERT_OK(LITE_load_model_from_mem(network, &bytes[0], bytes.size()));
    ASSERT_OK(LITE_get_io_tensor(network, "a", LITE_IO, &tensor));
    ASSERT_OK(LITE_forward(network));
    ASSERT_OK(LITE_wait(network));
    ASSERT_OK(LITE_destroy_network(network));
  };
  for (int i = 0; i < 200; ++i) cycle(i);
  const size_t before = Resident();
  for (int i = 0; i < cycles; ++i) cycle(i);
  const size_t after = Resident();
  std::printf("resident memory: %zu KB, then %zu KB after %d cycles\n", before / 1024, after / 1024, cycles);
  if (!kSanitizer) {
    EXPECT_LE(after, before + (size_t{1} << 20));
  }
}

}  // namespace
