// The other direction of what the runtime reads: packs and encrypts models as MegEngine Lite's tools do.
#ifndef MGEC_RUNTIME_LITE_TESTING_PACK_H_
#define MGEC_RUNTIME_LITE_TESTING_PACK_H_

#include <cstdint>
#include <string>
#include <vector>

namespace mgec {

struct PackOptions {
  std::string name = "model";
  std::string info;  // JSON or what `info_parser` reads
  std::string info_parser = "LITE_default";
  std::string info_cryption = "NONE";  // the method that `info` is already encrypted with
  std::string model_cryption = "NONE";
};
std::string Pack(const std::string& model, const PackOptions& options = {});

// `key`: 32 bytes.
std::string EncryptAes(const std::string& plain, const std::vector<uint8_t>& key);
// `hash_key`, `key`: the two halves of the 16 bytes.
std::string EncryptRc4(const std::string& plain, uint64_t hash_key, uint64_t key);
std::string EncryptSimpleFastRc4(const std::string& plain, uint64_t hash_key, uint64_t key);

}  // namespace mgec

#endif  // MGEC_RUNTIME_LITE_TESTING_PACK_H_
