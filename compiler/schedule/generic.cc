// Schedules any definition on plain tensors, stage by stage: adjacent dimensions that memory does not tell apart are
// merged, the innermost one (or, for reductions along contiguous memory, the reduced one) becomes vectors, the others are
// divided into tasks. The steps of a scan are one more loop around all that, in a single task. Stages that work row by row
// (softmax, normalizations) become one kernel: a row goes through all of them while it is in the cache.
#include <algorithm>
#include <map>

#include "compiler/base/status_macros.h"
#include "compiler/kernel/lower.h"
#include "compiler/kernel/narrow_indices.h"
#include "compiler/ops/op.h"
#include "compiler/schedule/channels_last.h"
#include "compiler/schedule/loop_order.h"
#include "compiler/schedule/merge.h"
#include "compiler/schedule/place_tables.h"
#include "compiler/schedule/rows.h"
#include "compiler/schedule/scheduler.h"
#include "compiler/schedule/transpose.h"
#include "compiler/schedule/vector_dimension.h"
#include "compiler/schedule/vector_reduce.h"
#include "compiler/schedule/zones.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Definition;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Range;
using kernel::Ranges;
using kernel::Scalar;
using kernel::Stage;

constexpr int64_t kWantedTasks = 32;
constexpr int64_t kMinTaskElements = 2048;
constexpr int64_t kUnrollReduction = 16;  // reductions of up to so many elements become straight code

class StageEmitter {
 public:
  StageEmitter(Scheduler& s, const graph::Node& node, const Definition& d) : s_(s), node_(node), d_(d) {}

  // `outputs[t]`: where tensor t of the definition (a stage's result) lives.
  void Emit(int stage, const std::vector<Placement>& results) {
    const Stage& st = d_.stages()[stage];
    info_ = s_.Info(node_, OpName(node_));
    if (!HasReduce(st.body)) info_.macs = 0;  // another stage multiplies
    const kernel::Var task = kernel::MakeVar("task");
    vars_ = st.vars;
    extents_ = st.info.shape;
    for (size_t i = 0; i < vars_.size(); ++i) ranges_[vars_[i].get()] = {0, extents_[i] - 1};
    const int64_t elements = graph::NumElements(st.info.shape);
    const Placement& out = results[d_.num_inputs() + stage];
    const plan::Argument out_argument = {out.storage, out.offset};
    if (st.scan >= 0) {
      scan_ = vars_[st.scan];
      max_tasks_ = 1;
      out_ = AddArgument("out", st.info.scalar, elements, out_argument);
      buffers_[d_.num_inputs() + stage] = out_;
    }
    body_ = kernel::ReplaceReads(st.body, d_, ranges_, [&](int t, const std::vector<Expr>& index) {
      return Access(t, index, results);
    });
    body_ = kernel::Simplify(body_, ranges_);
    std::vector<Expr> uses;
    for (const kernel::Var& v : vars_) uses.push_back(Use(v));
    offset_ = kernel::FlatIndex(uses, st.info.shape);
    if (out_ == nullptr) out_ = AddArgument("out", st.info.scalar, elements, out_argument);
    const std::optional<Expr> channels_last = PixelOfChannelsLast(st, results);
    MergeDimensions({vars_, extents_, ranges_, body_, offset_}, scan_);

    kernel::Kernel k;
    k.name = OpName(node_);
    k.task = task;
    Block b;
    const std::optional<int64_t> copied =
        channels_last ? EmitChannelsLast(b, Use(task), st, *channels_last, results) : EmitCopy(b, Use(task));
    k.tasks = copied.has_value() ? *copied : scan_ != nullptr ? EmitScan(b) : EmitLoops(b, Use(task));
    k.arguments = arguments_;
    k.body = b.Take();
    s_.program().AddStep(std::move(k), std::move(bindings_), info_);
  }

