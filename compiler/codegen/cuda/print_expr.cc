// Expressions.
#include <cassert>
#include <cmath>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "compiler/codegen/cuda/kernel_printer.h"

namespace mgec::codegen::cuda {

using kernel::Expr;
using kernel::ExprNode;
using kernel::IsFloat;
using kernel::IsSigned;
using kernel::Op;
using kernel::Range;
using ScalarType = kernel::Scalar;

const char* MemoryTypeName(ScalarType s) { return s == ScalarType::kBool ? "unsigned char" : TypeName(s); }

const char* TypeName(ScalarType s) {
  switch (s) {
    case ScalarType::kBool: return "bool";
    case ScalarType::kInt8: return "signed char";
    case ScalarType::kUint8: return "unsigned char";
    case ScalarType::kInt16: return "short";
    case ScalarType::kFloat16:  // their bits
    case ScalarType::kBFloat16:
    case ScalarType::kUint16: return "unsigned short";
    case ScalarType::kInt32: return "int";
    case ScalarType::kInt64: return "long long";
    case ScalarType::kFloat32: return "float";
  }
  return "?";
}

namespace {

bool IsInt64(const Expr& e) { return e->type == kernel::kIndexType; }

bool FitsInt32(const std::optional<Range>& r) { return r && r->lo >= INT32_MIN && r->hi <= INT32_MAX; }

std::string FloatLiteral(double value) {
  const float v = static_cast<float>(value);
  if (std::isnan(v)) return "bits_to_float(0x7fc00000)";
  if (std::isinf(v)) return v > 0 ? "bits_to_float(0x7f800000)" : "(-bits_to_float(0x7f800000))";
  char text[40];
  std::snprintf(text, sizeof(text), "%.9g", static_cast<double>(v));
  std::string s = text;
  if (s.find_first_of(".e") == std::string::npos) s += ".0";
  s += "f";
  return std::signbit(v) ? absl::StrCat("(", s, ")") : s;
}

std::string IntLiteral(int64_t v, bool wide) {
  if (v == INT64_MIN) return "(-9223372036854775807LL - 1)";
  if (v == INT32_MIN && !wide) return "(-2147483647 - 1)";
  const std::string s = absl::StrCat(v, wide ? "LL" : "");
  return v < 0 ? absl::StrCat("(", s, ")") : s;
}

// The C function of an operator on float32; null for those that are written otherwise.
const char* FunctionOf(Op op) {
  switch (op) {
    case Op::kAbs: return "fabsf";
    case Op::kSign: return "sign_of<float>";
    case Op::kFloor: return "floorf";
    case Op::kCeil: return "ceilf";
    case Op::kTrunc: return "truncf";
    case Op::kRound: return "roundf";
    case Op::kRoundEven: return "rintf";
    case Op::kRoundTf32: return "round_tf32";
    case Op::kSqrt: return "sqrtf";
    case Op::kRsqrt: return "reciprocal_sqrt";
    case Op::kExp: return "expf";
    case Op::kExpm1: return "expm1f";
    case Op::kLog: return "logf";
    case Op::kLog1p: return "log1pf";
    case Op::kSin: return "sinf";
    case Op::kCos: return "cosf";
    case Op::kTan: return "tanf";
    case Op::kAsin: return "asinf";
    case Op::kAcos: return "acosf";
    case Op::kAtan: return "atanf";
    case Op::kSinh: return "sinhf";
    case Op::kCosh: return "coshf";
    case Op::kTanh: return "tanhf";
    case Op::kAsinh: return "asinhf";
    case Op::kAcosh: return "acoshf";
    case Op::kAtanh: return "atanhf";
    case Op::kErf: return "erff";
    case Op::kErfc: return "erfcf";
    case Op::kErfInv: return "erfinvf";
    case Op::kErfcInv: return "erfcinvf";
    case Op::kSigmoid: return "sigmoid";
    case Op::kMod: return "fmodf";
    case Op::kPow: return "powf";
    case Op::kAtan2: return "atan2f";
    default: return nullptr;
  }
}

const char* InfixOf(Op op) {
  switch (op) {
    case Op::kAdd: return " + ";
    case Op::kSub: return " - ";
    case Op::kMul: return " * ";
    case Op::kDiv: return " / ";
    case Op::kMod: return " % ";
    case Op::kAnd: return " & ";
    case Op::kOr: return " | ";
    case Op::kXor: return " ^ ";
    case Op::kShl: return " << ";
    case Op::kShr: return " >> ";
    case Op::kLt: return " < ";
    case Op::kLe: return " <= ";
    case Op::kEq: return " == ";
    case Op::kNe: return " != ";
    default: return nullptr;
  }
}

bool IsCompare(Op op) { return op >= Op::kLt && op <= Op::kNe; }


}  // namespace

std::optional<Range> KernelPrinter::Bounds(const Expr& e) {
  const auto [it, is_new] = bounds_.emplace(e.get(), std::nullopt);
  if (is_new) {
    const std::optional<Range> r = kernel::BoundsOf(e, ranges_);
    bounds_[e.get()] = r;
    return r;
  }
  return it->second;
}

bool KernelPrinter::Narrow(const Expr& e) {
  if (e->op == Op::kVar) return wide_.count(e->var.get()) == 0;
  return FitsInt32(Bounds(e));
}

bool KernelPrinter::NonNegative(const Expr& e) {
  const std::optional<Range> r = Bounds(e);
  return r && r->lo >= 0;
}

bool KernelPrinter::Aligned(const Expr& index, int elements) {
  const kernel::Linear l = kernel::LinearOf(index);
  if (l.constant % elements != 0) return false;
  for (const auto& [term, k] : l.terms) {
    if (k % elements != 0) return false;
  }
  return true;
}

std::string KernelPrinter::TypeOf(const Expr& e) {
  if (e->type.scalar == ScalarType::kInt64) return IsInt64(e) && Narrow(e) ? "int" : "long long";
  return TypeName(e->type.scalar);
}

std::string KernelPrinter::Scalar(const Expr& e) {
  const Text t = Print(e)[0];
  return Operand(t.text, t.atom);
}

std::string KernelPrinter::Full(const Expr& e) { return Print(e)[0].text; }

const KernelPrinter::Lanes& KernelPrinter::Print(const Expr& e) {
  if (e->op == Op::kVar) return vars_.at(e->var.get());
  const auto it = memo_.find(e.get());
  if (it != memo_.end()) return it->second;
  Lanes lanes = PrintNode(e);
  // What is used again gets a name.
  if (uses_[e.get()] > 1 && !e->args.empty() && e->op != Op::kBroadcast && e->op != Op::kSlice &&
      e->op != Op::kShuffle && e->op != Op::kConcat) {
    for (Text& t : lanes) {
      if (t.atom && t.text.find_first_of("([. ") == std::string::npos) continue;
      const std::string name = Identifier("s");
      Line(absl::StrCat("const ", TypeOf(e), " ", name, " = ", t.text, ";"));
      t = {name, true};
    }
  }
  return memo_.emplace(e.get(), std::move(lanes)).first->second;
}

std::string KernelPrinter::IndexLane(const Expr& index, int lane) {
  if (index->type.lanes > 1) return Print(index)[lane].text;
  if (lane == 0) return Full(index);
  alive_.push_back(index + lane);
  return Full(alive_.back());
}

KernelPrinter::Lanes KernelPrinter::PrintLoad(const Expr& e) {
  const int lanes = e->type.lanes;
  const std::string name = NameOf(e->buffer);
  Lanes result;
  if (e->buffer->kind == kernel::BufferKind::kRegister) {
    const int64_t first = e->args[0]->int_value * lanes;
    for (int l = 0; l < lanes; ++l) result.push_back({absl::StrCat(name, "[", first + l, "]"), true});
    return result;
  }
  const Expr& index = e->args[0];
  const bool memory = e->buffer->kind == kernel::BufferKind::kArgument || e->buffer->kind == kernel::BufferKind::kShared;
  if (memory && lanes % 4 == 0 && e->args.size() == 1 && index->type.lanes == 1 &&
      e->type.scalar == ScalarType::kFloat32 && e->buffer->alignment % 16 == 0 && Aligned(index, 4)) {
    for (int l = 0; l < lanes; l += 4) {
      const char* load = e->buffer->kind == kernel::BufferKind::kShared ? "load_shared4" : "load4";
      const Lanes four = Four(ScalarType::kFloat32, "v", absl::StrCat(load, "(", name, ", ", IndexLane(index, l), ")"));
      result.insert(result.end(), four.begin(), four.end());
    }
    return result;
  }
  const int bytes = e->args.size() == 1 ? BytesAtATime(e->buffer, index, lanes) : 0;
  if (bytes > 0) return LoadWords(e, bytes);
  const bool is_bool = e->type.scalar == ScalarType::kBool;
  for (int l = 0; l < lanes; ++l) {
    Text t = {absl::StrCat(name, "[", IndexLane(index, l), "]", is_bool ? " != 0" : ""), !is_bool};
    if (e->args.size() > 1) {
      const Text& mask = Print(e->args[1])[l];
      t = {absl::StrCat(Operand(mask.text, mask.atom), " ? ", t.text, " : ", is_bool ? "false" : "0"), false};
    }
    result.push_back(t);
  }
  return result;
}

KernelPrinter::Lanes KernelPrinter::PrintNode(const Expr& e) {
  const int lanes = e->type.lanes;
  Lanes result;
  switch (e->op) {
    case Op::kInt:
      if (e->type.scalar == ScalarType::kBool) return {{e->int_value ? "true" : "false", true}};
      return {{IntLiteral(e->int_value, IsInt64(e) && !Narrow(e)), true}};
    case Op::kFloat: return {{FloatLiteral(e->float_value), true}};
    case Op::kArchitecture: return {{"ARCHITECTURE", true}};
    case Op::kLoad: return PrintLoad(e);
    case Op::kBroadcast: return Lanes(lanes, Print(e->args[0])[0]);
    case Op::kRamp: {
      const Text base = Print(e->args[0])[0];
      for (int l = 0; l < lanes; ++l) {
        const std::string x = Operand(base.text, base.atom);
        // Wide: the bounds of vectors are not followed.
        result.push_back({absl::StrCat("(long long)", x, " + ", e->int_value * l), false});
      }
      return result;
    }
    case Op::kSlice: {
      const Lanes& from = Print(e->args[0]);
      return Lanes(from.begin() + e->int_value, from.begin() + e->int_value + lanes);
    }
    case Op::kConcat: {
      result = Print(e->args[0]);
      const Lanes& second = Print(e->args[1]);
      result.insert(result.end(), second.begin(), second.end());
      return result;
    }
    case Op::kShuffle: {
      const Lanes& from = Print(e->args[0]);
      for (int l : e->shuffle) result.push_back(from[l]);
      return result;
    }
    case Op::kReduceAdd:
    case Op::kReduceMax:
    case Op::kReduceMin: {
      Lanes from = Print(e->args[0]);
      const Op op = e->op == Op::kReduceAdd ? Op::kAdd : e->op == Op::kReduceMax ? Op::kMax : Op::kMin;
      const kernel::Var lane = kernel::MakeVar("lane", e->type);
      const Expr pair = Binary(op, Use(lane), Use(lane));  // for its types
      if (e->type.scalar == ScalarType::kInt64) wide_.insert(lane.get());
      alive_.push_back(pair);
      for (size_t size = from.size(); size > 1; size = (size + 1) / 2) {
        const size_t half = (size + 1) / 2;
        for (size_t i = half; i < size; ++i) from[i - half] = PrintBinary(pair, from[i - half], from[i]);
      }
      return {from[0]};
    }
    case Op::kWarpXor:
      return {{absl::StrCat("warp_xor(", Full(e->args[0]), ", ", e->int_value, ")"), true}};
    case Op::kMma: return PrintMma(e);
    case Op::kLoadMatrices: return PrintLoadMatrices(e);
    case Op::kDot2:
    case Op::kDot4: return PrintDot(e);
    default: break;
  }
  std::vector<Lanes> args;
  for (const Expr& a : e->args) args.push_back(Print(a));
  for (int l = 0; l < lanes; ++l) {
    auto arg = [&](int i) { return args[i][args[i].size() == 1 ? 0 : l]; };
    auto operand = [&](int i) { return Operand(arg(i).text, arg(i).atom); };
    switch (e->op) {
      case Op::kCast:
        result.push_back(PrintCast(e, arg(0)));
        break;
      case Op::kBitcast: {
        const ScalarType from = e->args[0]->type.scalar, to = e->type.scalar;
        if (to == ScalarType::kFloat32) result.push_back({absl::StrCat("bits_to_float(", arg(0).text, ")"), true});
        else if (from == ScalarType::kFloat32) result.push_back({absl::StrCat("float_to_bits(", arg(0).text, ")"), true});
        else result.push_back({absl::StrCat("(", TypeName(to), ")", operand(0)), false});
        break;
      }
      case Op::kFma:
        result.push_back({absl::StrCat("fmaf(", arg(0).text, ", ", arg(1).text, ", ", arg(2).text, ")"), true});
        break;
      case Op::kSelect:
        result.push_back({absl::StrCat(operand(0), " ? ", operand(1), " : ", operand(2)), false});
        break;
      default:
        result.push_back(e->args.size() == 1 ? PrintUnary(*e, arg(0)) : PrintBinary(e, arg(0), arg(1)));
    }
  }
  return result;
}

KernelPrinter::Text KernelPrinter::PrintUnary(const ExprNode& e, const Text& x) {
  const ScalarType s = e.args[0]->type.scalar;
  const std::string operand = Operand(x.text, x.atom);
  if (e.op == Op::kIsNan) return {absl::StrCat(operand, " != ", operand), false};
  if (e.op == Op::kIsInf) return {absl::StrCat("fabsf(", x.text, ") == bits_to_float(0x7f800000)"), false};
  if (s == ScalarType::kBool) return {absl::StrCat("!", operand), false};
  if (s == ScalarType::kFloat32) {
    if (e.op == Op::kNeg) return {absl::StrCat("-", operand), false};
    return {absl::StrCat(FunctionOf(e.op), "(", x.text, ")"), true};
  }
  // Integers; 32 bits wrap, narrower ones by the cast.
  const char* type = s == ScalarType::kInt64 ? "long long" : TypeName(s);
  switch (e.op) {
    case Op::kNeg:
      if (s == ScalarType::kInt32) return {absl::StrCat("wrap_sub(0, ", x.text, ")"), true};
      return {absl::StrCat("(", type, ")(-", operand, ")"), false};
    case Op::kNot: return {absl::StrCat("(", type, ")(~", operand, ")"), false};
    case Op::kAbs: {
      if (!IsSigned(s)) return x;
      if (s == ScalarType::kInt32) return {absl::StrCat("(", operand, " < 0 ? wrap_sub(0, ", x.text, ") : ", operand, ")"), true};
      return {absl::StrCat("abs_of<", type, ">(", x.text, ")"), true};
    }
    case Op::kSign: return {absl::StrCat("sign_of<", type, ">(", x.text, ")"), true};
    default: return x;  // rounding
  }
}

KernelPrinter::Text KernelPrinter::PrintBinary(const Expr& e, const Text& a, const Text& b) {
  const ScalarType s = e->args[0]->type.scalar;
  const std::string x = Operand(a.text, a.atom), y = Operand(b.text, b.atom);
  const char* infix = InfixOf(e->op);
  auto call = [&](absl::string_view f) { return Text{absl::StrCat(f, "(", a.text, ", ", b.text, ")"), true}; };
  auto plain = [&] { return Text{absl::StrCat(x, infix, y), false}; };
  if (IsCompare(e->op)) {
    if (s == ScalarType::kBool && e->op == Op::kLt) return {absl::StrCat("!", x, " && ", y), false};
    if (s == ScalarType::kBool && e->op == Op::kLe) return {absl::StrCat("!", x, " || ", y), false};
    return plain();  // C++ widens the narrower side
  }
  if (s == ScalarType::kBool) {
    if (e->op == Op::kAnd) return {absl::StrCat(x, " && ", y), false};
    if (e->op == Op::kOr) return {absl::StrCat(x, " || ", y), false};
    return {absl::StrCat(x, " != ", y), false};  // kXor
  }
  if (s == ScalarType::kFloat32) {
    if (e->op == Op::kMin) return call("min_of<float>");
    if (e->op == Op::kMax) return call("max_of<float>");
    return FunctionOf(e->op) != nullptr ? call(FunctionOf(e->op)) : plain();
  }
  if (s == ScalarType::kInt64) {
    const bool scalar = e->type.lanes == 1;
    const bool narrow = scalar && Narrow(e);
    const bool wide_args = !scalar || !Narrow(e->args[0]) || !Narrow(e->args[1]);
    const bool shift = e->op == Op::kShl || e->op == Op::kShr;
    const bool wide = wide_args || !narrow || shift;
    // One wide operand makes the other one wide.
    const std::string wide_x = wide ? absl::StrCat("(long long)", x) : x;
    std::string text;
    bool atom = false;
    switch (e->op) {
      case Op::kMin:
      case Op::kMax:
        text = absl::StrCat(e->op == Op::kMin ? "min_of<" : "max_of<", wide ? "long long>(" : "int>(", a.text, ", ", b.text, ")");
        atom = true;
        break;
      case Op::kFloorDiv:
      case Op::kFloorMod: {
        const bool divide = e->op == Op::kFloorDiv;
        if (scalar && NonNegative(e->args[0]) && NonNegative(e->args[1])) {
          text = absl::StrCat(wide_x, divide ? " / " : " % ", y);
        } else {
          text = absl::StrCat(divide ? "floor_div<" : "floor_mod<", wide ? "long long>(" : "int>(", a.text, ", ", b.text, ")");
          atom = true;
        }
        break;
      }
      default: text = absl::StrCat(wide_x, infix, y);
    }
    if (wide && narrow) return {absl::StrCat("(int)", Operand(text, atom)), false};
    return {text, atom};
  }
  const char* type = TypeName(s);
  auto cut = [&](const std::string& text) { return Text{absl::StrCat("(", type, ")(", text, ")"), false}; };
  switch (e->op) {
    case Op::kAdd: return s == ScalarType::kInt32 ? call("wrap_add") : cut(plain().text);
    case Op::kSub: return s == ScalarType::kInt32 ? call("wrap_sub") : cut(plain().text);
    case Op::kMul: return s == ScalarType::kInt32 ? call("wrap_mul") : cut(plain().text);
    case Op::kShl: return s == ScalarType::kInt32 ? call("wrap_shl") : cut(plain().text);
    case Op::kMin: return call(absl::StrCat("min_of<", type, ">"));
    case Op::kMax: return call(absl::StrCat("max_of<", type, ">"));
    case Op::kFloorDiv: return call(absl::StrCat("floor_div<", type, ">"));
    case Op::kFloorMod: return call(absl::StrCat("floor_mod<", type, ">"));
    default: return s == ScalarType::kInt32 ? plain() : cut(plain().text);
  }
}

KernelPrinter::Text KernelPrinter::PrintCast(const Expr& e, const Text& x) {
  const ScalarType from = e->args[0]->type.scalar, to = e->type.scalar;
  const std::string operand = Operand(x.text, x.atom);
  auto call = [&](const char* f, const std::string& arg) { return Text{absl::StrCat(f, "(", arg, ")"), true}; };
  std::string as_float = x.text;  // where either side is a float
  bool as_float_atom = x.atom;
  if (from == ScalarType::kFloat16) as_float = absl::StrCat("half_to_float(", x.text, ")"), as_float_atom = true;
  else if (from == ScalarType::kBFloat16) as_float = absl::StrCat("bfloat16_to_float(", x.text, ")"), as_float_atom = true;
  else if (from != ScalarType::kFloat32) as_float = absl::StrCat("(float)", operand), as_float_atom = false;
  switch (to) {
    case ScalarType::kFloat32: return {as_float, as_float_atom};
    case ScalarType::kFloat16: return call("float_to_half", as_float);
    case ScalarType::kBFloat16: return call("float_to_bfloat16", as_float);
    case ScalarType::kBool:
      if (IsFloat(from)) return {absl::StrCat(Operand(as_float, as_float_atom), " != 0.0f"), false};
      return {absl::StrCat(operand, " != 0"), false};
    default: break;
  }
  if (IsFloat(from)) {
    switch (to) {
      case ScalarType::kInt8: return call("to_i8", as_float);
      case ScalarType::kUint8: return call("to_u8", as_float);
      case ScalarType::kInt16: return call("to_i16", as_float);
      case ScalarType::kUint16: return call("to_u16", as_float);
      case ScalarType::kInt32: return call("to_i32", as_float);
      default: return call("to_i64", as_float);
    }
  }
  return {absl::StrCat("(", to == ScalarType::kInt64 ? TypeOf(e) : TypeName(to), ")", operand), false};
}

}  // namespace mgec::codegen::cuda
