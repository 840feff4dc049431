#include "compiler/kernel/join_lanes.h"

#include <cassert>
#include <map>

#include "compiler/kernel/bounded_reduce.h"
#include "compiler/kernel/simplify.h"

namespace mgec::kernel {
namespace {

using Parts = std::vector<Expr>;

// Lane i of the result is a function of lane i of the arguments, and of `int_value` where the operator has one.
bool IsLanewise(Op op) {
  return (op >= Op::kNeg && op <= Op::kBitcast) || (op >= Op::kAdd && op <= Op::kNe) || op == Op::kFma ||
         op == Op::kDot2 || op == Op::kDot4 || op == Op::kSelect;
}

bool SameAxes(const ExprNode& a, const ExprNode& b) {
  if (a.combiner != b.combiner || a.reduce_axes.size() != b.reduce_axes.size()) return false;
  for (size_t i = 0; i < a.reduce_axes.size(); ++i) {
    if (a.reduce_axes[i].var != b.reduce_axes[i].var || a.reduce_axes[i].extent != b.reduce_axes[i].extent) return false;
  }
  return true;
}

class Joiner {
 public:
  Expr Join(const Parts& parts) {
    if (parts.size() == 1) return parts[0];
    std::vector<const ExprNode*> key;
    for (const Expr& p : parts) key.push_back(p.get());
    Expr& joined = done_[key];
    if (joined == nullptr) joined = JoinAlike(parts);
    if (joined == nullptr) joined = Concat(parts, 0, parts.size());
    return joined;
  }

 private:
  // Pairs of pairs: the code generator's registers are powers of two.
  static Expr Concat(const Parts& parts, size_t begin, size_t end) {
    if (end - begin == 1) return parts[begin];
    const size_t middle = begin + (end - begin + 1) / 2;
    return ConcatLanes(Concat(parts, begin, middle), Concat(parts, middle, end));
  }

  Parts Arguments(const Parts& parts, size_t i) const {
    Parts arguments;
    for (const Expr& p : parts) arguments.push_back(p->args[i]);
    return arguments;
  }

  static bool AllEqual(const Parts& parts) {
    for (const Expr& p : parts) {
      if (p != parts[0] && !Equal(p, parts[0])) return false;
    }
    return true;
  }

  // Null where the parts differ.
  Expr JoinAlike(const Parts& parts) {
    const ExprNode& first = *parts[0];
    const int lanes = first.type.lanes, total = lanes * static_cast<int>(parts.size());
    for (const Expr& p : parts) {
      assert(p->type == first.type);
      if (p->op != first.op || p->int_value != first.int_value) {
        if (p->op != Op::kSlice || first.op != Op::kSlice) return nullptr;
      }
    }
    switch (first.op) {
      case Op::kInt:
      case Op::kFloat: return lanes == 1 && AllEqual(parts) ? Broadcast(parts[0], total) : nullptr;
      case Op::kBroadcast: return AllEqual(parts) ? Broadcast(first.args[0], total) : nullptr;
      case Op::kSlice: {
        for (size_t i = 0; i < parts.size(); ++i) {
          const bool next = parts[i]->args[0] == first.args[0] || Equal(parts[i]->args[0], first.args[0]);
          if (!next || parts[i]->int_value != first.int_value + static_cast<int64_t>(i) * lanes) return nullptr;
        }
        return Slice(first.args[0], static_cast<int>(first.int_value), total);
      }
      case Op::kLoad: return JoinLoads(parts);
      case Op::kReduce: {
        for (const Expr& p : parts) {
          if (!SameAxes(*p, first)) return nullptr;
        }
        Expr joined = Reduce(first.combiner, first.reduce_axes, Join(Arguments(parts, 0)));
        // Bounds of its own are better for each part than the whole box for all.
        return BoundsOfReduce(parts[0]) && !BoundsOfReduce(joined) ? nullptr : joined;
      }
      default: return IsLanewise(first.op) ? JoinLanewise(parts) : nullptr;
    }
  }

  static Expr JoinLoads(const Parts& parts) {
    const ExprNode& first = *parts[0];
    for (size_t i = 0; i < parts.size(); ++i) {
      const ExprNode& p = *parts[i];
      if (p.buffer != first.buffer || p.buffer->kind == BufferKind::kRegister || p.args.size() != 1 ||
          p.args[0]->type.lanes != 1) {
        return nullptr;
      }
      const Linear distance = LinearOf(p.args[0] - first.args[0]);
      if (!distance.terms.empty() || distance.constant != static_cast<int64_t>(i) * first.type.lanes) return nullptr;
    }
    return Load(first.buffer, first.args[0], first.type.lanes * static_cast<int>(parts.size()));
  }

  Expr JoinLanewise(const Parts& parts) {
    const ExprNode& first = *parts[0];
    std::vector<Expr> args;
    for (size_t i = 0; i < first.args.size(); ++i) {
      const Parts a = Arguments(parts, i);
      for (const Expr& p : a) {
        if (p->type != a[0]->type) return nullptr;
      }
      if (first.op == Op::kSelect && i == 0 && a[0]->type.lanes == 1 && first.type.lanes > 1) {
        if (!AllEqual(a)) return nullptr;  // one decision for all lanes of a part
        args.push_back(a[0]);
      } else {
        args.push_back(Join(a));
      }
    }
    switch (first.op) {
      case Op::kCast: return first.int_value == 1 ? ExactCast(first.type, args[0]) : Cast(first.type, args[0]);
      case Op::kBitcast: return Bitcast(first.type, args[0]);
      case Op::kFma: return Fma(args[0], args[1], args[2]);
      case Op::kDot2:
      case Op::kDot4: return Dot(args[0], args[1], args[2]);
      case Op::kSelect: return Select(args[0], args[1], args[2]);
      default: return args.size() == 1 ? Unary(first.op, args[0]) : Binary(first.op, args[0], args[1]);
    }
  }

  std::map<std::vector<const ExprNode*>, Expr> done_;
};

}  // namespace

Expr JoinLanes(const std::vector<Expr>& parts) {
  assert(!parts.empty());
  return Joiner().Join(parts);
}

Expr RejoinLanes(const Expr& e) {
  return Rewrite(e, [](const Expr& n) {
    return n->op == Op::kConcat && n->args[0]->type == n->args[1]->type ? JoinLanes(n->args) : n;
  });
}

Expr RepeatLanes(const Expr& e, int lanes) {
  if (e->type.lanes == 1) return Broadcast(e, lanes);
  std::vector<int> order;
  for (int i = 0; i < lanes; ++i) order.push_back(i % e->type.lanes);
  return Shuffle(e, std::move(order));
}

}  // namespace mgec::kernel
