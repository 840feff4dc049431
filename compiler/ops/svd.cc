// svd(x): x = U diag(S) V^T for matrices [.., M, N], by the one-sided Jacobi method: pairs of rows are rotated until all
// are orthogonal to each other; their lengths are the singular values, in descending order.
//
// Results: U [.., M, K], S [.., K], V^T [.., K, N] for K = min(M, N); with full_matrices=1, U and V^T are square: rows
// that complete an orthonormal basis are added. The signs of the vectors are free.
#include <algorithm>

#include "compiler/ops/common.h"
#include "compiler/ops/routine.h"

namespace mgec::ops {
namespace {

using kernel::Binary;
using kernel::Block;
using kernel::Broadcast;
using kernel::Buffer;
using kernel::Cast;
using kernel::Float;
using kernel::Int;
using kernel::Load;
using kernel::Reg;
using kernel::Select;
using kernel::Type;
using kernel::Unary;

constexpr int64_t kMostRows = 512;
// Each sweep rotates all pairs once. Jacobi's method converges quadratically at the end: matrices of this size need
// six to ten.
constexpr int64_t kSweeps = 16;

Types InferSvd(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  if (x.dtype.kind != DTypeKind::kFloat32) return absl::InvalidArgumentError("needs float32");
  const size_t rank = x.shape.size();
  if (rank < 2) return absl::InvalidArgumentError(absl::StrCat(ToString(x.shape), " is not made of matrices"));
  const int64_t m = x.shape[rank - 2], n = x.shape[rank - 1], k = std::min(m, n);
  if (k < 1 || std::max(m, n) > kMostRows) {
    return absl::InvalidArgumentError(absl::StrCat("takes matrices of 1 to ", kMostRows, " rows and columns, not ",
                                                   ToString(x.shape)));
  }
  const bool full = c.attributes.Int("full_matrices") != 0;
  TensorType u = x, s = x, v = x;
  u.shape[rank - 1] = full ? m : k;
  s.shape.pop_back();
  s.shape[rank - 2] = k;
  v.shape[rank - 2] = full ? n : k;
  return std::vector<TensorType>{u, s, v};
}

// The rows of `count` vectors of `length` elements, `stride` apart in scratch memory.
struct Rows {
  Buffer buffer;
  Expr own;  // where the task's part begins
  int64_t count, length, stride;
  Expr at(const Expr& row) const { return own + row * stride; }
};

// One matrix. A is handled as its rows or its columns, whichever are fewer: `w` are those vectors, which are rotated, and
// `q` the rotations that were made.
class SvdEmitter {
 public:
  explicit SvdEmitter(int lanes) : lanes_(lanes) {}

  Expr Dot(Block& b, const Rows& x, const Expr& i, const Rows& y, const Expr& j) {
    const Buffer sum = kernel::RegisterBuffer("dot", Scalar::kFloat32, lanes_, 1);
    b.Set(sum, 0, Float(0, lanes_));
    b.For("e", Int(0), Int(x.stride), lanes_, [&](Block& b, const Expr& e) {
      b.Set(sum, 0, Load(x.buffer, x.at(i) + e, lanes_) * Load(y.buffer, y.at(j) + e, lanes_) + Reg(sum, 0));
    });
    return b.Let("dot", kernel::HorizontalReduce(Op::kReduceAdd, Reg(sum, 0)));
  }

  // row i := c * row i - s * row j; row j := s * row i + c * row j.
  void Rotate(Block& b, const Rows& x, const Expr& i, const Expr& j, const Expr& c, const Expr& s) {
    b.For("e", Int(0), Int(x.stride), lanes_, [&](Block& b, const Expr& e) {
      const Expr first = b.Let("first", Load(x.buffer, x.at(i) + e, lanes_));
      const Expr second = b.Let("second", Load(x.buffer, x.at(j) + e, lanes_));
      const Expr cosine = Broadcast(c, lanes_), sine = Broadcast(s, lanes_);
      b.Store(x.buffer, x.at(i) + e, cosine * first - sine * second);
      b.Store(x.buffer, x.at(j) + e, sine * first + cosine * second);
    });
  }

  void Scale(Block& b, const Rows& x, const Expr& i, const Expr& factor) {
    b.For("e", Int(0), Int(x.stride), lanes_, [&](Block& b, const Expr& e) {
      b.Store(x.buffer, x.at(i) + e, Load(x.buffer, x.at(i) + e, lanes_) * Broadcast(factor, lanes_));
    });
  }

