#include "compiler/kernel/expr.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace mgec::kernel {
namespace {

std::shared_ptr<ExprNode> New(Op op, Type type) {
  auto node = std::make_shared<ExprNode>();
  node->op = op;
  node->type = type;
  return node;
}

bool IsIntLike(const Expr& e) { return !IsFloat(e->type.scalar); }

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - ((a % b != 0) && ((a < 0) != (b < 0))); }

// Folds integer constants of index type; null where nothing folds. Index expressions are folded as they are built, so
// that schedules can write plain arithmetic and get displacements out of it.
Expr FoldIndex(Op op, const Expr& a, const Expr& b) {
  if (a->type != kIndexType) return nullptr;
  int64_t x, y;
  const bool ca = IsConst(a, &x), cb = IsConst(b, &y);
  if (ca && cb) {
    switch (op) {
      case Op::kAdd: return Int(x + y);
      case Op::kSub: return Int(x - y);
      case Op::kMul: return Int(x * y);
      case Op::kDiv: return y ? Int(x / y) : nullptr;
      case Op::kMod: return y ? Int(x % y) : nullptr;
      case Op::kFloorDiv: return y ? Int(FloorDivide(x, y)) : nullptr;
      case Op::kFloorMod: return y ? Int(x - y * FloorDivide(x, y)) : nullptr;
      case Op::kMin: return Int(x < y ? x : y);
      case Op::kMax: return Int(x > y ? x : y);
      case Op::kLt: return Bool(x < y);
      case Op::kLe: return Bool(x <= y);
      case Op::kEq: return Bool(x == y);
      case Op::kNe: return Bool(x != y);
      default: return nullptr;
    }
  }
  switch (op) {
    case Op::kAdd:
      if (ca) return x == 0 ? b : Binary(Op::kAdd, b, a);  // constants to the right
      if (cb && y == 0) return a;
      // (v + c1) + c2, and a constant inside either operand bubbles outwards.
      if (a->op == Op::kAdd && IsConst(a->args[1], &x)) {
        return cb ? Binary(Op::kAdd, a->args[0], Int(x + y))
                  : Binary(Op::kAdd, Binary(Op::kAdd, a->args[0], b), Int(x));
      }
      if (b->op == Op::kAdd && IsConst(b->args[1], &y)) {
        return Binary(Op::kAdd, Binary(Op::kAdd, a, b->args[0]), Int(y));
      }
      return nullptr;
    case Op::kSub:
      if (cb) return Binary(Op::kAdd, a, Int(-y));
      return nullptr;
    case Op::kMul:
      if (ca) return Binary(Op::kMul, b, a);
      if (cb && y == 0) return Int(0);
      if (cb && y == 1) return a;
      if (cb && a->op == Op::kMul && IsConst(a->args[1], &x)) return Binary(Op::kMul, a->args[0], Int(x * y));
      if (cb && a->op == Op::kAdd && IsConst(a->args[1], &x)) {
        return Binary(Op::kAdd, Binary(Op::kMul, a->args[0], b), Int(x * y));
      }
      return nullptr;
    case Op::kDiv:
    case Op::kFloorDiv:
      return cb && y == 1 ? a : nullptr;
    case Op::kMod:
    case Op::kFloorMod:
      return cb && y == 1 ? Int(0) : nullptr;
    default:
      return nullptr;
  }
}

Expr FoldBool(Op op, const Expr& a, const Expr& b) {
  if (a->type.scalar != Scalar::kBool || a->type.lanes != 1) return nullptr;
  int64_t v;
  const bool ca = IsConst(a, &v);
  if (!ca && !IsConst(b, &v)) return nullptr;
  const Expr& other = ca ? b : a;
  if (op == Op::kAnd) return v ? other : Bool(false);
  if (op == Op::kOr) return v ? Bool(true) : other;
  return nullptr;
}

}  // namespace

Expr Int(int64_t v, Type t) {
  if (t.lanes != 1) return Broadcast(Int(v, t.WithLanes(1)), t.lanes);
  auto e = New(Op::kInt, t);
  e->int_value = v;
  return e;
}

