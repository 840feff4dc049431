// Schedules any definition on dense tensors for GPUs, stage by stage. By default each element is a thread; sums of products
// are tiles (contraction.h; few_rows.h), and so are transposes (transpose.h); the threads of a block share the work of other long
// reductions, and several blocks that of those with few results (partial.h); a thread computes several results that are
// neighbours (vectors.h) or whose windows overlap (window.h); a scan is a thread for each row or, where rows read each other, one
// block. Stages that work row by row are one kernel (row_block.h).
#include <algorithm>

#include "compiler/base/status_macros.h"
#include "compiler/kernel/lower.h"
#include "compiler/kernel/work.h"
#include "compiler/schedule/cuda/contraction.h"
#include "compiler/schedule/cuda/few_rows.h"
#include "compiler/schedule/cuda/gpu_definition.h"
#include "compiler/schedule/cuda/partial.h"
#include "compiler/schedule/cuda/planes.h"
#include "compiler/schedule/cuda/reduce.h"
#include "compiler/schedule/cuda/row_block.h"
#include "compiler/schedule/cuda/split_sums.h"
#include "compiler/schedule/cuda/transpose.h"
#include "compiler/schedule/cuda/vectors.h"
#include "compiler/schedule/cuda/window.h"
#include "compiler/schedule/merge.h"
#include "compiler/schedule/scheduler.h"
#include "compiler/schedule/vector_reduce.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Definition;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Ranges;
using kernel::Scalar;
using kernel::Stage;

// Reductions of at least this many elements are shared out among a warp; of kBlockReduction, among a block.
constexpr int64_t kWarpReduction = 64, kBlockReduction = 2048;
constexpr int kWarpThreads = 32, kBlockThreads = 256;
// With this many results a GPU is busy with one thread for each.
constexpr int64_t kManyResults = 16384;
constexpr int64_t kUnroll = 4;
static_assert(plan::kStorageAlignment % kernel::kGpuAccessBytes == 0);

class StageEmitter {
 public:
  StageEmitter(Scheduler& s, const graph::Node& node, const Definition& d) : s_(s), node_(node), d_(d) {}

  // Adds the step of a stage, and of the `count` - 1 after it, which it joins (Join()).
  // `results[t]`: where tensor t of the definition lives. Where the stage `may_divide` its reductions, and is better so, returns into
  // how many parts (partial.h) and adds no step; 1 otherwise.
  int64_t Emit(int stage, int count, const std::vector<Placement>& results, bool may_divide) {
    const Stage& st = d_.stages()[stage];
    const int64_t elements = graph::NumElements(st.info.shape);
    if (elements == 0) return 1;
    vars_ = st.vars;
    extents_ = st.info.shape;
    for (size_t i = 0; i < vars_.size(); ++i) ranges_[vars_[i].get()] = {0, extents_[i] - 1};
    bool apart = true;  // the rows of a scan do not read each other
    if (st.scan >= 0) {
      scan_ = vars_[st.scan];
      AddOut(stage, results);
      buffers_[d_.num_inputs() + stage] = outs_[0];
      apart = RowsAreApart(st, d_.num_inputs() + stage);
    }
    for (int i = stage; i < stage + count; ++i) {
      const Expr body = BodyOf(d_.stages()[i], results);
      body_ = body_ == nullptr ? body : kernel::ConcatLanes(body_, body);
    }
    std::vector<Expr> uses;
    for (const kernel::Var& v : vars_) uses.push_back(Use(v));
    offset_ = kernel::FlatIndex(uses, st.info.shape);
    for (int i = stage + static_cast<int>(outs_.size()); i < stage + count; ++i) AddOut(i, results);
    MergeDimensions({vars_, extents_, ranges_, body_, offset_}, scan_);

    kernel::Kernel k;
    k.name = OpName(node_);
    k.task = kernel::MakeVar("task");
    k.arguments = arguments_;
    Block b;
    const GpuStage flat{vars_, extents_, ranges_, body_, offset_, outs_[0]};
    if (scan_ != nullptr) {
      apart ? EmitRows(b, k) : EmitSteps(b, k);
    } else if (count == 1 && (EmitContraction(flat, &k) || EmitFewRows(flat, &k))) {
      // complete
    } else if (const int64_t parts = may_divide ? Parts(elements) : 1; parts > 1) {
      return parts;
    } else if (const int threads = GroupThreads(elements); threads > 0) {
      EmitGroups(b, k, elements, threads);
    } else if (count == 1 && (EmitVectors(flat, &k) || EmitTransposed(flat, &k) || EmitWindows(flat, &k))) {
      // complete
    } else {
      EmitElements(b, k, elements);
    }
    if (!b.empty()) k.body = b.Take();
    plan::StepInfo info = s_.Info(node_, OpName(node_));
    if (d_.stages().size() > 1) {  // this one's share of the node's work
      if (!AddsProducts(st.body)) info.macs = 0;
      info.bytes = 0;
      for (const plan::Argument& a : bindings_) info.bytes += std::max<int64_t>(0, a.bytes);
      for (const auto& [t, reader] : planes_) {
        if (!reader.touches().empty()) info.bytes += graph::NumElements(d_.info(t).shape) * SizeOf(d_.info(t).scalar);
      }
    }
    AddTouches(&info);
    s_.program().AddStep(std::move(k), std::move(bindings_), std::move(info));
    return 1;
  }

