// The state of scheduling one graph for one target: placements so far, the program under construction, and the
// conversions between layouts that schedules ask for.
#ifndef MGEC_COMPILER_SCHEDULE_SCHEDULER_H_
#define MGEC_COMPILER_SCHEDULE_SCHEDULER_H_

#include <list>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "absl/status/status.h"
#include "compiler/graph/graph.h"
#include "compiler/kernel/target.h"
#include "compiler/kernel/tensor_expr.h"
#include "compiler/plan/program.h"
#include "compiler/schedule/block_element.h"
#include "compiler/schedule/placement.h"
#include "compiler/schedule/schedule.h"

namespace mgec::schedule {

// A blocked tensor `x` of one image whose channels are to be multiplied by `gate`, [1, C, 1, 1].
struct Gate {
  const graph::Value* x;
  const graph::Value* gate;
};

// Sums of a tensor's pixels (pixel_sums.h), of float32: [part][block][image][8].
struct PixelSums {
  plan::StorageId storage;
  int64_t parts;
};

class Scheduler {
 public:
  Scheduler(const graph::Graph& g, const kernel::Target& target, const Options& options, Alternatives* alternatives = nullptr);

  // Schedules every node. Errors: Unimplemented, naming the node, for what no schedule takes.
  absl::Status Run();
  plan::Program TakeProgram() { return std::move(program_); }

  const kernel::Target& target() const { return target_; }
  const Options& options() const { return options_; }
  plan::Program& program() { return program_; }

  // What measurements wish for the node that is being scheduled.
  const Choice& choice() const { return choice_; }
  // Adds what could be chosen instead for that node.
  void Offer(const std::vector<Choice>& alternatives);

  const Placement& placement(const graph::Value* v) const { return placements_.at(v); }
  bool placed(const graph::Value* v) const { return placements_.count(v) != 0; }
  void Place(const graph::Value* v, Placement p) { placements_[v] = std::move(p); }
  // The bytes of a constant's value; null for other values.
  static const std::string* ConstantData(const graph::Value* v);
  // The one element of a constant that has no more; null for other values, and for kinds that are only stored.
  static kernel::Expr Immediate(const graph::Value* v);

  // How constants of type float32 are best kept: float32, float16 or bfloat16 (narrow_floats.h).
  kernel::Scalar float_storage() const;
  // A constant's elements in 16 bits where that is wanted and loses nothing; false, and nothing set, elsewhere.
  bool Narrow(const graph::Value* v, plan::StorageId* storage, kernel::Scalar* scalar);
  // The multiplication of `v` that is left to the convolution that reads it (gate.h): v is placed as if it were gate->x. Null
  // for other values.
  const Gate* gate(const graph::Value* v) const {
    const auto it = gates_.find(v);
    return it == gates_.end() ? nullptr : &it->second;
  }

  bool IsOutput(const graph::Value* v) const { return output_of_.count(v) != 0; }
  // The nodes that read `v`.
  const std::vector<graph::Node*>& users(const graph::Value* v) const;
  // Sums of the pixels of what storage `of` holds; null where no step computes them.
  const PixelSums* pixel_sums(plan::StorageId of) const {
    const auto it = pixel_sums_.find(of);
    return it == pixel_sums_.end() ? nullptr : &it->second;
  }
  void PlacePixelSums(plan::StorageId of, PixelSums sums) { pixel_sums_[of] = sums; }
  // Whether the channels of a value are to lie together (cuda/layout.h).
  bool WantsChannelsLast(const graph::Value* v) const { return channels_last_.count(v) != 0; }

  void WantChannelsLast(const graph::Value* v) { channels_last_.insert(v); }

  // The value in the wanted layout; adds a conversion step where it is not there yet (once per value).
  Placement Plain(const graph::Value* v);
  Placement Blocked(const graph::Value* v);   // of a value that can be blocked
  Placement Natural(const graph::Value* v);   // blocked and natural
  // Room for a node's result: a plain one goes straight to the network output where the value is one.
  Placement NewPlain(const graph::Value* v);
  // Makes that room a part of what another value has.
  void Reserve(const graph::Value* v, Placement p) { reserved_[v] = std::move(p); }
  // A new storage with room for `blocks` blocks of a tensor of that shape.
  plan::StorageId NewBlocks(const graph::Shape& shape, int64_t blocks, const BlockElement& element);
  // What blocks of the value, or of a tensor with that kind of elements, hold.
  BlockElement Element(const graph::Value* v) const;
  BlockElement Element(kernel::Scalar s) const { return ElementOf(s, target_); }

  // A table constant: the offset of each storage in the arena plus a number of elements, in elements of
  // `element_bytes` bytes.
  plan::StorageId OffsetTable(std::vector<std::pair<plan::StorageId, int64_t>> storage_and_elements,
                              int element_bytes);

  // A graph that lives as long as the scheduler; and the nodes of one in place of a node, whose outputs its own stand for. Its
  // inputs and constants are placed already.
  graph::Graph& NewGraph() { return apart_.emplace_back(); }
  absl::Status ScheduleInstead(const graph::Graph& g, const graph::Node& node);
  void PlaceConstant(const graph::Value* v);
  // Schedules the nodes of a fused node's body as if they had not been fused, or as the fusion pass fuses them otherwise.
  absl::Status ScheduleApart(const graph::Node& node);

