#include "runtime/lite/testing/pack.h"

#include <mbedtls/aes.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "runtime/lite/packed_model_generated.h"

namespace mgec {
namespace {

// Byte by byte, as the cipher is described; the runtime works by words.
class Stream {
 public:
  explicit Stream(uint64_t key) {
    for (int n = 0; n < 256; ++n) s_[n] = n;
    int m = 0;
    for (int n = 0; n < 256; ++n) {
      m = (m + s_[n] + static_cast<int>(key >> (8 * (n % 8)) & 0xff)) % 256;
      std::swap(s_[n], s_[m]);
    }
    for (int n = 0; n < 768; ++n) Next();
    const int more = Next();
    for (int n = 0; n < more; ++n) Next();
  }
  int Next() {
    i_ = (i_ + 1) % 256;
    const int a = s_[i_];
    j_ = (j_ + a) % 256;
    const int b = s_[j_];
    s_[i_] = b;
    s_[j_] = a;
    const int c = (s_[(i_ * 32 ^ j_ / 8) % 256] + s_[(j_ * 32 ^ i_ / 8) % 256]) % 256;
    return ((s_[(a + b) % 256] + s_[c ^ 0xaa]) % 256) ^ s_[(j_ + b) % 256];
  }
  uint64_t Next64() {
    uint64_t word = 0;
    for (int n = 0; n < 8; ++n) word += static_cast<uint64_t>(Next()) << (8 * n);
    return word;
  }

 private:
  int s_[256];
  int i_ = 0, j_ = 0;
};

uint64_t Hash(uint64_t seed, const std::vector<uint64_t>& words) {
  for (uint64_t word : words) {
    word ^= word >> 23;
    word *= 2388976653695081527u;
    word ^= word >> 47;
    seed ^= word;
    seed *= 9800771712469244261u;
  }
  return seed;
}

std::vector<uint64_t> Words(const std::string& bytes) {
  std::vector<uint64_t> words((bytes.size() + 7) / 8);
  std::memcpy(words.data(), bytes.data(), bytes.size());
  return words;
}

std::string Bytes(const std::vector<uint64_t>& words) {
  return {reinterpret_cast<const char*>(words.data()), words.size() * 8};
}

}  // namespace

std::string Pack(const std::string& model, const PackOptions& options) {
  flatbuffers::FlatBufferBuilder builder;
  const auto vector = [&](const std::string& bytes) {
    return builder.CreateVector(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  };
  const auto header = packed::CreateModelHeader(
      builder, builder.CreateString(options.name), builder.CreateString(options.info_cryption),
      builder.CreateString(options.info_parser), builder.CreateString(options.model_cryption),
      builder.CreateString("LITE_parse_cache"), /*is_fast_run_cache=*/true);
  const auto info = packed::CreateModelInfo(builder, options.info.empty() ? 0 : vector(options.info));
  const auto data = packed::CreateModelData(builder, vector(model));
  const auto entry = packed::CreateModel(builder, header, info, data);
  builder.Finish(packed::CreatePackModel(builder, builder.CreateVector(&entry, 1)));
  return "packed_model" + std::string(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
}

std::string EncryptAes(const std::string& plain, const std::vector<uint8_t>& key) {
  std::string padded = plain;
  padded.resize((plain.size() + 15) / 16 * 16);
  unsigned char iv[16];
  for (int i = 0; i < 16; ++i) iv[i] = static_cast<unsigned char>(17 * i + 3);
  std::string result(reinterpret_cast<const char*>(iv), sizeof(iv));
  result.resize(16 + padded.size());
  mbedtls_aes_context context;
  mbedtls_aes_init(&context);
  if (mbedtls_aes_setkey_enc(&context, key.data(), 256) != 0 ||
      mbedtls_aes_crypt_cbc(&context, MBEDTLS_AES_ENCRYPT, padded.size(), iv,
                            reinterpret_cast<const unsigned char*>(padded.data()),
                            reinterpret_cast<unsigned char*>(&result[16])) != 0) {
    std::abort();
  }
  mbedtls_aes_free(&context);
  for (int i = 7; i >= 0; --i) result += static_cast<char>(static_cast<uint64_t>(plain.size()) >> (8 * i));
  return result;
}

std::string EncryptRc4(const std::string& plain, uint64_t hash_key, uint64_t key) {
  std::vector<uint64_t> words = Words(plain);
  const uint64_t plain_hash = Hash(hash_key, words);
  Stream inner(plain_hash);
  for (uint64_t& word : words) word ^= inner.Next64();
  const uint64_t inner_hash = Hash(hash_key, words);
  Stream outer(key);
  for (uint64_t& word : words) word ^= outer.Next64();
  words.push_back(plain_hash ^ inner_hash ^ outer.Next64());
  return Bytes(words);
}

std::string EncryptSimpleFastRc4(const std::string& plain, uint64_t hash_key, uint64_t key) {
  std::vector<uint64_t> words = Words(plain);
  Stream stream(key);
  for (uint64_t& word : words) word ^= stream.Next64();
  words.push_back(Hash(hash_key, words));
  return Bytes(words);
}

}  // namespace mgec
