#include "compiler/kernel/work.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/kernel/simplify.h"

namespace mgec::kernel {
namespace {

constexpr int kArchitecture = 80;  // what branches ask for
constexpr double kDivision = 4, kFunction = 12;

// Of one thread. Loops make fractions of what some threads do.
struct Work {
  double instructions = 0, accesses = 0, products = 0;
  void Add(const Work& w, double times) {
    instructions += w.instructions * times;
    accesses += w.accesses * times;
    products += w.products * times;
  }
};

bool IsPowerOfTwo(const Expr& e) {
  int64_t n;
  return IsConst(e, &n) && n > 0 && (n & (n - 1)) == 0;
}

// 0 <= x and x < n: one comparison without sign.
bool IsRangeTest(const ExprNode& e) {
  if (e.op != Op::kAnd || e.args[0]->op != Op::kLe || e.args[1]->op != Op::kLt) return false;
  int64_t first, last;
  const Expr &from = e.args[0], &to = e.args[1];
  return IsConst(from->args[0], &first) && first == 0 && IsConst(to->args[1], &last) && last > 0 && Equal(from->args[1], to->args[0]);
}

class Counter {
 public:
  explicit Counter(const Kernel& k) {
    ranges_[k.task.get()] = {0, std::max<int64_t>(k.tasks, 1) - 1};
    depth_of_[k.task.get()] = 0;
    if (k.thread != nullptr) {
      ranges_[k.thread.get()] = {0, k.threads - 1};
      depth_of_[k.thread.get()] = 0;
    }
  }

  Work Of(const std::vector<Stmt>& stmts) {
    Count(stmts);
    return total_;
  }

 private:
  // What an expression is computed from. `value` numbers what has no memory in it: equal numbers, equal values. -1: others.
  struct Source {
    int value, depth;  // of the innermost loop that it depends on
  };
  struct Loop {
    double times;             // that its body runs
    std::unordered_set<int> computed;  // values
  };

  void Count(const std::vector<Stmt>& stmts) {
    for (const Stmt& s : stmts) Count(*s);
  }

  void Count(const StmtNode& s) {
    seen_.clear();
    switch (s.kind) {
      case StmtKind::kBlock: return Count(s.stmts);
      case StmtKind::kFor: return CountLoop(s);
      case StmtKind::kIf: return CountBranch(s);
      case StmtKind::kLet:
        Visit(s.value);
        depth_of_[s.var.get()] = SourceOf(s.value).depth;
        if (s.value->type == kIndexType) {
          if (const auto r = BoundsOf(s.value, ranges_)) ranges_[s.var.get()] = *r;
        }
        return;
      case StmtKind::kStore:
        Visit(s.value);
        if (s.buffer->kind != BufferKind::kRegister) Access(s.buffer, s.index, s.value->type.lanes);
        return;
      case StmtKind::kCopyAsync:
        if (s.mask != nullptr) Visit(s.mask);
        VisitIndex(s.index);
        VisitIndex(s.value->args[0]);
        total_.Add({1, 1, 0}, loops_.back().times);
        return;
      default: total_.Add({1, 0, 0}, loops_.back().times);
    }
  }

  void CountBranch(const StmtNode& s) {
    if (s.cond->op == Op::kLe && s.cond->args[1]->op == Op::kArchitecture) {
      int64_t least;
      return Count(IsConst(s.cond->args[0], &least) && least > kArchitecture ? s.otherwise : s.stmts);
    }
    Visit(s.cond);
    const Work before = std::exchange(total_, {});
    Count(s.stmts);
    const Work then = std::exchange(total_, {});
    Count(s.otherwise);
    if (then.instructions >= total_.instructions) total_ = then;
    total_.Add(before, 1);
  }

  void CountLoop(const StmtNode& s) {
    const auto begin = BoundsOf(s.begin, ranges_), end = BoundsOf(s.end, ranges_);
    Visit(s.begin);
    Visit(s.end);
    double times = 1;
    if (begin && end) {
      // Threads that begin at different places share the steps.
      const double first = (static_cast<double>(begin->lo) + static_cast<double>(begin->hi)) / 2;
      times = std::max(0.0, (static_cast<double>(end->hi) - (begin->lo == begin->hi ? static_cast<double>(begin->lo) : first)) /
                                static_cast<double>(s.step));
      if (begin->lo == begin->hi) times = static_cast<double>(static_cast<int64_t>(times + 0.999999));
      ranges_[s.var.get()] = {begin->lo, std::max(begin->lo, end->hi - 1)};
    }
    loops_.push_back({loops_.back().times * times, {}});
    depth_of_[s.var.get()] = static_cast<int>(loops_.size()) - 1;
    Count(s.stmts);
    total_.Add({2, 0, 0}, loops_.back().times);  // count and branch
    loops_.pop_back();
  }

  Source SourceOf(const Expr& e) {
    const auto it = sources_.find(e.get());
    return it != sources_.end() ? it->second : sources_.emplace(e.get(), FindSource(*e)).first->second;
  }

