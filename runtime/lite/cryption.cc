#include "runtime/lite/cryption.h"

#include <mbedtls/aes.h>

#include <map>
#include <mutex>
#include <utility>

#include "runtime/lite/rc4.h"

namespace mgec {
namespace {

constexpr size_t kAesKey = 32, kAesBlock = 16, kAesLength = 8;

struct Method {
  Decryption decryption;
  std::vector<uint8_t> key;
};

struct Registry {
  std::mutex mutex;
  std::map<std::string, Method> methods;
};

// Never destroyed: threads may still load models when the process ends.
Registry& GetRegistry() {
  static Registry* const registry = [] {
    auto* built_in = new Registry;
    std::vector<uint8_t> aes_key;
    for (size_t i = 0; i < kAesKey; ++i) aes_key.push_back(static_cast<uint8_t>(i));
    built_in->methods["AES_default"] = {DecryptAes, aes_key};
    built_in->methods["RC4_default"] = {DecryptRc4, DefaultRc4Key()};
    built_in->methods["SIMPLE_FAST_RC4_default"] = {DecryptSimpleFastRc4, DefaultRc4Key()};
    return built_in;
  }();
  return *registry;
}

Status Unknown(const std::string& name) {
  return Status(StatusCode::kNotFound,
                Format("The decryption method %s is not registed yet. Register it before loading the model.",
                       name.c_str()));
}

}  // namespace

Status RegisterDecryption(const std::string& name, Decryption decryption, std::vector<uint8_t> key) {
  if (!decryption) return Status(StatusCode::kInvalidArgument, "The decryption function is null.");
  Registry& registry = GetRegistry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  if (registry.methods.count(name) != 0) {
    return Status(StatusCode::kInvalidArgument,
                  Format("The decryption method %s is already registered.", name.c_str()));
  }
  registry.methods[name] = {std::move(decryption), std::move(key)};
  return Status();
}

Status UpdateDecryption(const std::string& name, Decryption decryption, std::vector<uint8_t> key) {
  Registry& registry = GetRegistry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  const auto found = registry.methods.find(name);
  if (found == registry.methods.end()) return Unknown(name);
  if (decryption) found->second.decryption = std::move(decryption);
  if (!key.empty()) found->second.key = std::move(key);
  return Status();
}

Result<std::vector<uint8_t>> Decrypt(const std::string& name, const uint8_t* data, size_t size) {
  Method method;  // a copy, so that the user's function runs without the lock
  {
    Registry& registry = GetRegistry();
    const std::lock_guard<std::mutex> lock(registry.mutex);
    const auto found = registry.methods.find(name);
    if (found == registry.methods.end()) return Unknown(name);
    method = found->second;
  }
  Result<std::vector<uint8_t>> plain = method.decryption(data, size, method.key);
  if (plain.ok()) return plain;
  return Status(plain.status().code(),
                Format("The decryption method %s failed: %s", name.c_str(), plain.status().message().c_str()));
}

Result<std::vector<uint8_t>> DecryptAes(const uint8_t* data, size_t size, const std::vector<uint8_t>& key) {
  if (key.size() != kAesKey) {
    return Status(StatusCode::kInvalidArgument, Format("the key has %zu bytes; AES-256 needs 32", key.size()));
  }
  const size_t around = kAesBlock + kAesLength;
  if (size < around || (size - around) % kAesBlock != 0) {
    return Status(StatusCode::kDataLoss, Format("%zu bytes were not encrypted with AES, or are cut off", size));
  }
  std::vector<uint8_t> plain(size - around);
  uint64_t length = 0;
  for (size_t i = 0; i < kAesLength; ++i) length = length << 8 | data[size - kAesLength + i];
  if (length > plain.size()) {
    return Status(StatusCode::kDataLoss, "the length of the plain text is larger than the file: the method is another "
                                         "one, or the file is damaged");
  }
  uint8_t iv[kAesBlock];
  for (size_t i = 0; i < kAesBlock; ++i) iv[i] = data[i];
  mbedtls_aes_context context;
  mbedtls_aes_init(&context);
  const int error = mbedtls_aes_setkey_dec(&context, key.data(), kAesKey * 8) |
                    mbedtls_aes_crypt_cbc(&context, MBEDTLS_AES_DECRYPT, plain.size(), iv, data + kAesBlock, plain.data());
  mbedtls_aes_free(&context);
  if (error != 0) return Status(StatusCode::kDataLoss, Format("AES failed with error %d", error));
  plain.resize(length);
  return plain;
}

}  // namespace mgec
