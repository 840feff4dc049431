// Accesses to several neighbours in memory at once, as words of 32 bits.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/codegen/cuda/kernel_printer.h"

namespace mgec::codegen::cuda {

using kernel::Expr;
using ScalarType = kernel::Scalar;

namespace {

constexpr int kWordBytes = 4, kMostBytes = 16;

// `value`, of a type of memory, as bits of a word from `shift` on; the others are 0.
std::string BitsOf(ScalarType s, const std::string& value, int shift) {
  std::string bits;
  if (s == ScalarType::kFloat32) bits = absl::StrCat("(unsigned)float_to_bits(", value, ")");
  else if (SizeOf(s) == kWordBytes) bits = absl::StrCat("(unsigned)", value);
  else bits = absl::StrCat("(unsigned)(", SizeOf(s) == 2 ? "unsigned short" : "unsigned char", ")", value);
  return shift == 0 ? bits : absl::StrCat(bits, " << ", shift);
}

std::string ValueOf(ScalarType s, const std::string& word, int shift) {
  if (s == ScalarType::kFloat32) return absl::StrCat("bits_to_float((int)", word, ")");
  const std::string bits = shift == 0 ? word : absl::StrCat("(", word, " >> ", shift, ")");
  if (s == ScalarType::kBool) return absl::StrCat("(unsigned char)", bits, " != 0");
  return absl::StrCat("(", TypeName(s), ")", bits);
}

}  // namespace

// The bytes that one access takes of `lanes` elements of an argument from `index` on; 0: they are accessed one by one.
int KernelPrinter::BytesAtATime(const kernel::Buffer& b, const Expr& index, int lanes) {
  const int size = SizeOf(b->scalar);
  if (lanes < 2 || b->kind != kernel::BufferKind::kArgument || index->type.lanes != 1 || size > kWordBytes) return 0;
  for (int bytes = kMostBytes; bytes >= kWordBytes; bytes /= 2) {
    if (bytes > size && lanes * size % bytes == 0 && b->alignment % bytes == 0 && Aligned(index, bytes / size)) return bytes;
  }
  return 0;
}

KernelPrinter::Lanes KernelPrinter::LoadWords(const Expr& load, int bytes) {
  const ScalarType s = load->type.scalar;
  const int size = SizeOf(s), words = bytes / kWordBytes, per_word = kWordBytes / size;
  Lanes lanes;
  for (int l = 0; l < load->type.lanes; l += words * per_word) {
    const std::string name = Identifier("w"), place = IndexLane(load->args[0], l);
    Line(words == 1 ? absl::StrCat("const unsigned ", name, " = load_word(", NameOf(load->buffer), " + (", place, "));")
                    : absl::StrCat("const uint", words, " ", name, " = load_words", words, "(", NameOf(load->buffer), " + (", place, "));"));
    for (int i = 0; i < words * per_word; ++i) {
      const std::string word = words == 1 ? name : absl::StrCat(name, ".", std::string(1, "xyzw"[i / per_word]));
      lanes.push_back({ValueOf(s, word, i % per_word * size * 8), false});
    }
  }
  return lanes;
}

void KernelPrinter::StoreWords(const kernel::StmtNode& store, const Lanes& values, int bytes) {
  const ScalarType s = store.buffer->scalar;
  const int size = SizeOf(s), per_word = kWordBytes / size, per_store = bytes / size;
  for (int l = 0; l < static_cast<int>(values.size()); l += per_store) {
    std::vector<std::string> words;
    for (int i = 0; i < per_store; ++i) {
      const std::string bits = BitsOf(s, values[l + i].text, i % per_word * size * 8);
      if (i % per_word == 0) words.push_back(bits);
      else absl::StrAppend(&words.back(), " | ", bits);
    }
    Line(absl::StrCat("store_words(", NameOf(store.buffer), " + (", IndexLane(store.index, l), "), ", absl::StrJoin(words, ", "), ");"));
  }
}

}  // namespace mgec::codegen::cuda