  // All stages, row by row.
  void EmitRows(const Rows& rows, const std::vector<Placement>& results) {
    info_ = s_.Info(node_, OpName(node_));
    rows_ = &rows;
    max_tasks_ = 1;
    kernel::Kernel k;
    k.name = OpName(node_);
    k.task = kernel::MakeVar("task");
    k.tasks = rows.tasks;
    task_ = Use(k.task);
    ranges_[k.task.get()] = {0, rows.tasks - 1};
    const int64_t per_task = (rows.count + rows.tasks - 1) / rows.tasks;
    const std::vector<int64_t>& shape = d_.stages().back().info.shape;
    Block b;
    const Expr begin = task_ * per_task;
    b.For("row", begin, Min(begin + per_task, Int(rows.count)), 1, [&](Block& b, Expr row) {
      std::vector<Expr> at(rows.dims);
      Expr rest = row;
      for (size_t i = rows.dims; i-- > 0;) {
        at[i] = i == 0 ? rest : b.Let("i", Binary(Op::kMod, rest, Int(shape[i])));
        if (i > 0) rest = b.Let("rest", rest / Int(shape[i]));
        if (at[i]->op == Op::kVar) ranges_[at[i]->var.get()] = {0, shape[i] - 1};
      }
      for (size_t stage = 0; stage < d_.stages().size(); ++stage) EmitRowOf(b, stage, at, results);
    });
    k.arguments = arguments_;
    k.body = b.Take();
    s_.program().AddStep(std::move(k), std::move(bindings_), info_);
  }

 private:
  // The row of a stage at the index `at`.
  void EmitRowOf(Block& b, size_t stage, const std::vector<Expr>& at, const std::vector<Placement>& results) {
    const Stage& st = d_.stages()[stage];
    const int t = d_.num_inputs() + static_cast<int>(stage);
    const bool is_result = stage + 1 == d_.stages().size();
    const int64_t scratch = rows_->scratch[stage];
    vars_ = st.vars;
    extents_ = st.info.shape;
    for (size_t i = 0; i < vars_.size(); ++i) ranges_[vars_[i].get()] = {0, extents_[i] - 1};
    body_ = kernel::ReplaceReads(st.body, d_, ranges_, [&](int read, const std::vector<Expr>& index) {
      return Access(read, index, results);
    });
    std::unordered_map<const kernel::VarNode*, Expr> values;
    for (size_t i = 0; i < at.size(); ++i) values[vars_[i].get()] = at[i];
    std::vector<Expr> uses;
    for (const kernel::Var& v : vars_) uses.push_back(Use(v));
    offset_ = is_result ? kernel::FlatIndex(uses, st.info.shape) : ScratchIndex(t, uses);
    if (!is_result && scratch == 0) {
      for (size_t i = at.size(); i < vars_.size(); ++i) values[vars_[i].get()] = Int(0);
    }
    body_ = kernel::Simplify(kernel::Substitute(body_, values), ranges_);
    offset_ = kernel::Simplify(kernel::Substitute(offset_, values), ranges_);
    if (!is_result && scratch == 0) {
      numbers_[t] = b.Let("of_row", EmitVectorReductions(b, body_, s_.target().vector_lanes, ranges_));
      return;
    }
    const Placement& p = results[t];
    const int64_t elements = is_result ? graph::NumElements(st.info.shape) : scratch * rows_->tasks;
    out_ = buffers_[t] = AddArgument("out", st.info.scalar, elements, {p.storage, p.offset});
    vars_.erase(vars_.begin(), vars_.begin() + at.size());
    extents_.erase(extents_.begin(), extents_.begin() + at.size());
    MergeDimensions({vars_, extents_, ranges_, body_, offset_}, scan_);
    EmitLoops(b, Int(0));
  }

  // Where an element of a row of stage tensor t lies in this task's scratch memory.
  Expr ScratchIndex(int t, const std::vector<Expr>& index) const {
    const std::vector<int64_t>& shape = d_.info(t).shape;
    const std::vector<Expr> in_row(index.begin() + rows_->dims, index.end());
    return task_ * rows_->scratch[t - d_.num_inputs()] +
           kernel::FlatIndex(in_row, {shape.begin() + rows_->dims, shape.end()});
  }

  Buffer AddArgument(const std::string& name, Scalar scalar, int64_t elements, plan::Argument binding) {
    arguments_.push_back(
        kernel::ArgumentBuffer(name, scalar, elements, static_cast<int>(arguments_.size()), SizeOf(scalar)));
    binding.bytes = elements * SizeOf(scalar);
    bindings_.push_back(binding);
    return arguments_.back();
  }

