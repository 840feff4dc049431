#include <string>

#include "runtime/lite/testing/network_c.h"

namespace {

TEST(GlobalC, Settings) {
  int major, minor, patch;
  EXPECT_OK(LITE_get_version(&major, &minor, &patch));
  EXPECT_EQ(major * 10000 + minor * 100 + patch, 11300);
  EXPECT_ERROR(LITE_get_version(nullptr, &minor, &patch), "null");
  size_t count = 0;
  EXPECT_OK(LITE_get_device_count(LITE_CPU, &count));
  EXPECT_GE(count, 1u);
  EXPECT_OK(LITE_get_device_count(LITE_CUDA, &count));
  EXPECT_EQ(count, 0u);
  EXPECT_ERROR(LITE_get_device_count(LITE_NPU, &count), "LITE_CPU");
  LiteLogLevel level;
  EXPECT_OK(LITE_set_log_level(ERROR));
  EXPECT_OK(LITE_get_log_level(&level));
  EXPECT_EQ(level, ERROR);
  EXPECT_ERROR(LITE_set_log_level(static_cast<LiteLogLevel>(9)), "loglevel");
  EXPECT_ERROR(LITE_set_loader_lib_path("x.so"), "x.so");
  EXPECT_OK(LITE_set_persistent_cache("x", 0));
  const std::string cache = TempPath("cache");
  EXPECT_OK(LITE_dump_persistent_cache(cache.c_str()));
  EXPECT_EQ(Read(cache).size(), 4u);
  EXPECT_ERROR(LITE_dump_persistent_cache("/nowhere/cache"), "/nowhere/cache");
  int memory;
  EXPECT_ERROR(LITE_register_memory_pair(&memory, &memory, 4, LITE_CPU, LITE_DEFAULT), "not implement yet");
  EXPECT_OK(LITE_try_coalesce_all_free_memory());
}

TEST(GlobalC, ErrorsEndWithTheirCode) {
  LITE_clear_last_error();
  EXPECT_EQ(LITE_get_last_error_code(), OK);
  EXPECT_EQ(LastError(), "");
  EXPECT_ERROR(LITE_forward(nullptr), ", Error Code: 1");
  EXPECT_EQ(LastError().find("Error: "), 0u);
}

}  // namespace
