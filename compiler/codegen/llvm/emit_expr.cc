// Expressions other than loads and casts.
#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

#include "compiler/codegen/llvm/emitter.h"
#include "compiler/codegen/llvm/math.h"
#include "llvm/IR/Intrinsics.h"

namespace mgec::codegen {

using kernel::Expr;
using kernel::ExprNode;
using kernel::IsConst;
using kernel::IsFloat;
using kernel::IsSigned;
using kernel::Op;
using kernel::Scalar;
using kernel::Type;
using llvm::Intrinsic::ID;
namespace Intrinsic = llvm::Intrinsic;

llvm::Type* KernelEmitter::ElementType(Scalar s) {
  switch (s) {
    case Scalar::kBool: return b_.getInt1Ty();
    case Scalar::kInt8:
    case Scalar::kUint8: return b_.getInt8Ty();
    // The 16-bit floats are only moved and converted: as integers they need no help from the target.
    case Scalar::kFloat16:
    case Scalar::kBFloat16:
    case Scalar::kInt16:
    case Scalar::kUint16: return b_.getInt16Ty();
    case Scalar::kInt32: return b_.getInt32Ty();
    case Scalar::kInt64: return b_.getInt64Ty();
    case Scalar::kFloat32: return b_.getFloatTy();
  }
  return nullptr;
}

llvm::Type* KernelEmitter::IrType(Type t) {
  llvm::Type* element = ElementType(t.scalar);
  return t.lanes == 1 ? element : llvm::FixedVectorType::get(element, static_cast<unsigned>(t.lanes));
}

llvm::Type* KernelEmitter::MemoryType(Type t) {
  return IrType(t.scalar == Scalar::kBool ? Type(Scalar::kUint8, t.lanes) : t);
}

llvm::Constant* KernelEmitter::FloatConstant(int lanes, double v) {
  return llvm::ConstantFP::get(IrType(Type(Scalar::kFloat32, lanes)), v);
}

llvm::Constant* KernelEmitter::IntConstant(Type t, int64_t v) {
  return llvm::ConstantInt::get(IrType(t), static_cast<uint64_t>(v), /*IsSigned=*/true);
}

int KernelEmitter::DepthOf(const Expr& e) const {
  int result = 0;
  kernel::Visit(e, [&](const Expr& n) {
    switch (n->op) {
      case Op::kVar: result = std::max(result, bindings_.at(n->var.get()).depth); break;
      case Op::kLoad: result = depth(); break;  // memory may change, and the load may be guarded
      case Op::kDiv:
      case Op::kMod:
      case Op::kFloorDiv:
      case Op::kFloorMod: {
        int64_t divisor = 0;
        if (!IsConst(n->args[1], &divisor) || divisor == 0) result = depth();  // may trap
        break;
      }
      default: break;
    }
  });
  return result;
}

bool KernelEmitter::NonNegative(const Expr& e) const {
  if (!IsFloat(e->type.scalar) && !IsSigned(e->type.scalar)) return true;
  switch (e->op) {
    case Op::kInt: return e->int_value >= 0;
    case Op::kVar: return bindings_.at(e->var.get()).non_negative;
    case Op::kAdd:
    case Op::kMul:
    case Op::kDiv:
    case Op::kFloorDiv:
      // Sums and products of indices do not overflow; narrower integers wrap.
      return e->type.scalar == Scalar::kInt64 && NonNegative(e->args[0]) && NonNegative(e->args[1]);
    case Op::kFloorMod: return NonNegative(e->args[1]);
    case Op::kMod: return NonNegative(e->args[0]);
    case Op::kMin: return NonNegative(e->args[0]) && NonNegative(e->args[1]);
    case Op::kMax: return NonNegative(e->args[0]) || NonNegative(e->args[1]);
    case Op::kSelect: return NonNegative(e->args[1]) && NonNegative(e->args[2]);
    case Op::kBroadcast: return NonNegative(e->args[0]);
    case Op::kCast: {
      const Scalar from = e->args[0]->type.scalar;
      return !IsFloat(from) && SizeOf(from) < SizeOf(e->type.scalar) && NonNegative(e->args[0]);
    }
    default: return false;
  }
}

llvm::Value* KernelEmitter::EmitExpr(const Expr& e) {
  if (e->op == Op::kVar) return bindings_.at(e->var.get()).value;
  auto it = memo_.find(e);
  if (it != memo_.end()) return it->second;
  llvm::Value* value = EmitNode(*e);
  memo_.emplace(e, value);
  return value;
}

bool IsFloatConstant(Expr e, double* v) {
  while (e->op == Op::kBroadcast) e = e->args[0];
  *v = e->float_value;
  return e->op == Op::kFloat;
}

std::optional<FloatClamp> FloatClampOf(const Expr& e) {
  FloatClamp c;
  if (e->op != Op::kMin || e->type.scalar != Scalar::kFloat32 || e->args[0]->op != Op::kMax ||
      !IsFloatConstant(e->args[1], &c.highest) || !IsFloatConstant(e->args[0]->args[1], &c.lowest)) {
    return std::nullopt;
  }
  c.value = e->args[0]->args[0];
  return c;
}

namespace {

// A float32 between constants that a signed integer type holds: converts without saturating.
bool IsInRange(const Expr& e, Scalar to) {
  if (IsFloat(to) || !IsSigned(to) || to == Scalar::kBool) return false;
  const std::optional<FloatClamp> clamp = FloatClampOf(e);
  const double beyond = std::ldexp(1.0, 8 * SizeOf(to) - 1);
  return clamp && clamp->lowest >= -beyond && clamp->lowest <= clamp->highest && clamp->highest < beyond;
}

}  // namespace

llvm::Value* KernelEmitter::EmitNode(const ExprNode& e) {
  const int lanes = e.type.lanes;
  switch (e.op) {
    case Op::kInt: return IntConstant(e.type, e.int_value);
    case Op::kFloat: return FloatConstant(lanes, e.float_value);
    case Op::kLoad: return EmitLoad(e);
    case Op::kCast: {
      if (llvm::Value* saturated = EmitSaturated(e)) return saturated;
      llvm::Value* v = EmitExpr(e.args[0]);
      const Scalar from = e.args[0]->type.scalar, to = e.type.scalar;
      const bool exact = e.int_value == 1 && from == Scalar::kFloat32 && IsSigned(to);
      if (exact || IsInRange(e.args[0], to)) return b_.CreateFPToSI(v, IrType(e.type));
      return EmitCast(e.args[0]->type, e.type, v);
    }
    case Op::kBitcast: return EmitBitcast(e.args[0]->type, e.type, EmitExpr(e.args[0]));
    case Op::kBroadcast: return Splat(EmitExpr(e.args[0]), lanes);
    case Op::kFma: {
      llvm::Value* x = EmitExpr(e.args[0]);
      llvm::Value* y = EmitExpr(e.args[1]);
      llvm::Value* z = EmitExpr(e.args[2]);
      return b_.CreateIntrinsic(Intrinsic::fma, {z->getType()}, {x, y, z});
    }
    case Op::kDot2:
    case Op::kDot4: {
      llvm::Value* x = EmitExpr(e.args[0]);
      llvm::Value* y = EmitExpr(e.args[1]);
      return EmitDot(e.op, x, y, EmitExpr(e.args[2]));
    }
    case Op::kSelect: {
      llvm::Value* cond = EmitExpr(e.args[0]);
      llvm::Value* yes = EmitExpr(e.args[1]);
      llvm::Value* no = EmitExpr(e.args[2]);
      return b_.CreateSelect(cond, yes, no);
    }
    case Op::kRamp: {
      llvm::Value* base = Splat(EmitExpr(e.args[0]), lanes);
      std::vector<llvm::Constant*> steps;
      for (int l = 0; l < lanes; ++l) steps.push_back(IntConstant(e.type.WithLanes(1), e.int_value * l));
      return b_.CreateAdd(base, llvm::ConstantVector::get(steps));
    }
    case Op::kSlice: {
      llvm::Value* v = EmitExpr(e.args[0]);
      if (lanes == 1) return b_.CreateExtractElement(v, static_cast<uint64_t>(e.int_value));
      std::vector<int> order(static_cast<size_t>(lanes));
      std::iota(order.begin(), order.end(), static_cast<int>(e.int_value));
      return b_.CreateShuffleVector(v, order);
    }
    case Op::kConcat: {
      llvm::Value* parts[2] = {EmitExpr(e.args[0]), EmitExpr(e.args[1])};
      const int sizes[2] = {e.args[0]->type.lanes, e.args[1]->type.lanes};
      // A shuffle takes two vectors of one length; the lanes beyond the shorter one are never picked.
      const int widest = std::max(sizes[0], sizes[1]);
      for (int i = 0; i < 2; ++i) {
        if (sizes[i] == 1) {
          llvm::Type* type = llvm::FixedVectorType::get(parts[i]->getType(), static_cast<unsigned>(widest));
          parts[i] = b_.CreateInsertElement(llvm::PoisonValue::get(type), parts[i], uint64_t{0});
        } else if (sizes[i] < widest) {
          std::vector<int> order(static_cast<size_t>(widest), llvm::PoisonMaskElem);
          std::iota(order.begin(), order.begin() + sizes[i], 0);
          parts[i] = b_.CreateShuffleVector(parts[i], order);
        }
      }
      std::vector<int> order(static_cast<size_t>(lanes));
      std::iota(order.begin(), order.begin() + sizes[0], 0);
      std::iota(order.begin() + sizes[0], order.end(), widest);
      return b_.CreateShuffleVector(parts[0], parts[1], order);
    }
    case Op::kShuffle: {
      if (const ExprNode& from = *e.args[0]; from.op == Op::kConcat && lanes > 1 &&
                                            from.args[0]->type.lanes > 1 && from.args[0]->type == from.args[1]->type) {
        return b_.CreateShuffleVector(EmitExpr(from.args[0]), EmitExpr(from.args[1]), e.shuffle);
      }
      llvm::Value* v = EmitExpr(e.args[0]);
      if (e.args[0]->type.lanes == 1) return Splat(v, lanes);
      if (llvm::Value* repeated = EmitRepeat(e, v)) return repeated;
      if (lanes == 1) return b_.CreateExtractElement(v, static_cast<uint64_t>(e.shuffle[0]));
      return b_.CreateShuffleVector(v, e.shuffle);
    }
    case Op::kReduceAdd:
    case Op::kReduceMax:
    case Op::kReduceMin: return EmitHorizontal(e);
    case Op::kVar:
    case Op::kRead:
    case Op::kReduce: break;  // a variable is handled by EmitExpr, the others by the verifier
    default: return e.args.size() == 1 ? EmitUnary(e) : EmitBinary(e);
  }
  llvm_unreachable("not an expression of a scheduled kernel");
}

namespace {

// Of z times minus ln 2, z; null for other expressions.
Expr InLog2(const Expr& e) {
  for (size_t i : {0u, 1u}) {
    double factor;
    if (e->op == Op::kMul && IsFloatConstant(e->args[i], &factor) && static_cast<float>(factor) == static_cast<float>(-M_LN2)) {
      return e->args[1 - i];
    }
  }
  return nullptr;
}

}  // namespace

llvm::Value* KernelEmitter::EmitUnary(const ExprNode& e) {
  if (e.op == Op::kSigmoid) {
    if (const Expr z = InLog2(e.args[0])) {
      return VectorMath(b_, e.type.lanes, target_).OverOnePlusExp2(FloatConstant(e.type.lanes, 1), EmitExpr(z));
    }
  }
  llvm::Value* x = EmitExpr(e.args[0]);
  const Type type = e.args[0]->type;
  const bool is_float = type.scalar == Scalar::kFloat32;
  auto unary = [&](ID id) -> llvm::Value* { return is_float ? b_.CreateUnaryIntrinsic(id, x) : x; };
  switch (e.op) {
    case Op::kNeg: return is_float ? b_.CreateFNeg(x) : b_.CreateNeg(x);
    case Op::kAbs:
      if (is_float) return b_.CreateUnaryIntrinsic(Intrinsic::fabs, x);
      if (!IsSigned(type.scalar)) return x;
      return b_.CreateBinaryIntrinsic(Intrinsic::abs, x, b_.getFalse());
    case Op::kSign: {
      // (x > 0) - (x < 0): zero for NaN and for both zeros.
      llvm::Constant* zero = llvm::Constant::getNullValue(x->getType());
      llvm::Value* above = EmitCompare(Op::kLt, type.scalar, zero, x);
      llvm::Value* below = EmitCompare(Op::kLt, type.scalar, x, zero);
      const Type bit(Scalar::kBool, type.lanes);
      if (is_float) {
        llvm::Value* negative = b_.CreateSelect(below, FloatConstant(type.lanes, -1), zero);
        return b_.CreateSelect(above, FloatConstant(type.lanes, 1), negative);
      }
      return b_.CreateSub(EmitCast(bit, type, above), EmitCast(bit, type, below));
    }
    case Op::kNot: return b_.CreateNot(x);
    case Op::kFloor: return unary(Intrinsic::floor);
    case Op::kCeil: return unary(Intrinsic::ceil);
    case Op::kTrunc: return unary(Intrinsic::trunc);
    case Op::kRound: return unary(Intrinsic::round);
    case Op::kRoundEven: return unary(Intrinsic::roundeven);
    case Op::kIsNan: return b_.CreateFCmpUNO(x, x);
    case Op::kIsInf: {
      llvm::Value* magnitude = b_.CreateUnaryIntrinsic(Intrinsic::fabs, x);
      return b_.CreateFCmpOEQ(magnitude, llvm::ConstantFP::getInfinity(x->getType()));
    }
    default: return VectorMath(b_, type.lanes, target_).Unary(e.op, x);
  }
}

llvm::Value* KernelEmitter::EmitCompare(Op op, Scalar s, llvm::Value* a, llvm::Value* b) {
  using P = llvm::CmpInst::Predicate;
  P p;
  switch (op) {
    case Op::kLt: p = IsFloat(s) ? P::FCMP_OLT : IsSigned(s) ? P::ICMP_SLT : P::ICMP_ULT; break;
    case Op::kLe: p = IsFloat(s) ? P::FCMP_OLE : IsSigned(s) ? P::ICMP_SLE : P::ICMP_ULE; break;
    case Op::kEq: p = IsFloat(s) ? P::FCMP_OEQ : P::ICMP_EQ; break;
    default: p = IsFloat(s) ? P::FCMP_UNE : P::ICMP_NE; break;
  }
  return b_.CreateCmp(p, a, b);
}

llvm::Value* KernelEmitter::EmitMinMax(bool min, Scalar s, llvm::Value* a, llvm::Value* b) {
  if (IsFloat(s)) {
    // Exactly what minps and maxps do, NaN and zeros included.
    llvm::Value* a_wins = min ? b_.CreateFCmpOLT(a, b) : b_.CreateFCmpOGT(a, b);
    return b_.CreateSelect(a_wins, a, b);
  }
  if (IsSigned(s)) return b_.CreateBinaryIntrinsic(min ? Intrinsic::smin : Intrinsic::smax, a, b);
  return b_.CreateBinaryIntrinsic(min ? Intrinsic::umin : Intrinsic::umax, a, b);
}

llvm::Value* KernelEmitter::EmitFloorDivMod(const ExprNode& e, llvm::Value* a, llvm::Value* b) {
  const bool divide = e.op == Op::kFloorDiv;
  const Type t = e.type;
  if (NonNegative(e.args[0]) && NonNegative(e.args[1])) return divide ? b_.CreateUDiv(a, b) : b_.CreateURem(a, b);
  const Expr& divisor = e.args[1]->op == Op::kBroadcast ? e.args[1]->args[0] : e.args[1];
  int64_t c = 0;
  if (IsConst(divisor, &c) && c > 0 && (c & (c - 1)) == 0) {
    if (divide) return b_.CreateAShr(a, IntConstant(t, __builtin_ctzll(static_cast<uint64_t>(c))));
    return b_.CreateAnd(a, IntConstant(t, c - 1));
  }
  llvm::Value* rest = b_.CreateSRem(a, b);
  llvm::Constant* zero = llvm::Constant::getNullValue(rest->getType());
  // C truncates; one step back where the remainder is on the other side of zero than the divisor.
  llvm::Value* wrong_side = c > 0 ? b_.CreateICmpSLT(rest, zero)
                                  : b_.CreateAnd(b_.CreateICmpNE(rest, zero),
                                                 b_.CreateICmpSLT(b_.CreateXor(rest, b), zero));
  if (!divide) return b_.CreateSelect(wrong_side, b_.CreateAdd(rest, b), rest);
  return b_.CreateAdd(b_.CreateSDiv(a, b), b_.CreateSExt(wrong_side, rest->getType()));
}

llvm::Value* KernelEmitter::EmitRampCompare(const ExprNode& e) {
  if (e.op != Op::kLt && e.op != Op::kLe) return nullptr;
  if (e.args[0]->type.scalar != Scalar::kInt64 || e.type.lanes == 1) return nullptr;
  const bool ramp_left = e.args[0]->op == Op::kRamp;
  const Expr& ramp = e.args[ramp_left ? 0 : 1];
  const Expr& bound = e.args[ramp_left ? 1 : 0];
  if (ramp->op != Op::kRamp || bound->op != Op::kBroadcast) return nullptr;
  const int64_t stride = ramp->int_value;
  const int lanes = e.type.lanes;
  if (stride <= 0 || stride > (1 << 20)) return nullptr;
  // base + l * stride < bound  <=>  l * stride < bound - base, where anything outside of [-1, lanes * stride] may as
  // well be at that end.
  const Expr distance = kernel::Min(kernel::Max(bound->args[0] - ramp->args[0], kernel::Int(-1)),
                                    kernel::Int(lanes * stride));
  llvm::Value* scalar = Hoisted(DepthOf(distance), [&] { return b_.CreateTrunc(EmitExpr(distance), b_.getInt32Ty()); });
  std::vector<llvm::Constant*> steps;
  for (int l = 0; l < lanes; ++l) steps.push_back(b_.getInt32(static_cast<uint32_t>(l * stride)));
  llvm::Value* step = llvm::ConstantVector::get(steps);
  llvm::Value* limit = Splat(scalar, lanes);
  return ramp_left ? EmitCompare(e.op, Scalar::kInt32, step, limit) : EmitCompare(e.op, Scalar::kInt32, limit, step);
}

llvm::Value* KernelEmitter::EmitBinary(const ExprNode& e) {
  if (llvm::Value* mask = EmitRampCompare(e)) return mask;
  for (size_t i : {0u, 1u}) {
    if (const Expr& factor = e.args[i]; e.op == Op::kMul && factor->op == Op::kSigmoid) {
      VectorMath math(b_, e.type.lanes, target_);
      const Expr &other = e.args[1 - i], &x = factor->args[0];
      const Expr z = InLog2(x);
      if (z != nullptr && other == x) return math.SiluExp2(EmitExpr(z));
      llvm::Value* a = EmitExpr(other);
      return z != nullptr ? math.OverOnePlusExp2(a, EmitExpr(z)) : math.TimesSigmoid(a, EmitExpr(x));
    }
  }
  llvm::Value* a = EmitExpr(e.args[0]);
  llvm::Value* b = EmitExpr(e.args[1]);
  const Scalar s = e.args[0]->type.scalar;
  const bool is_float = s == Scalar::kFloat32;
  const bool index = s == Scalar::kInt64;  // index arithmetic does not overflow
  switch (e.op) {
    case Op::kAdd: return is_float ? b_.CreateFAdd(a, b) : b_.CreateAdd(a, b, "", false, index);
    case Op::kSub: return is_float ? b_.CreateFSub(a, b) : b_.CreateSub(a, b, "", false, index);
    case Op::kMul: return is_float ? b_.CreateFMul(a, b) : b_.CreateMul(a, b, "", false, index);
    case Op::kDiv:
      if (is_float) return b_.CreateFDiv(a, b);
      return IsSigned(s) ? b_.CreateSDiv(a, b) : b_.CreateUDiv(a, b);
    case Op::kMod:
      if (is_float) return VectorMath(b_, e.type.lanes, target_).Binary(e.op, a, b);
      return IsSigned(s) ? b_.CreateSRem(a, b) : b_.CreateURem(a, b);
    case Op::kFloorDiv:
    case Op::kFloorMod: return EmitFloorDivMod(e, a, b);
    case Op::kMin:
    case Op::kMax: return EmitMinMax(e.op == Op::kMin, s, a, b);
    case Op::kAnd: return b_.CreateAnd(a, b);
    case Op::kOr: return b_.CreateOr(a, b);
    case Op::kXor: return b_.CreateXor(a, b);
    case Op::kShl: return b_.CreateShl(a, b);
    case Op::kShr: return IsSigned(s) ? b_.CreateAShr(a, b) : b_.CreateLShr(a, b);
    case Op::kLt:
    case Op::kLe:
    case Op::kEq:
    case Op::kNe: return EmitCompare(e.op, s, a, b);
    default: return VectorMath(b_, e.type.lanes, target_).Binary(e.op, a, b);
  }
}

// Halves: lane i meets lane i + ceil(n / 2), until one is left. The interpreter does the same, to the bit.
llvm::Value* KernelEmitter::EmitHorizontal(const ExprNode& e) {
  llvm::Value* v = EmitExpr(e.args[0]);
  const Scalar s = e.type.scalar;
  auto combine = [&](llvm::Value* a, llvm::Value* b) -> llvm::Value* {
    if (e.op != Op::kReduceAdd) return EmitMinMax(e.op == Op::kReduceMin, s, a, b);
    return IsFloat(s) ? b_.CreateFAdd(a, b) : b_.CreateAdd(a, b);
  };
  int n = e.args[0]->type.lanes;
  if (n == 1) return v;
  for (; n > 2 && n % 2 == 0; n /= 2) {
    std::vector<int> low(static_cast<size_t>(n / 2)), high(static_cast<size_t>(n / 2));
    std::iota(low.begin(), low.end(), 0);
    std::iota(high.begin(), high.end(), n / 2);
    llvm::Value* a = b_.CreateShuffleVector(v, low);
    v = combine(a, b_.CreateShuffleVector(v, high));
  }
  std::vector<llvm::Value*> lanes;
  for (int l = 0; l < n; ++l) lanes.push_back(b_.CreateExtractElement(v, static_cast<uint64_t>(l)));
  for (size_t size = lanes.size(); size > 1; size = (size + 1) / 2) {
    const size_t half = (size + 1) / 2;
    for (size_t i = half; i < size; ++i) lanes[i - half] = combine(lanes[i - half], lanes[i]);
  }
  return lanes[0];
}

}  // namespace mgec::codegen