  // The element of tensor t: an immediate, a load from a dense tensor, or from the blocks of a blocked one.
  Expr Access(int t, const std::vector<Expr>& index, const std::vector<Placement>& results) {
    const std::vector<int64_t>& shape = d_.info(t).shape;
    const Scalar scalar = d_.info(t).scalar;
    if (rows_ != nullptr && t >= d_.num_inputs()) {
      if (const auto it = numbers_.find(t); it != numbers_.end()) return it->second;
      return Load(buffers_.at(t), ScratchIndex(t, index));
    }
    const bool of_node = t < static_cast<int>(node_.inputs.size());  // and no table
    if (of_node) {
      if (Expr immediate = Scheduler::Immediate(node_.inputs[t])) return immediate;
    }
    const Placement& p = results[t];
    auto [it, is_new] = buffers_.emplace(t, nullptr);
    if (!p.blocked) {
      plan::Argument narrow{};
      Scalar narrow_scalar;
      if (of_node && s_.Narrow(node_.inputs[t], &narrow.storage, &narrow_scalar)) {
        if (is_new) it->second = AddArgument("t" + std::to_string(t), narrow_scalar, graph::NumElements(shape), narrow);
        return Cast(kernel::Type(scalar), Load(it->second, kernel::FlatIndex(index, shape)));
      }
      if (is_new) {
        it->second = AddArgument("t" + std::to_string(t), scalar, graph::NumElements(shape), {p.storage, p.offset});
      }
      return Load(it->second, kernel::FlatIndex(index, shape));
    }
    const int64_t block = BlockElements(shape);
    const BlockElement element = s_.Element(scalar);
    Buffer& arena = arenas_[element.stored];
    if (is_new) {
      std::vector<std::pair<plan::StorageId, int64_t>> offsets;
      for (const ChannelRef& r : p.channels) offsets.emplace_back(r.storage, r.block * block + r.lane);
      for (plan::StorageId id : StoragesOf(p)) info_.touches.push_back(id);
      const int64_t entries = static_cast<int64_t>(offsets.size());
      it->second = AddArgument("t" + std::to_string(t) + "_table", Scalar::kInt32, entries,
                               {s_.OffsetTable(std::move(offsets), element.bytes())});
      if (arena == nullptr) {
        arena = ArenaArgument(static_cast<int>(arguments_.size()), element.stored);
        arguments_.push_back(arena);
        bindings_.push_back({plan::kWholeArena});
      }
    }
    std::vector<Expr> rest = index;
    rest.erase(rest.begin() + 1);
    std::vector<int64_t> extents = shape;
    extents.erase(extents.begin() + 1);
    return FromStored(element, Load(arena, kernel::FlatIndex(rest, extents) * 8 +
                                               Cast(kernel::kIndexType, Load(it->second, index[1]))));
  }

  // Where elements only move, and not along memory.
  std::optional<int64_t> EmitCopy(Block& b, const Expr& task) {
    if (body_->op != Op::kLoad || body_->args.size() != 1 || scan_ != nullptr) return std::nullopt;
    return EmitTransposedCopy(b, task, {vars_, extents_, body_->buffer, out_, body_->args[0], offset_}, max_tasks_);
  }

  // The number of the pixel that an element of the stage lies in, where the stage moves a blocked tensor's channels to the last
  // dimension, and its pixels keep their order or not.
  std::optional<Expr> PixelOfChannelsLast(const Stage& st, const std::vector<Placement>& results) const {
    const Expr& read = st.body;
    if (read->op != Op::kRead || read->tensor >= d_.num_inputs() || !results[read->tensor].blocked || st.scan >= 0 ||
        read->args[1]->op != Op::kVar || read->args[1]->var != st.vars.back() || st.vars.size() < 2 ||
        !CopiesRuns(RunsOf(results[read->tensor])) || graph::NumElements(st.info.shape) == 0) {
      return std::nullopt;
    }
    std::vector<Expr> index = read->args;
    std::vector<int64_t> extents = d_.info(read->tensor).shape;
    if (extents[1] != st.info.shape.back()) return std::nullopt;
    index.erase(index.begin() + 1);
    extents.erase(extents.begin() + 1);
    for (size_t i = 0; i < index.size(); ++i) {
      const std::optional<Range> bounds = kernel::BoundsOf(index[i], ranges_);
      if (kernel::DependsOn(index[i], st.vars.back()) || !bounds || bounds->lo < 0 || bounds->hi >= extents[i]) return std::nullopt;
    }
    return kernel::Simplify(kernel::FlatIndex(index, extents), ranges_);
  }

