// A scheduled program under construction: storages, steps and the kernels they call.
//
// Schedules add steps in execution order. A step names the storages it touches; where they lie in memory is decided when
// all steps are known (Finish), so constants that hold addresses ("tables") are written then.
#ifndef MGEC_COMPILER_PLAN_PROGRAM_H_
#define MGEC_COMPILER_PLAN_PROGRAM_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/kernel/stmt.h"
#include "compiler/plan/constant_pool.h"

namespace mgec::plan {

enum class Space : uint8_t { kArena, kConstant, kInput, kOutput };

using StorageId = int;
// Of storages in the arena and of constants. Inputs and outputs are the user's memory, aligned to an element.
inline constexpr int64_t kStorageAlignment = 64;
// The whole arena as one argument, for kernels that find their data through tables.
inline constexpr StorageId kWholeArena = -1;

// Byte offset of each arena storage; kWholeArena and other spaces are not asked for.
using ArenaOffsets = std::vector<int64_t>;
// Writes a constant that holds arena offsets.
using TableWriter = std::function<std::string(const ArenaOffsets&)>;

struct Storage {
  Space space = Space::kArena;
  int index = 0;        // of the input or output
  int64_t bytes = 0;
  std::string data;     // kConstant
  TableWriter table;    // kConstant whose data is written at the end
};

// A kernel argument: `bytes` bytes of a storage from `offset` on.
struct Argument {
  StorageId storage;
  int64_t offset = 0;
  int64_t bytes = -1;  // -1: to the storage's end
};

struct StepInfo {
  std::string name;  // the model's node
  std::string op;    // "conv2d+relu"
  int64_t macs = 0;
  int64_t bytes = 0;
  std::vector<StorageId> touches;  // storages reached through the whole-arena argument
  std::string node_key;            // what measurements call the node (schedule/node_key.h), where they are being made
};

struct Step {
  int kernel;
  std::vector<Argument> arguments;
  int64_t tasks;
  StepInfo info;
};

// A program whose memory is planned.
struct PlannedStep {
  int kernel;
  struct Binding {
    Space space;
    int index;
    int64_t offset, bytes;
  };
  std::vector<Binding> bindings;
  int64_t tasks;
  bool serial;
  StepInfo info;
};
struct PlannedProgram {
  std::vector<kernel::Kernel> kernels;  // each machine code once
  std::vector<PlannedStep> steps;
  int64_t arena_bytes = 0;
  int64_t arena_lower_bound = 0;
  int64_t random_state_offset = -1;  // in the arena; -1: there are no random numbers
};

class Program {
 public:
  StorageId AddArena(int64_t bytes);
  StorageId AddInput(int index, int64_t bytes);
  StorageId AddOutput(int index, int64_t bytes);
  StorageId AddConstant(std::string data);
  // `unit`: the bytes that the table's 32-bit offsets count in.
  StorageId AddTable(int64_t bytes, TableWriter writer, int unit = 4);
  // 16 bytes of the arena that the runtime writes before the first step: seed and number of the pass. Always the same one.
  StorageId AddRandomState();

  // Takes a kernel whose arguments correspond to `arguments`. Kernels with the same code are kept once.
  // The kernel's name may hold any characters; it becomes a unique identifier.
  void AddStep(kernel::Kernel k, std::vector<Argument> arguments, StepInfo info);

  const Storage& storage(StorageId id) const { return storages_[id]; }

  // Places every storage and writes all constants into `pool` (equal ones once, in execution order). ResourceExhausted for
  // an arena of more than 4 GiB, or of more than a table can reach.
  absl::StatusOr<PlannedProgram> Finish(ConstantPool& pool) &&;

 private:
  StorageId Add(Storage s);

  std::vector<Storage> storages_;
  int64_t max_arena_bytes_ = int64_t{4} << 30;  // a network that needs more is unlikely
  StorageId random_state_ = kWholeArena;  // kWholeArena: none
  std::vector<Step> steps_;
  std::vector<kernel::Kernel> kernels_;
  std::map<std::string, int> kernel_by_fingerprint_;
};

}  // namespace mgec::plan

#endif  // MGEC_COMPILER_PLAN_PROGRAM_H_
