#include "compiler/codegen/cuda/codegen.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <mutex>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/base/status_macros.h"
#include "compiler/codegen/cuda/nvrtc.h"
#include "compiler/codegen/cuda/prelude.h"
#include "compiler/codegen/cuda/print_kernel.h"
#include "compiler/codegen/cuda/warp_products.h"
#include "compiler/kernel/verify.h"

namespace mgec::codegen::cuda {
namespace {

using kernel::Kernel;

// Small enough that threads have something to share, large enough that starting the compiler does not count.
constexpr size_t kKernelsPerModule = 16;

// What helps where NVRTC does not know an architecture.
constexpr char kOlder[] = "; an older NVRTC does (PyPI's nvidia-cuda-nvrtc-cu12 from sm_50 on): let MGEC_NVRTC name it";
constexpr char kNewer[] = "; a newer NVRTC may, and the PTX for the highest that it knows runs on later GPUs";

struct Job {
  int architecture;
  size_t first, count;
  absl::StatusOr<Nvrtc::Result> result = absl::UnknownError("not compiled");
};

absl::Status CheckKernels(absl::Span<const Kernel> kernels) {
  std::set<std::string> names;
  for (const Kernel& k : kernels) {
    RETURN_IF_ERROR(kernel::Verify(k));
    if (!names.insert(k.name).second) return absl::InternalError(absl::StrCat("two kernels are called ", k.name));
  }
  return absl::OkStatus();
}

// NVRTC 13.0 does not always write the same for the same source: in about one of a hundred compilations its optimizer groups a
// few loads from shared memory otherwise. What it writes twice is taken, so that compilations repeat.
absl::StatusOr<Nvrtc::Result> CompileAlike(const Nvrtc& nvrtc, const std::string& source, int architecture) {
  constexpr size_t kMostTries = 6;
  std::vector<Nvrtc::Result> seen;
  while (seen.size() < kMostTries) {
    ASSIGN_OR_RETURN(Nvrtc::Result r, nvrtc.Compile(source, architecture));
    for (Nvrtc::Result& before : seen) {
      if (before.cubin == r.cubin && before.ptx == r.ptx) return std::move(before);
    }
    seen.push_back(std::move(r));
  }
  return std::move(seen.front());  // all are right
}

// What stands before kernels.
std::string Preamble(int architecture) {
  std::string text = absl::StrCat(Prelude(), Arithmetic());
  if (architecture < kTensorCores) absl::StrAppend(&text, WarpFrom(), WarpProducts());
  return text;
}

}  // namespace

absl::StatusOr<std::vector<int>> Architectures(std::vector<int> wanted) {
  ASSIGN_OR_RETURN(const Nvrtc* nvrtc, Nvrtc::Get());
  const std::vector<int>& known = nvrtc->architectures();
  auto is_known = [&](int a) { return std::binary_search(known.begin(), known.end(), a); };
  if (wanted.empty()) {
    std::copy_if(std::begin(kDefaultArchitectures), std::end(kDefaultArchitectures), std::back_inserter(wanted), is_known);
    if (wanted.empty()) wanted = {known.back()};
  }
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  for (int a : wanted) {
    if (is_known(a)) continue;
    return absl::InvalidArgumentError(absl::StrCat("NVRTC ", nvrtc->major(), ".", nvrtc->minor(), " (", nvrtc->path(),
                                                   ") does not compile for sm_", a, "; it knows sm_",
                                                   absl::StrJoin(known, ", sm_"),
                                                   a < known.front() ? kOlder : a > known.back() ? kNewer : ""));
  }
  return wanted;
}

absl::StatusOr<Code> Generate(absl::Span<const Kernel> kernels, const std::vector<int>& architectures,
                              const Options& options) {
  RETURN_IF_ERROR(CheckKernels(kernels));
  Code code;
  code.source = PrintKernels(kernels);
  if (kernels.empty()) return code;
  ASSIGN_OR_RETURN(const Nvrtc* nvrtc, Nvrtc::Get());

  std::vector<Job> jobs;
  for (int a : architectures) {
    for (size_t first = 0; first < kernels.size(); first += kKernelsPerModule) {
      jobs.push_back({a, first, std::min(kKernelsPerModule, kernels.size() - first)});
    }
  }
  std::atomic<size_t> next{0};
  std::mutex progress_mutex;
  int done = 0;
  const int total = static_cast<int>(kernels.size() * architectures.size());
  auto work = [&] {
    for (size_t i; (i = next.fetch_add(1)) < jobs.size();) {
      Job& job = jobs[i];
      job.result = CompileAlike(
          *nvrtc, absl::StrCat(Preamble(job.architecture), PrintKernels(kernels.subspan(job.first, job.count))), job.architecture);
      if (!options.progress) continue;
      std::lock_guard<std::mutex> lock(progress_mutex);
      options.progress(done += static_cast<int>(job.count), total);
    }
  };
  std::vector<std::thread> threads;
  for (int t = 1; t < std::min(options.threads, static_cast<int>(jobs.size())); ++t) threads.emplace_back(work);
  work();
  for (std::thread& t : threads) t.join();

  auto add = [&](const Job& job, bool ptx) {
    Module m{job.architecture, ptx, static_cast<int>(job.first), static_cast<int>(job.count),
             ptx ? job.result->ptx : job.result->cubin};
    code.modules.push_back(std::move(m));
  };
  for (Job& job : jobs) {
    RETURN_IF_ERROR(job.result.status());
    add(job, /*ptx=*/false);
  }
  for (Job& job : jobs) {
    if (job.architecture == architectures.back()) add(job, /*ptx=*/true);
  }
  return code;
}

}  // namespace mgec::codegen::cuda