  int64_t EmitChannelsLast(Block& b, const Expr& task, const Stage& st, const Expr& pixel, const std::vector<Placement>& results) {
    const int t = st.body->tensor;
    const BlockElement element = s_.Element(d_.info(t).scalar);
    const std::vector<ChannelRun> runs = RunsOf(results[t]);
    const int64_t channels = st.info.shape.back(), pixels = graph::NumElements(st.info.shape) / channels;
    const int64_t tasks = std::min(pixels, std::clamp<int64_t>(pixels * channels / kMinTaskElements, 1, max_tasks_));
    const int64_t per_task = (pixels + tasks - 1) / tasks;
    const std::vector<int64_t> outer(st.info.shape.begin(), st.info.shape.end() - 1);
    std::vector<Expr> uses;
    for (size_t i = 0; i < outer.size(); ++i) uses.push_back(Use(st.vars[i]));
    const bool in_order = kernel::Equal(pixel, kernel::Simplify(kernel::FlatIndex(uses, outer), ranges_));
    const Expr begin = task * per_task;
    b.For("row", begin, Min(begin + per_task, Int(pixels)), 1, [&](Block& b, const Expr& row) {
      std::unordered_map<const kernel::VarNode*, Expr> values;
      Expr rest = row;
      for (size_t i = outer.size(); !in_order && i-- > 0;) {
        values[st.vars[i].get()] = i == 0 ? rest : b.Let("i", Binary(Op::kMod, rest, Int(outer[i])));
        if (i > 0) rest = b.Let("rest", rest / Int(outer[i]));
      }
      const Expr from = b.Let("pixel", (in_order ? row : kernel::Substitute(pixel, values)) * 8);
      EmitRuns(b, runs, element, arenas_.at(element.stored), buffers_.at(t), from, out_, b.Let("to", row * channels));
    });
    return (pixels + per_task - 1) / per_task;
  }

  // The elements of one step do not read each other: they are scheduled like those of any other stage.
  int64_t EmitScan(Block& b) {
    const size_t i = std::find(vars_.begin(), vars_.end(), scan_) - vars_.begin();
    const int64_t steps = extents_[i];
    vars_.erase(vars_.begin() + i);
    extents_.erase(extents_.begin() + i);
    b.For("step", 0, steps, [&](Block& b, Expr step) {
      if (step->op == Op::kVar) ranges_[step->var.get()] = {0, steps - 1};
      body_ = kernel::Simplify(kernel::Substitute(body_, {{scan_.get(), step}}), ranges_);
      offset_ = kernel::Substitute(offset_, {{scan_.get(), step}});
      EmitLoops(b, Int(0));
    });
    return 1;
  }

  int64_t EmitLoops(Block& b, const Expr& task) {
    if (scan_ == nullptr) {
      const Box box{vars_, extents_, ranges_, body_, offset_};
      JoinFewElements(box, s_.target().vector_lanes);
      if (HasLongReduction(body_, kUnrollReduction)) {
        ChooseVectorDimension(box);
        OrderLoops(box);
      }
    }
    int64_t outer = 1;
    for (size_t i = 0; i + 1 < vars_.size(); ++i) outer *= extents_[i];
    const int64_t inner = vars_.empty() ? 1 : extents_.back();
    if (outer * inner == 0) return 1;
    if (vars_.empty()) {
      EmitElement(b, body_, offset_);
      return 1;
    }
    if (outer == 1) return EmitOneRow(b, task, inner);
    // Rows are handed out in equal shares.
    const int64_t wanted = std::clamp<int64_t>(outer * inner / kMinTaskElements, 1, max_tasks_);
    const int64_t tasks = std::min(outer, HasReduce(body_) ? max_tasks_ : wanted);
    const int64_t per_task = (outer + tasks - 1) / tasks;
    const Expr begin = task * per_task;
    b.For("row", begin, Min(begin + per_task, Int(outer)), 1, [&](Block& b, Expr row) {
      std::unordered_map<const kernel::VarNode*, Expr> values;
      Expr rest = row;
      for (size_t i = vars_.size() - 1; i-- > 0;) {
        const Expr at = i == 0 ? rest : b.Let("i", Binary(Op::kMod, rest, Int(extents_[i])));
        if (i > 0) rest = b.Let("rest", rest / Int(extents_[i]));
        values[vars_[i].get()] = at;
        if (at->op == Op::kVar) ranges_[at->var.get()] = {0, extents_[i] - 1};
      }
      EmitRow(b, kernel::Simplify(kernel::Substitute(body_, values), ranges_), kernel::Substitute(offset_, values),
              Int(0), Int(inner), inner);
    });
    return (outer + per_task - 1) / per_task;
  }

