// Pointwise operators with broadcasting: MegEngine's Elemwise modes (lower case), comparisons with bool results, PowC,
// where.
#include <algorithm>
#include <cmath>

#include "compiler/ops/common.h"

namespace mgec::ops {
namespace {

using kernel::Binary;
using kernel::Float;
using kernel::Max;
using kernel::Min;
using kernel::Select;
using kernel::Unary;

using Args = std::vector<Expr>;

Expr Zero(const Expr& like) {
  return like->type.scalar == Scalar::kFloat32 ? Float(0) : kernel::Int(0, like->type);
}
Expr Const(const Expr& like, double v) {
  return like->type.scalar == Scalar::kFloat32 ? Float(v) : kernel::Int(static_cast<int64_t>(v), like->type);
}
bool IsF(const Expr& e) { return e->type.scalar == Scalar::kFloat32; }

Expr Relu(Expr x) { return Max(x, Zero(x)); }
Expr Clip(Expr x, double lo, double hi) { return Min(Max(x, Const(x, lo)), Const(x, hi)); }
Expr Sigmoid(Expr x) { return Unary(Op::kSigmoid, x); }
Expr Silu(const Expr& x) { return x * Sigmoid(x); }
Expr HSwish(Expr x) { return x * Clip(x + Float(3), 0, 6) * Float(1.0 / 6.0); }
Expr Log1pExpNegAbs(Expr x) { return Unary(Op::kLog1p, Unary(Op::kExp, Unary(Op::kNeg, Unary(Op::kAbs, x)))); }
// A comparison's 0 or 1 in the operands' own type.
Expr AsOperand(Expr cond, const Expr& like) { return Select(cond, Const(like, 1), Zero(like)); }

// (x * y + 2^(l-1)) >> l for integers of l bits, without the sign; INT_MIN squared gives INT_MAX.
Expr RoundingMulHigh(Expr x, Expr y) {
  const kernel::Type wide(Scalar::kInt64);
  const int bits = SizeOf(x->type.scalar) * 8 - (IsSigned(x->type.scalar) ? 1 : 0);
  Expr p = kernel::Cast(wide, x) * kernel::Cast(wide, y);
  p = Binary(Op::kShr, p + kernel::Int(int64_t{1} << (bits - 1)), kernel::Int(bits));
  return kernel::Cast(x->type, Min(p, kernel::Int((int64_t{1} << bits) - 1)));
}

// Division of integers, rounded down. The CPU stops the program for a divisor of 0 and for INT_MIN / -1: here the first
// gives 0, the second wraps.
Expr IsTrap(const Expr& y) {
  const Expr zero = Binary(Op::kEq, y, Zero(y));
  return IsSigned(y->type.scalar) ? Or(zero, Binary(Op::kEq, y, Const(y, -1))) : zero;
}
Expr IntegerQuotient(const Expr& x, const Expr& y) {
  const Expr quotient = kernel::FloorDiv(x, Select(IsTrap(y), Const(y, 1), y));
  const Expr otherwise = IsSigned(y->type.scalar) ? (Zero(x) - x) * (Zero(y) - y) : Zero(x);  // y is 0 or -1
  return Select(IsTrap(y), otherwise, quotient);
}
Expr IntegerRest(const Expr& x, const Expr& y) {
  return Select(IsTrap(y), Zero(x), kernel::FloorMod(x, Select(IsTrap(y), Const(y, 1), y)));
}

Expr LogSumExp(Expr x, Expr y) {
  Expr d = x - y;
  return Max(x, y) + Log1pExpNegAbs(d);
}

struct Mode {
  const char* name;
  int arity;
  Expr (*f)(const Args& a);
};

// float operands arrive as float32 whatever they are stored as.
const Mode kModes[] = {
    {"relu", 1, [](const Args& a) { return Relu(a[0]); }},
    {"abs", 1, [](const Args& a) { return Unary(Op::kAbs, a[0]); }},
    {"acos", 1, [](const Args& a) { return Unary(Op::kAcos, a[0]); }},
    {"asin", 1, [](const Args& a) { return Unary(Op::kAsin, a[0]); }},
    {"ceil", 1, [](const Args& a) { return Unary(Op::kCeil, a[0]); }},
    {"cos", 1, [](const Args& a) { return Unary(Op::kCos, a[0]); }},
    {"exp", 1, [](const Args& a) { return Unary(Op::kExp, a[0]); }},
    {"expm1", 1, [](const Args& a) { return Unary(Op::kExpm1, a[0]); }},
    {"floor", 1, [](const Args& a) { return Unary(Op::kFloor, a[0]); }},
    {"log", 1, [](const Args& a) { return Unary(Op::kLog, a[0]); }},
    {"log1p", 1, [](const Args& a) { return Unary(Op::kLog1p, a[0]); }},
    {"negate", 1, [](const Args& a) { return Unary(Op::kNeg, a[0]); }},
    {"sigmoid", 1, [](const Args& a) { return Sigmoid(a[0]); }},
    {"sin", 1, [](const Args& a) { return Unary(Op::kSin, a[0]); }},
    {"tan", 1, [](const Args& a) { return Unary(Op::kTan, a[0]); }},
    {"tanh", 1, [](const Args& a) { return Unary(Op::kTanh, a[0]); }},
    {"sinh", 1, [](const Args& a) { return Unary(Op::kSinh, a[0]); }},
    {"cosh", 1, [](const Args& a) { return Unary(Op::kCosh, a[0]); }},
    {"asinh", 1, [](const Args& a) { return Unary(Op::kAsinh, a[0]); }},
    {"acosh", 1, [](const Args& a) { return Unary(Op::kAcosh, a[0]); }},
    {"atanh", 1, [](const Args& a) { return Unary(Op::kAtanh, a[0]); }},
    {"fast_tanh", 1,
     [](const Args& a) {
       Expr x2 = a[0] * a[0];
       return a[0] * (x2 + Float(27)) / (x2 * Float(9) + Float(27));
     }},
    {"round", 1, [](const Args& a) { return Unary(Op::kRound, a[0]); }},
    {"erf", 1, [](const Args& a) { return Unary(Op::kErf, a[0]); }},
    {"erfc", 1, [](const Args& a) { return Unary(Op::kErfc, a[0]); }},
    {"erfinv", 1, [](const Args& a) { return Unary(Op::kErfInv, a[0]); }},
    {"erfcinv", 1, [](const Args& a) { return Unary(Op::kErfcInv, a[0]); }},
    {"h_swish", 1, [](const Args& a) { return HSwish(a[0]); }},
    {"hsigmoid", 1, [](const Args& a) { return Clip(a[0] + Float(3), 0, 6) * Float(1.0 / 6.0); }},
    {"silu", 1, [](const Args& a) { return Silu(a[0]); }},
    // Of -x ln 2: passes/fold_log2_e.cc. Code generators know this constant (codegen/llvm/emit_expr.cc).
    {"sigmoid_exp2", 1, [](const Args& a) { return Sigmoid(a[0] * Float(-M_LN2)); }},
    {"silu_exp2", 1, [](const Args& a) { return Silu(a[0] * Float(-M_LN2)); }},
    {"gelu", 1,
     [](const Args& a) {
       return a[0] * Float(0.5) * (Unary(Op::kErf, a[0] * Float(std::sqrt(0.5))) + Float(1));
     }},
    {"relu6", 1, [](const Args& a) { return Clip(a[0], 0, 6); }},
    {"softplus", 1, [](const Args& a) { return Log1pExpNegAbs(a[0]) + Relu(a[0]); }},
    {"logsigmoid", 1, [](const Args& a) { return Min(a[0], Zero(a[0])) - Log1pExpNegAbs(a[0]); }},
    {"sqrt", 1, [](const Args& a) { return Unary(Op::kSqrt, a[0]); }},
    {"square", 1, [](const Args& a) { return a[0] * a[0]; }},
    {"sign", 1, [](const Args& a) { return Unary(Op::kSign, a[0]); }},
    {"not", 1, [](const Args& a) { return Unary(Op::kNot, a[0]); }},
    {"identity", 1, [](const Args& a) { return a[0]; }},
    {"add", 2, [](const Args& a) { return a[0] + a[1]; }},
    {"sub", 2, [](const Args& a) { return a[0] - a[1]; }},
    {"mul", 2, [](const Args& a) { return a[0] * a[1]; }},
    {"true_div", 2, [](const Args& a) { return a[0] / a[1]; }},
    {"floor_div", 2,
     [](const Args& a) { return IsF(a[0]) ? Unary(Op::kFloor, a[0] / a[1]) : IntegerQuotient(a[0], a[1]); }},
    {"mod", 2, [](const Args& a) { return IsF(a[0]) ? Binary(Op::kMod, a[0], a[1]) : IntegerRest(a[0], a[1]); }},
    // As MegEngine's own loops, where an operand is NaN: MAX gives the first operand, MIN the second.
    {"max", 2, [](const Args& a) { return Max(a[1], a[0]); }},
    {"min", 2, [](const Args& a) { return Min(a[0], a[1]); }},
    {"pow", 2, [](const Args& a) { return Binary(Op::kPow, a[0], a[1]); }},
    {"atan2", 2, [](const Args& a) { return Binary(Op::kAtan2, a[0], a[1]); }},
    {"log_sum_exp", 2, [](const Args& a) { return LogSumExp(a[0], a[1]); }},
    {"lt", 2, [](const Args& a) { return AsOperand(a[0] < a[1], a[0]); }},
    {"leq", 2, [](const Args& a) { return AsOperand(a[0] <= a[1], a[0]); }},
    {"eq", 2, [](const Args& a) { return AsOperand(Binary(Op::kEq, a[0], a[1]), a[0]); }},
    {"neq", 2, [](const Args& a) { return AsOperand(Binary(Op::kNe, a[0], a[1]), a[0]); }},
    {"and", 2, [](const Args& a) { return kernel::And(a[0], a[1]); }},
    {"or", 2, [](const Args& a) { return kernel::Or(a[0], a[1]); }},
    {"xor", 2, [](const Args& a) { return Binary(Op::kXor, a[0], a[1]); }},
    {"shl", 2, [](const Args& a) { return Binary(Op::kShl, a[0], a[1]); }},
    {"shr", 2, [](const Args& a) { return Binary(Op::kShr, a[0], a[1]); }},
    {"rmulh", 2, [](const Args& a) { return RoundingMulHigh(a[0], a[1]); }},
    {"switch_gt0", 2, [](const Args& a) { return Select(a[0] > Zero(a[0]), a[1], Zero(a[0])); }},
    {"prelu", 2, [](const Args& a) { return Select(a[0] > Zero(a[0]), a[0], a[0] * a[1]); }},
    {"fuse_add_relu", 2, [](const Args& a) { return Relu(a[0] + a[1]); }},
    {"fuse_add_sigmoid", 2, [](const Args& a) { return Sigmoid(a[0] + a[1]); }},
    {"fuse_add_tanh", 2, [](const Args& a) { return Unary(Op::kTanh, a[0] + a[1]); }},
    {"fuse_add_h_swish", 2, [](const Args& a) { return HSwish(a[0] + a[1]); }},
    {"abs_grad", 2, [](const Args& a) { return Select(a[0] > Zero(a[0]), a[1], Unary(Op::kNeg, a[1])); }},
    {"sigmoid_grad", 2, [](const Args& a) { return a[0] * (Const(a[0], 1) - a[0]) * a[1]; }},
    {"tanh_grad", 2, [](const Args& a) { return (Const(a[0], 1) - a[0] * a[0]) * a[1]; }},
    // Derivatives at a[0], times a[1].
    {"asinh_grad", 2, [](const Args& a) { return a[1] / Unary(Op::kSqrt, a[0] * a[0] + Float(1)); }},
    {"acosh_grad", 2, [](const Args& a) { return a[1] / Unary(Op::kSqrt, a[0] * a[0] - Float(1)); }},
    {"atanh_grad", 2, [](const Args& a) { return a[1] / (Float(1) - a[0] * a[0]); }},
    {"fast_tanh_grad", 2,
     [](const Args& a) {
       Expr x2 = a[0] * a[0], below = x2 * Float(9) + Float(27);
       return (x2 * Float(3) + Float(27) - x2 * Float(18) * (x2 + Float(27)) / below) / below * a[1];
     }},
    {"gelu_grad", 2,
     [](const Args& a) {
       Expr distribution = Float(0.5) * (Unary(Op::kErf, a[0] * Float(std::sqrt(0.5))) + Float(1));
       Expr density = Float(1 / std::sqrt(2 * M_PI)) * Unary(Op::kExp, Float(-0.5) * a[0] * a[0]);
       return a[1] * (distribution + a[0] * density);
     }},
    {"h_swish_grad", 2,
     [](const Args& a) {
       Expr inside = (Float(2) * a[0] + Float(3)) * Float(1.0 / 6.0);
       return Select(a[0] < Float(-3), Float(0), Select(a[0] > Float(3), a[1], inside * a[1]));
     }},
    {"hsigmoid_grad", 2,
     [](const Args& a) {
       return Select(And(Float(-3) < a[0], a[0] < Float(3)), a[1] * Float(1.0 / 6.0), Float(0));
     }},
    {"relu6_grad", 2,
     [](const Args& a) { return Select(And(Zero(a[0]) < a[0], a[0] < Const(a[0], 6)), a[1], Zero(a[0])); }},
    {"silu_grad", 2,
     [](const Args& a) {
       Expr s = Sigmoid(a[0]);
       return a[1] * s * (Float(1) + a[0] * (Float(1) - s));
     }},
    {"softplus_grad", 2, [](const Args& a) { return a[1] * Sigmoid(a[0]); }},
    {"prelu_grad", 3, [](const Args& a) { return Select(a[0] >= Zero(a[0]), a[1], a[1] * a[2]); }},
    {"cond_leq_mov", 3, [](const Args& a) { return Select(a[0] <= a[1], a[2], Zero(a[2])); }},
    {"cond_lt_mov", 3, [](const Args& a) { return Select(a[0] < a[1], a[2], Zero(a[2])); }},
    {"fuse_mul_add3", 3, [](const Args& a) { return a[0] * a[1] + a[2]; }},
    {"clip", 3, [](const Args& a) { return Select(a[0] <= a[1], a[1], Select(a[0] <= a[2], a[0], a[2])); }},
    {"fuse_mul_add4", 4, [](const Args& a) { return a[0] * a[1] + a[2] * a[3]; }},
};

absl::StatusOr<Shape> BroadcastAll(const OpContext& c) {
  Shape shape = c.inputs[0].shape;
  for (size_t i = 1; i < c.inputs.size(); ++i) {
    ASSIGN_OR_RETURN(shape, graph::BroadcastShapes(shape, c.inputs[i].shape));
  }
  return shape;
}

// Modes that have a meaning for integers, for bool, for floats.
bool TakesIntegers(absl::string_view name) {
  static const char* const kFloatOnly[] = {
      "acos", "asin", "ceil", "cos", "exp", "expm1", "floor", "log", "log1p", "sigmoid", "sin", "tan", "tanh", "sinh",
      "cosh", "asinh", "acosh", "atanh", "fast_tanh", "round", "erf", "erfc", "erfinv", "erfcinv", "h_swish", "hsigmoid",
      "sigmoid_exp2", "silu", "silu_exp2", "gelu", "softplus", "logsigmoid", "sqrt", "true_div", "pow", "atan2", "log_sum_exp", "fuse_add_sigmoid",
      "fuse_add_tanh", "fuse_add_h_swish", "asinh_grad", "acosh_grad", "atanh_grad",
      "fast_tanh_grad", "gelu_grad", "h_swish_grad", "hsigmoid_grad", "silu_grad", "softplus_grad"};
  return std::none_of(std::begin(kFloatOnly), std::end(kFloatOnly), [&](const char* n) { return name == n; });
}

bool TakesBools(absl::string_view name) {
  static const char* const kLogical[] = {"not", "and", "or", "xor", "lt", "leq", "eq", "neq", "identity"};
  return std::any_of(std::begin(kLogical), std::end(kLogical), [&](const char* n) { return name == n; });
}

bool TakesFloats(absl::string_view name) {
  return name != "not" && name != "and" && name != "or" && name != "xor" && name != "shl" && name != "shr" &&
         name != "rmulh";
}

Types InferPointwise(const OpContext& c, const Mode& mode) {
  for (const TensorType& t : c.inputs) {
    if (t.dtype != c.inputs[0].dtype) {
      return absl::InvalidArgumentError(absl::StrCat("operands have different dtypes: ", ToString(c.inputs[0].dtype),
                                                     " and ", ToString(t.dtype)));
    }
  }
  const DType& d = c.inputs[0].dtype;
  // Numbers of one scale add and compare like the integers that stand for them; with a zero point they only compare.
  if (IsQuantized(d)) {
    static const char* const kLinear[] = {"identity", "max", "min", "relu", "add", "sub", "negate", "abs"};
    const size_t count = d.zero_point == 0 ? std::size(kLinear) : 3;
    if (std::none_of(kLinear, kLinear + count, [&](const char* n) { return absl::string_view(mode.name) == n; })) {
      return absl::InvalidArgumentError("does not take quantized operands");
    }
  }
  const bool takes = IsFloating(d)                     ? TakesFloats(mode.name)
                     : d.kind == DTypeKind::kBool ? TakesBools(mode.name)
                                                       : TakesIntegers(mode.name);
  if (!takes) {
    return absl::InvalidArgumentError(absl::StrCat("does not take operands of dtype ", ToString(d)));
  }
  ASSIGN_OR_RETURN(Shape shape, BroadcastAll(c));
  return std::vector<TensorType>{{d, shape}};
}

// One stage that applies f to the broadcast operands, floats widened to float32.
Definition DefinePointwise(const OpContext& c, Scalar result, const std::function<Expr(const Args&)>& f) {
  Definition d = DefinitionFor(c);
  const Shape shape = BroadcastAll(c).value();
  d.AddStage(shape, result, [&](const Indices& i) {
    Args args;
    for (size_t k = 0; k < c.inputs.size(); ++k) {
      Expr e = d.AtBroadcast(static_cast<int>(k), i);
      args.push_back(IsFloating(c.inputs[k].dtype) ? ToFloat(e) : e);
    }
    return kernel::Cast(kernel::Type(result), f(args));
  });
  return d;
}

[[maybe_unused]] const bool registered = [] {
  for (const Mode& mode : kModes) {
    RegisterOp(mode.name)
        .Inputs(mode.arity)
        .Infer([&mode](const OpContext& c) { return InferPointwise(c, mode); })
        .Define([&mode](const OpContext& c) -> absl::StatusOr<Definition> {
          return DefinePointwise(c, StorageOf(c.inputs[0].dtype), [&](const Args& a) { return mode.f(a); });
        })
        .Pointwise();
  }
  return true;
}();

// --- Comparisons with a bool result. ---
Types InferCompare(const OpContext& c) {
  if (c.inputs.back().dtype != c.inputs[0].dtype) return absl::InvalidArgumentError("operands have different dtypes");
  ASSIGN_OR_RETURN(Shape shape, BroadcastAll(c));
  return std::vector<TensorType>{{DTypeKind::kBool, shape}};
}

Types InferTest(const OpContext& c) {
  RETURN_IF_ERROR(CheckFloat(c.inputs[0], "x"));
  return InferCompare(c);
}

void RegisterCompare(const char* name, Op op, int arity) {
  RegisterOp(name)
      .Inputs(arity)
      .Infer(arity == 1 ? InferTest : InferCompare)
      .Define([op, arity](const OpContext& c) -> absl::StatusOr<Definition> {
        return DefinePointwise(c, Scalar::kBool, [&](const Args& a) {
          return arity == 1 ? Unary(op, a[0]) : Binary(op, a[0], a[1]);
        });
      })
      .Pointwise();
}

[[maybe_unused]] const bool comparisons_registered = [] {
  RegisterCompare("equal", Op::kEq, 2);
  RegisterCompare("not_equal", Op::kNe, 2);
  RegisterCompare("less", Op::kLt, 2);
  RegisterCompare("less_equal", Op::kLe, 2);
  RegisterCompare("is_nan", Op::kIsNan, 1);
  RegisterCompare("is_inf", Op::kIsInf, 1);
  return true;
}();

// --- PowC: x^exp for a constant exponent; integer exponents take negative bases. ---
Types InferPowC(const OpContext& c) {
  RETURN_IF_ERROR(CheckFloat(c.inputs[0], "x"));
  return InferSame(c);
}

Expr IntegerPower(Expr x, int64_t n) {
  Expr result = Float(1);
  for (Expr square = x; n > 0; n >>= 1) {
    if (n & 1) result = result->op == Op::kFloat ? square : result * square;
    if (n > 1) square = square * square;
  }
  return result;
}

absl::StatusOr<Definition> DefinePowC(const OpContext& c) {
  const double exp = c.attributes.Float("exp");
  return DefinePointwise(c, StorageOf(c.inputs[0].dtype), [&](const Args& a) {
    const Expr& x = a[0];
    if (exp == 0.5) return Unary(Op::kSqrt, x);
    if (exp == std::floor(exp) && std::abs(exp) <= 32) {
      Expr p = IntegerPower(x, static_cast<int64_t>(std::abs(exp)));
      return exp < 0 ? Float(1) / p : p;
    }
    if (exp != std::floor(exp)) return Binary(Op::kPow, x, Float(exp));
    Expr p = Binary(Op::kPow, Unary(Op::kAbs, x), Float(exp));
    return std::fmod(exp, 2) == 0 ? p : Select(x < Float(0), Unary(Op::kNeg, p), p);
  });
}

REGISTER_OP(powc).Inputs(1).Infer(InferPowC).Define(DefinePowC).Pointwise();

// --- where(mask, x, y). ---
Types InferWhere(const OpContext& c) {
  if (c.inputs[0].dtype.kind != DTypeKind::kBool) return absl::InvalidArgumentError("the mask must be bool");
  if (c.inputs[1].dtype != c.inputs[2].dtype) return absl::InvalidArgumentError("operands have different dtypes");
  ASSIGN_OR_RETURN(Shape shape, BroadcastAll(c));
  return std::vector<TensorType>{{c.inputs[1].dtype, shape}};
}

absl::StatusOr<Definition> DefineWhere(const OpContext& c) {
  return DefinePointwise(c, StorageOf(c.inputs[1].dtype),
                         [](const Args& a) { return Select(a[0], a[1], a[2]); });
}

REGISTER_OP(where).Inputs(3).Infer(InferWhere).Define(DefineWhere).Pointwise();

}  // namespace
}  // namespace mgec::ops
