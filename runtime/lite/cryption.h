// Decryptions of models, found by name. One table for the process; every function may be called from any thread.
#ifndef MGEC_RUNTIME_LITE_CRYPTION_H_
#define MGEC_RUNTIME_LITE_CRYPTION_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/status.h"

namespace mgec {

// The plain text of `size` bytes.
using Decryption =
    std::function<Result<std::vector<uint8_t>>(const uint8_t* data, size_t size, const std::vector<uint8_t>& key)>;

// Built in: "AES_default", "RC4_default", "SIMPLE_FAST_RC4_default". Errors: a name that is taken, an empty function.
Status RegisterDecryption(const std::string& name, Decryption decryption, std::vector<uint8_t> key);

// Changes the function unless it is empty, and the key unless it is empty. Error: an unknown name.
Status UpdateDecryption(const std::string& name, Decryption decryption, std::vector<uint8_t> key);

// Errors: an unknown name, and whatever the decryption says.
Result<std::vector<uint8_t>> Decrypt(const std::string& name, const uint8_t* data, size_t size);

// AES-256-CBC as MegEngine Lite lays it out: 16 bytes of initialization vector, whole blocks, and the length of the plain
// text in 8 bytes, big-endian. The key has 32 bytes. There is no checksum: with another key the result is noise.
Result<std::vector<uint8_t>> DecryptAes(const uint8_t* data, size_t size, const std::vector<uint8_t>& key);

}  // namespace mgec

#endif  // MGEC_RUNTIME_LITE_CRYPTION_H_