  // Until a sweep finds nothing to rotate.
  void Orthogonalize(Block& b, const Rows& w, const Rows& q) {
    const Buffer rotated = kernel::RegisterBuffer("rotated", Scalar::kInt32, 1, 1);
    const Type i32(Scalar::kInt32);
    b.Set(rotated, 0, Int(1, i32));
    b.For("sweep", 0, kSweeps, [&](Block& b, const Expr&) {
      b.If(Binary(Op::kNe, Reg(rotated, 0), Int(0, i32)), [&](Block& b) {
        b.Set(rotated, 0, Int(0, i32));
        b.For("i", 0, w.count - 1, [&](Block& b, const Expr& i) {
          b.For("j", i + 1, Int(w.count), 1, [&](Block& b, const Expr& j) {
            const Expr alpha = Dot(b, w, i, w, i), beta = Dot(b, w, j, w, j), gamma = Dot(b, w, i, w, j);
            const Expr small = Float(1e-7) * Unary(Op::kSqrt, alpha) * Unary(Op::kSqrt, beta);
            b.If(small < Unary(Op::kAbs, gamma), [&](Block& b) {
              const Expr zeta = b.Let("zeta", (beta - alpha) / (Float(2) * gamma));
              const Expr size = Float(1) / (Unary(Op::kAbs, zeta) + Unary(Op::kSqrt, Float(1) + zeta * zeta));
              const Expr t = b.Let("t", Select(zeta < Float(0), Unary(Op::kNeg, size), size));
              const Expr c = b.Let("c", Float(1) / Unary(Op::kSqrt, Float(1) + t * t));
              const Expr s = b.Let("s", c * t);
              Rotate(b, w, i, j, c, s);
              Rotate(b, q, i, j, c, s);
              b.Set(rotated, 0, Int(1, i32));
            });
          });
        });
      });
    });
  }

  // Selection sort of the rows by length, which `lengths` receives; then each row divided by its length.
  void Sort(Block& b, const Rows& w, const Rows& q, const Buffer& lengths, const Expr& at) {
    b.For("i", 0, w.count, [&](Block& b, const Expr& i) {
      b.Store(lengths, at + i, Unary(Op::kSqrt, Dot(b, w, i, w, i)));
    });
    const Buffer best = kernel::RegisterBuffer("longest", Scalar::kInt32, 1, 1);
    const Type i32(Scalar::kInt32);
    b.For("i", 0, w.count, [&](Block& b, const Expr& i) {
      b.Set(best, 0, Cast(i32, i));
      b.For("j", i + 1, Int(w.count), 1, [&](Block& b, const Expr& j) {
        const Expr longest = Load(lengths, at + Cast(kernel::kIndexType, Reg(best, 0)));
        b.Set(best, 0, Select(longest < Load(lengths, at + j), Cast(i32, j), Reg(best, 0)));
      });
      const Expr j = b.Let("j", Cast(kernel::kIndexType, Reg(best, 0)));
      b.If(Binary(Op::kNe, i, j), [&](Block& b) {
        Rotate(b, w, i, j, Float(0), Float(-1));  // exchanges them, and turns one around in both
        Rotate(b, q, i, j, Float(0), Float(-1));
        const Expr length = b.Let("length", Load(lengths, at + i));
        b.Store(lengths, at + i, Load(lengths, at + j));
        b.Store(lengths, at + j, length);
      });
    });
  }

  // Makes the rows from `first` on, and those before it whose length is next to nothing, unit vectors that are orthogonal
  // to all others: what is left of the axis that the rows so far describe worst. Other rows get length 1.
  void Complete(Block& b, const Rows& x, int64_t known, const Buffer& lengths, const Expr& at) {
    const Buffer best = kernel::RegisterBuffer("axis", Scalar::kInt32, 1, 1);
    const Buffer least = kernel::RegisterBuffer("described", Scalar::kFloat32, 1, 1);
    const Type i32(Scalar::kInt32);
    b.For("row", 0, x.count, [&](Block& b, const Expr& row) {
      const Expr own = Load(lengths, at + Min(row, Int(known - 1)));
      const Expr tiny = Load(lengths, at) * Float(1e-6) < own;
      b.If(And(row < known, tiny),
           [&](Block& b) { Scale(b, x, row, b.Let("factor", Float(1) / own)); },
           [&](Block& b) {
             b.Set(least, 0, Float(2));
             b.Set(best, 0, Int(0, i32));
             b.For("axis", 0, x.length, [&](Block& b, const Expr& axis) {
               const Buffer sum = kernel::RegisterBuffer("sum", Scalar::kFloat32, 1, 1);
               b.Set(sum, 0, Float(0));
               b.For("i", Int(0), row, 1, [&](Block& b, const Expr& i) {
                 const Expr v = b.Let("v", Load(x.buffer, x.at(i) + axis));
                 b.Set(sum, 0, Reg(sum, 0) + v * v);
               });
               const Expr less = b.Let("less", Reg(sum, 0) < Reg(least, 0));
               b.Set(best, 0, Select(less, Cast(i32, axis), Reg(best, 0)));
               b.Set(least, 0, Select(less, Reg(sum, 0), Reg(least, 0)));
             });
             b.For("e", Int(0), Int(x.stride), lanes_, [&](Block& b, const Expr& e) {
               b.Store(x.buffer, x.at(row) + e, Float(0, lanes_));
             });
             b.Store(x.buffer, x.at(row) + Cast(kernel::kIndexType, Reg(best, 0)), Float(1));
             for (int twice = 0; twice < 2; ++twice) {  // once leaves rounding errors
               b.For("i", Int(0), row, 1, [&](Block& b, const Expr& i) {
                 const Expr part = Broadcast(Dot(b, x, i, x, row), lanes_);
                 b.For("e", Int(0), Int(x.stride), lanes_, [&](Block& b, const Expr& e) {
                   b.Store(x.buffer, x.at(row) + e,
                           Load(x.buffer, x.at(row) + e, lanes_) - part * Load(x.buffer, x.at(i) + e, lanes_));
                 });
               });
             }
             const Expr square = Dot(b, x, row, x, row);
             Scale(b, x, row, b.Let("factor", Float(1) / Unary(Op::kSqrt, square)));
           });
    });
  }