  Source FindSource(const ExprNode& e) {
    const int here = static_cast<int>(loops_.size()) - 1;
    if (e.op == Op::kVar) {
      const auto it = depth_of_.find(e.var.get());
      return {Number(absl::StrCat("v", absl::Hex(reinterpret_cast<uintptr_t>(e.var.get())))), it == depth_of_.end() ? here : it->second};
    }
    bool alone = e.op != Op::kLoad && e.op != Op::kMma && e.op != Op::kLoadMatrices && e.shuffle.empty();
    std::string key = absl::StrCat(static_cast<int>(e.op), " ", static_cast<int>(e.type.scalar), " ", e.type.lanes, " ", e.int_value, " ",
                                   e.float_value);
    int depth = 0;
    for (const Expr& a : e.args) {
      const Source s = SourceOf(a);
      alone = alone && s.value >= 0;
      depth = std::max(depth, s.depth);
      absl::StrAppend(&key, " ", s.value);
    }
    return alone ? Source{Number(key), depth} : Source{-1, here};
  }
  int Number(const std::string& key) { return numbers_.emplace(key, static_cast<int>(numbers_.size())).first->second; }

  // As many as several neighbours take where they are as aligned as they can be.
  void Access(const Buffer& b, const Expr& index, int lanes) {
    VisitIndex(index);
    const int bytes = SizeOf(b->scalar) * lanes;
    const int at_once = index->type.lanes > 1 ? SizeOf(b->scalar) : std::min({kGpuAccessBytes, bytes, std::max(b->alignment, SizeOf(b->scalar))});
    const int count = (bytes + at_once - 1) / at_once;
    total_.Add({static_cast<double>(count), b->kind == BufferKind::kArgument ? static_cast<double>(count) : 0, 0}, loops_.back().times);
  }
  void VisitIndex(Expr index) {
    while (index->op == Op::kAdd && (IsConst(index->args[0]) || IsConst(index->args[1]))) index = index->args[IsConst(index->args[1]) ? 0 : 1];
    Visit(index);
  }

  // Counts what of `e` is not computed yet.
  void Visit(const Expr& e) {
    if (e->args.empty()) return;
    const Source source = SourceOf(e);
    if (source.value < 0 ? !seen_.insert(e.get()).second : !loops_[source.depth].computed.insert(source.value).second) return;
    if (e->op == Op::kLoad) {
      if (e->buffer->kind == BufferKind::kRegister) return;
      if (e->args.size() > 1) Visit(e->args[1]);
      return Access(e->buffer, e->args[0], e->type.lanes);
    }
    if (IsRangeTest(*e)) {
      Visit(e->args[1]->args[0]);
      return total_.Add({1, 0, 0}, loops_[source.value < 0 ? loops_.size() - 1 : static_cast<size_t>(source.depth)].times);
    }
    if (e->op == Op::kLoadMatrices) {
      VisitIndex(e->args[0]);
      return total_.Add({1, 0, 0}, loops_.back().times);
    }
    for (const Expr& a : e->args) {
      const bool with_sum = e->op == Op::kAdd && a->op == Op::kMul && !IsFloat(e->type.scalar);
      if (!with_sum) Visit(a);
      for (size_t i = 0; with_sum && i < 2; ++i) Visit(a->args[i]);
    }
    total_.Add(Cost(*e), loops_[source.value < 0 ? loops_.size() - 1 : static_cast<size_t>(source.depth)].times);
  }

  static Work Cost(const ExprNode& e) {
    const double lanes = e.type.lanes;
    switch (e.op) {
      case Op::kSlice:
      case Op::kConcat:
      case Op::kShuffle:
      case Op::kBroadcast:
      case Op::kBitcast:
      case Op::kRamp: return {};
      case Op::kMma: return {1, 0, 1};
      case Op::kDiv:
      case Op::kMod:
      case Op::kFloorDiv:
      case Op::kFloorMod: return {(!IsFloat(e.type.scalar) && IsPowerOfTwo(e.args[1]) ? 1 : kDivision) * lanes, 0, 0};
      case Op::kCast: return {e.type == kIndexType || e.args[0]->type == kIndexType ? 0 : lanes, 0, 0};
      default: break;
    }
    const bool function = (e.op >= Op::kSqrt && e.op <= Op::kSigmoid) || e.op == Op::kPow || e.op == Op::kAtan2;
    return {(function ? kFunction : 1) * lanes, 0, 0};
  }

  Ranges ranges_;
  std::unordered_map<const VarNode*, int> depth_of_;
  std::vector<Loop> loops_ = {{1, {}}};  // the kernel itself, and those around the statement
  std::unordered_map<const ExprNode*, Source> sources_;
  std::unordered_map<std::string, int> numbers_;
  std::unordered_set<const ExprNode*> seen_;  // of the statement, where memory may change between statements
  Work total_;
};

}  // namespace

GpuWork WorkOnGpu(const Kernel& k, int64_t tasks) {
  const Work w = Counter(k).Of(k.body);
  const double threads = static_cast<double>(tasks) * std::max(k.threads, 1);
  return {static_cast<int64_t>(w.instructions * threads), static_cast<int64_t>(w.accesses * threads),
          static_cast<int64_t>(w.products * threads / 32)};
}

}  // namespace mgec::kernel