  int64_t EmitOneRow(Block& b, const Expr& task, int64_t inner) {
    std::unordered_map<const kernel::VarNode*, Expr> values;
    for (size_t i = 0; i + 1 < vars_.size(); ++i) values[vars_[i].get()] = Int(0);
    const Expr body = kernel::Simplify(kernel::Substitute(body_, values), ranges_);
    const Expr offset = kernel::Substitute(offset_, values);
    const int64_t work = HasReduce(body) ? 64 : kMinTaskElements;
    int64_t tasks = std::clamp<int64_t>(inner / work, 1, max_tasks_);
    // Whole vectors per task, and a last task that holds at least one.
    const int64_t per_task = (((inner + tasks - 1) / tasks) + 63) / 64 * 64;
    tasks = std::max<int64_t>(1, inner / per_task);
    const Expr begin = task * per_task;
    const Expr end = Select(task < tasks - 1, begin + per_task, Int(inner));
    if (tasks == 1) EmitRow(b, body, offset, Int(0), Int(inner), inner);
    else EmitRow(b, body, offset, b.Let("begin", begin), b.Let("end", end), per_task);
    return tasks;
  }

  // Elements [begin, end) of the innermost dimension; `least` is the least number of them.
  void EmitRow(Block& b, const Expr& body, const Expr& offset, Expr begin, Expr end, int64_t least) {
    const kernel::Var v = vars_.back();
    const int64_t extent = extents_.back();
    int lanes = s_.target().vector_lanes;
    while (lanes > 1 && lanes > least) lanes /= 2;
    if (ReducesAlongMemory(body, v)) lanes = 1;  // the vectors run along the reduction instead
    // The sums of several registers overlap; one would wait for each of its additions.
    for (int64_t n = s_.target().chains; lanes == s_.target().vector_lanes && n > 1; n /= 2) {
      if (HasLongReduction(body, kUnrollReduction) && n * lanes <= least) lanes *= static_cast<int>(n);
    }
    // Along the last dimension, the elements of a scan's step are not neighbours in memory.
    if (scan_ != nullptr && kernel::StrideOf(offset, v) != 1) lanes = 1;
    const Zones zones = ZonesOf(body, v, extent, ranges_);
    auto scalar = [&](Block& b, Expr i, Range range) {
      if (i->op == Op::kVar) ranges_[i->var.get()] = range;
      EmitElement(b, kernel::Simplify(kernel::Substitute(body, {{v.get(), i}}), ranges_),
                  kernel::Substitute(offset, {{v.get(), i}}));
    };
    if (lanes < 4 || zones.interior.end - zones.interior.begin < lanes) {
      ForEachZone(b, zones, begin, end, scalar);
      return;
    }
    // Vectors over the interior; its remainder is one more vector that overlaps the last.
    const bool whole = zones.interior.begin == 0 && zones.interior.end == extent;
    const Expr first = whole ? begin : Max(begin, Int(zones.interior.begin));
    const Expr last = whole ? end : Min(end, Int(zones.interior.end));
    auto vector = [&](Block& b, Expr i) {
      if (i->op == Op::kVar) ranges_[i->var.get()] = {zones.interior.begin, zones.interior.end - 1};
      Ranges ranges = ranges_;
      ranges[v.get()] = {zones.interior.begin, zones.interior.end - 1};
      Expr e = kernel::Vectorize(kernel::NarrowIndices(kernel::Simplify(body, ranges), v, ranges), v, i, lanes);
      e = Broadcast(kernel::EmitReductions(b, e, kUnrollReduction, ranges_), lanes * body->type.lanes);
      const Expr at = kernel::Substitute(offset, {{v.get(), i}});
      const int64_t stride = kernel::StrideOf(offset, v).value_or(1);  // apart where another dimension was chosen
      b.Store(out_, body->type.lanes > 1 || stride == 1 ? at : Ramp(at, stride, lanes), e);
    };
    if (!whole) ForEachZone(b, {zones.before, {0, 0, false}, zones.after}, begin, end, scalar);
    b.For("i", first, last - (lanes - 1), lanes, vector);
    int64_t f, l;
    const bool known = IsConst(first, &f) && IsConst(last, &l);
    if (known && (l - f) % lanes == 0) return;
    if (whole || known) {
      b.If(known ? kernel::Bool(true) : kernel::Binary(Op::kNe, Binary(Op::kMod, last - first, Int(lanes)), Int(0)),
           [&](Block& b) { vector(b, b.Let("tail", last - lanes)); });
    } else {  // a part of the interior may be shorter than a vector
      b.For("i", first + (last - first) / Int(lanes) * Int(lanes), last, 1,
            [&](Block& b, Expr i) { scalar(b, i, {zones.interior.begin, zones.interior.end - 1}); });
    }
  }

