#include "compiler/schedule/place_tables.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <unordered_map>

#include "compiler/kernel/simplify.h"

namespace mgec::schedule {
namespace {

using kernel::Definition;
using kernel::Expr;
using kernel::ExprNode;
using kernel::Op;
using kernel::Scalar;
using kernel::Stage;
using kernel::Type;

// A table costs a load and its address; an expression should cost more.
constexpr int kLeastCost = 6;
constexpr int64_t kMostEntries = int64_t{1} << 22;

bool IsRounding(const Expr& e) {
  return (e->op >= Op::kFloor && e->op <= Op::kRoundEven) ||
         (e->op == Op::kCast && IsFloat(e->args[0]->type.scalar) && !IsFloat(e->type.scalar));
}

// A division that need not be defined where nothing asks for its result.
bool MayTrap(const Expr& e) {
  const bool divides = e->op == Op::kDiv || e->op == Op::kMod || e->op == Op::kFloorDiv || e->op == Op::kFloorMod;
  return divides && !IsFloat(e->type.scalar) && !kernel::IsConst(e->args[1]);
}

int CostOf(const Expr& e) {
  if (e->args.empty()) return 0;
  if (e->op == Op::kDiv || e->op == Op::kSqrt || e->op == Op::kRsqrt) return 5;
  if ((e->op >= Op::kExp && e->op <= Op::kSigmoid) || e->op == Op::kPow || e->op == Op::kAtan2) return 10;
  return 1;
}

// An index variable of a stage or a reduction.
struct Dimension {
  kernel::Var var;
  int64_t extent;
};

class TableMaker {
 public:
  TableMaker(const Definition& d, int channel_dim, int64_t fewest_uses)
      : d_(d), channel_dim_(channel_dim), fewest_uses_(fewest_uses) {}

  const std::vector<Stage>& tables() const { return stages_; }

  // The body of a stage that reads tables: table i is tensor kFirstTable + i.
  static constexpr int kFirstTable = 1 << 20;
  Expr Rewrite(const Stage& stage, const Expr& body) {
    dims_.clear();
    done_.clear();
    facts_.clear();
    tables_.clear();
    channel_ = channel_dim_ < 0 ? nullptr : stage.vars[channel_dim_];
    stage_dims_ = stage.vars.size();
    uses_ = 1;
    for (size_t i = 0; i < stage.vars.size(); ++i) {
      dims_.push_back({stage.vars[i], stage.info.shape[i]});
      uses_ *= stage.info.shape[i];
    }
    ranges_.clear();
    kernel::Visit(body, [&](const Expr& e) {
      for (const kernel::ReduceAxis& a : e->reduce_axes) dims_.push_back({a.var, a.extent});
    });
    if (dims_.size() > 64) return body;
    for (const Dimension& dim : dims_) ranges_[dim.var.get()] = {0, dim.extent - 1};
    return Walk(body);
  }

 private:
  struct Facts {
    bool movable = true;    // free of the channel and of reductions
    bool computed = false;  // reads or rounds: not what simplification turns into a constant
    int cost = 0;
    uint64_t dims = 0;      // those it depends on, a bit for each
  };

  const Facts& FactsOf(const Expr& e) {
    const auto it = facts_.find(e.get());
    if (it != facts_.end()) return it->second;
    Facts f;
    f.cost = CostOf(e);
    f.computed = e->op == Op::kRead || IsRounding(e);
    f.movable = e->op != Op::kReduce && !(e->op == Op::kRead && e->tensor >= d_.num_inputs()) && !(e->op == Op::kVar && e->var == channel_) && !MayTrap(e) && !IsBound(e);
    for (size_t i = 0; e->op == Op::kVar && i < dims_.size(); ++i) {
      if (dims_[i].var == e->var) f.dims = uint64_t{1} << i;
    }
    for (const Expr& a : e->args) {
      const Facts of = FactsOf(a);
      f.dims |= of.dims;
      f.movable = f.movable && of.movable;
      f.computed = f.computed || of.computed;
      f.cost = std::min(f.cost + of.cost, 1000);  // arguments may be shared, again and again
    }
    return facts_.emplace(e.get(), f).first->second;
  }

  // An axis of a reduction against a limit, by which the reduction's loops end (bounded_reduce.h): the limit is the table.
  bool IsBound(const Expr& e) const {
    if ((e->op != Op::kLt && e->op != Op::kLe) || e->args[0]->type != kernel::kIndexType) return false;
    for (size_t i = stage_dims_; i < dims_.size(); ++i) {
      for (const Expr& a : e->args) {
        if (a->op == Op::kVar && a->var == dims_[i].var) return true;
      }
    }
    return false;
  }

  // A combination of parts that each depend on fewer dimensions, as an index of row and column: tables of the parts are smaller by far.
  bool CombinesSmaller(const Expr& e) {
    const uint64_t all = FactsOf(e).dims;
    return std::none_of(e->args.begin(), e->args.end(), [&](const Expr& a) { return FactsOf(a).dims == all; });
  }

  Expr Walk(const Expr& e) {
    const auto it = done_.find(e.get());
    if (it != done_.end()) return it->second;
    Expr result = AsTable(e);
    if (result == nullptr) {
      std::vector<Expr> args;
      for (const Expr& a : e->args) args.push_back(Walk(a));
      result = WithArgs(e, std::move(args));
    }
    done_.emplace(e.get(), result);
    return result;
  }