 private:
  const int lanes_;
};

absl::StatusOr<std::optional<Routine>> SvdRoutine(const OpContext& c, int lanes) {
  ASSIGN_OR_RETURN(const std::vector<TensorType> out, InferSvd(c));
  const Shape& shape = c.inputs[0].shape;
  const int64_t m = shape[shape.size() - 2], n = shape.back(), matrices = graph::NumElements(shape) / (m * n);
  RoutineBuilder r(c, out);
  if (matrices == 0) return r.Take(0);
  const bool tall = m > n;  // then the columns are the vectors that are rotated
  const int64_t count = std::min(m, n), length = std::max(m, n);
  const int64_t u_columns = out[0].shape.back(), v_rows = out[2].shape[shape.size() - 2];
  const int64_t w_rows = std::max(count, tall ? u_columns : v_rows);
  auto padded = [&](int64_t e) { return (e + lanes - 1) / lanes * lanes; };
  const int64_t tasks = RowTasks(matrices);
  const Buffer w_memory = r.Scratch("vectors", Scalar::kFloat32, tasks * w_rows * padded(length));
  const Buffer q_memory = r.Scratch("rotations", Scalar::kFloat32, tasks * count * padded(count));
  r.AddKernel("svd", tasks, [&](Block& b, const Expr& task) {
    const Rows all{w_memory, b.Let("w", task * (w_rows * padded(length))), w_rows, length, padded(length)};
    Rows w = all;
    w.count = count;
    const Rows q{q_memory, b.Let("q", task * (count * padded(count))), count, count, padded(count)};
    const TaskRange range = RangeOf(task, tasks, matrices);
    b.For("matrix", range.begin, range.end, 1, [&](Block& b, const Expr& matrix) {
      SvdEmitter e(lanes);
      auto clear = [&](const Rows& x) {
        b.For("i", Int(0), Int(x.count * x.stride), lanes,
              [&](Block& b, const Expr& i) { b.Store(x.buffer, x.own + i, Float(0, lanes)); });
      };
      clear(all);
      clear(q);
      b.For("i", 0, count, [&](Block& b, const Expr& i) {
        b.Store(q.buffer, q.at(i) + i, Float(1));
        b.For("j", 0, length, [&](Block& b, const Expr& j) {
          const Expr from = matrix * (m * n) + (tall ? j * n + i : i * n + j);
          b.Store(w.buffer, w.at(i) + j, Load(r.input(0), from));
        });
      });
      const Expr lengths = b.Let("lengths", matrix * count);
      e.Orthogonalize(b, w, q);
      e.Sort(b, w, q, r.output(1), lengths);
      e.Complete(b, all, count, r.output(1), lengths);
      // x = Q^T diag(S) W for the rows of a wide matrix; transposed for the columns of a tall one.
      auto write = [&](int output, const Rows& x, int64_t rows, bool transposed) {
        b.For("i", 0, rows, [&](Block& b, const Expr& i) {
          b.For("j", 0, x.length, [&](Block& b, const Expr& j) {
            const Expr to = matrix * (rows * x.length) + (transposed ? j * rows + i : i * x.length + j);
            b.Store(r.output(output), to, Load(x.buffer, x.at(i) + j));
          });
        });
      };
      write(0, tall ? all : q, u_columns, true);
      write(2, tall ? q : all, v_rows, false);
    });
  });
  const double pairs = static_cast<double>(count) * static_cast<double>(count) / 2;
  return r.Take(static_cast<double>(matrices) * kSweeps * pairs * static_cast<double>(10 * length));
}

REGISTER_OP(svd).Inputs(1).Infer(InferSvd).AsRoutine(SvdRoutine);

}  // namespace
}  // namespace mgec::ops
