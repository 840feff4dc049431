#include "compiler/codegen/llvm/link.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "compiler/base/status_macros.h"
#include "lld/Common/Driver.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/raw_ostream.h"

LLD_HAS_DRIVER(elf)

namespace mgec::codegen {
namespace {

// Everything that would need a loader is collected and refused. Code comes first, constants follow at a cache line (the
// widest constants are vectors of 64 bytes).
constexpr char kScript[] = R"(
PHDRS { image PT_LOAD FLAGS(5); }
SECTIONS {
  . = 0;
  .text : ALIGN(64) { *(.text .text.*) } :image
  .rodata : ALIGN(64) { *(.rodata .rodata.* .lrodata*) } :image
  .bad : { *(.data .data.* .bss .bss.* .tdata .tdata.* .tbss .tbss.* .init_array* .fini_array* .ctors .dtors COMMON) }
  .rela.dyn : { *(.rela.dyn .rela.*) }
  .got : { *(.got .got.plt) }
  .plt : { *(.plt .plt.*) }
  ASSERT(SIZEOF(.bad) == 0, "writable data in the image")
  ASSERT(SIZEOF(.rela.dyn) == 0, "relocations in the image")
  ASSERT(SIZEOF(.got) == 0, "a table of addresses in the image")
  ASSERT(SIZEOF(.plt) == 0, "imports in the image")
  /DISCARD/ : { *(.eh_frame* .comment .note* .llvm_addrsig .dynamic .dynsym .dynstr .hash .gnu.hash .gnu.version*
                  .interp) }
}
)";

// A private directory for one link, removed with everything in it.
class ScratchDirectory {
 public:
  static absl::StatusOr<ScratchDirectory> Create() {
    std::error_code error;
    std::filesystem::path base = std::filesystem::temp_directory_path(error);
    if (error) return absl::InternalError(absl::StrCat("no directory for temporary files: ", error.message()));
    std::string name = (base / "mgec-link-XXXXXX").string();
    if (!mkdtemp(name.data())) return absl::InternalError(absl::StrCat("cannot create a directory in ", base.string()));
    return ScratchDirectory(std::move(name));
  }
  ScratchDirectory(ScratchDirectory&& o) noexcept : path_(std::exchange(o.path_, {})) {}
  ScratchDirectory& operator=(ScratchDirectory&&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  std::string File(absl::string_view name) const { return absl::StrCat(path_, "/", name); }

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

absl::Status Write(const std::string& path, absl::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  return file ? absl::OkStatus() : absl::InternalError(absl::StrCat("cannot write ", path));
}

absl::StatusOr<std::string> Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file) return absl::InternalError(absl::StrCat("cannot read ", path));
  return bytes;
}

absl::Status RunLinker(const std::vector<std::string>& arguments) {
  static std::mutex& mutex = *new std::mutex;  // LLD keeps global state while it runs
  static bool usable = true;
  std::lock_guard<std::mutex> lock(mutex);
  if (!usable) return absl::InternalError("the linker crashed earlier in this process");
  std::vector<const char*> argv;
  for (const std::string& a : arguments) argv.push_back(a.c_str());
  std::string out, err;
  llvm::raw_string_ostream out_stream(out), err_stream(err);
  const lld::Result result = lld::lldMain(argv, out_stream, err_stream, {{lld::Gnu, &lld::elf::link}});
  usable = result.canRunAgain;
  if (result.retCode != 0) return absl::InternalError(absl::StrCat("linking failed: ", err_stream.str()));
  return absl::OkStatus();
}

template <typename T>
absl::Status ToStatus(llvm::Expected<T>& e) {
  return absl::InternalError(absl::StrCat("unreadable linker output: ", llvm::toString(e.takeError())));
}

absl::StatusOr<LinkedImage> Unpack(std::string elf) {
  LinkedImage image;
  {
    auto file = llvm::object::ELFFile<llvm::object::ELF64LE>::create(elf);
    if (!file) return ToStatus(file);
    auto headers = file->program_headers();
    if (!headers) return ToStatus(headers);
    for (const auto& header : *headers) {
      if (header.p_type != llvm::ELF::PT_LOAD || header.p_filesz == 0) continue;
      // The linker script has one segment, and the linker output was checked to lie within the file.
      auto contents = file->getSegmentContents(header);
      if (!contents) return ToStatus(contents);
      image.bytes.resize(std::max<size_t>(image.bytes.size(), header.p_vaddr + header.p_filesz));
      std::copy(contents->begin(), contents->end(), image.bytes.begin() + static_cast<int64_t>(header.p_vaddr));
    }
    auto sections = file->sections();
    if (!sections) return ToStatus(sections);
    for (const auto& section : *sections) {
      if (section.sh_type != llvm::ELF::SHT_SYMTAB) continue;
      auto symbols = file->symbols(&section);
      if (!symbols) return ToStatus(symbols);
      auto names = file->getStringTableForSymtab(section);
      if (!names) return ToStatus(names);
      for (const auto& symbol : *symbols) {
        if (symbol.getType() != llvm::ELF::STT_FUNC) continue;
        auto name = symbol.getName(*names);
        if (!name) return ToStatus(name);
        image.symbols[name->str()] = symbol.st_value;
      }
    }
  }
  image.elf = std::move(elf);
  return image;
}

}  // namespace

absl::StatusOr<LinkedImage> Link(absl::Span<const std::string> objects) {
  ASSIGN_OR_RETURN(const ScratchDirectory scratch, ScratchDirectory::Create());
  const std::string script = scratch.File("image.lds"), output = scratch.File("image.elf");
  RETURN_IF_ERROR(Write(script, kScript));
  // Position independent, or absolute addresses would be resolved silently instead of being refused.
  std::vector<std::string> arguments = {"ld.lld",        "-pie", "--no-dynamic-linker", "--threads=1",
                                        "--build-id=none", "-z",   "max-page-size=4096",  "-T",
                                        script,          "-o",   output};
  for (size_t i = 0; i < objects.size(); ++i) {
    arguments.push_back(scratch.File(absl::StrCat(i, ".o")));
    RETURN_IF_ERROR(Write(arguments.back(), objects[i]));
  }
  RETURN_IF_ERROR(RunLinker(arguments));
  ASSIGN_OR_RETURN(std::string elf, Read(output));
  return Unpack(std::move(elf));
}

}  // namespace mgec::codegen
