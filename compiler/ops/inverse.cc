// matrix_inverse of [.., N, N] by Gauss-Jordan elimination with partial pivoting. A singular matrix gives infinities or NaN.
//
// Step k works on the matrix beside the identity: it looks for the row from k on with the greatest element in column k,
// exchanges it with row k, and clears column k in all other rows.
#include "compiler/ops/common.h"
#include "compiler/ops/routine.h"

namespace mgec::ops {
namespace {

using kernel::Binary;
using kernel::Cast;
using kernel::Float;
using kernel::Int;
using kernel::Select;
using kernel::Type;
using kernel::Unary;

constexpr int64_t kMostRows = 1024;

Types InferInverse(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  RETURN_IF_ERROR(CheckFloat(x, "x"));
  const size_t rank = x.shape.size();
  if (rank < 2 || x.shape[rank - 1] != x.shape[rank - 2] || x.shape[rank - 1] > kMostRows || x.shape[rank - 1] < 1) {
    return absl::InvalidArgumentError(absl::StrCat(ToString(x.shape), " is not made of square matrices of at most ",
                                                   kMostRows, " rows"));
  }
  return InferSame(c);
}

absl::StatusOr<Definition> DefineInverse(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const Shape& x = c.inputs[0].shape;
  const Type i32(Scalar::kInt32);
  const int64_t n = x.back();
  const Shape batch(x.begin(), x.end() - 2);
  Shape wide = x;
  wide.back() = 2 * n;
  auto with = [](const Indices& i, size_t count, const Expr& row, const Expr& column) {
    Indices index(i.begin(), i.begin() + count);
    index.push_back(row);
    index.push_back(column);
    return index;
  };
  const size_t b = batch.size();
  int m = d.AddStage(wide, Scalar::kFloat32, [&](const Indices& i) {
    const Expr one = Select(Binary(Op::kEq, i[b] + n, i[b + 1]), Float(1), Float(0));
    return Select(i[b + 1] < n, ToFloat(d.At(0, with(i, b, i[b], Min(i[b + 1], Int(n - 1))))), one);
  });
  for (int64_t k = 0; k < n; ++k) {
    const int before = m;
    const int greatest = d.AddStage(batch, Scalar::kFloat32, [&](const Indices& i) {
      return d.Reduce(Combiner::kMax, {n - k}, [&](const Indices& r) {
        return Unary(Op::kAbs, d.At(before, with(i, b, r[0] + k, Int(k))));
      });
    });
    const int pivot = d.AddStage(batch, Scalar::kInt32, [&](const Indices& i) {
      const Expr row = d.Reduce(Combiner::kMin, {n - k}, [&](const Indices& r) {
        const Expr here = Unary(Op::kAbs, d.At(before, with(i, b, r[0] + k, Int(k))));
        return Select(Binary(Op::kEq, here, d.At(greatest, i)), Cast(i32, r[0] + k), Int(static_cast<int64_t>(n), i32));
      });
      return Select(row < Int(n, i32), row, Int(k, i32));  // where all are NaN
    });
    m = d.AddStage(wide, Scalar::kFloat32, [&](const Indices& i) {
      const Expr p = Cast(kernel::kIndexType, d.At(pivot, Indices(i.begin(), i.begin() + b)));
      // Row r after the exchange.
      auto at = [&](const Expr& r, const Expr& column) {
        const Expr from = Select(Binary(Op::kEq, r, Int(k)), p, Select(Binary(Op::kEq, r, p), Int(k), r));
        return d.At(before, with(i, b, from, column));
      };
      const Expr scaled = at(Int(k), i[b + 1]) / at(Int(k), Int(k));
      return Select(Binary(Op::kEq, i[b], Int(k)), scaled, at(i[b], i[b + 1]) - at(i[b], Int(k)) * scaled);
    });
  }
  const Scalar s = StorageOf(c.inputs[0].dtype);
  d.AddStage(x, s, [&](const Indices& i) { return FromFloat(s, d.At(m, with(i, b, i[b], i[b + 1] + n))); });
  return d;
}

absl::StatusOr<std::optional<Routine>> InverseRoutine(const OpContext& c, int lanes) {
  const Shape& x = c.inputs[0].shape;
  const int64_t n = x.back(), matrices = graph::NumElements(x) / (n * n), wide = (2 * n + lanes - 1) / lanes * lanes;
  if (matrices == 0) return std::nullopt;
  const Type i32(Scalar::kInt32);
  const Scalar s = StorageOf(c.inputs[0].dtype);
  RoutineBuilder r(c, {c.inputs[0]});
  const int64_t tasks = RowTasks(matrices);
  const kernel::Buffer m = r.Scratch("matrix", Scalar::kFloat32, tasks * n * wide);
  r.AddKernel("inverse", tasks, [&](kernel::Block& b, const Expr& task) {
    const kernel::Buffer best = kernel::RegisterBuffer("best", Scalar::kFloat32, 1, 1);
    const kernel::Buffer pivot = kernel::RegisterBuffer("pivot", Scalar::kInt32, 1, 1);
    const Expr own = b.Let("own", task * (n * wide));
    auto row = [&](const Expr& i) { return own + i * wide; };
    auto columns = [&](kernel::Block& b, const std::function<void(kernel::Block&, const Expr&)>& f) {
      b.For("c", Int(0), Int(wide), lanes, f);
    };
    const TaskRange range = RangeOf(task, tasks, matrices);
    b.For("matrix", range.begin, range.end, 1, [&](kernel::Block& b, const Expr& matrix) {
      b.For("i", 0, n, [&](kernel::Block& b, const Expr& i) {
        columns(b, [&](kernel::Block& b, const Expr& k) { b.Store(m, row(i) + k, Float(0, lanes)); });
        b.For("c", 0, n, [&](kernel::Block& b, const Expr& k) {
          b.Store(m, row(i) + k, ToFloat(kernel::Load(r.input(0), (matrix * n + i) * n + k)));
        });
        b.Store(m, row(i) + i + n, Float(1));
      });
      b.For("k", 0, n, [&](kernel::Block& b, const Expr& k) {
        b.Set(best, 0, Float(-1));
        b.Set(pivot, 0, Cast(i32, k));
        b.For("i", k, Int(n), 1, [&](kernel::Block& b, const Expr& i) {
          const Expr here = b.Let("here", Unary(Op::kAbs, kernel::Load(m, row(i) + k)));
          const Expr better = b.Let("better", kernel::Reg(best, 0) < here);
          b.Set(best, 0, Select(better, here, kernel::Reg(best, 0)));
          b.Set(pivot, 0, Select(better, Cast(i32, i), kernel::Reg(pivot, 0)));
        });
        const Expr p = b.Let("p", Cast(kernel::kIndexType, kernel::Reg(pivot, 0)));
        b.If(Binary(Op::kNe, p, k), [&](kernel::Block& b) {
          columns(b, [&](kernel::Block& b, const Expr& j) {
            const Expr upper = b.Let("upper", kernel::Load(m, row(k) + j, lanes));
            b.Store(m, row(k) + j, kernel::Load(m, row(p) + j, lanes));
            b.Store(m, row(p) + j, upper);
          });
        });
        const Expr divisor = b.Let("divisor", kernel::Load(m, row(k) + k));
        columns(b, [&](kernel::Block& b, const Expr& j) {
          b.Store(m, row(k) + j, kernel::Load(m, row(k) + j, lanes) / kernel::Broadcast(divisor, lanes));
        });
        b.For("i", 0, n, [&](kernel::Block& b, const Expr& i) {
          b.If(Binary(Op::kNe, i, k), [&](kernel::Block& b) {
            const Expr factor = b.Let("factor", kernel::Load(m, row(i) + k));
            columns(b, [&](kernel::Block& b, const Expr& j) {
              b.Store(m, row(i) + j, kernel::Load(m, row(i) + j, lanes) -
                                         kernel::Broadcast(factor, lanes) * kernel::Load(m, row(k) + j, lanes));
            });
          });
        });
      });
      b.For("i", 0, n, [&](kernel::Block& b, const Expr& i) {
        ForVectors(b, Int(0), Int(n), lanes, [&](kernel::Block& b, const Expr& k, int width) {
          b.Store(r.output(0), (matrix * n + i) * n + k,
                  Cast(Type(s, width), kernel::Load(m, row(i) + k + n, width)));
        });
      });
    });
  });
  return r.Take(static_cast<double>(matrices) * static_cast<double>(n * n) * static_cast<double>(2 * wide + 8));
}

REGISTER_OP(matrix_inverse).Inputs(1).Infer(InferInverse).Define(DefineInverse).AsRoutine(InverseRoutine);

}  // namespace
}  // namespace mgec::ops