Expr Float(double v, int lanes) {
  auto e = New(Op::kFloat, Type(Scalar::kFloat32));
  e->float_value = static_cast<float>(v);
  return lanes == 1 ? Expr(e) : Broadcast(e, lanes);
}

Expr Bool(bool v) { return Int(v, Type(Scalar::kBool)); }

Var MakeVar(std::string name, Type t) { return std::make_shared<VarNode>(VarNode{std::move(name), t}); }

Expr Use(const Var& v) {
  auto e = New(Op::kVar, v->type);
  e->var = v;
  return e;
}

Expr Read(int tensor, Scalar type, std::vector<Expr> indices) {
  auto e = New(Op::kRead, Type(type));
  e->tensor = tensor;
  e->args = std::move(indices);
  return e;
}

Expr Load(Buffer b, Expr index, int lanes, Expr mask) {
  if (index->type.lanes > 1) lanes = index->type.lanes;
  if (b->kind == BufferKind::kRegister) lanes = b->lanes;
  auto e = New(Op::kLoad, Type(b->scalar, lanes));
  e->buffer = std::move(b);
  e->args.push_back(std::move(index));
  if (mask) e->args.push_back(std::move(mask));
  return e;
}

Expr Reg(const Buffer& b, int64_t i) {
  assert(b->kind == BufferKind::kRegister && i >= 0 && i < b->size);
  return Load(b, Int(i));
}

Expr Reduce(Combiner c, std::vector<ReduceAxis> axes, Expr body) {
  auto e = New(Op::kReduce, body->type);
  e->combiner = c;
  e->reduce_axes = std::move(axes);
  e->args.push_back(std::move(body));
  return e;
}

Expr Unary(Op op, Expr a) {
  Type t = a->type;
  if (op == Op::kIsNan || op == Op::kIsInf) t.scalar = Scalar::kBool;
  int64_t v;
  if (op == Op::kNot && t == Type(Scalar::kBool) && IsConst(a, &v)) return Bool(!v);
  auto e = New(op, t);
  e->args.push_back(std::move(a));
  return e;
}

Expr Binary(Op op, Expr a, Expr b) {
  if (a->type.lanes != b->type.lanes) {
    if (a->type.lanes == 1) a = Broadcast(a, b->type.lanes);
    else b = Broadcast(b, a->type.lanes);
  }
  assert(a->type == b->type);
  if (IsIntLike(a)) {
    if (Expr folded = FoldIndex(op, a, b)) return folded;
    if (Expr folded = FoldBool(op, a, b)) return folded;
  }
  Type t = a->type;
  if (op >= Op::kLt && op <= Op::kNe) t.scalar = Scalar::kBool;
  auto e = New(op, t);
  e->args = {std::move(a), std::move(b)};
  return e;
}

Expr Select(Expr cond, Expr a, Expr b) {
  assert(cond->type.scalar == Scalar::kBool);
  int lanes = std::max({cond->type.lanes, a->type.lanes, b->type.lanes});
  if (a->type.lanes < lanes) a = Broadcast(a, lanes);
  if (b->type.lanes < lanes) b = Broadcast(b, lanes);
  assert(a->type == b->type);
  int64_t v;
  if (IsConst(cond, &v)) return v ? a : b;
  auto e = New(Op::kSelect, a->type);
  e->args = {std::move(cond), std::move(a), std::move(b)};
  return e;
}

Expr Fma(Expr a, Expr b, Expr c) {
  const int lanes = std::max({a->type.lanes, b->type.lanes, c->type.lanes});
  for (Expr* x : {&a, &b, &c}) {
    assert((*x)->type.scalar == Scalar::kFloat32);
    if ((*x)->type.lanes < lanes) *x = Broadcast(*x, lanes);
  }
  auto e = New(Op::kFma, a->type);
  e->args = {std::move(a), std::move(b), std::move(c)};
  return e;
}

Expr Dot(Expr a, Expr b, Expr c) {
  const Op op = a->type.scalar == Scalar::kInt16 ? Op::kDot2 : Op::kDot4;
  assert(b->type.scalar == (op == Op::kDot2 ? Scalar::kInt16 : Scalar::kInt8));
  assert(op == Op::kDot2 || a->type.scalar == Scalar::kUint8);
  assert(a->type.lanes == b->type.lanes && a->type.lanes == c->type.lanes * (op == Op::kDot2 ? 2 : 4));
  auto e = New(op, c->type);
  e->args = {std::move(a), std::move(b), std::move(c)};
  return e;
}

