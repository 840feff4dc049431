// A cubin is an ELF file. The section .nv.info is a list of attributes: a byte for the format (4: a size and as many bytes), a byte
// for which it is, 16 bits of size; those of interest hold a symbol's number and a value, 32 bits each. Static shared memory
// is the section .nv.shared.KERNEL.
#include "tools/cubin.h"

#include <elf.h>

#include <cstring>
#include <vector>

#include "absl/strings/match.h"

namespace mgec {
namespace {

constexpr uint16_t kMachineCuda = 190;
constexpr uint8_t kSizedFormat = 4;
constexpr uint8_t kRegisterCount = 0x2f, kFrameSize = 0x11;
constexpr absl::string_view kShared = ".nv.shared.";
constexpr char kReserved[] = "reserved.0";
constexpr int kReservedBytes = 1024;

// A structure at an offset; false where the file ends before it does.
template <typename T>
bool Get(absl::string_view bytes, uint64_t offset, T* value) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return false;
  std::memcpy(value, bytes.data() + offset, sizeof(T));
  return true;
}

class Reader {
 public:
  explicit Reader(absl::string_view bytes) : bytes_(bytes) {}

  bool Read(std::map<std::string, KernelResources>* kernels) {
    Elf64_Ehdr header;
    if (!Get(bytes_, 0, &header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_machine != kMachineCuda ||
        header.e_shentsize != sizeof(Elf64_Shdr)) {
      return false;
    }
    sections_.resize(header.e_shnum);
    for (size_t i = 0; i < sections_.size(); ++i) {
      if (!Get(bytes_, header.e_shoff + i * sizeof(Elf64_Shdr), &sections_[i])) return false;
    }
    if (header.e_shstrndx >= sections_.size()) return false;
    for (const Elf64_Shdr& s : sections_) {
      std::string name;
      if (!Name(header.e_shstrndx, s.sh_name, &name)) return false;
      if (s.sh_type == SHT_SYMTAB) symbols_ = &s;
      if (name == ".nv.info") info_ = &s;
      if (absl::StartsWith(name, kShared)) shared_[name.substr(kShared.size())] = static_cast<int>(s.sh_size);
    }
    if (symbols_ == nullptr || info_ == nullptr || !ReadInfo(kernels)) return false;
    for (auto& [name, kernel] : *kernels) {
      const auto it = shared_.find(name);
      if (it == shared_.end()) continue;
      // Where the system reserves a part of each block's, from sm_90 on, the section begins with it.
      kernel.shared_bytes = it->second - (shared_.count(kReserved) != 0 ? kReservedBytes : 0);
    }
    return true;
  }

 private:
  bool Name(size_t strings, uint64_t at, std::string* name) const {
    if (strings >= sections_.size()) return false;
    const Elf64_Shdr& s = sections_[strings];
    if (s.sh_offset > bytes_.size() || s.sh_size > bytes_.size() - s.sh_offset || at >= s.sh_size) return false;
    const absl::string_view rest = bytes_.substr(s.sh_offset + at, s.sh_size - at);
    const size_t end = rest.find('\0');
    if (end == absl::string_view::npos) return false;
    *name = std::string(rest.substr(0, end));
    return true;
  }

  bool ReadInfo(std::map<std::string, KernelResources>* kernels) const {
    uint64_t at = info_->sh_offset;
    const uint64_t end = at + info_->sh_size;
    if (end < at || end > bytes_.size()) return false;
    while (at < end) {
      uint8_t format, attribute;
      uint16_t size;
      if (!Get(bytes_, at, &format) || !Get(bytes_, at + 1, &attribute) || !Get(bytes_, at + 2, &size)) return false;
      at += 4;
      if (format != kSizedFormat) continue;  // the 16 bits are the value
      uint32_t symbol, value;
      if (attribute == kRegisterCount || attribute == kFrameSize) {
        Elf64_Sym entry;
        std::string name;
        if (!Get(bytes_, at, &symbol) || !Get(bytes_, at + 4, &value) ||
            !Get(bytes_, symbols_->sh_offset + uint64_t{symbol} * sizeof(entry), &entry) ||
            !Name(symbols_->sh_link, entry.st_name, &name)) {
          return false;
        }
        KernelResources& kernel = (*kernels)[name];
        (attribute == kRegisterCount ? kernel.registers : kernel.local_bytes) = static_cast<int>(value);
      }
      at += size;
    }
    return true;
  }

  const absl::string_view bytes_;
  std::vector<Elf64_Shdr> sections_;
  std::map<std::string, int> shared_;  // also what the system reserves, under names of its own
  const Elf64_Shdr* symbols_ = nullptr;
  const Elf64_Shdr* info_ = nullptr;
};

}  // namespace

absl::StatusOr<std::map<std::string, KernelResources>> ReadCubin(absl::string_view bytes) {
  std::map<std::string, KernelResources> kernels;
  if (!Reader(bytes).Read(&kernels)) return absl::DataLossError("a cubin is damaged, or of a form that is not known");
  return kernels;
}

}  // namespace mgec
