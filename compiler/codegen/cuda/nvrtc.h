// NVIDIA's runtime compiler, opened at run time: nothing links against it.
//
//   ASSIGN_OR_RETURN(const Nvrtc* nvrtc, Nvrtc::Get());
//   ASSIGN_OR_RETURN(Nvrtc::Result r, nvrtc->Compile(source, 80));
#ifndef MGEC_COMPILER_CODEGEN_CUDA_NVRTC_H_
#define MGEC_COMPILER_CODEGEN_CUDA_NVRTC_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace mgec::codegen::cuda {

class Nvrtc {
 public:
  // The library of this process, opened at the first call: what the environment variable MGEC_NVRTC names (a file or its
  // folder), or else the first of /usr/local/cuda*/lib64 (the newest first), the system's library path, and the PyPI packages
  // nvidia-cuda-nvrtc* where Python has them. Unavailable, saying where it was looked for, if there is none. Thread-safe.
  static absl::StatusOr<const Nvrtc*> Get();

  // Opens a library, or the one in a folder; for Get() and tests.
  static absl::StatusOr<Nvrtc> Open(const std::string& path);

  const std::string& path() const { return path_; }
  int major() const { return major_; }
  int minor() const { return minor_; }
  // Compute capabilities that it compiles for: 75 stands for sm_75. Ascending.
  const std::vector<int>& architectures() const { return architectures_; }

  struct Result {
    std::string cubin, ptx, log;
  };
  // Compiles source for a real architecture, into machine code and PTX. Float arithmetic is IEEE's: nothing is contracted,
  // denormals are kept, division and square root are rounded correctly. `verbose` puts what each kernel uses into the log.
  // Errors: InvalidArgument for an architecture that it does not know, Internal, with its log and the lines that the log is
  // about, for source that it refuses. The same source gives the same bytes. Thread-safe.
  absl::StatusOr<Result> Compile(const std::string& source, int architecture, bool verbose = false) const;

 private:
  struct Functions;
  Nvrtc() = default;

  std::string path_;
  const Functions* functions_ = nullptr;  // lives as long as the process
  int major_ = 0, minor_ = 0;
  std::vector<int> architectures_;
};

}  // namespace mgec::codegen::cuda

#endif  // MGEC_COMPILER_CODEGEN_CUDA_NVRTC_H_