Expr Cast(Type t, Expr a) {
  t.lanes = a->type.lanes;
  if (a->type == t) return a;
  if (a->op == Op::kCast && a->int_value == 1) {
    const Scalar fits = a->type.scalar;
    const bool wider = !IsFloat(t.scalar) && SizeOf(t.scalar) > SizeOf(fits) && (IsSigned(t.scalar) || !IsSigned(fits));
    return wider ? ExactCast(t, a->args[0]) : Cast(t, a->args[0]);
  }
  // A 16-bit float that only was widened.
  if (a->op == Op::kCast && a->type.scalar == Scalar::kFloat32 && a->args[0]->type == t && IsFloat(t.scalar)) return a->args[0];
  if (a->op == Op::kInt && !IsFloat(t.scalar) && t.scalar == Scalar::kInt64) return Int(a->int_value, t);
  if (a->op == Op::kInt && t.scalar == Scalar::kFloat32) return Float(static_cast<double>(a->int_value));
  auto e = New(Op::kCast, t);
  e->args.push_back(std::move(a));
  return e;
}

Expr ExactCast(Type t, Expr a) {
  t.lanes = a->type.lanes;
  assert(!IsFloat(t.scalar));
  if (a->type == t) return a;
  if (a->op == Op::kCast && a->int_value == 1) return ExactCast(t, a->args[0]);
  auto e = New(Op::kCast, t);
  e->int_value = 1;
  e->args.push_back(std::move(a));
  return e;
}

Expr Bitcast(Type t, Expr a) {
  t.lanes = a->type.lanes;
  assert(SizeOf(t.scalar) == SizeOf(a->type.scalar));
  if (a->type == t) return a;
  auto e = New(Op::kBitcast, t);
  e->args.push_back(std::move(a));
  return e;
}

Expr Broadcast(Expr a, int lanes) {
  if (lanes == a->type.lanes) return a;
  assert(a->type.lanes == 1);
  auto e = New(Op::kBroadcast, a->type.WithLanes(lanes));
  e->args.push_back(std::move(a));
  return e;
}

Expr Ramp(Expr base, int64_t stride, int lanes) {
  assert(base->type.lanes == 1);
  if (lanes == 1) return base;
  auto e = New(Op::kRamp, base->type.WithLanes(lanes));
  e->int_value = stride;
  e->args.push_back(std::move(base));
  return e;
}

Expr Slice(Expr a, int first, int lanes) {
  assert(first >= 0 && first + lanes <= a->type.lanes);
  if (lanes == a->type.lanes) return a;
  auto e = New(Op::kSlice, a->type.WithLanes(lanes));
  e->int_value = first;
  e->args.push_back(std::move(a));
  return e;
}

Expr ConcatLanes(Expr a, Expr b) {
  assert(a->type.scalar == b->type.scalar);
  auto e = New(Op::kConcat, a->type.WithLanes(a->type.lanes + b->type.lanes));
  e->args = {std::move(a), std::move(b)};
  return e;
}

Expr Shuffle(Expr a, std::vector<int> lanes) {
  auto e = New(Op::kShuffle, a->type.WithLanes(static_cast<int>(lanes.size())));
  e->shuffle = std::move(lanes);
  e->args.push_back(std::move(a));
  return e;
}

Expr HorizontalReduce(Op op, Expr a) {
  assert(op == Op::kReduceAdd || op == Op::kReduceMax || op == Op::kReduceMin);
  if (a->type.lanes == 1) return a;
  auto e = New(op, a->type.WithLanes(1));
  e->args.push_back(std::move(a));
  return e;
}

Expr WarpXor(Expr a, int bits) {
  assert(bits >= 1 && bits < 32 && a->type.lanes == 1);
  auto e = New(Op::kWarpXor, a->type);
  e->int_value = bits;
  e->args.push_back(std::move(a));
  return e;
}

