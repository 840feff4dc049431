#include "compiler/schedule/testing/run_steps.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "compiler/base/status_macros.h"

namespace mgec::schedule {
namespace {

// Memory that ends, but for alignment, where a page without access begins. Filled with NaNs.
class GuardedBuffer {
 public:
  GuardedBuffer(int64_t bytes, int64_t alignment) {
    const int64_t page = sysconf(_SC_PAGESIZE);
    const int64_t rounded = (bytes + alignment - 1) / alignment * alignment;
    const int64_t pages = (rounded + page - 1) / page * page;
    size_ = pages + page;
    void* base = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) abort();
    base_ = static_cast<char*>(base);
    if (mprotect(base_ + pages, page, PROT_NONE) != 0) abort();
    data_ = base_ + pages - rounded;
    std::memset(data_, 0xff, rounded);
  }
  ~GuardedBuffer() { munmap(base_, size_); }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;
  char* data() const { return data_; }

 private:
  char *base_, *data_;
  int64_t size_;
};

// The memory of one run.
struct Memory {
  std::vector<std::unique_ptr<GuardedBuffer>> inputs, outputs;
  std::unique_ptr<GuardedBuffer> arena, constants;

  char* At(const plan::PlannedStep::Binding& b) const {
    switch (b.space) {
      case plan::Space::kArena: return arena->data() + b.offset;
      case plan::Space::kConstant: return constants->data() + b.offset;
      case plan::Space::kInput: return inputs[b.index]->data() + b.offset;
      case plan::Space::kOutput: return outputs[b.index]->data() + b.offset;
    }
    return nullptr;
  }
};

// The end of buffers that users bring is only aligned to an element, that of an 8-byte element at most.
constexpr int64_t kElement = 8;
constexpr int64_t kPlanned = 64;

}  // namespace

kernel::Kernel KernelOf(const plan::PlannedProgram& program, const plan::PlannedStep& step) {
  kernel::Kernel k = program.kernels[step.kernel];
  k.tasks = step.tasks;
  for (size_t i = 0; i < k.arguments.size(); ++i) {
    kernel::BufferNode* b = const_cast<kernel::BufferNode*>(k.arguments[i].get());  // expressions refer to it by address
    b->size = step.bindings[i].bytes / SizeOf(b->scalar);
  }
  return k;
}

absl::StatusOr<std::vector<std::string>> RunSteps(const plan::PlannedProgram& program, const std::string& constants,
                                                  const std::vector<int64_t>& output_bytes,
                                                  const std::vector<std::string>& inputs, const RunStep& run_step) {
  Memory m;
  for (const std::string& in : inputs) {
    // Floats end exactly at the guard page.
    m.inputs.push_back(std::make_unique<GuardedBuffer>(in.size(), in.size() % kElement == 0 ? kElement : 4));
    std::memcpy(m.inputs.back()->data(), in.data(), in.size());
  }
  for (int64_t bytes : output_bytes) {
    m.outputs.push_back(std::make_unique<GuardedBuffer>(bytes, bytes % kElement == 0 ? kElement : 4));
  }
  m.arena = std::make_unique<GuardedBuffer>(program.arena_bytes, kPlanned);
  m.constants = std::make_unique<GuardedBuffer>(constants.size(), kPlanned);
  std::memcpy(m.constants->data(), constants.data(), constants.size());
  // As the definition has it.
  if (program.random_state_offset >= 0) std::memset(m.arena->data() + program.random_state_offset, 0, 16);
  for (const plan::PlannedStep& step : program.steps) {
    std::vector<char*> pointers;
    for (const auto& b : step.bindings) pointers.push_back(m.At(b));
    RETURN_IF_ERROR(run_step(step, pointers));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (std::memcmp(m.inputs[i]->data(), inputs[i].data(), inputs[i].size()) != 0) {
      return absl::InternalError(absl::StrCat("input ", i, " was overwritten"));
    }
  }
  if (std::memcmp(m.constants->data(), constants.data(), constants.size()) != 0) {
    return absl::InternalError("constants were overwritten");
  }
  std::vector<std::string> outputs;
  for (size_t i = 0; i < output_bytes.size(); ++i) outputs.emplace_back(m.outputs[i]->data(), output_bytes[i]);
  return outputs;
}

}  // namespace mgec::schedule
