#include "compiler/kernel/interpreter_code.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "compiler/kernel/reference_math.h"

namespace mgec::kernel::interpreter {
namespace {

// --- Lane by lane. ---

template <int64_t (*F)(int64_t)>
bool Int1(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) m.cells[n.out + l].i = F(m.cells[n.a + l].i);
  return true;
}
template <float (*F)(float)>
bool Float1(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) m.cells[n.out + l].f = F(m.cells[n.a + l].f);
  return true;
}
template <bool (*F)(float)>
bool Test(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) m.cells[n.out + l].i = F(m.cells[n.a + l].f);
  return true;
}
template <int64_t (*F)(int64_t, int64_t)>
bool Int2(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) m.cells[n.out + l].i = F(m.cells[n.a + l].i, m.cells[n.b + l].i);
  return true;
}
template <int64_t (*F)(int64_t, int64_t)>
bool Divide(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) {
    const int64_t divisor = m.cells[n.b + l].i;
    if (divisor == 0) {
      m.error = "division by zero";
      return false;
    }
    m.cells[n.out + l].i = F(m.cells[n.a + l].i, divisor);
  }
  return true;
}
template <float (*F)(float, float)>
bool Float2(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) m.cells[n.out + l].f = F(m.cells[n.a + l].f, m.cells[n.b + l].f);
  return true;
}
template <bool (*F)(float, float)>
bool FloatCompare(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) m.cells[n.out + l].i = F(m.cells[n.a + l].f, m.cells[n.b + l].f);
  return true;
}
bool Math1(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) {
    m.cells[n.out + l].f = static_cast<float>(n.unary(static_cast<double>(m.cells[n.a + l].f)));
  }
  return true;
}
bool Math2(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) {
    m.cells[n.out + l].f = static_cast<float>(
        n.binary(static_cast<double>(m.cells[n.a + l].f), static_cast<double>(m.cells[n.b + l].f)));
  }
  return true;
}
bool Fma(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) {
    m.cells[n.out + l].f = std::fma(m.cells[n.a + l].f, m.cells[n.b + l].f, m.cells[n.c + l].f);
  }
  return true;
}
template <int kGroup>
bool Dot(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) {
    int64_t sum = m.cells[n.c + l].i;
    for (int i = l * kGroup; i < (l + 1) * kGroup; ++i) sum += m.cells[n.a + i].i * m.cells[n.b + i].i;
    m.cells[n.out + l].i = sum;
  }
  return true;
}
template <bool kScalarCondition>
bool SelectLanes(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) {
    const bool first = m.cells[n.a + (kScalarCondition ? 0 : l)].i != 0;
    m.cells[n.out + l] = m.cells[(first ? n.b : n.c) + l];
  }
  return true;
}

// Integers go through uint64_t where signed overflow would be undefined.
int64_t Neg(int64_t a) { return static_cast<int64_t>(-static_cast<uint64_t>(a)); }
int64_t Abs(int64_t a) { return a < 0 ? Neg(a) : a; }
int64_t Sign(int64_t a) { return (a > 0) - (a < 0); }
int64_t NotBits(int64_t a) { return ~a; }
int64_t NotBool(int64_t a) { return !a; }
int64_t Same(int64_t a) { return a; }
int64_t Add(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)); }
int64_t Sub(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b)); }
int64_t Mul(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b)); }
int64_t Div(int64_t a, int64_t b) { return b == -1 ? Neg(a) : a / b; }
int64_t Mod(int64_t a, int64_t b) { return b == -1 ? 0 : a % b; }
int64_t FloorDiv(int64_t a, int64_t b) {
  const int64_t rest = Mod(a, b);
  return Div(a, b) - (rest != 0 && (rest < 0) != (b < 0));
}
int64_t FloorMod(int64_t a, int64_t b) {
  const int64_t rest = Mod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
int64_t Min(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t Max(int64_t a, int64_t b) { return a > b ? a : b; }
int64_t And(int64_t a, int64_t b) { return a & b; }
int64_t Or(int64_t a, int64_t b) { return a | b; }
int64_t Xor(int64_t a, int64_t b) { return a ^ b; }
int64_t Shl(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) << (b & 63)); }
int64_t Shr(int64_t a, int64_t b) { return a >> (b & 63); }
int64_t Lt(int64_t a, int64_t b) { return a < b; }
int64_t Le(int64_t a, int64_t b) { return a <= b; }
int64_t Eq(int64_t a, int64_t b) { return a == b; }
int64_t Ne(int64_t a, int64_t b) { return a != b; }