  // Adds one step for all stages.
  void EmitRowByRow(const RowBlocks& rows, const std::vector<Placement>& results) {
    kernel::Kernel k;
    k.name = OpName(node_);
    k.task = kernel::MakeVar("task");
    AddOut(static_cast<int>(d_.stages().size()) - 1, results);
    EmitRowBlocks(d_, rows, [&](int t, const std::vector<Expr>& index) { return Access(t, index, results); }, outs_[0], &k);
    k.arguments = arguments_;
    plan::StepInfo info = s_.Info(node_, OpName(node_));
    AddTouches(&info);
    s_.program().AddStep(std::move(k), std::move(bindings_), std::move(info));
  }

 private:
  // What is read by way of the arena.
  void AddTouches(plan::StepInfo* info) const {
    for (const auto& planes : planes_) {
      info->touches.insert(info->touches.end(), planes.second.touches().begin(), planes.second.touches().end());
    }
  }

  void AddOut(int stage, const std::vector<Placement>& results) {
    const kernel::TensorInfo& info = d_.stages()[stage].info;
    const Placement& p = results[d_.num_inputs() + stage];
    outs_.push_back(AddArgument("out", info.scalar, graph::NumElements(info.shape), {p.storage, p.offset}));
  }

  // The value of a stage of this shape, from memory.
  Expr BodyOf(const Stage& st, const std::vector<Placement>& results) {
    std::unordered_map<const kernel::VarNode*, Expr> values;
    for (size_t i = 0; i < vars_.size(); ++i) {
      if (st.vars[i] != vars_[i]) values[st.vars[i].get()] = Use(vars_[i]);
    }
    const Expr body = kernel::ReplaceReads(kernel::Substitute(st.body, values), d_, ranges_,
                                           [&](int t, const std::vector<Expr>& index) { return Access(t, index, results); });
    return kernel::Simplify(body, ranges_);
  }

  // Stores the value, or the several that are joined, of each result.
  void StoreResults(Block& b, Expr value, const Expr& offset) const {
    for (size_t i = outs_.size(); i-- > 0;) {
      b.Store(outs_[i], offset, i == 0 ? value : value->args[1]);
      if (i > 0) value = value->args[0];
    }
  }

  Buffer AddArgument(const std::string& name, Scalar scalar, int64_t elements, plan::Argument binding) {
    const bool whole = binding.storage == plan::kWholeArena;
    const plan::Space space = whole ? plan::Space::kArena : s_.program().storage(binding.storage).space;
    int alignment = SizeOf(scalar);
    if (space == plan::Space::kArena || space == plan::Space::kConstant) {
      while (alignment < kernel::kGpuAccessBytes && binding.offset % (2 * alignment) == 0) alignment *= 2;
    }
    arguments_.push_back(
        kernel::ArgumentBuffer(name, scalar, elements, static_cast<int>(arguments_.size()), alignment));
    if (!whole) binding.bytes = elements * SizeOf(scalar);
    bindings_.push_back(binding);
    return arguments_.back();
  }

  // The element of tensor t: an immediate, or a load from a dense tensor.
  Expr Access(int t, const std::vector<Expr>& index, const std::vector<Placement>& results) {
    const std::vector<int64_t>& shape = d_.info(t).shape;
    if (t < d_.num_inputs()) {
      if (Expr immediate = Scheduler::Immediate(node_.inputs[t])) return immediate;
      if (!results[t].planes.empty()) return ReaderOf(t, results[t].planes).Element(index);
    }
    Buffer& buffer = buffers_[t];
    if (buffer == nullptr) {
      buffer = AddArgument("t" + std::to_string(t), d_.info(t).scalar, graph::NumElements(shape),
                           {results[t].storage, results[t].offset});
    }
    return Load(buffer, kernel::FlatIndex(index, shape));
  }

