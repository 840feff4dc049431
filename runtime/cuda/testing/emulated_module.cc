#include "runtime/cuda/testing/emulated_module.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

namespace mgec::cuda::emulated {
namespace {

// PTX starts with the command that compiles it.
constexpr char kPtxStart[] = "// emulated PTX: ";

bool WriteFile(const std::string& path, const char* data, size_t size) {
  std::ofstream file(path, std::ios::binary);
  file.write(data, static_cast<std::streamsize>(size));
  return file.good();
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

// The size of an ELF file, by its section headers, which end it.
size_t ElfSize(const char* image) {
  uint64_t sections;
  uint16_t entry, count;
  std::memcpy(&sections, image + 0x28, sizeof(sections));
  std::memcpy(&entry, image + 0x3a, sizeof(entry));
  std::memcpy(&count, image + 0x3c, sizeof(count));
  return sections + static_cast<size_t>(entry) * count;
}

}  // namespace

bool IsPtx(const char* image) { return std::strncmp(image, kPtxStart, sizeof(kPtxStart) - 1) == 0; }

Error OpenModule(const char* image, std::string* log, void** library) {
  const char* temporary = std::getenv("TEST_TMPDIR");
  std::string folder = std::string(temporary != nullptr ? temporary : "/tmp") + "/emulated_module_XXXXXX";
  if (mkdtemp(&folder[0]) == nullptr) return kOutOfMemory;
  const std::string base = folder + "/kernels";
  const std::string so = base + ".so";
  Error error = kInvalidImage;
  if (IsPtx(image)) {
    const char* command = image + sizeof(kPtxStart) - 1;
    const std::string options(command, std::strcspn(command, "\n"));
    error = kInvalidPtx;
    if (WriteFile(base + ".cc", image, std::strlen(image)) &&
        std::system((options + " -o " + so + " " + base + ".cc 2> " + base + ".log").c_str()) == 0) {
      error = kSuccess;
    }
    *log = ReadFile(base + ".log");
    std::remove((base + ".cc").c_str());
    std::remove((base + ".log").c_str());
  } else if (std::memcmp(image, "\x7f" "ELF", 4) == 0) {
    error = WriteFile(so, image, ElfSize(image)) ? kSuccess : kOutOfMemory;
  }
  if (error == kSuccess) *library = dlopen(so.c_str(), RTLD_NOW | RTLD_LOCAL);
  std::remove(so.c_str());
  rmdir(folder.c_str());
  return error == kSuccess && *library == nullptr ? kInvalidImage : error;
}

}  // namespace mgec::cuda::emulated
