#include "compiler/codegen/llvm/testing/compare.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "compiler/codegen/llvm/testing/run_image.h"
#include "compiler/kernel/interpreter.h"
#include "compiler/kernel/reference_math.h"
#include "compiler/kernel/target.h"

namespace mgec::codegen {

using kernel::Buffer;
using kernel::Scalar;

namespace {

float RandomFloat(std::mt19937& random) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kSpecial[] = {0.0f, -0.0f, 1, -1, 0.5f, -1.5f, 2.5f, kInf, -kInf, NAN, 1e-40f, -1e-40f, 3e38f, -3e38f,
                                127.5f, -128.5f, 255.5f, 32767.5f, 2147483648.0f, -2147483648.0f, 4194304.5f, 1e10f};
  switch (random() % 4) {
    case 0: return kSpecial[random() % std::size(kSpecial)];
    case 1: return std::ldexp(static_cast<float>(random() % 2000) - 1000, static_cast<int>(random() % 40) - 20);
    default: return (static_cast<float>(random() % 100000) - 50000) / 5000;
  }
}

template <typename T>
T At(const std::vector<char>& bytes, int64_t i) {
  T v;
  std::memcpy(&v, bytes.data() + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return v;
}

bool Close(float a, float b, double ulps) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (std::memcmp(&a, &b, sizeof(a)) == 0) return true;
  if (ulps == 0 || std::isinf(a) || std::isinf(b)) return false;
  const double unit = std::fabs(std::nextafter(b, 2 * b) - b);
  return std::fabs(static_cast<double>(a) - static_cast<double>(b)) <= ulps * std::max(unit, 0x1p-149);
}

}  // namespace

Buffer Comparison::Add(Scalar s, std::vector<char> bytes) {
  const auto size = static_cast<int64_t>(bytes.size()) / SizeOf(s);
  const auto number = static_cast<int>(buffers_.size());
  // Only aligned to an element, as tensors that users bring.
  buffers_.push_back(kernel::ArgumentBuffer(absl::StrCat("b", number), s, size, number, SizeOf(s)));
  data_.push_back(std::move(bytes));
  return buffers_.back();
}

Buffer Comparison::Input(Scalar s, int64_t size) {
  std::vector<char> bytes(static_cast<size_t>(size * SizeOf(s)));
  for (int64_t i = 0; i < size; ++i) {
    char* at = bytes.data() + i * SizeOf(s);
    const float f = RandomFloat(random_);
    uint16_t half = s == Scalar::kFloat16 ? kernel::FloatToHalf(f) : kernel::FloatToBFloat16(f);
    if (std::isnan(f)) half = s == Scalar::kFloat16 ? 0x7e00 : 0x7fc0;
    const auto bits = static_cast<int64_t>((static_cast<uint64_t>(random_()) << 32) | random_());
    switch (s) {
      case Scalar::kFloat32: std::memcpy(at, &f, 4); break;
      case Scalar::kFloat16:
      case Scalar::kBFloat16: std::memcpy(at, &half, 2); break;
      case Scalar::kBool: *at = static_cast<char>(bits & 1); break;
      default: std::memcpy(at, &bits, static_cast<size_t>(SizeOf(s))); break;
    }
  }
  return Add(s, std::move(bytes));
}

Buffer Comparison::Output(Scalar s, int64_t size) {
  return Add(s, std::vector<char>(static_cast<size_t>(size * SizeOf(s)), 0x55));
}

std::string Comparison::Compare(const std::vector<std::vector<char>>& expected,
                                const std::vector<std::vector<char>>& got) const {
  for (size_t n = 0; n < buffers_.size(); ++n) {
    const Scalar s = buffers_[n]->scalar;
    for (int64_t i = 0; i < buffers_[n]->size; ++i) {
      float want = 0, have = 0;
      if (s == Scalar::kFloat32) {
        want = At<float>(expected[n], i);
        have = At<float>(got[n], i);
        if (Close(have, want, ulps_)) continue;
      } else {
        const auto offset = static_cast<size_t>(i * SizeOf(s));
        if (std::memcmp(&expected[n][offset], &got[n][offset], static_cast<size_t>(SizeOf(s))) == 0) continue;
        if (s == Scalar::kFloat16) {
          want = kernel::HalfToFloat(At<uint16_t>(expected[n], i));
          have = kernel::HalfToFloat(At<uint16_t>(got[n], i));
          if (std::isnan(want) && std::isnan(have)) continue;  // the bits of a NaN are not specified
        } else {
          int64_t w = 0, h = 0;
          std::memcpy(&w, &expected[n][offset], static_cast<size_t>(SizeOf(s)));
          std::memcpy(&h, &got[n][offset], static_cast<size_t>(SizeOf(s)));
          return absl::StrCat(buffers_[n]->name, "[", i, "] is ", absl::Hex(h), " instead of ", absl::Hex(w));
        }
      }
      return absl::StrCat(buffers_[n]->name, "[", i, "] is ", have, " instead of ", want);
    }
  }
  return "";
}

std::string Comparison::Run(kernel::Block b) {
  kernel::Kernel k;
  k.name = "k";
  k.arguments = buffers_;
  k.task = task_;
  k.tasks = tasks_;
  k.body = b.Take();

  std::vector<std::vector<char>> expected = data_;
  std::vector<kernel::BufferView> views;
  for (auto& bytes : expected) views.push_back({bytes.data(), static_cast<int64_t>(bytes.size())});
  if (absl::Status s = kernel::Interpret(k, views, 0, tasks_); !s.ok()) return s.ToString();

  skipped_.clear();
  for (const kernel::Target& target : kernel::X86Targets()) {
    std::string why_not;
    if (!CanRun(target, &why_not)) {
      absl::StrAppend(&skipped_, skipped_.empty() ? "" : ", ", target.name, " ", why_not);
      continue;
    }
    absl::StatusOr<CodeImage> image = Generate({k}, target, Options());
    if (!image.ok()) return image.status().ToString();
    absl::StatusOr<MappedImage> code = MappedImage::Map(*image);
    if (!code.ok()) return code.status().ToString();
    std::vector<std::vector<char>> got = data_;
    std::vector<void*> pointers;
    for (auto& bytes : got) pointers.push_back(bytes.data());
    code->Run(0, pointers, 0, static_cast<uint32_t>(tasks_));
    if (std::string difference = Compare(expected, got); !difference.empty()) {
      return absl::StrCat(target.name, ": ", difference, "\n", kernel::ToString(k));
    }
  }
  return "";
}

}  // namespace mgec::codegen