float Neg(float a) { return -a; }
float Sign(float a) { return static_cast<float>((a > 0) - (a < 0)); }
float Add(float a, float b) { return a + b; }
float Sub(float a, float b) { return a - b; }
float Mul(float a, float b) { return a * b; }
float Div(float a, float b) { return a / b; }
float Min(float a, float b) { return a < b ? a : b; }
float Max(float a, float b) { return a > b ? a : b; }
bool Lt(float a, float b) { return a < b; }
bool Le(float a, float b) { return a <= b; }
bool Eq(float a, float b) { return a == b; }
bool Ne(float a, float b) { return a != b; }
bool IsNan(float a) { return std::isnan(a); }
bool IsInf(float a) { return std::isinf(a); }

template <typename T>
int64_t WrapTo(int64_t a) {
  return static_cast<T>(a);
}

// --- Conversions. ---

template <typename T>
T Saturate(float v) {
  using Limits = std::numeric_limits<T>;
  if (!(v > static_cast<float>(Limits::lowest()))) return Limits::lowest();  // NaN too
  // The first float beyond the range: a power of two, where max() itself may not be a float.
  if (v >= std::ldexp(1.0f, Limits::digits)) return Limits::max();
  return static_cast<T>(v);
}

float ToFloat(Scalar s, Cell c) {
  switch (s) {
    case Scalar::kFloat32: return c.f;
    case Scalar::kFloat16: return HalfToFloat(static_cast<uint16_t>(c.i));
    case Scalar::kBFloat16: return BFloat16ToFloat(static_cast<uint16_t>(c.i));
    default: return static_cast<float>(c.i);
  }
}

Cell FromFloat(Scalar s, float v) {
  Cell c;
  c.i = 0;
  switch (s) {
    case Scalar::kBool: c.i = v != 0; break;
    case Scalar::kInt8: c.i = Saturate<int8_t>(v); break;
    case Scalar::kUint8: c.i = Saturate<uint8_t>(v); break;
    case Scalar::kInt16: c.i = Saturate<int16_t>(v); break;
    case Scalar::kUint16: c.i = Saturate<uint16_t>(v); break;
    case Scalar::kInt32: c.i = Saturate<int32_t>(v); break;
    case Scalar::kInt64: c.i = Saturate<int64_t>(v); break;
    case Scalar::kFloat16: c.i = FloatToHalf(v); break;
    case Scalar::kBFloat16: c.i = FloatToBFloat16(v); break;
    case Scalar::kFloat32: c.f = v; break;
  }
  return c;
}

template <Scalar kFrom>
bool CastFrom(const Instruction& n, Machine& m) {
  const auto to = static_cast<Scalar>(n.immediate);
  for (int l = 0; l < n.lanes; ++l) m.cells[n.out + l] = FromFloat(to, ToFloat(kFrom, m.cells[n.a + l]));
  return true;
}

int64_t ToBool(int64_t a) { return a != 0; }

bool FloatBits(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) {
    int32_t bits;
    std::memcpy(&bits, &m.cells[n.a + l].f, sizeof(bits));
    m.cells[n.out + l].i = bits;
  }
  return true;
}
bool BitsToFloat(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) {
    const auto bits = static_cast<int32_t>(m.cells[n.a + l].i);
    std::memcpy(&m.cells[n.out + l].f, &bits, sizeof(bits));
  }
  return true;
}

// --- Lanes. ---

bool Ramp(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) m.cells[n.out + l].i = Add(m.cells[n.a].i, n.immediate * l);
  return true;
}
bool BroadcastLanes(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) m.cells[n.out + l] = m.cells[n.a];
  return true;
}
bool Copy(const Instruction& n, Machine& m) {
  std::memmove(m.cells + n.out, m.cells + n.a, sizeof(Cell) * static_cast<size_t>(n.lanes));
  return true;
}
bool ShuffleLanes(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) m.cells[n.out + l] = m.cells[n.a + n.shuffle[l]];
  return true;
}
// Halves, as generated code does: lane i meets lane i + ceil(n / 2).
template <typename T, T (*F)(T, T), T Cell::*kMember>
bool Horizontal(const Instruction& n, Machine& m) {
  Cell* lanes = m.cells + n.a;
  for (int size = n.lanes; size > 1; size = (size + 1) / 2) {
    const int half = (size + 1) / 2;
    for (int i = half; i < size; ++i) lanes[i - half].*kMember = F(lanes[i - half].*kMember, lanes[i].*kMember);
  }
  m.cells[n.out] = lanes[0];
  return true;
}

// --- Memory. ---

bool OutOfBounds(const Instruction& n, Machine& m, int64_t index, const char* verb) {
  m.out_of_bounds = true;
  m.error = absl::StrCat(verb, " ", n.memory->buffer->name, "[", index, "] of ", n.memory->elements, " elements");
  return false;
}

