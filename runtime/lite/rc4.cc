#include "runtime/lite/rc4.h"

#include <cstring>
#include <utility>

namespace mgec {
namespace {

constexpr size_t kWord = sizeof(uint64_t);

uint64_t LoadWord(const uint8_t* data) {
  uint64_t word;
  std::memcpy(&word, data, kWord);
  return word;
}

// RC4's permutation with more mixing in the output, keyed by 8 bytes.
class KeyStream {
 public:
  explicit KeyStream(uint64_t key) {
    for (int i = 0; i < 256; ++i) state_[i] = static_cast<uint8_t>(i);
    uint8_t j = 0;
    for (int i = 0; i < 256; ++i) {
      j = static_cast<uint8_t>(j + state_[i] + static_cast<uint8_t>(key >> (i % 8 * 8)));
      std::swap(state_[i], state_[j]);
    }
    // What comes out first depends too much on the key: it is dropped, and after it as many bytes as the next one says.
    for (int i = 0; i < 768; ++i) Byte();
    for (int i = Byte(); i > 0; --i) Byte();
  }

  uint64_t Word() {
    uint64_t word = 0;
    for (size_t i = 0; i < kWord; ++i) word |= uint64_t{Byte()} << (8 * i);
    return word;
  }

 private:
  uint8_t At(unsigned index) const { return state_[index & 0xff]; }

  uint8_t Byte() {
    ++i_;
    const uint8_t a = state_[i_];
    j_ = static_cast<uint8_t>(j_ + a);
    const uint8_t b = state_[j_];
    state_[i_] = b;
    state_[j_] = a;
    const unsigned i = i_, j = j_;
    const uint8_t c = static_cast<uint8_t>(At((i << 5) ^ (j >> 3)) + At((j << 5) ^ (i >> 3)));
    return static_cast<uint8_t>((At(a + b) + At(c ^ 0xaau)) ^ At(j + b));
  }

  uint8_t state_[256];
  uint8_t i_ = 0;
  uint8_t j_ = 0;
};

// The checksum over words.
class WordHash {
 public:
  explicit WordHash(uint64_t seed) : hash_(seed) {}
  void Add(uint64_t word) {
    word ^= word >> 23;
    word *= 0x2127599bf4325c37;
    word ^= word >> 47;
    hash_ = (hash_ ^ word) * 0x880355f21e6d1965;
  }
  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_;
};

Status Check(size_t size, const std::vector<uint8_t>& key) {
  if (key.size() < 2 * kWord) {
    return Status(StatusCode::kInvalidArgument, Format("the key has %zu bytes; RC4 needs 16", key.size()));
  }
  if (size < 2 * kWord || size % kWord != 0) {
    return Status(StatusCode::kDataLoss, Format("%zu bytes were not encrypted with RC4, or are cut off", size));
  }
  return Status();
}

Status WrongKey() {
  return Status(StatusCode::kDataLoss,
                "the checksum does not match: the key or the method is another one, or the file is damaged");
}

void Append(uint64_t word, std::vector<uint8_t>* plain) {
  const size_t end = plain->size();
  plain->resize(end + kWord);
  std::memcpy(plain->data() + end, &word, kWord);
}

}  // namespace

std::vector<uint8_t> DefaultRc4Key() {
  return {108, 105, 101, 106, 103, 102, 107, 104, 124, 127, 126, 121, 120, 125, 123, 122};
}

// Encryption hashes the plain text, encrypts it with the hash as the key, and that with the user's key. The hash itself is
// stored under a hash of the middle layer.
Result<std::vector<uint8_t>> DecryptRc4(const uint8_t* data, size_t size, const std::vector<uint8_t>& key) {
  MGEC_RETURN_IF_ERROR(Check(size, key));
  const uint64_t hash_key = LoadWord(key.data());
  const size_t end = size - kWord;
  KeyStream outer(LoadWord(key.data() + kWord));
  WordHash middle_hash(hash_key);
  std::vector<uint8_t> middle;
  middle.reserve(end);
  for (size_t i = 0; i < end; i += kWord) {
    const uint64_t word = LoadWord(data + i) ^ outer.Word();
    middle_hash.Add(word);
    Append(word, &middle);
  }
  const uint64_t plain_hash = LoadWord(data + end) ^ middle_hash.value() ^ outer.Word();
  KeyStream inner(plain_hash);
  WordHash hash(hash_key);
  for (size_t i = 0; i < end; i += kWord) {
    const uint64_t word = LoadWord(middle.data() + i) ^ inner.Word();
    hash.Add(word);
    std::memcpy(middle.data() + i, &word, kWord);
  }
  if (hash.value() != plain_hash) return WrongKey();
  return middle;
}

// Encrypted with the user's key; then the hash of that.
Result<std::vector<uint8_t>> DecryptSimpleFastRc4(const uint8_t* data, size_t size, const std::vector<uint8_t>& key) {
  MGEC_RETURN_IF_ERROR(Check(size, key));
  const size_t end = size - kWord;
  WordHash hash(LoadWord(key.data()));
  for (size_t i = 0; i < end; i += kWord) hash.Add(LoadWord(data + i));
  if (hash.value() != LoadWord(data + end)) return WrongKey();
  KeyStream stream(LoadWord(key.data() + kWord));
  std::vector<uint8_t> plain;
  plain.reserve(end);
  for (size_t i = 0; i < end; i += kWord) Append(LoadWord(data + i) ^ stream.Word(), &plain);
  return plain;
}

}  // namespace mgec
