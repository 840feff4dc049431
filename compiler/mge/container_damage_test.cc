// Damaged files: whatever happens to the bytes, reading ends in a model or an error. Worth most under --config=asan and
// --config=ubsan.
#include <random>
#include <string>

#include "compiler/mge/container.h"
#include "compiler/mge/test_files.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

// Touches everything that a model refers to.
uint64_t Checksum(const Model& model) {
  uint64_t sum = 0;
  const auto add = [&sum](absl::string_view text) {
    for (char c : text) sum = sum * 31 + static_cast<unsigned char>(c);
  };
  for (const Operator& op : model.operators) {
    add(op.type);
    add(op.name);
    for (const Tensor& tensor : op.tensors) {
      add(tensor.name);
      add(tensor.data);
    }
    for (absl::string_view blob : op.blobs) add(blob);
    for (int input : op.inputs) add(model.variables[input].name);
    if (const auto* conv = op.Param<fbs::param::Convolution>()) sum += conv->stride_h() + conv->pad_w();
    if (const auto* items = op.Param<fbs::param::IndexDescMaskDump>()) {
      if (items->items() != nullptr) {
        for (const auto* item : *items->items()) sum += item->axis();
      }
    }
  }
  for (const Output& output : model.outputs) add(output.name);
  add(model.user_info);
  return sum;
}

class DamageTest : public testing::TestWithParam<const char*> {
 protected:
  const std::string bytes_ = ReadFile(GetParam());
  // An own allocation of the exact size lets the address sanitizer see every access beyond the end.
  static absl::StatusOr<uint64_t> Read(const std::string& bytes) {
    const std::unique_ptr<char[]> copy(new char[bytes.size()]);
    std::copy(bytes.begin(), bytes.end(), copy.get());
    const absl::StatusOr<Model> model = ReadModel(absl::string_view(copy.get(), bytes.size()));
    if (!model.ok()) return model.status();
    return Checksum(*model);
  }
};

TEST_P(DamageTest, WholeFileIsFine) { EXPECT_TRUE(Read(bytes_).ok()); }

TEST_P(DamageTest, CutOff) {
  for (int i = 0; i < 50; ++i) {
    const size_t length = bytes_.size() * i / 50;
    const absl::Status status = Read(bytes_.substr(0, length)).status();
    EXPECT_FALSE(status.ok()) << length;
    EXPECT_FALSE(status.message().empty()) << length;
  }
}

TEST_P(DamageTest, OneBitFlipped) {
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    std::string damaged = bytes_;
    damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
    Read(damaged).IgnoreError();
  }
}

// Most bytes of a file are weights. The structure is what matters here, and it lies at the end of both containers.
TEST_P(DamageTest, StructureOverwritten) {
  std::mt19937 random(2);
  const size_t structure = bytes_.size() / 6;
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = bytes_;
    for (int k = 0; k < 3; ++k) {
      const size_t from_end = random() % structure + 1;
      damaged[damaged.size() - from_end] = static_cast<char>(random() % 4 == 0 ? 0xff : random());
    }
    Read(damaged).IgnoreError();
  }
}

INSTANTIATE_TEST_SUITE_P(Files, DamageTest,
                         testing::Values("testdata/nets/two_inputs_three_outputs/model.mge",
                                         "testdata/nets/two_inputs_three_outputs/model.v1.mge",
                                         "testdata/nets/repvgg_tiny_mgbs/model.mge",
                                         "testdata/nets/q_quint8_act/model.mge",
                                         "testdata/nets/mlp_f16/model.v1.mge"));

}  // namespace
}  // namespace mgec::mge