template <typename T>
Cell Get(const char* p) {
  T v;
  std::memcpy(&v, p, sizeof(T));
  Cell c;
  c.i = 0;
  if constexpr (std::is_same_v<T, float>) c.f = v;
  else c.i = v;
  return c;
}
template <>
Cell Get<bool>(const char* p) {
  Cell c;
  c.i = *p != 0;
  return c;
}
template <typename T>
void Put(char* p, Cell c) {
  T v;
  if constexpr (std::is_same_v<T, float>) v = c.f;
  else v = static_cast<T>(c.i);
  std::memcpy(p, &v, sizeof(T));
}

template <typename T, bool kVectorIndex>
bool Load(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) {
    if (n.b >= 0 && !m.cells[n.b + l].i) {
      m.cells[n.out + l].i = 0;
      continue;
    }
    const int64_t index = kVectorIndex ? m.cells[n.a + l].i : m.cells[n.a].i + l;
    if (static_cast<uint64_t>(index) >= static_cast<uint64_t>(n.memory->elements)) {
      return OutOfBounds(n, m, index, "reads");
    }
    m.cells[n.out + l] = Get<T>(n.memory->data + index * static_cast<int64_t>(sizeof(T)));
  }
  return true;
}

template <typename T, bool kVectorIndex>
bool Store(const Instruction& n, Machine& m) {
  for (int l = 0; l < n.lanes; ++l) {
    if (n.b >= 0 && !m.cells[n.b + l].i) continue;
    const int64_t index = kVectorIndex ? m.cells[n.a + l].i : m.cells[n.a].i + l;
    if (static_cast<uint64_t>(index) >= static_cast<uint64_t>(n.memory->elements)) {
      return OutOfBounds(n, m, index, "writes");
    }
    Put<T>(n.memory->data + index * static_cast<int64_t>(sizeof(T)), m.cells[n.c + l]);
  }
  return true;
}

template <bool kVectorIndex>
Handler LoadOf(Scalar s) {
  switch (s) {
    case Scalar::kBool: return Load<bool, kVectorIndex>;
    case Scalar::kInt8: return Load<int8_t, kVectorIndex>;
    case Scalar::kUint8: return Load<uint8_t, kVectorIndex>;
    case Scalar::kInt16: return Load<int16_t, kVectorIndex>;
    case Scalar::kUint16:
    case Scalar::kFloat16:
    case Scalar::kBFloat16: return Load<uint16_t, kVectorIndex>;
    case Scalar::kInt32: return Load<int32_t, kVectorIndex>;
    case Scalar::kInt64: return Load<int64_t, kVectorIndex>;
    case Scalar::kFloat32: return Load<float, kVectorIndex>;
  }
  return nullptr;
}

template <bool kVectorIndex>
Handler StoreOf(Scalar s) {
  switch (SizeOf(s)) {
    case 1: return Store<uint8_t, kVectorIndex>;
    case 2: return Store<uint16_t, kVectorIndex>;
    case 8: return Store<int64_t, kVectorIndex>;
    default: return s == Scalar::kFloat32 ? Store<float, kVectorIndex> : Store<int32_t, kVectorIndex>;
  }
}

}  // namespace

Handler UnaryHandler(Op op, Scalar s) {
  const bool is_float = s == Scalar::kFloat32;
  switch (op) {
    case Op::kNeg: return is_float ? Float1<Neg> : Int1<Neg>;
    case Op::kAbs: return is_float ? Float1<std::fabs> : Int1<Abs>;
    case Op::kSign: return is_float ? Float1<Sign> : Int1<Sign>;
    case Op::kNot: return s == Scalar::kBool ? Int1<NotBool> : Int1<NotBits>;
    case Op::kFloor: return is_float ? Float1<std::floor> : Int1<Same>;
    case Op::kCeil: return is_float ? Float1<std::ceil> : Int1<Same>;
    case Op::kTrunc: return is_float ? Float1<std::trunc> : Int1<Same>;
    case Op::kRound: return is_float ? Float1<std::round> : Int1<Same>;
    case Op::kRoundEven: return is_float ? Float1<std::nearbyint> : Int1<Same>;
    case Op::kRoundTf32: return Float1<RoundTf32>;
    case Op::kIsNan: return Test<IsNan>;
    case Op::kIsInf: return Test<IsInf>;
    default: return ReferenceUnary(op) ? Math1 : nullptr;
  }
}

