// Packs or encrypts a model for tests.
// Usage: pack_model METHOD MODEL OUTPUT [INFO]
// METHOD: NONE, AES_default, RC4_default or SIMPLE_FAST_RC4_default. With INFO, a text, the result is a packed model named
// "model" whose information is encrypted in the same way; without, the whole file is encrypted.
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "runtime/lite/testing/pack.h"

namespace {

std::string Encrypt(const std::string& method, const std::string& plain) {
  constexpr uint64_t kHashKey = 0x686b66676a65696c, kKey = 0x7a7b7d78797e7f7c;
  if (method == "AES_default") {
    std::vector<uint8_t> key;
    for (int i = 0; i < 32; ++i) key.push_back(static_cast<uint8_t>(i));
    return mgec::EncryptAes(plain, key);
  }
  if (method == "RC4_default") return mgec::EncryptRc4(plain, kHashKey, kKey);
  if (method == "SIMPLE_FAST_RC4_default") return mgec::EncryptSimpleFastRc4(plain, kHashKey, kKey);
  return plain;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::fprintf(stderr, "usage: pack_model METHOD MODEL OUTPUT [INFO]\n");
    return 2;
  }
  std::ostringstream model;
  model << std::ifstream(argv[2], std::ios::binary).rdbuf();
  std::string result = Encrypt(argv[1], model.str());
  if (argc == 5) {
    mgec::PackOptions options;
    options.info = Encrypt(argv[1], argv[4]);
    options.info_cryption = options.model_cryption = argv[1];
    result = mgec::Pack(result, options);
  }
  std::ofstream file(argv[3], std::ios::binary);
  file << result;
  return file.flush() ? 0 : 1;
}
