// nms_keep(boxes): for each batch element the boxes, [B, N, 4] in order of score, that do not overlap a better one that is
// kept: their indices, [B, max_output], and how many there are, [B]. The last index fills the rest. A second operand,
// int32[1], says how many of the N boxes count.
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

Types InferNms(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  const int64_t most = c.attributes.Int("max_output");
  if (x.shape.size() != 3 || x.shape[2] != 4 || x.dtype.kind != DTypeKind::kFloat32) {
    return absl::InvalidArgumentError(absl::StrCat("boxes are ", ToString(x), ", need f32[B,N,4]"));
  }
  if (c.inputs.size() == 2 && c.inputs[1] != TensorType{DTypeKind::kInt32, {1}}) {
    return absl::InvalidArgumentError("the size must be i32[1]");
  }
  if (most < 1 || most > (int64_t{1} << 31)) return absl::InvalidArgumentError("max_output is out of limits");
  return std::vector<TensorType>{{DTypeKind::kInt32, {x.shape[0], most}}, {DTypeKind::kInt32, {x.shape[0]}}};
}

absl::StatusOr<Definition> DefineNms(const OpContext& c) {
  ASSIGN_OR_RETURN(std::vector<TensorType> out, InferNms(c));
  Definition d = DefinitionFor(c);
  const Type i32(Scalar::kInt32);
  const int64_t batch = c.inputs[0].shape[0], n = c.inputs[0].shape[1], most = out[0].shape[1];
  const double threshold = c.attributes.Float("iou_threshold");
  auto box = [&](const Expr& b, const Expr& i, int64_t k) { return d.At(0, {b, i, Int(k)}); };
  auto area = [&](const Expr& b, const Expr& i) {
    return (box(b, i, 2) - box(b, i, 0)) * (box(b, i, 3) - box(b, i, 1));
  };
  auto overlap = [&](const Expr& b, const Expr& i, const Expr& j) {
    auto along = [&](int64_t k) {
      return Max(Min(box(b, i, k + 2), box(b, j, k + 2)) - Max(box(b, i, k), box(b, j, k)), Float(0));
    };
    const Expr both = along(0) * along(1);
    return (area(b, i) + area(b, j) - both) * Float(threshold) < both;
  };
  // 1 for boxes that are kept. Those beyond max_output suppress others as well, but only others beyond it.
  const int kept = d.AddScan({batch, n}, Scalar::kInt32, 1, [&](const Indices& i, int self) {
    const Expr suppressed = d.Reduce(Combiner::kMax, {n}, [&](const Indices& r) {
      const Expr before = And(r[0] < i[1], Binary(Op::kEq, d.At(self, {i[0], r[0]}), Int(1, i32)));
      return Select(And(before, overlap(i[0], i[1], r[0])), Int(1, i32), Int(0, i32));
    });
    const Expr keep = Int(1, i32) - suppressed;
    if (c.inputs.size() == 1) return keep;
    return Select(Cast(i32, i[1]) < d.At(1, {Int(0)}), keep, Int(0, i32));
  });
  const int total = d.AddScan({batch, n}, Scalar::kInt32, 1, [&](const Indices& i, int self) {
    const Expr before = Select(i[1] >= int64_t{1}, d.At(self, {i[0], i[1] + int64_t{-1}}), Int(0, i32));
    return before + d.At(kept, i);
  });
  const int sizes = d.AddStage({batch}, Scalar::kInt32, [&](const Indices& i) {
    if (n == 0) return Int(0, i32);
    return Min(d.At(total, {i[0], Int(n - 1)}), Cast(i32, Int(most)));
  });
  const int indices = d.AddStage({batch, most}, Scalar::kInt32, [&](const Indices& i) {
    const Expr wanted = Min(Cast(i32, i[1]) + Int(1, i32), d.At(sizes, {i[0]}));
    return d.Reduce(Combiner::kSum, {n}, [&](const Indices& r) {
      const Expr hit = And(Binary(Op::kEq, d.At(kept, {i[0], r[0]}), Int(1, i32)),
                           Binary(Op::kEq, d.At(total, {i[0], r[0]}), wanted));
      return Select(hit, Cast(i32, r[0]), Int(0, i32));
    });
  });
  d.SetOutputs({indices, sizes});
  return d;
}

