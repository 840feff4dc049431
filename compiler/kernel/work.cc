#include "compiler/kernel/work.h"

#include <algorithm>
#include <unordered_set>

#include "compiler/kernel/simplify.h"

namespace mgec::kernel {
namespace {

constexpr int kArchitecture = 80;  // what branches ask for
constexpr double kDivision = 4, kFunction = 12;
constexpr int kMostBytes = 16;  // of an access

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

class Counter {
 public:
  explicit Counter(const Kernel& k) {
    ranges_[k.task.get()] = {0, std::max<int64_t>(k.tasks, 1) - 1};
    if (k.thread != nullptr) ranges_[k.thread.get()] = {0, k.threads - 1};
  }

  Work Of(const std::vector<Stmt>& stmts) {
    Work sum;
    for (const Stmt& s : stmts) sum.Add(Of(*s), 1);
    return sum;
  }

 private:
  Work Of(const StmtNode& s) {
    Work w;
    seen_.clear();
    switch (s.kind) {
      case StmtKind::kBlock: return Of(s.stmts);
      case StmtKind::kFor: return OfLoop(s);
      case StmtKind::kIf: {
        if (s.cond->op == Op::kLe && s.cond->args[1]->op == Op::kArchitecture) {
          int64_t least;
          return Of(IsConst(s.cond->args[0], &least) && least > kArchitecture ? s.otherwise : s.stmts);
        }
        Visit(s.cond, w);
        const Work then = Of(s.stmts), otherwise = Of(s.otherwise);
        w.Add(then.instructions >= otherwise.instructions ? then : otherwise, 1);
        return w;
      }
      case StmtKind::kLet:
        Visit(s.value, w);
        if (s.value->type == kIndexType) {
          if (const auto r = BoundsOf(s.value, ranges_)) ranges_[s.var.get()] = *r;
        }
        return w;
      case StmtKind::kStore:
        Visit(s.value, w);
        if (s.buffer->kind == BufferKind::kRegister) return w;
        Access(s.buffer, s.index, s.value->type.lanes, w);
        return w;
      case StmtKind::kCopyAsync:
        if (s.mask != nullptr) Visit(s.mask, w);
        Visit(s.index, w);
        Visit(s.value->args[0], w);
        w.instructions += 1;
        w.accesses += 1;
        return w;
      default:
        w.instructions += 1;
        return w;
    }
  }

  Work OfLoop(const StmtNode& s) {
    const auto begin = BoundsOf(s.begin, ranges_), end = BoundsOf(s.end, ranges_);
    Work w;
    Visit(s.begin, w);
    Visit(s.end, w);
    double times = 1;
    if (begin && end) {
      // Threads that begin at different places share the steps.
      const double first = (static_cast<double>(begin->lo) + static_cast<double>(begin->hi)) / 2;
      times = std::max(0.0, (static_cast<double>(end->hi) - (begin->lo == begin->hi ? static_cast<double>(begin->lo) : first)) /
                                static_cast<double>(s.step));
      if (begin->lo == begin->hi) times = static_cast<double>(static_cast<int64_t>(times + 0.999999));
      ranges_[s.var.get()] = {begin->lo, std::max(begin->lo, end->hi - 1)};
    }
    w.Add(Of(s.stmts), times);
    w.instructions += 2 * times;  // count and branch
    return w;
  }

  // As many as several neighbours take where they are as aligned as they can be.
  void Access(const Buffer& b, const Expr& index, int lanes, Work& w) {
    Visit(index, w);
    const int bytes = SizeOf(b->scalar) * lanes;
    const int at_once = index->type.lanes > 1 ? SizeOf(b->scalar) : std::min({kMostBytes, bytes, std::max(b->alignment, SizeOf(b->scalar))});
    const int count = (bytes + at_once - 1) / at_once;
    w.instructions += count;
    if (b->kind == BufferKind::kArgument) w.accesses += count;
  }

  void Visit(const Expr& e, Work& w) {
    if (e->args.empty() || !seen_.insert(e.get()).second) return;
    if (e->op == Op::kLoad) {
      if (e->buffer->kind == BufferKind::kRegister) return;
      if (e->args.size() > 1) Visit(e->args[1], w);
      return Access(e->buffer, e->args[0], e->type.lanes, w);
    }
    for (const Expr& a : e->args) Visit(a, w);
    const double lanes = e->type.lanes;
    switch (e->op) {
      case Op::kSlice:
      case Op::kConcat:
      case Op::kShuffle:
      case Op::kBroadcast:
      case Op::kBitcast:
      case Op::kRamp: return;
      case Op::kMma:
        w.instructions += 1;
        w.products += 1;
        return;
      case Op::kDiv:
      case Op::kMod:
      case Op::kFloorDiv:
      case Op::kFloorMod: w.instructions += (!IsFloat(e->type.scalar) && IsPowerOfTwo(e->args[1]) ? 1 : kDivision) * lanes; return;
      case Op::kCast: w.instructions += e->type == kIndexType || e->args[0]->type == kIndexType ? 0 : lanes; return;
      default: break;
    }
    const bool function = (e->op >= Op::kSqrt && e->op <= Op::kSigmoid) || e->op == Op::kPow || e->op == Op::kAtan2;
    w.instructions += (function ? kFunction : 1) * lanes;
  }

  Ranges ranges_;
  std::unordered_set<const ExprNode*> seen_;  // of the statement
};

}  // namespace

GpuWork WorkOnGpu(const Kernel& k, int64_t tasks) {
  const Work w = Counter(k).Of(k.body);
  const double threads = static_cast<double>(tasks) * std::max(k.threads, 1);
  return {static_cast<int64_t>(w.instructions * threads), static_cast<int64_t>(w.accesses * threads),
          static_cast<int64_t>(w.products * threads / 32)};
}

}  // namespace mgec::kernel
