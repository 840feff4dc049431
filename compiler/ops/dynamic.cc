// What tensors need whose size depends on values. Their shape here is that of the largest they can be ("padded"); how much
// of it counts stands in int32[1] tensors, the sizes.
//
// nonzero finds elements, mask_tail hides those beyond the size from an operator that would see them, and repack moves
// the elements that count to where another padded shape has them.
#include <limits>

#include "compiler/ops/common.h"
#include "compiler/ops/routine.h"

namespace mgec::ops {
namespace {

using kernel::Cast;
using kernel::Float;
using kernel::FloorDiv;
using kernel::FloorMod;
using kernel::Int;
using kernel::Select;
using kernel::Type;

bool IsSize(const TensorType& t) { return t.dtype.kind == DTypeKind::kInt32 && t.shape == Shape{1}; }

// --- nonzero(mask: bool[N]): the indices of the elements that are true, in order, int32[N] with zeros at the end; and how
// many there are, int32[1] ---
Types InferNonzero(const OpContext& c) {
  RETURN_IF_ERROR(CheckRank(c.inputs[0], 1, "the mask"));
  if (c.inputs[0].dtype.kind != DTypeKind::kBool) return absl::InvalidArgumentError("the mask must be bool");
  return std::vector<TensorType>{{DTypeKind::kInt32, c.inputs[0].shape}, {DTypeKind::kInt32, {1}}};
}

absl::StatusOr<Definition> DefineNonzero(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const int64_t n = c.inputs[0].shape[0];
  const Type i32(Scalar::kInt32);
  const int count = d.AddStage({1}, Scalar::kInt32, [&](const Indices&) {
    return d.Reduce(Combiner::kSum, {n}, [&](const Indices& r) {
      return Select(d.At(0, {r[0]}), Int(1, i32), Int(0, i32));
    });
  });
  // next[n - 1 - i] is the first true element from i on, or n. Two scans, of n steps each, find all of them.
  const int next = d.AddScan({n}, Scalar::kInt32, 0, [&](const Indices& t, int self) {
    const Expr i = Int(n - 1) - t[0];
    const Expr later = d.AtOr(self, {t[0] + int64_t{-1}}, Int(n, i32));
    return Select(d.At(0, {i}), Cast(i32, i), later);
  });
  const int found = d.AddScan({n}, Scalar::kInt32, 0, [&](const Indices& k, int self) {
    const Expr before = d.AtOr(self, {k[0] + int64_t{-1}}, Int(-1, i32));
    const Expr from = Cast(kernel::kIndexType, before) + int64_t{1};
    return d.AtOr(next, {Int(n - 1) - from}, Int(n, i32));
  });
  const int indices = d.AddStage({n}, Scalar::kInt32, [&](const Indices& k) {
    return Select(Cast(i32, k[0]) < d.At(count, {Int(0)}), d.At(found, {k[0]}), Int(0, i32));
  });
  d.SetOutputs({indices, count});
  return d;
}

// One pass: every index is written where the next one goes, and stays there if its element is true.
absl::StatusOr<std::optional<Routine>> NonzeroRoutine(const OpContext& c, int) {
  ASSIGN_OR_RETURN(const std::vector<TensorType> out, InferNonzero(c));
  const int64_t n = c.inputs[0].shape[0];
  if (n == 0) return std::nullopt;
  const Type i32(Scalar::kInt32);
  RoutineBuilder r(c, out);
  r.AddKernel("nonzero", 1, [&](kernel::Block& b, const Expr&) {
    const kernel::Buffer count = kernel::RegisterBuffer("count", Scalar::kInt32, 1, 1);
    b.Set(count, 0, Int(0, i32));
    b.For("i", 0, n, [&](kernel::Block& b, const Expr& i) {  // the count is at most i
      b.Store(r.output(0), Cast(kernel::kIndexType, kernel::Reg(count, 0)), Cast(i32, i));
      const Expr is_true = kernel::Load(r.input(0), i);
      b.Set(count, 0, kernel::Reg(count, 0) + Select(is_true, Int(1, i32), Int(0, i32)));
    });
    b.Store(r.output(1), Int(0), kernel::Reg(count, 0));
    b.For("i", Cast(kernel::kIndexType, kernel::Reg(count, 0)), Int(n), 1,
          [&](kernel::Block& b, const Expr& i) { b.Store(r.output(0), i, Int(0, i32)); });
  });
  return r.Take(4.0 * static_cast<double>(n));
}

REGISTER_OP(nonzero).Inputs(1).Infer(InferNonzero).Define(DefineNonzero).AsRoutine(NonzeroRoutine);

// --- mask_tail(x, size): x with `fill` (zero, one, lowest or highest) from element `size` on along `axis` ---
absl::StatusOr<Expr> FillOf(const std::string& fill, Scalar s) {
  if (fill == "zero") return Cast(Type(s), Int(0));
  if (fill == "one") return Cast(Type(s), Int(1));
  if (fill != "lowest" && fill != "highest") {
    return absl::InvalidArgumentError(absl::StrCat("there is no fill '", fill, "'"));
  }
  const bool low = fill == "lowest";
  const auto pick = [&](int64_t least, int64_t most) { return Int(low ? least : most, Type(s)); };
  switch (s) {
    case Scalar::kInt8: return pick(-128, 127);
    case Scalar::kUint8: return pick(0, 255);
    case Scalar::kInt16: return pick(-32768, 32767);
    case Scalar::kUint16: return pick(0, 65535);
    case Scalar::kInt32: return pick(std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max());
    case Scalar::kBool: return Cast(Type(s), Int(low ? 0 : 1));
    default: break;
  }
  const double infinity = std::numeric_limits<double>::infinity();
  return FromFloat(s, Float(low ? -infinity : infinity));
}

Types InferMaskTail(const OpContext& c) {
  RETURN_IF_ERROR(CheckAxis(c.attributes.Int("axis"), c.inputs[0].shape.size()));
  if (!IsSize(c.inputs[1])) return absl::InvalidArgumentError("the size must be i32[1]");
  RETURN_IF_ERROR(FillOf(c.attributes.String("fill"), StorageOf(c.inputs[0].dtype)).status());
  return InferSame(c);
}

absl::StatusOr<Definition> DefineMaskTail(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const int64_t axis = c.attributes.Int("axis");
  const Scalar s = StorageOf(c.inputs[0].dtype);
  ASSIGN_OR_RETURN(const Expr fill, FillOf(c.attributes.String("fill"), s));
  d.AddStage(c.inputs[0].shape, s, [&](const Indices& i) {
    return Select(Cast(Type(Scalar::kInt32), i[axis]) < d.At(1, {Int(0)}), d.At(0, i), fill);
  });
  return d;
}

REGISTER_OP(mask_tail).Inputs(2).Infer(InferMaskTail).Define(DefineMaskTail);

// --- repack(x, sizes...): the elements of x that count, in row-major order, as a tensor of another shape of as many.
// `from` has the sizes of x, `to` those of the result, -1 where the next of the operands has it; `shape` is the result's
// padded shape. Elements beyond the sizes are some element of x. ---
absl::Status CheckSizes(const std::vector<int64_t>& sizes, const Shape& shape, const char* what, int* dynamic) {
  if (sizes.size() != shape.size()) return absl::InvalidArgumentError(absl::StrCat(what, " has the wrong rank"));
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == -1) ++*dynamic;
    else if (sizes[i] != shape[i]) return absl::InvalidArgumentError(absl::StrCat(what, " does not fit the shape"));
  }
  return absl::OkStatus();
}