Handler BinaryHandler(Op op, Scalar s) {
  const bool is_float = s == Scalar::kFloat32;
  switch (op) {
    case Op::kAdd: return is_float ? Float2<Add> : Int2<Add>;
    case Op::kSub: return is_float ? Float2<Sub> : Int2<Sub>;
    case Op::kMul: return is_float ? Float2<Mul> : Int2<Mul>;
    case Op::kDiv: return is_float ? Float2<Div> : Divide<Div>;
    case Op::kMod: return is_float ? Float2<std::fmod> : Divide<Mod>;
    case Op::kFloorDiv: return Divide<FloorDiv>;
    case Op::kFloorMod: return Divide<FloorMod>;
    case Op::kMin: return is_float ? Float2<Min> : Int2<Min>;
    case Op::kMax: return is_float ? Float2<Max> : Int2<Max>;
    case Op::kAnd: return Int2<And>;
    case Op::kOr: return Int2<Or>;
    case Op::kXor: return Int2<Xor>;
    case Op::kShl: return Int2<Shl>;
    case Op::kShr: return Int2<Shr>;
    case Op::kLt: return is_float ? FloatCompare<Lt> : Int2<Lt>;
    case Op::kLe: return is_float ? FloatCompare<Le> : Int2<Le>;
    case Op::kEq: return is_float ? FloatCompare<Eq> : Int2<Eq>;
    case Op::kNe: return is_float ? FloatCompare<Ne> : Int2<Ne>;
    default: return ReferenceBinary(op) ? Math2 : nullptr;
  }
}

Handler WrapHandler(Scalar s) {
  switch (s) {
    case Scalar::kInt8: return Int1<WrapTo<int8_t>>;
    case Scalar::kUint8: return Int1<WrapTo<uint8_t>>;
    case Scalar::kInt16: return Int1<WrapTo<int16_t>>;
    case Scalar::kUint16:
    case Scalar::kFloat16:
    case Scalar::kBFloat16: return Int1<WrapTo<uint16_t>>;
    case Scalar::kInt32: return Int1<WrapTo<int32_t>>;
    default: return nullptr;
  }
}

int64_t Wrap(Scalar s, int64_t v) {
  Handler wrap = WrapHandler(s);
  if (!wrap) return v;
  Cell cell;
  cell.i = v;
  Machine m{&cell, {}, false};
  wrap(Instruction(), m);
  return cell.i;
}

Handler CastHandler(Scalar from, Scalar to) {
  if (IsFloat(from) || IsFloat(to)) {
    switch (from) {
      case Scalar::kFloat32: return CastFrom<Scalar::kFloat32>;
      case Scalar::kFloat16: return CastFrom<Scalar::kFloat16>;
      case Scalar::kBFloat16: return CastFrom<Scalar::kBFloat16>;
      default: return CastFrom<Scalar::kInt64>;
    }
  }
  if (to == Scalar::kBool) return Int1<ToBool>;
  Handler wrap = WrapHandler(to);
  return wrap ? wrap : Int1<Same>;
}

Handler BitcastHandler(Scalar from, Scalar to) {
  if (from == Scalar::kFloat32) return FloatBits;
  if (to == Scalar::kFloat32) return BitsToFloat;
  return CastHandler(from == Scalar::kBool ? Scalar::kUint8 : Scalar::kInt64, IsFloat(to) ? Scalar::kUint16 : to);
}

Handler FmaHandler() { return Fma; }
Handler DotHandler(int group) { return group == 2 ? Dot<2> : Dot<4>; }
Handler SelectHandler(bool scalar_condition) { return scalar_condition ? SelectLanes<true> : SelectLanes<false>; }
Handler RampHandler() { return Ramp; }
Handler BroadcastHandler() { return BroadcastLanes; }
Handler CopyHandler() { return Copy; }
Handler ShuffleHandler() { return ShuffleLanes; }

Handler HorizontalHandler(Op op, Scalar s) {
  const bool is_float = s == Scalar::kFloat32;
  switch (op) {
    case Op::kReduceAdd: return is_float ? Horizontal<float, Add, &Cell::f> : Horizontal<int64_t, Add, &Cell::i>;
    case Op::kReduceMax: return is_float ? Horizontal<float, Max, &Cell::f> : Horizontal<int64_t, Max, &Cell::i>;
    default: return is_float ? Horizontal<float, Min, &Cell::f> : Horizontal<int64_t, Min, &Cell::i>;
  }
}

Handler LoadHandler(Scalar s, bool vector_index) { return vector_index ? LoadOf<true>(s) : LoadOf<false>(s); }
Handler StoreHandler(Scalar s, bool vector_index) { return vector_index ? StoreOf<true>(s) : StoreOf<false>(s); }

}  // namespace mgec::kernel::interpreter
