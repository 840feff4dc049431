// argsort along the last axis: the indices of the first `count` elements in ascending or descending order. Equal elements
// come in the order of their indices, reversed where the order is descending. A second operand, int32[1], says how many
// elements of each row count: those from there on keep their places.
//
// By definition, each element's rank is the number of elements that come before it; the index with rank r is element r of
// the result. Long rows are sorted by their digits to base 256, from the least significant on.
#include "compiler/ops/common.h"
#include "compiler/ops/routine.h"

namespace mgec::ops {
namespace {

using kernel::Cast;
using kernel::Int;
using kernel::Select;
using kernel::Type;

Types InferArgsort(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  if (x.shape.empty()) return absl::InvalidArgumentError("x has no dimension to sort");
  if (c.inputs.size() == 2 && c.inputs[1] != TensorType{DTypeKind::kInt32, {1}}) {
    return absl::InvalidArgumentError("the size must be i32[1]");
  }
  const int64_t count = c.attributes.Int("count");
  if (count < 1 || count > x.shape.back()) {
    return absl::InvalidArgumentError(absl::StrCat("cannot take ", count, " of ", x.shape.back(), " elements"));
  }
  Shape out = x.shape;
  out.back() = count;
  return std::vector<TensorType>{{DTypeKind::kInt32, out}};
}

absl::StatusOr<Definition> DefineArgsort(const OpContext& c) {
  ASSIGN_OR_RETURN(std::vector<TensorType> out, InferArgsort(c));
  Definition d = DefinitionFor(c);
  const TensorType& x = c.inputs[0];
  const bool descending = c.attributes.Int("descending") != 0;
  const int64_t n = x.shape.back();
  const Type i32(Scalar::kInt32);
  auto at = [&](Indices i, const Expr& k) {
    i.back() = k;
    const Expr e = d.At(0, i);
    return IsFloating(x.dtype) ? ToFloat(e) : x.dtype.kind == DTypeKind::kBool ? Cast(i32, e) : e;
  };
  const int rank = d.AddStage(x.shape, Scalar::kInt32, [&](const Indices& i) {
    const Expr own = at(i, i.back());
    const Expr size = c.inputs.size() == 2 ? d.At(1, {Int(0)}) : Int(n, i32);
    const Expr rank = d.Reduce(Combiner::kSum, {n}, [&](const Indices& r) {
      const Expr other = at(i, r[0]);
      const Expr first = descending ? own < other : other < own;
      const Expr index_first = descending ? i.back() < r[0] : r[0] < i.back();
      // NaN compares with nothing: it ranks among equals.
      const Expr tie = And(kernel::Unary(Op::kNot, own < other), kernel::Unary(Op::kNot, other < own));
      Expr before = Or(first, And(tie, index_first));
      if (c.inputs.size() == 2) before = And(before, Cast(i32, r[0]) < size);
      return Select(before, Int(1, i32), Int(0, i32));
    });
    return c.inputs.size() == 2 ? Select(Cast(i32, i.back()) < size, rank, Cast(i32, i.back())) : rank;
  });
  d.AddStage(out[0].shape, Scalar::kInt32, [&](const Indices& i) {
    return d.Reduce(Combiner::kSum, {n}, [&](const Indices& r) {
      Indices index = i;
      index.back() = r[0];
      const Expr here = kernel::Binary(Op::kEq, d.At(rank, index), Cast(i32, i.back()));
      return Select(here, Cast(i32, r[0]), Int(0, i32));
    });
  });
  return d;
}

// An int32 whose order is that of the elements; -0 and 0 are equal, NaN comes last or, with its sign set, first.
Expr SortKey(const Expr& e) {
  const Type i32(Scalar::kInt32);
  if (!kernel::IsFloat(e->type.scalar)) return Cast(i32, e);
  const Expr x = ToFloat(e);
  const Expr bits = kernel::Bitcast(i32, Select(kernel::Binary(Op::kEq, x, kernel::Float(0)), kernel::Float(0), x));
  return kernel::Binary(Op::kXor, bits, And(kernel::Binary(Op::kShr, bits, Int(31, i32)), Int(0x7fffffff, i32)));
}

// Below this, ranks are counted faster than digits are.
constexpr int64_t kSmallestRadixSort = 64;

absl::StatusOr<std::optional<Routine>> SortRoutine(const OpContext& c, int lanes) {
  ASSIGN_OR_RETURN(std::vector<TensorType> out, InferArgsort(c));
  const TensorType& x = c.inputs[0];
  const int64_t n = x.shape.back(), rows = n == 0 ? 0 : graph::NumElements(x.shape) / n, count = out[0].shape.back();
  if (n < kSmallestRadixSort || rows == 0) return std::nullopt;
  const bool descending = c.attributes.Int("descending") != 0;
  const Scalar s = StorageOf(x.dtype);
  const int digits = IsFloating(x.dtype) ? 4 : SizeOf(s);
  const Type i32(Scalar::kInt32);
  RoutineBuilder r(c, out);
  const int64_t tasks = RowTasks(rows);
  kernel::Buffer keys[2], order[2];
  for (int k = 0; k < 2; ++k) {
    keys[k] = r.Scratch(absl::StrCat("keys", k), Scalar::kInt32, tasks * n);
    order[k] = r.Scratch(absl::StrCat("order", k), Scalar::kInt32, tasks * n);
  }
  r.AddKernel("radix_sort", tasks, [&](kernel::Block& b, const Expr& task) {
    const kernel::Buffer counts = kernel::StackBuffer("counts", Scalar::kInt32, digits * 256);
    const kernel::Buffer sum = kernel::RegisterBuffer("sum", Scalar::kInt32, 1, 1);
    const Expr own = b.Let("own", task * n);  // this task's part of the scratch
    // The place in `counts` of a key's digit. The sign of the whole key turns the order of its last digit around.
    auto place = [&](const Expr& key, int digit) {
      Expr d = And(kernel::Binary(Op::kShr, key, Int(8 * digit, i32)), Int(255, i32));
      if (digit == digits - 1 && kernel::IsSigned(s)) d = kernel::Binary(Op::kXor, d, Int(128, i32));
      return Cast(kernel::kIndexType, d) + int64_t{256} * digit;
    };
    // How many elements of a row are sorted.
    Expr size = Int(n);
    if (c.inputs.size() == 2) {
      size = b.Let("size", Min(Max(Cast(kernel::kIndexType, kernel::Load(r.input(1), Int(0))), Int(0)), Int(n)));
    }
    const TaskRange range = RangeOf(task, tasks, rows);
    b.For("row", range.begin, range.end, 1, [&](kernel::Block& b, const Expr& row) {
      b.For("i", Int(0), Int(digits * 256), lanes, [&](kernel::Block& b, const Expr& i) {
        b.Store(counts, i, kernel::Broadcast(Int(0, i32), lanes));
      });
      b.For("i", Int(0), size, 1, [&](kernel::Block& b, const Expr& i) {
        const Expr key = b.Let("key", SortKey(kernel::Load(r.input(0), row * n + i)));
        b.Store(keys[0], own + i, key);
        for (int d = 0; d < digits; ++d) {
          const Expr at = b.Let("at", place(key, d));
          b.Store(counts, at, kernel::Load(counts, at) + Int(1, i32));
        }
      });
      for (int d = 0; d < digits; ++d) {  // from counts to places
        b.Set(sum, 0, Int(0, i32));
        b.For("i", d * 256, d * 256 + 256, [&](kernel::Block& b, const Expr& i) {
          const Expr here = b.Let("here", kernel::Load(counts, i));
          b.Store(counts, i, kernel::Reg(sum, 0));
          b.Set(sum, 0, kernel::Reg(sum, 0) + here);
        });
      }
      for (int d = 0; d < digits; ++d) {
        const bool last = d == digits - 1;
        b.For("i", Int(0), size, 1, [&](kernel::Block& b, const Expr& i) {
          const Expr key = b.Let("key", kernel::Load(keys[d % 2], own + i));
          const Expr index = b.Let("index", d == 0 ? Cast(i32, i) : kernel::Load(order[d % 2], own + i));
          const Expr counter = b.Let("counter", place(key, d));
          const Expr to = b.Let("to", kernel::Load(counts, counter));
          b.Store(counts, counter, to + Int(1, i32));
          if (!last) {
            const Expr at = b.Let("at", own + Cast(kernel::kIndexType, to));
            b.Store(keys[1 - d % 2], at, key);
            b.Store(order[1 - d % 2], at, index);
            return;
          }
          const Expr position = Cast(kernel::kIndexType, to);
          const Expr at = b.Let("at", descending ? size + int64_t{-1} - position : position);
          b.If(count == n ? kernel::Bool(true) : at < count,
               [&](kernel::Block& b) { b.Store(r.output(0), row * count + at, index); });
        });
      }
      b.For("i", size, Int(count), 1,
            [&](kernel::Block& b, const Expr& i) { b.Store(r.output(0), row * count + i, Cast(i32, i)); });
    });
  });
  return r.Take(static_cast<double>(rows) * (static_cast<double>(n) * (digits + 1) * 8 + digits * 512));
}

REGISTER_OP(argsort).Inputs(1, 2).Infer(InferArgsort).Define(DefineArgsort).AsRoutine(SortRoutine);

}  // namespace
}  // namespace mgec::ops