Types InferRepack(const OpContext& c) {
  const Shape shape = c.attributes.Ints("shape");
  RETURN_IF_ERROR(CheckSize(shape));
  int dynamic = 0;
  RETURN_IF_ERROR(CheckSizes(c.attributes.Ints("from"), c.inputs[0].shape, "from", &dynamic));
  RETURN_IF_ERROR(CheckSizes(c.attributes.Ints("to"), shape, "to", &dynamic));
  if (static_cast<int>(c.inputs.size()) != 1 + dynamic) {
    return absl::InvalidArgumentError(absl::StrCat("has ", c.inputs.size() - 1, " sizes, needs ", dynamic));
  }
  for (size_t k = 1; k < c.inputs.size(); ++k) {
    if (!IsSize(c.inputs[k])) return absl::InvalidArgumentError("a size must be i32[1]");
  }
  return std::vector<TensorType>{{c.inputs[0].dtype, shape}};
}

absl::StatusOr<Definition> DefineRepack(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const Shape shape = c.attributes.Ints("shape");
  const Scalar s = StorageOf(c.inputs[0].dtype);
  if (graph::NumElements(c.inputs[0].shape) == 0) {
    d.AddStage(shape, s, [&](const Indices&) { return Cast(Type(s), Int(0)); });
    return d;
  }
  int operand = 1;
  const auto extents = [&](const std::vector<int64_t>& sizes) {
    Indices result;
    for (int64_t size : sizes) {
      if (size >= 0) result.push_back(Int(size));
      // What is empty has no elements to divide among.
      else result.push_back(Max(Cast(kernel::kIndexType, d.At(operand++, {Int(0)})), Int(1)));
    }
    return result;
  };
  const Indices from = extents(c.attributes.Ints("from")), to = extents(c.attributes.Ints("to"));
  d.AddStage(shape, s, [&](const Indices& i) {
    Expr flat = Int(0);
    for (size_t k = 0; k < i.size(); ++k) flat = flat * to[k] + i[k];
    Indices index(from.size());
    for (size_t k = from.size(); k-- > 0;) {
      index[k] = k == 0 ? flat : FloorMod(flat, from[k]);
      if (k > 0) flat = FloorDiv(flat, from[k]);
    }
    return d.At(0, index);
  });
  return d;
}

REGISTER_OP(repack).Inputs(1, 15).Infer(InferRepack).Define(DefineRepack);

}  // namespace
}  // namespace mgec::ops
