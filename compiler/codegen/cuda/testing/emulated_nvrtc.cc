// A stand-in for NVRTC whose machine code runs on the CPU: kernels are compiled by the machine's g++ with emulator.h, so that the
// whole compiler and runtime can be tested without a GPU. MGEC_NVRTC names the library; its "cubins" are shared libraries for
// the emulated driver (runtime/cuda/testing), and its "PTX" is the source with the command that compiles it.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "compiler/codegen/cuda/prelude.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

constexpr int kArchitectures[] = {75, 80, 86, 90};

// testing/emulator.h, as text.
constexpr char kEmulator[] =
#include "compiler/codegen/cuda/testing/emulator_text.inc"
    ;

struct Program {
  std::string source, cubin, ptx, log;
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

// As exact as the GPU is asked to be. FMA, as every machine that the generated code is for has it, makes fmaf fast.
std::string Command() {
  return std::string("g++ -std=c++17 -O1 -w -g0 ") + (__builtin_cpu_supports("fma") ? "-mavx2 -mfma " : "") +
         "-ffp-contract=off -fno-math-errno -shared -fPIC -s";
}

// What the emulated driver has to know of a kernel: how many parameters it has, and whether its threads wait for each other.
std::string Descriptions(const std::string& kernels) {
  const std::string start = "extern \"C\" __global__ void ";
  std::string text = "template <typename... A> constexpr int ParametersOf(void (*)(A...)) { return sizeof...(A); }\n";
  for (size_t at = kernels.find(start); at != std::string::npos;) {
    const size_t next = kernels.find(start, at + 1);
    const std::string kernel = kernels.substr(at, next == std::string::npos ? next : next - at);
    size_t name = start.size();
    if (kernel.compare(name, 2, "__") == 0) name = kernel.find(") ", name) + 2;  // __launch_bounds__(n)
    const std::string called = kernel.substr(name, kernel.find('(', name) - name);
    bool fibers = false;
    for (const char* together : {"__syncthreads", "warp_", "mma", "SHARED("}) {
      fibers = fibers || kernel.find(together) != std::string::npos;
    }
    text += "EMULATED(" + called + ")\nextern \"C\" const int emulated_parameters_" + called + ";\nextern \"C\" const int " +
            "emulated_fibers_" + called + ";\nconst int emulated_parameters_" + called + " = ParametersOf(&" + called +
            ");\nconst int emulated_fibers_" + called + " = " + (fibers ? "1" : "0") + ";\n";
    at = next;
  }
  return text;
}

bool Compile(Program* program, int architecture) {
  // Process ids are no names for files: sandboxes have their own and share /tmp.
  const char* temporary = std::getenv("TEST_TMPDIR");
  std::string folder = std::string(temporary != nullptr ? temporary : "/tmp") + "/emulated_nvrtc_XXXXXX";
  if (mkdtemp(&folder[0]) == nullptr) return false;
  const std::string base = folder + "/kernels";
  // Without the prelude, whose place emulator.h takes.
  const size_t prelude = std::strlen(mgec::codegen::cuda::Prelude());
  const std::string kernels = program->source.substr(std::min(prelude, program->source.size()));
  const std::string number_text = std::to_string(architecture);
  program->ptx = "// emulated PTX: " + Command() + "\n" + kEmulator + "\n" + kernels + "\n" + Descriptions(kernels) +
                 "extern \"C\" const int emulated_architecture;\nconst int emulated_architecture = " + number_text + ";\n" +
                 "static const int set_architecture = emulator::architecture = " + number_text + ";\n";
  std::ofstream(base + ".cc") << program->ptx;
  const bool compiled =
      std::system((Command() + " -o " + base + ".so " + base + ".cc 2> " + base + ".log").c_str()) == 0;
  program->cubin = compiled ? ReadFile(base + ".so") : "";
  program->log = ReadFile(base + ".log");
  for (const char* suffix : {".cc", ".so", ".log"}) std::remove((base + suffix).c_str());
  rmdir(folder.c_str());
  return compiled;
}

int Size(const std::string& text, size_t* size) {
  *size = text.size();
  return 0;
}
int Copy(const std::string& text, char* to) {
  std::memcpy(to, text.data(), text.size());
  return 0;
}

}  // namespace

EXPORT int nvrtcVersion(int* major, int* minor) {
  *major = 12;
  *minor = 4;
  return 0;
}
EXPORT int nvrtcGetNumSupportedArchs(int* count) {
  *count = static_cast<int>(std::size(kArchitectures));
  return 0;
}
EXPORT int nvrtcGetSupportedArchs(int* architectures) {
  std::memcpy(architectures, kArchitectures, sizeof(kArchitectures));
  return 0;
}
EXPORT int nvrtcCreateProgram(Program** program, const char* source, const char*, int, const char* const*,
                              const char* const*) {
  *program = new Program{source, "", "", ""};
  return 0;
}
EXPORT int nvrtcDestroyProgram(Program** program) {
  delete *program;
  *program = nullptr;
  return 0;
}
EXPORT int nvrtcCompileProgram(Program* program, int count, const char* const* options) {
  int architecture = 0;
  for (int i = 0; i < count; ++i) std::sscanf(options[i], "--gpu-architecture=sm_%d", &architecture);
  // The compiler asks for everything twice.
  thread_local Program last;
  thread_local int last_architecture = 0;
  if (program->source == last.source && architecture == last_architecture) {
    *program = last;
    return 0;
  }
  if (!Compile(program, architecture)) return 6;  // NVRTC_ERROR_COMPILATION
  last = *program;
  last_architecture = architecture;
  return 0;
}
EXPORT int nvrtcGetCUBINSize(Program* program, size_t* size) { return Size(program->cubin, size); }
EXPORT int nvrtcGetCUBIN(Program* program, char* cubin) { return Copy(program->cubin, cubin); }
EXPORT int nvrtcGetPTXSize(Program* program, size_t* size) { return Size(program->ptx, size); }
EXPORT int nvrtcGetPTX(Program* program, char* ptx) { return Copy(program->ptx, ptx); }
EXPORT int nvrtcGetProgramLogSize(Program* program, size_t* size) { return Size(program->log, size); }
EXPORT int nvrtcGetProgramLog(Program* program, char* log) { return Copy(program->log, log); }
EXPORT const char* nvrtcGetErrorString(int error) { return error == 0 ? "NVRTC_SUCCESS" : "NVRTC_ERROR_COMPILATION"; }
