#include "compiler/kernel/narrow_indices.h"

#include <limits>
#include <unordered_map>

namespace mgec::kernel {
namespace {

const Type kNarrow(Scalar::kInt32);

class Narrower {
 public:
  Narrower(const Var& v, const Ranges& ranges) : v_(v), ranges_(ranges) {}

  Expr operator()(const Expr& e) {
    return Rewrite(e, [&](const Expr& n) { return NarrowArguments(n); });
  }

 private:
  // Where index arithmetic ends in a value of another type: a number, a decision, an element of memory.
  Expr NarrowArguments(const Expr& n) {
    if (n->op == Op::kLoad) return NarrowLoad(n);
    if (n->type == kIndexType || n->args.empty() || n->args[0]->type != kIndexType) return n;
    const bool compare = n->op >= Op::kLt && n->op <= Op::kNe;
    if (n->op != Op::kCast && !compare) return n;
    bool depends = false, linear = true;
    for (const Expr& a : n->args) {
      depends = depends || DependsOn(a, v_);
      linear = linear && StrideOf(a, v_).has_value();
    }
    // Comparisons of ramps have a form of their own.
    if (!depends || (compare && linear)) return n;
    std::vector<Expr> args;
    for (const Expr& a : n->args) args.push_back(Narrow(a));
    for (const Expr& a : args) {
      if (a == nullptr) return n;
    }
    return compare ? Binary(n->op, args[0], args[1]) : Cast(n->type, args[0]);
  }

  Expr NarrowLoad(const Expr& n) {
    if (n->args.size() != 1 || n->buffer->kind == BufferKind::kRegister || StrideOf(n->args[0], v_).has_value()) return n;
    const Linear all = LinearOf(n->args[0]);
    Linear same, different;
    same.constant = all.constant;
    for (const auto& term : all.terms) (DependsOn(term.first, v_) ? different : same).terms.push_back(term);
    const Expr narrow = Narrow(FromLinear(different));
    if (narrow == nullptr) return n;
    return Load(n->buffer, FromLinear(same) + Cast(kIndexType, narrow));
  }

  bool Fits(const Expr& e) const {
    const std::optional<Range> r = BoundsOf(e, ranges_);
    return r && r->lo >= std::numeric_limits<int32_t>::min() && r->hi <= std::numeric_limits<int32_t>::max();
  }

  // The same value as int32, or null.
  Expr Narrow(const Expr& e) {
    const auto it = done_.find(e);
    if (it != done_.end()) return it->second;
    Expr result = Fits(e) ? Build(e) : nullptr;
    done_.emplace(e, result);
    return result;
  }

  Expr Build(const Expr& e) {
    if (!DependsOn(e, v_)) return e->op == Op::kInt ? Int(e->int_value, kNarrow) : Cast(kNarrow, e);
    switch (e->op) {
      case Op::kVar: return Cast(kNarrow, e);
      case Op::kCast: {
        const Scalar from = e->args[0]->type.scalar;
        return from == Scalar::kInt64 ? nullptr : Cast(kNarrow, e->args[0]);
      }
      case Op::kSelect: {
        const Expr yes = Narrow(e->args[1]), no = Narrow(e->args[2]);
        return yes == nullptr || no == nullptr ? nullptr : Select(e->args[0], yes, no);
      }
      case Op::kAdd:
      case Op::kSub:
      case Op::kMul:
      case Op::kMin:
      case Op::kMax:
      case Op::kDiv:
      case Op::kMod:
      case Op::kFloorDiv:
      case Op::kFloorMod: {
        const Expr a = Narrow(e->args[0]), b = Narrow(e->args[1]);
        return a == nullptr || b == nullptr ? nullptr : Binary(e->op, a, b);
      }
      default: return nullptr;
    }
  }

  const Var v_;
  const Ranges& ranges_;
  std::unordered_map<Expr, Expr> done_;  // by address; keeps the keys alive
};

}  // namespace

Expr NarrowIndices(const Expr& e, const Var& v, const Ranges& ranges) {
  Ranges all = ranges;
  Visit(e, [&](const Expr& n) {
    for (const ReduceAxis& a : n->reduce_axes) all[a.var.get()] = {0, a.extent - 1};
  });
  return Narrower(v, all)(e);
}

}  // namespace mgec::kernel