  // What a node is called in steps: its own name, or that of its value.
  plan::StepInfo Info(const graph::Node& node, std::string op) const;

 private:
  void BeginNode(const graph::Node& node);
  absl::Status ScheduleNode(const graph::Node& node);
  // With all gates of operands computed, or none to compute.
  absl::Status ScheduleUngated(const graph::Node& node);
  absl::Status ScheduleAnything(const graph::Node& node);
  // Adds a dense copy of v: network output number `output` or, if that is negative, arena memory.
  Placement Copy(const graph::Value* v, const std::string& name, int output);
  void FinishOutputs();

  const graph::Graph& graph_;
  const kernel::Target& target_;
  const Options options_;
  Alternatives* const alternatives_;  // may be null
  std::string key_;                   // of the node that is being scheduled; empty if nobody asks
  Choice choice_;
  plan::Program program_;
  std::unordered_map<const graph::Value*, Placement> placements_;
  std::unordered_map<const graph::Value*, Placement> plain_, blocked_, natural_;  // conversions done
  std::unordered_map<const graph::Value*, plan::StorageId> narrow_;  // constants in 16 bits; kWholeArena: does not fit
  std::unordered_map<const graph::Value*, Gate> gates_;
  std::unordered_map<plan::StorageId, PixelSums> pixel_sums_;
  const std::unordered_map<const graph::Value*, std::vector<graph::Node*>> users_;
  std::unordered_map<const graph::Value*, Placement> reserved_;
  std::unordered_map<const graph::Value*, int> output_of_;  // the first output that a value is
  std::unordered_map<const graph::Value*, bool> written_to_output_;
  std::unordered_set<const graph::Value*> channels_last_;  // on GPUs
  std::list<graph::Graph> apart_;  // what is scheduled in place of nodes
  absl::Status copy_status_;  // the first error of a copy; Run() reports it
};

// --- Schedules. Each takes a node, adds its steps and places its outputs. ---

// Dense 3x3 convolution with its epilogue by Winograd's algorithm, where that is faster and allowed.
absl::StatusOr<bool> ScheduleWinograd(Scheduler& s, const graph::Node& node);
// Dense convolution of a planar image with its epilogue by Winograd's algorithm, where that is faster and allowed.
absl::StatusOr<bool> ScheduleWinogradImage(Scheduler& s, const graph::Node& node);
// Dense convolution with its epilogue, by the contraction micro-kernel. False where the node is something else.
absl::StatusOr<bool> ScheduleConv(Scheduler& s, const graph::Node& node);
// Depthwise convolution of integers, by dot products over the taps of its window.
absl::StatusOr<bool> ScheduleDepthwiseDot(Scheduler& s, const graph::Node& node);
// Matrix product with constant right operand and its epilogue.
absl::StatusOr<bool> ScheduleMatMul(Scheduler& s, const graph::Node& node);
// Attention (ops/attention.h), which the pass has made one node: as one kernel where that is faster, by its parts elsewhere.
absl::StatusOr<bool> ScheduleAttention(Scheduler& s, const graph::Node& node);
// Split, concat and shuffle of channels; reshapes of plain tensors: no step at all where possible.
absl::StatusOr<bool> ScheduleView(Scheduler& s, const graph::Node& node);
// Anything that works channel by channel on blocked tensors: depthwise convolution, pooling, resizing, pointwise chains.
absl::StatusOr<bool> ScheduleChannelwise(Scheduler& s, const graph::Node& node);
// Operators that are routines (ops/routine.h), on plain tensors.
absl::StatusOr<bool> ScheduleRoutine(Scheduler& s, const graph::Node& node);
// Any definition on plain tensors.
absl::Status ScheduleGeneric(Scheduler& s, const graph::Node& node);
// One stage of a definition, dense: `results[t]` is where tensor t lives, those that the stage reads and its own.
void EmitStage(Scheduler& s, const graph::Node& node, const kernel::Definition& d, int stage,
               const std::vector<Placement>& results);
// Any definition for GPUs, on plain tensors whose channels may be last (cuda/stage.cc).
absl::Status ScheduleGenericCuda(Scheduler& s, const graph::Node& node);

// The whole arena as a kernel's argument, for kernels that find blocks through offset tables. How large the arena is is
// known only when all steps are; the loader checks the binding.
inline constexpr int64_t kMaxArenaElements = int64_t{1} << 40;
kernel::Buffer ArenaArgument(int argument, kernel::Scalar scalar);
// The value has channels, of a kind that blocks can hold.
bool CanBeBlocked(const graph::Value* v);

// The definition of a node, with quantized arithmetic in its cheapest form (exact_arithmetic.h).
absl::StatusOr<kernel::Definition> DefinitionFor(const graph::Node& node);

// "conv2d+add+relu": what a node computes, for steps and kernels.
std::string OpName(const graph::Node& node);
// The node itself or, for a fused node, the one non-pointwise node of its body; null if there is none or several.
const graph::Node* Anchor(const graph::Node& node);
// The node itself or, for a fused node, the one node of its body that is no conversion from or to 16-bit floats; null if there
// are several.
const graph::Node* Core(const graph::Node& node);
// The value outside that a value of a fused body stands for: that of an input, or of one converted to float32 (or the value
// itself for a plain node).
const graph::Value* Outer(const graph::Node& node, const graph::Value* inner);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_SCHEDULER_H_