  // A read of a table that holds `e`, or null.
  Expr AsTable(const Expr& e) {
    const Facts f = FactsOf(e);
    if (!f.movable || !f.computed || f.cost < kLeastCost || (e->op != Op::kRead && CombinesSmaller(e))) return nullptr;
    Scalar stored = e->type.scalar;
    if (e->type == kernel::kIndexType) {
      const std::optional<kernel::Range> r = kernel::BoundsOf(e, ranges_);
      if (!r || r->lo < std::numeric_limits<int32_t>::min() || r->hi > std::numeric_limits<int32_t>::max()) return nullptr;
      stored = Scalar::kInt32;
    } else if (stored != Scalar::kFloat32 && stored != Scalar::kInt32 && stored != Scalar::kBool) {
      return nullptr;
    }
    std::vector<int64_t> shape;
    std::vector<kernel::Var> vars;
    int64_t entries = 1, uses = uses_;
    for (size_t i = 0; i < dims_.size(); ++i) {
      if ((f.dims >> i & 1) == 0) continue;
      if (dims_[i].extent == 0 || dims_[i].extent > kMostEntries / entries) return nullptr;
      entries *= dims_[i].extent;
      shape.push_back(dims_[i].extent);
      vars.push_back(dims_[i].var);
      // The axes of reductions count for those only that depend on them.
      if (i >= stage_dims_) uses *= dims_[i].extent;
    }
    if (shape.empty() || uses / entries < fewest_uses_) return nullptr;
    std::vector<Expr> index;
    for (const kernel::Var& v : vars) index.push_back(Use(v));
    for (const auto& [known, table] : tables_) {
      if (kernel::Equal(known, e)) return Entry(table, stored, std::move(index), e->type);
    }
    std::unordered_map<const kernel::VarNode*, Expr> own;
    Stage stage;
    stage.info = {stored, std::move(shape)};
    for (const kernel::Var& v : vars) {
      stage.vars.push_back(kernel::MakeVar(v->name));
      own[v.get()] = Use(stage.vars.back());
    }
    stage.body = Cast(Type(stored), kernel::Substitute(e, own));
    const int table = kFirstTable + static_cast<int>(stages_.size());
    stages_.push_back(std::move(stage));
    tables_.emplace_back(e, table);
    return Entry(table, stored, std::move(index), e->type);
  }

  static Expr Entry(int table, Scalar stored, std::vector<Expr> index, Type type) {
    return Cast(type, kernel::Read(table, stored, std::move(index)));
  }

  const Definition& d_;
  const int channel_dim_;
  const int64_t fewest_uses_;
  std::vector<Stage> stages_;
  size_t stage_dims_ = 0;
  kernel::Var channel_;
  std::vector<Dimension> dims_;
  int64_t uses_ = 1;  // elements of the stage
  kernel::Ranges ranges_;
  std::unordered_map<const ExprNode*, Facts> facts_;
  std::unordered_map<const ExprNode*, Expr> done_;
  std::vector<std::pair<Expr, int>> tables_;
};

// The body with its tensors numbered anew.
Expr Renumbered(const Expr& body, const std::function<int(int)>& number) {
  return kernel::Rewrite(body, [&](const Expr& e) -> Expr {
    if (e->op != Op::kRead || number(e->tensor) == e->tensor) return e;
    return kernel::Read(number(e->tensor), e->type.scalar, e->args);
  });
}

}  // namespace

DefinitionWithTables WithPlaceTables(const Definition& d, int channel_dim, int64_t fewest_uses) {
  TableMaker maker(d, channel_dim, fewest_uses);
  std::vector<Stage> stages = d.stages();
  for (Stage& stage : stages) {
    if (static_cast<int>(stage.vars.size()) > channel_dim && stage.scan < 0) stage.body = maker.Rewrite(stage, stage.body);
  }
  if (maker.tables().empty()) return {d, 0};
  std::vector<kernel::TensorInfo> inputs;
  for (int t = 0; t < d.num_inputs(); ++t) inputs.push_back(d.info(t));
  DefinitionWithTables out{Definition(std::move(inputs)), maker.tables().size()};
  const int n = d.num_inputs(), tables = static_cast<int>(out.tables);
  auto number = [&](int t) { return t >= TableMaker::kFirstTable ? t - TableMaker::kFirstTable + n : t < n ? t : t + tables; };
  out.definition.stages() = maker.tables();
  for (Stage& stage : stages) {
    stage.body = Renumbered(stage.body, number);
    out.definition.stages().push_back(std::move(stage));
  }
  std::vector<int> outputs;
  for (int t : d.outputs()) outputs.push_back(number(t));
  out.definition.SetOutputs(std::move(outputs));
  return out;
}

Definition TablesAsInputs(const DefinitionWithTables& t) {
  if (t.tables == 0) return t.definition;
  std::vector<kernel::TensorInfo> inputs;
  for (int i = 0; i < t.definition.num_inputs() + static_cast<int>(t.tables); ++i) inputs.push_back(t.definition.info(i));
  Definition d(std::move(inputs));
  d.stages().assign(t.definition.stages().begin() + static_cast<int64_t>(t.tables), t.definition.stages().end());
  d.SetOutputs(t.definition.outputs());
  return d;
}

}  // namespace mgec::schedule