Expr Mma(Expr a, Expr b, Expr c) {
  assert(a->type.lanes == 4 && b->type.lanes == 2 && c->type.lanes == 4);
  auto e = New(Op::kMma, c->type);
  e->args = {std::move(a), std::move(b), std::move(c)};
  return e;
}

Expr LoadMatrices(Buffer shared, Expr row) {
  assert(shared->kind == BufferKind::kShared && row->type == kIndexType);
  auto e = New(Op::kLoadMatrices, Type(shared->scalar == Scalar::kFloat16 ? Scalar::kInt32 : shared->scalar, 4));
  e->buffer = std::move(shared);
  e->args.push_back(std::move(row));
  return e;
}

Expr FromArchitecture(int least) {
  return Binary(Op::kLe, Int(least, Type(Scalar::kInt32)), New(Op::kArchitecture, Type(Scalar::kInt32)));
}

Expr Min(Expr a, Expr b) { return Binary(Op::kMin, std::move(a), std::move(b)); }
Expr Max(Expr a, Expr b) { return Binary(Op::kMax, std::move(a), std::move(b)); }
Expr FloorDiv(Expr a, Expr b) { return Binary(Op::kFloorDiv, std::move(a), std::move(b)); }
Expr FloorMod(Expr a, Expr b) { return Binary(Op::kFloorMod, std::move(a), std::move(b)); }
Expr And(Expr a, Expr b) { return Binary(Op::kAnd, std::move(a), std::move(b)); }
Expr Or(Expr a, Expr b) { return Binary(Op::kOr, std::move(a), std::move(b)); }

Buffer ArgumentBuffer(std::string name, Scalar scalar, int64_t size, int argument, int alignment) {
  auto b = std::make_shared<BufferNode>();
  b->name = std::move(name);
  b->kind = BufferKind::kArgument;
  b->scalar = scalar;
  b->size = size;
  b->argument = argument;
  b->alignment = alignment;
  return b;
}

Buffer RegisterBuffer(std::string name, Scalar scalar, int lanes, int64_t count) {
  auto b = std::make_shared<BufferNode>();
  b->name = std::move(name);
  b->kind = BufferKind::kRegister;
  b->scalar = scalar;
  b->lanes = lanes;
  b->size = count;
  return b;
}

Buffer StackBuffer(std::string name, Scalar scalar, int64_t size) {
  auto b = std::make_shared<BufferNode>();
  b->name = std::move(name);
  b->kind = BufferKind::kStack;
  b->scalar = scalar;
  b->size = size;
  b->alignment = 64;
  return b;
}

Buffer SharedBuffer(std::string name, Scalar scalar, int64_t size) {
  auto b = std::make_shared<BufferNode>();
  b->name = std::move(name);
  b->kind = BufferKind::kShared;
  b->scalar = scalar;
  b->size = size;
  b->alignment = 16;
  return b;
}

Expr operator+(Expr a, Expr b) { return Binary(Op::kAdd, std::move(a), std::move(b)); }
Expr operator-(Expr a, Expr b) { return Binary(Op::kSub, std::move(a), std::move(b)); }
Expr operator*(Expr a, Expr b) { return Binary(Op::kMul, std::move(a), std::move(b)); }
Expr operator/(Expr a, Expr b) { return Binary(Op::kDiv, std::move(a), std::move(b)); }
Expr operator<(Expr a, Expr b) { return Binary(Op::kLt, std::move(a), std::move(b)); }
Expr operator<=(Expr a, Expr b) { return Binary(Op::kLe, std::move(a), std::move(b)); }
Expr operator>(Expr a, Expr b) { return Binary(Op::kLt, std::move(b), std::move(a)); }
Expr operator>=(Expr a, Expr b) { return Binary(Op::kLe, std::move(b), std::move(a)); }
Expr operator+(Expr a, int64_t b) { Type t = a->type; return std::move(a) + Int(b, t); }
Expr operator-(Expr a, int64_t b) { Type t = a->type; return std::move(a) - Int(b, t); }
Expr operator*(Expr a, int64_t b) { Type t = a->type; return std::move(a) * Int(b, t); }
Expr operator<(Expr a, int64_t b) { Type t = a->type; return std::move(a) < Int(b, t); }
Expr operator>=(Expr a, int64_t b) { Type t = a->type; return std::move(a) >= Int(b, t); }

