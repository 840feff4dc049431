// Networks from models that are packed or encrypted, also with the user's functions.
#include <string>
#include <utility>
#include <vector>

#include "runtime/lite/testing/network_c.h"
#include "runtime/lite/testing/pack.h"

namespace {

TEST_F(NetworkC, PackedModels) {
  mgec::PackOptions options;
  options.info = R"({"valid": true, "name": "model", "device": {"type": "CPU", "number_threads": 2, "device_id": 5},
                     "IO": {"outputs": [{"name": "scaled"}]}, "extra_info": {"x": 1}})";
  Load(mgec::Pack(Artifact(), options));
  size_t threads = 0;
  int id = 0, size = 0;
  const char* text = nullptr;
  EXPECT_OK(LITE_get_cpu_threads_number(network_, &threads));
  EXPECT_OK(LITE_get_device_id(network_, &id));
  EXPECT_OK(LITE_get_model_extra_info(network_, &text, &size));
  EXPECT_EQ(threads, 2u);
  EXPECT_EQ(id, 5);
  EXPECT_EQ(std::string(text, static_cast<size_t>(size)), "{\"x\":1}");
  const char* names[2];
  EXPECT_OK(LITE_get_all_output_name(network_, nullptr, names));
  EXPECT_STREQ(names[0], "scaled");
  Fill();
  Run();
  ExpectRight();
  options.info = R"({"valid": true, "name": "other"})";
  std::string bytes = mgec::Pack(Artifact(), options);
  EXPECT_ERROR(LITE_load_model_from_mem(network_, bytes.data(), bytes.size()), "not match");
  options.info_parser = "unknown";
  bytes = mgec::Pack(Artifact(), options);
  EXPECT_ERROR(LITE_load_model_from_mem(network_, bytes.data(), bytes.size()), "unknown");
}

TEST_F(NetworkC, ModelInfoCanBeDisabled) {
  EXPECT_OK(LITE_extra_configure(network_, LiteExtraConfig{1}));
  mgec::PackOptions options;
  options.info = R"({"valid": true, "name": "model", "device": {"type": "CPU", "number_threads": 2}})";
  Load(mgec::Pack(Artifact(), options));
  size_t threads = 0;
  EXPECT_OK(LITE_get_cpu_threads_number(network_, &threads));
  EXPECT_EQ(threads, 1u);
}

TEST_F(NetworkC, EncryptedArtifacts) {
  std::vector<uint8_t> key(32);
  for (size_t i = 0; i < key.size(); ++i) key[i] = static_cast<uint8_t>(i);
  const uint64_t hash_key = 0x686b66676a65696c, rc4_key = 0x7a7b7d78797e7f7c;
  const std::pair<const char*, std::string> cases[] = {
      {"AES_default", mgec::EncryptAes(Artifact(), key)},
      {"RC4_default", mgec::EncryptRc4(Artifact(), hash_key, rc4_key)},
      {"SIMPLE_FAST_RC4_default", mgec::EncryptSimpleFastRc4(Artifact(), hash_key, rc4_key)},
  };
  for (const auto& [method, file] : cases) {
    LITE_destroy_network(network_);
    LiteConfig config = *default_config();
    config.bare_model_cryption_name = method;
    ASSERT_OK(LITE_make_network_config(&network_, config));
    const std::string path = Write("encrypted", file);
    ASSERT_OK(LITE_load_model_from_path(network_, path.c_str())) << method;
    Fill();
    Run();
    ExpectRight();
    EXPECT_ERROR(LITE_load_model_from_path(network_, Write("plain", Artifact()).c_str()), method);
  }
}

size_t Xor(const void* input, size_t size, const uint8_t* key, size_t, const void* output) {
  if (output == nullptr) return size;
  for (size_t i = 0; i < size; ++i) {
    static_cast<uint8_t*>(const_cast<void*>(output))[i] = static_cast<const uint8_t*>(input)[i] ^ key[0];
  }
  return size;
}
size_t Nothing(const void*, size_t, const uint8_t*, size_t, const void*) { return 0; }

TEST_F(NetworkC, UsersDecryption) {
  const uint8_t key[] = {0x5a};
  EXPECT_OK(LITE_register_decryption_and_key("network_c_xor", Xor, key, 1));
  EXPECT_ERROR(LITE_register_decryption_and_key("network_c_xor", Xor, key, 1), "already registered");
  EXPECT_ERROR(LITE_register_decryption_and_key("other", nullptr, key, 1), "null");
  EXPECT_ERROR(LITE_update_decryption_or_key("unknown", Xor, key, 1), "not registed");
  std::string file = Artifact();
  for (char& c : file) c = static_cast<char>(c ^ 0x33);
  LITE_destroy_network(network_);
  LiteConfig config = *default_config();
  config.bare_model_cryption_name = "network_c_xor";
  ASSERT_OK(LITE_make_network_config(&network_, config));
  EXPECT_ERROR(LITE_load_model_from_mem(network_, file.data(), file.size()), "invalid model format");
  const uint8_t right[] = {0x33};
  EXPECT_OK(LITE_update_decryption_or_key("network_c_xor", nullptr, right, 1));
  Load(file);
  Fill();
  Run();
  ExpectRight();
  EXPECT_OK(LITE_update_decryption_or_key("network_c_xor", Nothing, nullptr, 0));
  EXPECT_ERROR(LITE_load_model_from_mem(network_, file.data(), file.size()), "network_c_xor failed");
}

int ParseNothing(const void* info, size_t size, const char* name, LiteConfig*, LiteNetworkIO* io, int* device_id,
                 size_t* threads, int*, int*) {
  static LiteIO output = default_io;
  output.name = "scaled";
  io->outputs = &output;
  io->output_size = 1;
  *threads = size;
  *device_id = name[0];
  return std::string(static_cast<const char*>(info), size) == "ok";
}

TEST_F(NetworkC, UsersParseFunction) {
  EXPECT_OK(LITE_register_parse_info_func("network_c_parse", ParseNothing));
  mgec::PackOptions options;
  options.info = "ok";
  options.info_parser = "network_c_parse";
  Load(mgec::Pack(Artifact(), options));
  size_t threads = 0;
  int id = 0;
  const char* names[2];
  EXPECT_OK(LITE_get_cpu_threads_number(network_, &threads));
  EXPECT_OK(LITE_get_device_id(network_, &id));
  EXPECT_OK(LITE_get_all_output_name(network_, nullptr, names));
  EXPECT_EQ(threads, 2u);
  EXPECT_EQ(id, 'm');
  EXPECT_STREQ(names[0], "scaled");
  options.info = "no";
  std::string bytes = mgec::Pack(Artifact(), options);
  EXPECT_ERROR(LITE_load_model_from_mem(network_, bytes.data(), bytes.size()), "parse function");
}

}  // namespace