// Box by box: one that no better box has suppressed is kept, and suppresses those after it.
absl::StatusOr<std::optional<Routine>> NmsRoutine(const OpContext& c, int lanes) {
  ASSIGN_OR_RETURN(std::vector<TensorType> out, InferNms(c));
  const Type i32(Scalar::kInt32);
  const int64_t batch = c.inputs[0].shape[0], n = c.inputs[0].shape[1], most = out[0].shape[1];
  if (batch == 0 || n == 0) return std::nullopt;
  const int64_t padded = (n + lanes - 1) / lanes * lanes;
  const double threshold = c.attributes.Float("iou_threshold");
  RoutineBuilder r(c, out);
  kernel::Buffer corner[4];  // as one array each, so that vectors of boxes can be loaded
  for (int k = 0; k < 4; ++k) corner[k] = r.Scratch(absl::StrCat("corner", k), Scalar::kFloat32, batch * padded);
  const kernel::Buffer suppressed = r.Scratch("suppressed", Scalar::kInt32, batch * padded);
  r.AddKernel("nms", batch, [&](kernel::Block& b, const Expr& image) {
    const kernel::Buffer count = kernel::RegisterBuffer("count", Scalar::kInt32, 1, 1);
    const kernel::Buffer last = kernel::RegisterBuffer("last", Scalar::kInt32, 1, 1);
    const Expr own = b.Let("own", image * padded);
    b.For("i", Int(0), Int(padded), lanes, [&](kernel::Block& b, const Expr& i) {
      b.Store(suppressed, own + i, kernel::Broadcast(Int(0, i32), lanes));
      for (const kernel::Buffer& k : corner) b.Store(k, own + i, kernel::Float(0, lanes));
    });
    b.For("i", 0, n, [&](kernel::Block& b, const Expr& i) {
      for (int64_t k = 0; k < 4; ++k) {
        b.Store(corner[k], own + i, kernel::Load(r.input(0), (image * n + i) * 4 + k));
      }
    });
    b.Set(count, 0, Int(0, i32));
    b.Set(last, 0, Int(0, i32));
    Expr size = Int(n);
    if (c.inputs.size() == 2) {
      size = b.Let("size", Min(Cast(kernel::kIndexType, kernel::Load(r.input(1), Int(0))), Int(n)));
    }
    b.For("i", Int(0), size, 1, [&](kernel::Block& b, const Expr& i) {
      const Expr alive = And(Binary(Op::kEq, kernel::Load(suppressed, own + i), Int(0, i32)),
                             kernel::Reg(count, 0) < Cast(i32, Int(most)));
      b.If(alive, [&](kernel::Block& b) {
        b.Store(r.output(0), image * most + Cast(kernel::kIndexType, kernel::Reg(count, 0)), Cast(i32, i));
        b.Set(last, 0, Cast(i32, i));
        b.Set(count, 0, kernel::Reg(count, 0) + Int(1, i32));
        auto area = [](const Expr* box) { return (box[2] - box[0]) * (box[3] - box[1]); };
        Expr kept[4];
        for (int k = 0; k < 4; ++k) kept[k] = b.Let("kept", kernel::Load(corner[k], own + i));
        const Expr kept_area = b.Let("kept_area", area(kept));
        // From the vector that holds box i on: what is before i does not matter any more.
        b.For("j", i / Int(lanes) * lanes, Int(padded), lanes, [&](kernel::Block& b, const Expr& j) {
          Expr other[4];
          for (int k = 0; k < 4; ++k) other[k] = b.Let("other", kernel::Load(corner[k], own + j, lanes));
          auto along = [&](int k) {
            return Max(Min(other[k + 2], kernel::Broadcast(kept[k + 2], lanes)) -
                           Max(other[k], kernel::Broadcast(kept[k], lanes)),
                       kernel::Float(0, lanes));
          };
          const Expr both = b.Let("both", along(0) * along(1));
          const Expr hit = (area(other) + kernel::Broadcast(kept_area, lanes) - both) * Float(threshold, lanes) < both;
          const Expr before = kernel::Load(suppressed, own + j, lanes);
          b.Store(suppressed, own + j, Select(hit, kernel::Broadcast(Int(1, i32), lanes), before));
        });
      });
    });
    b.Store(r.output(1), image, kernel::Reg(count, 0));
    b.For("i", Cast(kernel::kIndexType, kernel::Reg(count, 0)), Int(most), 1,
          [&](kernel::Block& b, const Expr& i) { b.Store(r.output(0), image * most + i, kernel::Reg(last, 0)); });
  });
  return r.Take(static_cast<double>(batch) * static_cast<double>(n) *
                (static_cast<double>(std::min(most, n)) * 20 + 10));
}

REGISTER_OP(nms_keep).Inputs(1, 2).Infer(InferNms).Define(DefineNms).AsRoutine(NmsRoutine);

}  // namespace
}  // namespace mgec::ops