  const PlaneReader& ReaderOf(int t, const std::vector<PlaneRef>& planes) {
    const auto it = planes_.find(t);
    if (it != planes_.end()) return it->second;
    const kernel::TensorInfo& info = d_.info(t);
    const auto add = [this](const std::string& name, Scalar scalar, int64_t elements, plan::Argument binding) {
      return AddArgument(name, scalar, elements, binding);
    };
    return planes_.emplace(t, PlaneReader(s_, "t" + std::to_string(t), info.scalar, info.shape, planes, add)).first->second;
  }

  // Whether a scan reads its own tensor in its own row only.
  static bool RowsAreApart(const Stage& st, int self) {
    bool apart = true;
    kernel::Visit(st.body, [&](const Expr& n) {
      if (n->op != Op::kRead || n->tensor != self) return;
      for (size_t i = 0; i < st.vars.size(); ++i) {
        if (static_cast<int>(i) != st.scan) apart = apart && kernel::IsIndexAlong(n->args[i], st.vars[i], st.info.shape[i]);
      }
    });
    return apart;
  }

  // Body and offset at point number `flat` of the box without the scanned dimension.
  struct Point {
    Expr body, offset;
    Ranges ranges;
  };
  Point PointAt(Block& b, const Expr& flat, int64_t points) {
    Point p;
    p.ranges = ranges_;
    if (flat->op == Op::kVar) p.ranges[flat->var.get()] = {0, points - 1};
    std::unordered_map<const kernel::VarNode*, Expr> values;
    std::vector<size_t> order;
    for (size_t i = 0; i < vars_.size(); ++i) {
      if (vars_[i] != scan_) order.push_back(i);
    }
    Expr rest = flat;
    for (size_t j = order.size(); j-- > 0;) {
      const size_t i = order[j];
      Expr at = rest;
      if (j > 0) {
        at = b.Let("i", Binary(Op::kMod, rest, Int(extents_[i])));
        rest = b.Let("rest", rest / Int(extents_[i]));
      }
      values[vars_[i].get()] = at;
      if (at->op == Op::kVar) p.ranges[at->var.get()] = {0, extents_[i] - 1};
    }
    p.body = kernel::Simplify(kernel::Substitute(body_, values), p.ranges);
    p.offset = kernel::Simplify(kernel::Substitute(offset_, values), p.ranges);
    return p;
  }

  void EmitElements(Block& b, kernel::Kernel& k, int64_t elements) {
    k.tasks = elements;
    const Point p = PointAt(b, elements == 1 ? Int(0) : Use(k.task), elements);
    StoreResults(b, kernel::EmitReductions(b, p.body, kUnroll, p.ranges), p.offset);
  }

  int64_t Parts(int64_t elements) const {
    return ReductionParts(body_, vars_.empty() ? nullptr : vars_.back(), elements);
  }

  // How many threads should compute each element together; 0: one alone.
  int GroupThreads(int64_t elements) const {
    const int64_t points = LargestReduction(body_);
    if (points < kWarpReduction || !CanReduceTogether(body_)) return 0;
    const bool along_memory = vars_.empty() || ReducesAlongMemory(body_, vars_.back());
    if (!along_memory && elements >= kManyResults) return 0;
    return points < kBlockReduction ? kWarpThreads : kBlockThreads;
  }

  void EmitGroups(Block& b, kernel::Kernel& k, int64_t elements, int threads) {
    k.tasks = elements;
    UseThreads(k, threads);
    const Point p = PointAt(b, elements == 1 ? Int(0) : Use(k.task), elements);
    Expr value = EmitGroupReductions(b, p.body, Use(k.thread), threads, p.ranges);
    if (outs_.size() == 1) value = b.Let("value", value);
    b.If(Binary(Op::kEq, Use(k.thread), Int(0)), [&](Block& b) { StoreResults(b, value, p.offset); });
  }

  void UseThreads(kernel::Kernel& k, int threads) {
    k.threads = threads;
    k.thread = kernel::MakeVar("thread");
    ranges_[k.thread.get()] = {0, threads - 1};
  }

  int64_t Rows() const {
    int64_t rows = 1;
    for (size_t i = 0; i < vars_.size(); ++i) rows *= vars_[i] == scan_ ? 1 : extents_[i];
    return rows;
  }
  int64_t Steps() const { return extents_[std::find(vars_.begin(), vars_.end(), scan_) - vars_.begin()]; }

