#include "runtime/lite/packed_model.h"

#include <gtest/gtest.h>

#include "runtime/lite/cryption.h"
#include "runtime/lite/rc4.h"
#include "runtime/lite/testing/pack.h"

namespace mgec {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr uint64_t kHashKey = 0x686b66676a65696c, kKey = 0x7a7b7d78797e7f7c;

Bytes ToBytes(const std::string& text) { return Bytes(text.begin(), text.end()); }

std::string Text(const UnpackedModel& model) {
  return std::string(reinterpret_cast<const char*>(model.model), model.model_size);
}

Status UnpackText(const std::string& file, const std::string& cryption, UnpackedModel* model) {
  return Unpack(reinterpret_cast<const uint8_t*>(file.data()), file.size(), cryption, model);
}

Bytes AesKey() {
  Bytes key(32);
  for (size_t i = 0; i < key.size(); ++i) key[i] = static_cast<uint8_t>(i);
  return key;
}

// FIPS 197, appendix C.3: one block with the key 00 01 .. 1f. CBC with an initialization vector of zeros is that.
TEST(Cryption, AesIsAes256) {
  const Bytes cipher = {0x8e, 0xa2, 0xb7, 0xca, 0x51, 0x67, 0x45, 0xbf, 0xea, 0xfc, 0x49, 0x90, 0x4b, 0x49, 0x60, 0x89};
  Bytes file(16, 0);
  file.insert(file.end(), cipher.begin(), cipher.end());
  file.insert(file.end(), {0, 0, 0, 0, 0, 0, 0, 15});
  const Result<Bytes> plain = Decrypt("AES_default", file.data(), file.size());
  ASSERT_TRUE(plain.ok()) << plain.status().message();
  EXPECT_EQ(plain.value(), (Bytes{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee}));
}

TEST(Cryption, EveryMethodGivesThePlainText) {
  for (size_t size : {1, 7, 8, 15, 16, 17, 1000}) {
    std::string plain;
    for (size_t i = 0; i < size; ++i) plain += static_cast<char>('a' + i % 23);
    const std::pair<const char*, std::string> cases[] = {
        {"AES_default", EncryptAes(plain, AesKey())},
        {"RC4_default", EncryptRc4(plain, kHashKey, kKey)},
        {"SIMPLE_FAST_RC4_default", EncryptSimpleFastRc4(plain, kHashKey, kKey)},
    };
    for (const auto& [method, file] : cases) {
      const Result<Bytes> result = Decrypt(method, reinterpret_cast<const uint8_t*>(file.data()), file.size());
      ASSERT_TRUE(result.ok()) << method << ": " << result.status().message();
      ASSERT_GE(result.value().size(), size);
      EXPECT_LT(result.value().size(), size + 8);
      EXPECT_EQ(std::string(result.value().begin(), result.value().begin() + size), plain) << method;
    }
  }
}

TEST(Cryption, DefaultKeysOfRc4) {
  const Bytes key = DefaultRc4Key();
  uint64_t words[2];
  memcpy(words, key.data(), 16);
  EXPECT_EQ(words[0], kHashKey);
  EXPECT_EQ(words[1], kKey);
}

TEST(Cryption, RefusesOtherKeysAndDamage) {
  const std::string plain(100, 'x');
  for (const bool fast : {false, true}) {
    const char* method = fast ? "SIMPLE_FAST_RC4_default" : "RC4_default";
    const auto decrypt = [&](const std::string& file) {
      return Decrypt(method, reinterpret_cast<const uint8_t*>(file.data()), file.size()).status().message();
    };
    const auto encrypt = [&](uint64_t hash_key) {
      return fast ? EncryptSimpleFastRc4(plain, hash_key, kKey) : EncryptRc4(plain, hash_key, kKey);
    };
    EXPECT_NE(decrypt(encrypt(kHashKey + 1)).find("checksum"), std::string::npos) << method;
    std::string damaged = encrypt(kHashKey);
    damaged[40] = static_cast<char>(damaged[40] ^ 1);
    EXPECT_NE(decrypt(damaged).find("checksum"), std::string::npos) << method;
    EXPECT_NE(decrypt(encrypt(kHashKey).substr(0, 50)).find("cut off"), std::string::npos) << method;
    EXPECT_NE(decrypt("").find("cut off"), std::string::npos) << method;
  }
  for (const std::string& file : {std::string(), std::string(23, 'x'), std::string(41, 'x')}) {
    EXPECT_NE(DecryptAes(reinterpret_cast<const uint8_t*>(file.data()), file.size(), AesKey()).status().message().find("cut off"),
              std::string::npos);
  }
  const std::string large(40, '\xff');
  EXPECT_NE(DecryptAes(reinterpret_cast<const uint8_t*>(large.data()), large.size(), AesKey()).status().message().find("length"),
            std::string::npos);
  EXPECT_FALSE(DecryptAes(nullptr, 0, Bytes(31)).ok());
  EXPECT_FALSE(DecryptRc4(nullptr, 0, Bytes(15)).ok());
}

TEST(Cryption, UsersRegisterTheirOwn) {
  const auto add = [](const uint8_t* data, size_t size, const Bytes& key) -> Result<Bytes> {
    Bytes plain(data, data + size);
    for (uint8_t& byte : plain) byte = static_cast<uint8_t>(byte + key[0]);
    return plain;
  };
  ASSERT_TRUE(RegisterDecryption("add", add, {1}).ok());
  EXPECT_NE(RegisterDecryption("add", add, {1}).message().find("already registered"), std::string::npos);
  EXPECT_FALSE(RegisterDecryption("nothing", nullptr, {1}).ok());
  const uint8_t data[] = {10, 20};
  EXPECT_EQ(Decrypt("add", data, 2).value(), (Bytes{11, 21}));
  ASSERT_TRUE(UpdateDecryption("add", nullptr, {2}).ok());
  EXPECT_EQ(Decrypt("add", data, 2).value(), (Bytes{12, 22}));
  ASSERT_TRUE(UpdateDecryption("add", [](const uint8_t*, size_t, const Bytes& key) -> Result<Bytes> { return key; }, {}).ok());
  EXPECT_EQ(Decrypt("add", data, 2).value(), (Bytes{2}));
  EXPECT_NE(UpdateDecryption("other", add, {}).message().find("not registed"), std::string::npos);
  EXPECT_NE(Decrypt("other", data, 2).status().message().find("not registed"), std::string::npos);
}

TEST(Unpack, PlainFilesAreThemselves) {
  UnpackedModel model;
  const std::string file = "anything";
  ASSERT_TRUE(UnpackText(file, "", &model).ok());
  EXPECT_EQ(Text(model), "anything");
  EXPECT_FALSE(model.packed);
  ASSERT_TRUE(UnpackText("", "", &model).ok());
  EXPECT_EQ(model.model_size, 0u);
}

TEST(Unpack, WholeFilesMayBeEncrypted) {
  UnpackedModel model;
  const std::string file = EncryptAes("the model", AesKey());
  ASSERT_TRUE(UnpackText(file, "AES_default", &model).ok());
  EXPECT_EQ(Text(model), "the model");
}

TEST(Unpack, PackedModelsSayHowTheyAreEncrypted) {
  PackOptions options;
  options.name = "net";
  options.info = EncryptRc4("{\"valid\": false}", kHashKey, kKey);
  options.info_cryption = "RC4_default";
  options.model_cryption = "AES_default";
  UnpackedModel model;
  const std::string file = Pack(EncryptAes("the model", AesKey()), options);
  ASSERT_TRUE(UnpackText(file, "", &model).ok());
  EXPECT_TRUE(model.packed);
  EXPECT_EQ(model.name, "net");
  EXPECT_EQ(model.info_parser, "LITE_default");
  EXPECT_EQ(Text(model), "the model");
  EXPECT_EQ(model.info, ToBytes("{\"valid\": false}"));
}

TEST(Unpack, AtAnyAlignment) {
  const std::string file = Pack("the model");
  for (size_t shift = 0; shift < 8; ++shift) {
    Bytes memory(file.size() + 8);
    memcpy(memory.data() + shift, file.data(), file.size());
    UnpackedModel model;
    ASSERT_TRUE(Unpack(memory.data() + shift, file.size(), "", &model).ok());
    EXPECT_EQ(Text(model), "the model");
  }
}

TEST(Unpack, CutOffAndDamagedPackagesAreErrors) {
  PackOptions options;
  options.info = "{}";
  const std::string file = Pack("the model", options);
  for (size_t size = 12; size < file.size(); size += 4) {
    UnpackedModel model;
    const Status status = UnpackText(file.substr(0, size), "", &model);
    // What is cut off at the end may be padding.
    EXPECT_TRUE(status.ok() || status.message().find("damaged") != std::string::npos) << status.message();
  }
  for (size_t i = 12; i < file.size(); ++i) {
    std::string damaged = file;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
    UnpackedModel model;
    static_cast<void>(UnpackText(damaged, "", &model).ok());  // an error or another model, but never a crash
  }
  UnpackedModel model;
  EXPECT_NE(UnpackText("packed_model", "", &model).message().find("damaged"), std::string::npos);
  EXPECT_NE(UnpackText(Pack(""), "", &model).message().find("no model"), std::string::npos);
  options.model_cryption = "made up";
  EXPECT_NE(UnpackText(Pack("x", options), "", &model).message().find("made up is not registed"), std::string::npos);
}

}  // namespace
}  // namespace mgec
