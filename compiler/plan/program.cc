#include "compiler/plan/program.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "compiler/plan/memory_plan.h"

namespace mgec::plan {
namespace {

// Below this much work a step runs faster on the calling thread than handed to others.
constexpr int64_t kSerialMacs = 100 * 1000;
constexpr int64_t kSerialBytes = 32 * 1024;

}  // namespace

StorageId Program::Add(Storage s) {
  storages_.push_back(std::move(s));
  return static_cast<StorageId>(storages_.size()) - 1;
}

StorageId Program::AddArena(int64_t bytes) {
  Storage s;
  s.bytes = bytes;
  return Add(std::move(s));
}

StorageId Program::AddInput(int index, int64_t bytes) {
  Storage s;
  s.space = Space::kInput;
  s.index = index;
  s.bytes = bytes;
  return Add(std::move(s));
}

StorageId Program::AddOutput(int index, int64_t bytes) {
  Storage s;
  s.space = Space::kOutput;
  s.index = index;
  s.bytes = bytes;
  return Add(std::move(s));
}

StorageId Program::AddConstant(std::string data) {
  Storage s;
  s.space = Space::kConstant;
  s.bytes = static_cast<int64_t>(data.size());
  s.data = std::move(data);
  return Add(std::move(s));
}

StorageId Program::AddTable(int64_t bytes, TableWriter writer, int unit) {
  max_arena_bytes_ = std::min(max_arena_bytes_, (int64_t{1} << 31) * unit);
  Storage s;
  s.space = Space::kConstant;
  s.bytes = bytes;
  s.table = std::move(writer);
  return Add(std::move(s));
}

StorageId Program::AddRandomState() {
  constexpr int64_t kBytes = 16;
  if (random_state_ == kWholeArena) random_state_ = AddArena(kBytes);
  return random_state_;
}

void Program::AddStep(kernel::Kernel k, std::vector<Argument> arguments, StepInfo info) {
  assert(k.arguments.size() == arguments.size());
  const int64_t tasks = k.tasks;
  const auto [it, is_new] = kernel_by_fingerprint_.emplace(Fingerprint(k), static_cast<int>(kernels_.size()));
  if (is_new) {
    k.name = absl::StrCat("k", kernels_.size(), "_", k.name);
    std::replace_if(k.name.begin(), k.name.end(), [](char c) { return !absl::ascii_isalnum(c); }, '_');
    kernels_.push_back(std::move(k));
  }
  steps_.push_back({it->second, std::move(arguments), tasks, std::move(info)});
}

absl::StatusOr<PlannedProgram> Program::Finish(ConstantPool& pool) && {
  std::vector<Lifetime> lifetimes(storages_.size());
  for (size_t i = 0; i < storages_.size(); ++i) {
    lifetimes[i] = {storages_[i].space == Space::kArena ? storages_[i].bytes : 0, 1 << 30, -1};
  }
  auto touch = [&](StorageId id, int step) {
    if (id == kWholeArena) return;
    lifetimes[id].first = std::min(lifetimes[id].first, step);
    lifetimes[id].last = std::max(lifetimes[id].last, step);
  };
  for (size_t s = 0; s < steps_.size(); ++s) {
    for (const Argument& a : steps_[s].arguments) touch(a.storage, static_cast<int>(s));
    for (StorageId id : steps_[s].info.touches) touch(id, static_cast<int>(s));
  }
  const bool random = random_state_ != kWholeArena && lifetimes[random_state_].last >= 0;
  if (random) lifetimes[random_state_].first = 0;
  const MemoryPlan memory = PlanMemory(lifetimes, kStorageAlignment);

  if (memory.bytes > max_arena_bytes_) {
    return absl::ResourceExhaustedError(absl::StrCat("needs ", memory.bytes >> 20, " MiB for intermediate results; the limit is ",
                                                     max_arena_bytes_ >> 20, " MiB"));
  }

  PlannedProgram result;
  result.kernels = std::move(kernels_);
  result.arena_bytes = memory.bytes;
  result.arena_lower_bound = memory.lower_bound;
  if (random) result.random_state_offset = memory.offsets[random_state_];
  std::vector<int64_t> constant_offsets(storages_.size(), -1);
  for (Step& step : steps_) {
    PlannedStep planned{step.kernel, {}, step.tasks, false, std::move(step.info)};
    planned.serial = planned.tasks <= 1 || (planned.info.macs < kSerialMacs && planned.info.bytes < kSerialBytes);
    for (const Argument& a : step.arguments) {
      if (a.storage == kWholeArena) {
        planned.bindings.push_back({Space::kArena, 0, 0, memory.bytes});
        continue;
      }
      const Storage& storage = storages_[a.storage];
      int64_t base = 0;
      if (storage.space == Space::kArena) base = memory.offsets[a.storage];
      if (storage.space == Space::kConstant) {
        int64_t& offset = constant_offsets[a.storage];
        if (offset < 0) offset = pool.Add(storage.table ? storage.table(memory.offsets) : storage.data);
        base = offset;
      }
      const int64_t bytes = a.bytes < 0 ? storage.bytes - a.offset : a.bytes;
      if (a.offset < 0 || bytes < 0 || a.offset + bytes > storage.bytes) {
        return absl::InternalError(absl::StrCat("step ", planned.info.name, " reaches beyond a buffer of ",
                                                storage.bytes, " bytes"));
      }
      planned.bindings.push_back({storage.space, storage.index, base + a.offset, bytes});
    }
    result.steps.push_back(std::move(planned));
  }
  return result;
}

}  // namespace mgec::plan