  void EmitStep(Block& b, const Point& p, const Expr& step) {
    Ranges ranges = p.ranges;
    if (step->op == Op::kVar) ranges[step->var.get()] = {0, Steps() - 1};
    const Expr body = kernel::Simplify(kernel::Substitute(p.body, {{scan_.get(), step}}), ranges);
    b.Store(outs_[0], kernel::Substitute(p.offset, {{scan_.get(), step}}), kernel::EmitReductions(b, body, kUnroll, ranges));
  }

  // A scan whose rows do not read each other: a thread for each.
  void EmitRows(Block& b, kernel::Kernel& k) {
    k.tasks = Rows();
    const Point p = PointAt(b, k.tasks == 1 ? Int(0) : Use(k.task), k.tasks);
    b.For("step", 0, Steps(), [&](Block& b, const Expr& step) { EmitStep(b, p, step); });
  }

  // One block that goes from step to step together.
  void EmitSteps(Block& b, kernel::Kernel& k) {
    UseThreads(k, kBlockThreads);
    const int64_t rows = Rows();
    b.For("step", 0, Steps(), [&](Block& b, const Expr& step) {
      b.For("row", Use(k.thread), Int(rows), kBlockThreads, [&](Block& b, const Expr& row) {
        EmitStep(b, PointAt(b, row, rows), step);
      });
      b.Barrier();
    });
  }

  Scheduler& s_;
  const graph::Node& node_;
  const Definition& d_;
  std::vector<kernel::Var> vars_;
  std::vector<int64_t> extents_;
  Ranges ranges_;
  Expr body_, offset_;  // of several results their values, joined
  std::vector<Buffer> arguments_;
  std::vector<plan::Argument> bindings_;
  std::unordered_map<int, Buffer> buffers_;
  std::unordered_map<int, PlaneReader> planes_;  // of inputs whose channels lie apart
  std::vector<Buffer> outs_;
  kernel::Var scan_;  // of a scan
};

// Whether one step had better compute both. Sums of products may be tiles, each by itself.
bool Join(const Stage& a, const Stage& b) {
  return a.info.scalar == b.info.scalar && a.info.shape == b.info.shape && !AddsProducts(a.body) && !AddsProducts(b.body);
}

}  // namespace

absl::Status ScheduleGenericCuda(Scheduler& s, const graph::Node& node) {
  ASSIGN_OR_RETURN(Operands operands, GpuOperands(s, node));
  Definition d = SplitSums(operands.definition);
  std::vector<Placement> placements = std::move(operands.inputs);
  auto scratch = [&](int t) {
    Placement p;
    p.storage = s.program().AddArena(graph::NumElements(d.info(t).shape) * SizeOf(d.info(t).scalar));
    return p;
  };
  const std::vector<int> outputs = d.outputs();
  const RowBlocks rows = RowBlocksOf(d);
  for (int t = d.num_inputs(); t < d.num_inputs() + static_cast<int>(d.stages().size()); ++t) {
    const auto it = std::find(outputs.begin(), outputs.end(), t);
    if (it == outputs.end()) {
      placements.push_back(rows.threads > 0 ? Placement() : scratch(t));
      continue;
    }
    placements.push_back(s.NewPlain(node.output(static_cast<int>(it - outputs.begin()))));
    placements.back().channels_last = operands.channels_last[it - outputs.begin()];
  }
  if (rows.threads > 0) {
    StageEmitter(s, node, d).EmitRowByRow(rows, placements);
    s.Place(node.output(), placements.back());
    return absl::OkStatus();
  }
  int divided = -1;  // this stage is the combination of divided reductions; those before it are their parts, or done
  for (int i = 0; i < static_cast<int>(d.stages().size());) {
    int count = 1;
    while (i + count < divided && Join(d.stages()[i], d.stages()[i + count])) ++count;
    const int64_t parts = StageEmitter(s, node, d).Emit(i, count, placements, /*may_divide=*/i > divided);
    if (parts == 1) {
      i += count;
      continue;
    }
    const int inserted = InsertPartialReductions(d, i, parts);
    for (int j = 0; j < inserted; ++j) {
      const int t = d.num_inputs() + i + j;
      placements.insert(placements.begin() + t, scratch(t));
    }
    divided = i + inserted;
  }
  const std::vector<int> renumbered = d.outputs();
  for (size_t i = 0; i < renumbered.size(); ++i) {
    const int t = renumbered[i];
    s.Place(node.output(static_cast<int>(i)), t < d.num_inputs() ? s.placement(node.inputs[t]) : placements[t]);
  }
  return absl::OkStatus();
}

}  // namespace mgec::schedule
