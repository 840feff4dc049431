#include "compiler/codegen/cuda/nvrtc.h"

#include <dlfcn.h>
#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "compiler/base/status_macros.h"

namespace mgec::codegen::cuda {
namespace {

// The few declarations of nvrtc.h that are needed, as its documentation has them.
using Status = int;  // 0: success
using Program = struct ProgramOpaque*;

const char* const kPlaces[] = {"/usr/local/cuda*/lib64", "the system's library path",
                               "nvidia-cuda-nvrtc* in Python's site-packages"};

// Paths that match, the newest version first.
std::vector<std::string> Glob(const std::string& pattern) {
  std::vector<std::string> paths;
  glob_t found;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  auto numbers = [](const std::string& s) {
    std::vector<int> all;
    for (absl::string_view part : absl::StrSplit(s, absl::ByAnyChar("/.-"))) {
      int n;
      while (!part.empty() && !isdigit(static_cast<unsigned char>(part[0]))) part.remove_prefix(1);
      if (absl::SimpleAtoi(part, &n)) all.push_back(n);
    }
    return all;
  };
  std::stable_sort(paths.begin(), paths.end(), [&](const auto& a, const auto& b) { return numbers(a) > numbers(b); });
  return paths;
}

bool IsFolder(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// The libraries to try where nothing is named, in order.
std::vector<std::string> Candidates() {
  std::vector<std::string> candidates;
  auto add = [&](const std::string& pattern) {
    for (std::string& path : Glob(pattern)) candidates.push_back(std::move(path));
  };
  add("/usr/local/cuda*/lib64/libnvrtc.so.[0-9]*");
  for (int version = 15; version >= 11; --version) candidates.push_back(absl::StrCat("libnvrtc.so.", version));
  candidates.push_back("libnvrtc.so");
  std::vector<std::string> roots = {"/usr/local", "/usr"};
  if (const char* home = std::getenv("HOME")) roots.push_back(absl::StrCat(home, "/.local"));
  // Where the python3 on PATH may have its packages.
  std::vector<std::string> on_path;
  const char* path = std::getenv("PATH");
  for (absl::string_view folder : absl::StrSplit(path != nullptr ? path : "", ':', absl::SkipEmpty())) {
    if (absl::EndsWith(folder, "/bin")) on_path.emplace_back(folder.substr(0, folder.size() - 4));
    if (absl::EndsWith(folder, "/shims")) on_path.push_back(absl::StrCat(folder.substr(0, folder.size() - 6), "/versions/*"));
  }
  roots.insert(roots.begin(), on_path.begin(), on_path.end());
  for (const std::string& root : roots) {
    for (const char* packages : {"site-packages", "dist-packages"}) {
      for (const char* folder : {"cu*", "cuda_nvrtc"}) {
        add(absl::StrCat(root, "/lib/python3*/", packages, "/nvidia/", folder, "/lib/libnvrtc.so.[0-9]*"));
      }
    }
  }
  return candidates;
}

// The lines of the source that the log names, once each: "kernels.cu(17): error: ..".
std::string LinesOf(const std::string& source, const std::string& log) {
  const std::vector<absl::string_view> lines = absl::StrSplit(source, '\n');
  std::set<size_t> named;
  for (absl::string_view line : absl::StrSplit(log, '\n')) {
    const size_t open = line.find('('), close = line.find("): error");
    size_t n;
    if (open == absl::string_view::npos || close == absl::string_view::npos || close < open) continue;
    if (absl::SimpleAtoi(line.substr(open + 1, close - open - 1), &n) && n >= 1 && n <= lines.size()) named.insert(n);
  }
  std::string text;
  for (size_t n : named) absl::StrAppend(&text, "line ", n, ": ", lines[n - 1], "\n");
  return text;
}

}  // namespace

struct Nvrtc::Functions {
  Status (*version)(int* major, int* minor);
  Status (*num_supported)(int* count);
  Status (*supported)(int* architectures);
  Status (*create)(Program*, const char* source, const char* name, int headers, const char* const*, const char* const*);
  Status (*destroy)(Program*);
  Status (*compile)(Program, int count, const char* const* options);
  Status (*cubin_size)(Program, size_t*);
  Status (*cubin)(Program, char*);
  Status (*ptx_size)(Program, size_t*);
  Status (*ptx)(Program, char*);
  Status (*log_size)(Program, size_t*);
  Status (*log)(Program, char*);
  const char* (*error_string)(Status);
};

absl::StatusOr<Nvrtc> Nvrtc::Open(const std::string& path) {
  std::string file = path;
  if (IsFolder(path)) {
    const std::vector<std::string> inside = Glob(path + "/libnvrtc.so.[0-9]*");
    if (inside.empty()) return absl::UnavailableError(absl::StrCat(path, " has no libnvrtc.so.*"));
    file = inside[0];
  }
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return absl::UnavailableError(absl::StrCat("cannot open ", file, ": ", dlerror()));
  auto functions = std::make_unique<Functions>();
  std::string missing;
  auto find = [&](auto& pointer, const char* name) {
    pointer = reinterpret_cast<std::decay_t<decltype(pointer)>>(dlsym(library, name));
    if (pointer == nullptr) absl::StrAppend(&missing, missing.empty() ? "" : ", ", name);
  };
  find(functions->version, "nvrtcVersion");
  find(functions->num_supported, "nvrtcGetNumSupportedArchs");
  find(functions->supported, "nvrtcGetSupportedArchs");
  find(functions->create, "nvrtcCreateProgram");
  find(functions->destroy, "nvrtcDestroyProgram");
  find(functions->compile, "nvrtcCompileProgram");
  find(functions->cubin_size, "nvrtcGetCUBINSize");
  find(functions->cubin, "nvrtcGetCUBIN");
  find(functions->ptx_size, "nvrtcGetPTXSize");
  find(functions->ptx, "nvrtcGetPTX");
  find(functions->log_size, "nvrtcGetProgramLogSize");
  find(functions->log, "nvrtcGetProgramLog");
  find(functions->error_string, "nvrtcGetErrorString");
  if (!missing.empty()) {
    dlclose(library);
    return absl::UnavailableError(absl::StrCat(file, " is no NVRTC of version 11.2 or later: it lacks ", missing));
  }
  Nvrtc nvrtc;
  nvrtc.path_ = file;
  int count = 0;
  if (functions->version(&nvrtc.major_, &nvrtc.minor_) != 0 || functions->num_supported(&count) != 0 || count <= 0) {
    return absl::UnavailableError(absl::StrCat(file, " does not say what it supports"));
  }
  nvrtc.architectures_.resize(count);
  if (functions->supported(nvrtc.architectures_.data()) != 0) {
    return absl::UnavailableError(absl::StrCat(file, " does not say what it supports"));
  }
  std::sort(nvrtc.architectures_.begin(), nvrtc.architectures_.end());
  nvrtc.functions_ = functions.release();
  return nvrtc;
}

absl::StatusOr<const Nvrtc*> Nvrtc::Get() {
  static const absl::StatusOr<Nvrtc>* const nvrtc = new absl::StatusOr<Nvrtc>([]() -> absl::StatusOr<Nvrtc> {
    const char* named = std::getenv("MGEC_NVRTC");
    if (named != nullptr && *named != '\0') {
      absl::StatusOr<Nvrtc> opened = Open(named);
      if (opened.ok()) return opened;
      return absl::Status(opened.status().code(), absl::StrCat("MGEC_NVRTC=", named, ": ", opened.status().message()));
    }
    std::string last;
    for (const std::string& path : Candidates()) {
      absl::StatusOr<Nvrtc> opened = Open(path);
      if (opened.ok()) return opened;
      if (path[0] == '/') last = std::string(opened.status().message());
    }
    return absl::UnavailableError(absl::StrCat(
        "code for CUDA needs NVIDIA's runtime compiler, libnvrtc.so, which is not in ", absl::StrJoin(kPlaces, ", "),
        "; install the CUDA toolkit or, from PyPI, nvidia-cuda-nvrtc-cu12, or set MGEC_NVRTC to the file",
        last.empty() ? "" : absl::StrCat(" (", last, ")")));
  }());
  if (!nvrtc->ok()) return nvrtc->status();
  return &**nvrtc;
}

absl::StatusOr<Nvrtc::Result> Nvrtc::Compile(const std::string& source, int architecture, bool verbose) const {
  if (!std::binary_search(architectures_.begin(), architectures_.end(), architecture)) {
    return absl::InvalidArgumentError(
        absl::StrCat("sm_", architecture, " is not among the architectures of ", path_, " (version ", major_, ".", minor_,
                     "): sm_", absl::StrJoin(architectures_, ", sm_")));
  }
  const Functions& f = *functions_;
  Program program = nullptr;
  if (const Status s = f.create(&program, source.c_str(), "kernels.cu", 0, nullptr, nullptr); s != 0) {
    return absl::InternalError(absl::StrCat("NVRTC: ", f.error_string(s)));
  }
  const std::string arch = absl::StrCat("--gpu-architecture=sm_", architecture);
  std::vector<const char*> options = {arch.c_str(), "--std=c++17", "--fmad=false", "--ftz=false", "--prec-div=true",
                                      "--prec-sqrt=true", "--disable-warnings"};
  if (verbose) options.push_back("--ptxas-options=-v");
  const Status compiled = f.compile(program, static_cast<int>(options.size()), options.data());
  Result result;
  auto read = [&](auto size_of, auto get, std::string* out) {
    size_t size = 0;
    if (size_of(program, &size) != 0) return false;
    out->resize(size);
    return size == 0 || get(program, &(*out)[0]) == 0;
  };
  bool ok = read(f.log_size, f.log, &result.log);
  while (!result.log.empty() && (result.log.back() == '\0' || result.log.back() == '\n')) result.log.pop_back();
  if (compiled == 0) {
    ok = ok && read(f.cubin_size, f.cubin, &result.cubin) && read(f.ptx_size, f.ptx, &result.ptx);
    if (!result.ptx.empty() && result.ptx.back() == '\0') result.ptx.pop_back();
  }
  f.destroy(&program);
  if (compiled != 0) {
    return absl::InternalError(absl::StrCat("NVRTC refuses the kernels for sm_", architecture, ": ",
                                            f.error_string(compiled), "\n", result.log, "\n", LinesOf(source, result.log)));
  }
  if (!ok || result.cubin.empty()) return absl::InternalError("NVRTC gives no machine code");
  return result;
}

}  // namespace mgec::codegen::cuda