bool IsConst(const Expr& e, int64_t* value) {
  if (e->op != Op::kInt) return false;
  if (value) *value = e->int_value;
  return true;
}

bool IsIndexAlong(const Expr& e, const Var& v, int64_t extent) {
  if (e->op == Op::kVar) return e->var == v;
  int64_t k;
  return extent == 1 && IsConst(e, &k) && k == 0;
}

Expr WithArgs(const Expr& e, std::vector<Expr> args) {
  bool same = true;
  for (size_t i = 0; i < args.size(); ++i) same = same && args[i] == e->args[i];
  if (same) return e;
  // Through the constructors, so that constants fold again and a vector argument makes a vector.
  if (e->op >= Op::kAdd && e->op <= Op::kNe) return Binary(e->op, args[0], args[1]);
  if (e->op == Op::kSelect) return Select(args[0], args[1], args[2]);
  if (e->op == Op::kCast) return e->int_value == 1 ? ExactCast(e->type, args[0]) : Cast(e->type, args[0]);
  if (e->op == Op::kBitcast) return Bitcast(e->type, args[0]);
  if (e->op >= Op::kNeg && e->op <= Op::kIsInf) return Unary(e->op, args[0]);
  if (e->op == Op::kFma) return Fma(args[0], args[1], args[2]);
  if (e->op == Op::kReduce) return Reduce(e->combiner, e->reduce_axes, args[0]);
  auto copy = std::make_shared<ExprNode>(*e);
  copy->args = std::move(args);
  return copy;
}

namespace {

Expr RewriteImpl(const Expr& e, const std::function<Expr(const Expr&)>& f,
                 std::unordered_map<const ExprNode*, Expr>& done) {
  auto it = done.find(e.get());
  if (it != done.end()) return it->second;
  std::vector<Expr> args;
  args.reserve(e->args.size());
  for (const Expr& a : e->args) args.push_back(RewriteImpl(a, f, done));
  Expr result = f(WithArgs(e, std::move(args)));
  done.emplace(e.get(), result);
  return result;
}

Expr ReplaceImpl(const Expr& e, const std::function<Expr(const Expr&)>& f, std::unordered_map<const ExprNode*, Expr>& done) {
  const auto it = done.find(e.get());
  if (it != done.end()) return it->second;
  Expr result = f(e);
  if (result == nullptr) {
    std::vector<Expr> args;
    args.reserve(e->args.size());
    for (const Expr& a : e->args) args.push_back(ReplaceImpl(a, f, done));
    result = WithArgs(e, std::move(args));
  }
  done.emplace(e.get(), result);
  return result;
}

void VisitImpl(const Expr& e, const std::function<void(const Expr&)>& f,
               std::unordered_map<const ExprNode*, bool>& done) {
  if (!done.emplace(e.get(), true).second) return;
  for (const Expr& a : e->args) VisitImpl(a, f, done);
  f(e);
}

}  // namespace

Expr Rewrite(const Expr& e, const std::function<Expr(const Expr&)>& f) {
  std::unordered_map<const ExprNode*, Expr> done;
  return RewriteImpl(e, f, done);
}

Expr Replace(const Expr& e, const std::function<Expr(const Expr&)>& f) {
  std::unordered_map<const ExprNode*, Expr> done;
  return ReplaceImpl(e, f, done);
}

int64_t Points(const Expr& reduce) {
  int64_t points = 1;
  for (const ReduceAxis& a : reduce->reduce_axes) points *= a.extent;
  return points;
}

Expr Substitute(const Expr& e, const std::unordered_map<const VarNode*, Expr>& values) {
  if (values.empty()) return e;
  return Rewrite(e, [&](const Expr& n) {
    if (n->op != Op::kVar) return n;
    auto it = values.find(n->var.get());
    return it == values.end() ? n : it->second;
  });
}

void Visit(const Expr& e, const std::function<void(const Expr&)>& f) {
  std::unordered_map<const ExprNode*, bool> done;
  VisitImpl(e, f, done);
}

}  // namespace mgec::kernel
