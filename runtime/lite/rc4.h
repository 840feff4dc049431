// The stream ciphers that MegEngine Lite calls RC4 and simple fast RC4. Kept for the files that exist: neither is a strong
// cipher.
//
// A file is a number of 64-bit words (the plain text with zeros behind it), encrypted, and one more word, a checksum.
// The key is two words: the seed of the checksum, then the key of the cipher. All words are little-endian.
#ifndef MGEC_RUNTIME_LITE_RC4_H_
#define MGEC_RUNTIME_LITE_RC4_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/status.h"

namespace mgec {

// MegEngine Lite's key for both ciphers, 16 bytes.
std::vector<uint8_t> DefaultRc4Key();

// The plain text, with up to 7 zeros behind it. Errors: a key shorter than 16 bytes, a size that is not a positive number of
// words, a checksum that does not match (another key, another cipher, or a damaged file).
Result<std::vector<uint8_t>> DecryptRc4(const uint8_t* data, size_t size, const std::vector<uint8_t>& key);
Result<std::vector<uint8_t>> DecryptSimpleFastRc4(const uint8_t* data, size_t size, const std::vector<uint8_t>& key);

}  // namespace mgec

#endif  // MGEC_RUNTIME_LITE_RC4_H_
