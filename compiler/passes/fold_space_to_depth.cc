#include <optional>

#include "compiler/base/status_macros.h"
#include "compiler/ops/conv.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/util.h"

namespace mgec::passes {
namespace {

using graph::Node;
using graph::Value;

// An image divided into the pixels of each residue of row and column: part i of a concatenation starts at `offsets[i]`.
struct SpaceToDepth {
  Value* image;
  int64_t step;
  std::vector<std::pair<int64_t, int64_t>> offsets;  // {row, column}
};

std::optional<SpaceToDepth> Match(const Node& concat) {
  if (concat.op != "concat" || concat.attributes.Int("axis") != 1 || concat.inputs.size() < 4) return std::nullopt;
  SpaceToDepth s{nullptr, 0, {}};
  for (const Value* v : concat.inputs) {
    const Node& slice = *v->producer;
    if (slice.op != "slice" || v->type.shape.size() != 4) return std::nullopt;
    const graph::Shape& in = slice.inputs[0]->type.shape;
    const std::vector<int64_t> begin = slice.attributes.Ints("begin"), step = slice.attributes.Ints("step");
    if (s.image == nullptr) {
      s.image = slice.inputs[0];
      s.step = step[2];
    }
    if (slice.inputs[0] != s.image || step != std::vector<int64_t>{1, 1, s.step, s.step} || s.step < 2 ||
        v->type.shape[0] != in[0] || v->type.shape[1] != in[1] || begin[2] >= s.step || begin[3] >= s.step ||
        v->type.shape[2] * s.step != in[2] || v->type.shape[3] * s.step != in[3]) {
      return std::nullopt;
    }
    s.offsets.emplace_back(begin[2], begin[3]);
  }
  // Each residue once: otherwise the larger kernel would have more weights than the convolution has.
  for (size_t i = 0; i < s.offsets.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (s.offsets[i] == s.offsets[j]) return std::nullopt;
    }
  }
  if (static_cast<int64_t>(s.offsets.size()) != s.step * s.step) return std::nullopt;
  return s;
}

}  // namespace

PassResult FoldSpaceToDepth(graph::Graph& g) {
  bool changed = false;
  for (Node* n : NodesOf(g)) {
    if (n->op != "conv2d" || n->inputs.size() != 2 || !IsConstant(n->inputs[1])) continue;
    const std::optional<SpaceToDepth> s = Match(*n->inputs[0]->producer);
    const graph::Shape& shape = n->inputs[1]->type.shape;
    if (!s || shape.size() != 4 || n->inputs[1]->type.dtype != graph::DTypeKind::kFloat32) continue;
    ASSIGN_OR_RETURN(const ops::ConvParams p, ops::ConvParamsOf(ops::ContextOf(*n)));
    if (p.group != 1 || p.flip || p.dilation != std::vector<int64_t>{1, 1}) continue;
    const int64_t channels = s->image->type.shape[1], kh = shape[2], kw = shape[3];
    const graph::Shape larger = {shape[0], channels, kh * s->step, kw * s->step};
    const std::vector<float> from = Floats(n->inputs[1]);
    std::vector<float> to(graph::NumElements(larger));
    for (int64_t oc = 0; oc < shape[0]; ++oc) {
      for (int64_t ic = 0; ic < shape[1]; ++ic) {
        const auto [row, column] = s->offsets[ic / channels];
        for (int64_t y = 0; y < kh; ++y) {
          for (int64_t x = 0; x < kw; ++x) {
            const int64_t at = (oc * channels + ic % channels) * larger[2] + y * s->step + row;
            to[at * larger[3] + x * s->step + column] = from[((oc * shape[1] + ic) * kh + y) * kw + x];
          }
        }
      }
    }
    g.SetInsertionPoint(n);
    Value* weights = g.AddConstant({graph::DTypeKind::kFloat32, larger}, Bytes(to), n->inputs[1]->producer->name);
    graph::Attributes attributes = n->attributes;
    attributes.Set("stride", std::vector<int64_t>{p.stride[0] * s->step, p.stride[1] * s->step});
    attributes.Set("pad", std::vector<int64_t>{p.pad[0] * s->step, p.pad[1] * s->step, p.pad_after[0] * s->step,
                                               p.pad_after[1] * s->step});
    ASSIGN_OR_RETURN(Value * y, g.Add("conv2d", {s->image, weights}, attributes, n->name));
    g.ReplaceAllUses(n->output(), y);
    changed = true;
  }
  g.SetInsertionPoint(nullptr);
  return changed;
}

}  // namespace mgec::passes
