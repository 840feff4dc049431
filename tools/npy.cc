#include "tools/npy.h"

#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace mgec {
namespace {

constexpr absl::string_view kMagic = "\x93NUMPY";
constexpr size_t kMaxDims = 32;
constexpr uint64_t kMaxBytes = uint64_t{1} << 40;

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("not a .npy file that can be read: ", what));
}

// Reads the header, a Python dict as NumPy writes it: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
class HeaderReader {
 public:
  explicit HeaderReader(absl::string_view text) : text_(text) {}

  absl::Status Read(NpyArray* array) {
    bool descr = false, order = false, shape = false;
    if (!Take("{")) return Bad("the header is not a dict");
    while (!Take("}")) {
      if (Take("'descr'") && Take(":")) {
        if (descr || !TakeString(&array->descr)) return Bad("structured or unknown element type");
        descr = true;
      } else if (Take("'fortran_order'") && Take(":")) {
        if (Take("True")) return Bad("Fortran order; save numpy.ascontiguousarray(x)");
        if (order || !Take("False")) return Bad("bad fortran_order");
        order = true;
      } else if (Take("'shape'") && Take(":")) {
        if (shape || !TakeShape(&array->shape)) return Bad("bad shape");
        shape = true;
      } else {
        return Bad("unknown key in the header");
      }
      if (!Take(",") && !Peek("}")) return Bad("bad header");
    }
    SkipSpace();
    if (!text_.empty() || !descr || !order || !shape) return Bad("incomplete header");
    return absl::OkStatus();
  }

 private:
  void SkipSpace() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n')) text_.remove_prefix(1);
  }
  bool Peek(absl::string_view token) {
    SkipSpace();
    return text_.substr(0, token.size()) == token;
  }
  bool Take(absl::string_view token) {
    SkipSpace();
    return absl::ConsumePrefix(&text_, token);
  }
  bool TakeString(std::string* value) {
    if (!Take("'")) return false;
    const size_t end = text_.find('\'');
    if (end == absl::string_view::npos) return false;
    *value = std::string(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    return true;
  }
  bool TakeShape(std::vector<uint32_t>* shape) {
    if (!Take("(")) return false;
    while (!Take(")")) {
      SkipSpace();
      size_t digits = 0;
      while (digits < text_.size() && text_[digits] >= '0' && text_[digits] <= '9') ++digits;
      uint32_t dim = 0;
      if (shape->size() == kMaxDims || !absl::SimpleAtoi(text_.substr(0, digits), &dim)) return false;
      text_.remove_prefix(digits);
      shape->push_back(dim);
      if (!Take(",") && !Peek(")")) return false;
    }
    return true;
  }

  absl::string_view text_;
};

// "<f4", "|u1", "<i4", "|b1", ...: little-endian or of one byte, and of a kind that models have.
bool IsSupported(const std::string& descr) {
  static const char* const kTypes[] = {"<f4", "<f2", "<f8", "|i1", "<i1", "|u1", "<u1", "<i2", "<u2",
                                       "<i4", "<u4", "<i8", "<u8", "|b1"};
  for (const char* type : kTypes) {
    if (descr == type) return true;
  }
  return false;
}

}  // namespace

size_t NpyArray::item_size() const { return descr.size() == 3 ? descr[2] - '0' : 0; }

absl::StatusOr<NpyArray> ParseNpy(absl::string_view file) {
  if (!absl::ConsumePrefix(&file, kMagic)) return Bad("the magic number is missing");
  if (file.size() < 6) return Bad("it is too short");
  const int version = file[0];
  if ((version != 1 && version != 2) || file[1] != 0) return Bad("unknown version");
  const size_t length_bytes = version == 1 ? 2 : 4;
  uint64_t length = 0;
  for (size_t i = 0; i < length_bytes; ++i) length |= uint64_t{static_cast<uint8_t>(file[2 + i])} << (8 * i);
  file.remove_prefix(2 + length_bytes);
  if (length > file.size()) return Bad("it is too short");
  NpyArray array;
  const absl::Status header = HeaderReader(file.substr(0, length)).Read(&array);
  if (!header.ok()) return header;
  file.remove_prefix(length);
  if (!IsSupported(array.descr)) return Bad(absl::StrCat("element type ", array.descr));
  uint64_t bytes = array.item_size();
  for (uint32_t dim : array.shape) {
    if (dim != 0 && bytes > kMaxBytes / dim) return Bad("the shape is too large");
    bytes *= dim;
  }
  if (bytes != file.size()) {
    return Bad(absl::StrCat("it has ", file.size(), " bytes of data, its shape needs ", bytes));
  }
  array.data = std::string(file);
  return array;
}

std::string FormatNpy(const NpyArray& array) {
  std::string header =
      absl::StrCat("{'descr': '", array.descr, "', 'fortran_order': False, 'shape': (",
                   absl::StrJoin(array.shape, ", "), array.shape.size() == 1 ? "," : "", "), }");
  // NumPy wants the data at a multiple of 64 bytes and the header to end with a newline.
  const size_t prefix = kMagic.size() + 4;
  header.append(63 - (prefix + header.size()) % 64, ' ');
  header += '\n';
  std::string file(kMagic);
  file += '\x01';
  file += '\0';
  file += static_cast<char>(header.size() & 0xff);
  file += static_cast<char>(header.size() >> 8);
  return file + header + array.data;
}

absl::StatusOr<NpyArray> ReadNpy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("failed to open ", path));
  std::ostringstream bytes;
  bytes << file.rdbuf();
  absl::StatusOr<NpyArray> array = ParseNpy(bytes.str());
  if (!array.ok()) return absl::Status(array.status().code(), absl::StrCat(path, ": ", array.status().message()));
  return array;
}

absl::Status WriteNpy(const std::string& path, const NpyArray& array) {
  std::ofstream file(path, std::ios::binary);
  file << FormatNpy(array);
  if (!file.flush()) return absl::UnavailableError(absl::StrCat("failed to write ", path));
  return absl::OkStatus();
}

}  // namespace mgec