  void EmitElement(Block& b, const Expr& body, const Expr& offset) {
    b.Store(out_, offset, EmitVectorReductions(b, body, s_.target().vector_lanes, ranges_));
  }

  Scheduler& s_;
  const graph::Node& node_;
  const Definition& d_;
  plan::StepInfo info_;
  std::vector<kernel::Var> vars_;
  std::vector<int64_t> extents_;
  Ranges ranges_;
  Expr body_, offset_;
  std::vector<Buffer> arguments_;
  std::vector<plan::Argument> bindings_;
  std::unordered_map<int, Buffer> buffers_;
  Buffer out_;
  std::map<Scalar, Buffer> arenas_;  // the whole arena as elements of each type
  kernel::Var scan_;  // of a scan
  int64_t max_tasks_ = kWantedTasks;
  // Of EmitRows.
  const Rows* rows_ = nullptr;
  Expr task_;
  std::unordered_map<int, Expr> numbers_;  // stages that have one number for each row
};

}  // namespace

void EmitStage(Scheduler& s, const graph::Node& node, const Definition& d, int stage, const std::vector<Placement>& results) {
  StageEmitter(s, node, d).Emit(stage, results);
}

absl::Status ScheduleGeneric(Scheduler& s, const graph::Node& node) {
  ASSIGN_OR_RETURN(Definition d, DefinitionFor(node));
  constexpr int64_t kFewestUses = 64;  // of a place
  const DefinitionWithTables with_tables = WithPlaceTables(d, /*channel_dim=*/-1, kFewestUses);
  bool reduces = false;
  for (const Stage& stage : d.stages()) reduces = reduces || HasReduce(stage.body);
  std::vector<Placement> placements;
  for (const graph::Value* v : node.inputs) {
    // Reading blocked channels one by one is right for moving data once, not for reading it again and again.
    const bool as_is = !reduces && s.placement(v).blocked;
    placements.push_back(as_is ? s.placement(v) : s.Plain(v));
  }
  for (size_t i = 0; i < with_tables.tables; ++i) {
    const kernel::TensorInfo& info = with_tables.definition.stages()[i].info;
    Placement p;
    p.storage = s.program().AddArena(graph::NumElements(info.shape) * SizeOf(info.scalar));
    placements.push_back(p);
    EmitStage(s, node, with_tables.definition, static_cast<int>(i), placements);
  }
  d = TablesAsInputs(with_tables);
  const std::vector<int> outputs = d.outputs();
  const Rows rows = RowsOf(d, kMinTaskElements, kWantedTasks);
  for (size_t i = 0; i < d.stages().size(); ++i) {
    const int t = d.num_inputs() + static_cast<int>(i);
    const auto it = std::find(outputs.begin(), outputs.end(), t);
    Placement p;
    if (it != outputs.end()) {
      p = s.NewPlain(node.outputs[it - outputs.begin()].get());
    } else {
      const int64_t elements = rows.dims > 0 ? rows.scratch[i] * rows.tasks : graph::NumElements(d.info(t).shape);
      p.storage = s.program().AddArena(elements * SizeOf(d.info(t).scalar));
    }
    placements.push_back(p);
  }
  if (rows.dims > 0) {
    StageEmitter(s, node, d).EmitRows(rows, placements);
  } else {
    for (size_t i = 0; i < d.stages().size(); ++i) EmitStage(s, node, d, static_cast<int>(i), placements);
  }
  for (size_t i = 0; i < outputs.size(); ++i) s.Place(node.outputs[i].get(), placements[outputs[i]]);
  return absl::OkStatus();
}

}  // namespace mgec::schedule
