// Requantization: floats become small integers by x86's packing instructions, which saturate. Rounding to int32, two packings and
// one permutation take the place of a minimum, a maximum and a truncation for each register.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>

#include "compiler/codegen/llvm/emitter.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/IR/IntrinsicsX86.h"

namespace mgec::codegen {

using kernel::Expr;
using kernel::ExprNode;
using kernel::IsSigned;
using kernel::Op;
using kernel::Scalar;
using kernel::SizeOf;
using kernel::Type;
namespace Intrinsic = llvm::Intrinsic;

namespace {

const ExprNode& Scalarly(const Expr& e) { return e->op == Op::kBroadcast ? *e->args[0] : *e; }

bool IsIntConstant(const Expr& e, int64_t* v) {
  *v = Scalarly(e).int_value;
  return Scalarly(e).op == Op::kInt;
}

// A constant whose sign another float gives: what rounding to the nearest adds.
std::optional<double> SignedConstant(const ExprNode& bits) {
  int64_t sign, value;
  if (bits.op != Op::kOr || bits.args[0]->op != Op::kAnd || !IsIntConstant(bits.args[0]->args[1], &sign) ||
      !IsIntConstant(bits.args[1], &value) || static_cast<int32_t>(sign) != INT32_MIN) {
    return std::nullopt;
  }
  const auto word = static_cast<int32_t>(value);
  float f;
  std::memcpy(&f, &word, sizeof(f));
  return std::isfinite(f) ? std::optional<double>(std::fabs(f)) : std::nullopt;
}

std::optional<double> MagnitudeOf(const Expr& e);

// What follows from the arguments; empty where nothing does.
std::optional<double> MagnitudeByArguments(const Expr& e) {
  double f;
  int64_t i;
  if (IsFloatConstant(e, &f)) return std::isfinite(f) ? std::optional<double>(std::fabs(f)) : std::nullopt;
  if (IsIntConstant(e, &i)) return std::fabs(static_cast<double>(i));
  switch (e->op) {
    case Op::kBitcast: return e->args[0]->type.scalar == Scalar::kInt32 ? SignedConstant(*e->args[0]) : std::nullopt;
    case Op::kCast:
    case Op::kSlice:
    case Op::kNeg: return MagnitudeOf(e->args[0]);
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kMin:
    case Op::kMax:
    case Op::kConcat: {
      const std::optional<double> a = MagnitudeOf(e->args[0]), b = MagnitudeOf(e->args[1]);
      if (!a || !b) return std::nullopt;
      return e->op == Op::kMul ? *a * *b : e->op == Op::kAdd || e->op == Op::kSub ? *a + *b : std::max(*a, *b);
    }
    default: return std::nullopt;
  }
}

// What the magnitude of numbers does not exceed; empty where floats may be anything.
std::optional<double> MagnitudeOf(const Expr& e) {
  const Scalar s = e->type.scalar;
  if (s == Scalar::kBool || (kernel::IsFloat(s) && s != Scalar::kFloat32)) return std::nullopt;
  const std::optional<double> known = MagnitudeByArguments(e);
  constexpr double kFinite = 3e38;  // whatever follows from an infinity is not bounded
  if (kernel::IsFloat(s)) return known && *known < kFinite ? known : std::nullopt;
  // Integers that might be larger wrap.
  const double type = std::ldexp(1.0, 8 * SizeOf(s) - (IsSigned(s) ? 1 : 0));
  return known ? std::min(*known, type) : type;
}

// int(min(max(value, ..), ..)) + offset, a number of [lowest, highest].
struct Clamped {
  Expr value;
  int64_t lowest, highest, offset = 0;
};

std::optional<Clamped> ClampedOf(const Expr& word) {
  Clamped c;
  const Expr& cast = word->op == Op::kAdd && IsIntConstant(word->args[1], &c.offset) ? word->args[0] : word;
  if (cast->op != Op::kCast || cast->type.scalar != Scalar::kInt32) return std::nullopt;
  if (cast == word) c.offset = 0;
  const std::optional<FloatClamp> clamp = FloatClampOf(cast->args[0]);
  if (!clamp) return std::nullopt;
  // Between whole numbers that the offset does not take far away, it does not matter what comes first.
  constexpr double kFar = 1 << 14;
  for (const double v : {clamp->lowest, clamp->highest, static_cast<double>(c.offset)}) {
    if (v != std::trunc(v) || std::fabs(v) > kFar) return std::nullopt;
  }
  c.value = clamp->value;
  c.lowest = static_cast<int64_t>(clamp->lowest) + c.offset;
  c.highest = static_cast<int64_t>(clamp->highest) + c.offset;
  return c;
}

// Lanes of a vector, and which of the original's they are.
struct Lanes {
  llvm::Value* value;
  std::vector<int> order;
};

Lanes Part(llvm::IRBuilder<>& b, const Lanes& v, int first, int count) {
  std::vector<int> at(static_cast<size_t>(count));
  std::iota(at.begin(), at.end(), first);
  return {b.CreateShuffleVector(v.value, at), {v.order.begin() + first, v.order.begin() + first + count}};
}

// Both in one register, of elements half as wide.
Lanes Pack(llvm::IRBuilder<>& b, const Lanes& x, const Lanes& y, int to_bytes, bool is_signed) {
  const size_t n = x.order.size(), of_128 = 16 / (2 * static_cast<size_t>(to_bytes)), bits = n * 16 * static_cast<size_t>(to_bytes);
  const auto by_width = [&](Intrinsic::ID of128, Intrinsic::ID of256, Intrinsic::ID of512) {
    return bits == 512 ? of512 : bits == 256 ? of256 : of128;
  };
  const Intrinsic::ID id =
      to_bytes == 2 ? by_width(Intrinsic::x86_sse2_packssdw_128, Intrinsic::x86_avx2_packssdw, Intrinsic::x86_avx512_packssdw_512)
      : is_signed   ? by_width(Intrinsic::x86_sse2_packsswb_128, Intrinsic::x86_avx2_packsswb, Intrinsic::x86_avx512_packsswb_512)
                    : by_width(Intrinsic::x86_sse2_packuswb_128, Intrinsic::x86_avx2_packuswb, Intrinsic::x86_avx512_packuswb_512);
  Lanes packed = {b.CreateIntrinsic(id, {}, {x.value, y.value}), {}};
  for (size_t first = 0; first < n; first += of_128) {
    for (const Lanes* from : {&x, &y}) {
      packed.order.insert(packed.order.end(), from->order.begin() + static_cast<int64_t>(first),
                          from->order.begin() + static_cast<int64_t>(first + of_128));
    }
  }
  return packed;
}

// The lanes of vectors of one length, one after the other.
Lanes Joined(llvm::IRBuilder<>& b, std::vector<Lanes> parts) {
  while (parts.size() > 1) {
    std::vector<Lanes> pairs;
    for (size_t i = 0; i < parts.size(); i += 2) {
      std::vector<int> all(2 * parts[i].order.size());
      std::iota(all.begin(), all.end(), 0);
      pairs.push_back({b.CreateShuffleVector(parts[i].value, parts[i + 1].value, all), parts[i].order});
      pairs.back().order.insert(pairs.back().order.end(), parts[i + 1].order.begin(), parts[i + 1].order.end());
    }
    parts = std::move(pairs);
  }
  return parts[0];
}

}  // namespace

llvm::Value* KernelEmitter::EmitSaturated(const ExprNode& e) {
  const int lanes = e.type.lanes;
  const Scalar to = e.type.scalar;
  if (!target_.has_avx2 || (to != Scalar::kInt8 && to != Scalar::kUint8 && to != Scalar::kInt16)) return nullptr;
  const Expr* word = &e.args[0];
  // A byte that is stored as int16.
  if (to == Scalar::kInt16 && (*word)->op == Op::kCast && (*word)->int_value == 1 && SizeOf((*word)->type.scalar) == 1) {
    word = &(*word)->args[0];
  }
  if ((*word)->type.scalar != Scalar::kInt32) return nullptr;
  const std::optional<Clamped> c = ClampedOf(*word);
  const int bytes = SizeOf(to), most = (8 * bytes) - (IsSigned(to) ? 1 : 0);
  const int64_t largest = (int64_t{1} << most) - 1, least = IsSigned(to) ? -largest - 1 : 0;
  if (!c || c->lowest > c->highest || c->lowest < least || c->highest > largest) return nullptr;
  const std::optional<double> magnitude = MagnitudeOf(c->value);
  if (!magnitude || *magnitude > 2e9) return nullptr;  // not for certain an int32
  // Registers of int32 whose bytes, or words, fill one again.
  const int packed = 4 / bytes, full = (target_.has_avx512 ? 16 : 8) * packed;
  const int at_once = std::min(lanes, full), part = at_once / packed;
  const int narrowest = bytes == 1 && target_.has_avx512 ? 8 : 4;
  if (lanes % at_once != 0 || (lanes & (lanes - 1)) != 0 || part < narrowest) return nullptr;

  const auto clamp = [&](llvm::Value* v) {
    const auto bound = [&](int64_t n) { return llvm::ConstantInt::get(v->getType(), static_cast<uint64_t>(n), true); };
    if (c->lowest > least) v = EmitMinMax(false, to, v, bound(c->lowest));
    if (c->highest < largest) v = EmitMinMax(true, to, v, bound(c->highest));
    return v;
  };
  Lanes all = {b_.CreateFPToSI(EmitExpr(c->value), IrType(Type(Scalar::kInt32, lanes))), std::vector<int>(static_cast<size_t>(lanes))};
  std::iota(all.order.begin(), all.order.end(), 0);
  std::vector<Lanes> results;
  for (int first = 0; first < lanes; first += at_once) {
    std::vector<Lanes> parts;
    for (int i = 0; i < packed; ++i) parts.push_back(Part(b_, all, first + i * part, part));
    for (int to_bytes = 2; to_bytes >= bytes; to_bytes /= 2) {
      std::vector<Lanes> pairs;
      for (size_t i = 0; i < parts.size(); i += 2) {
        pairs.push_back(Pack(b_, parts[i], parts[i + 1], to_bytes, IsSigned(to)));
        if (to_bytes == 1 || c->offset == 0) continue;
        llvm::Value*& v = pairs.back().value;
        llvm::Constant* offset = llvm::ConstantInt::get(v->getType(), static_cast<uint64_t>(c->offset), true);
        v = b_.CreateBinaryIntrinsic(Intrinsic::sadd_sat, v, offset);
      }
      parts = std::move(pairs);
    }
    results.push_back({clamp(parts[0].value), parts[0].order});
  }
  const Lanes joined = Joined(b_, std::move(results));
  std::vector<int> at(static_cast<size_t>(lanes));
  for (int i = 0; i < lanes; ++i) at[static_cast<size_t>(joined.order[static_cast<size_t>(i)])] = i;
  return b_.CreateShuffleVector(joined.value, at);
}

}  // namespace mgec::codegen
