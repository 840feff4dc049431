#include <algorithm>
#include <map>

#include "compiler/base/status_macros.h"
#include "compiler/graph/infer_hook.h"
#include "compiler/ops/evaluate.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/util.h"

namespace mgec::passes {
namespace {

using graph::DType;
using graph::DTypeKind;
using graph::Graph;
using graph::Node;
using graph::Value;

// The type that most elements of constants have.
DTypeKind StorageOf(const Graph& g) {
  std::map<DTypeKind, int64_t> elements;
  for (const auto& n : g.nodes()) {
    if (n->op == "constant") elements[n->output()->type.dtype.kind] += graph::NumElements(n->output()->type.shape);
  }
  const int64_t half = elements[DTypeKind::kFloat16], bfloat = elements[DTypeKind::kBFloat16];
  if (std::max(half, bfloat) <= elements[DTypeKind::kFloat32]) return DTypeKind::kFloat32;
  return half >= bfloat ? DTypeKind::kFloat16 : DTypeKind::kBFloat16;
}

// What each value was; a value that is only rounded afterwards may be rounded at once.
void RememberOrigins(const Graph& g) {
  for (const auto& n : g.nodes()) {
    for (const auto& v : n->outputs) v->origin = v->type.dtype.kind;
  }
  const auto users = g.Users();
  for (const auto& n : g.nodes()) {
    if (n->op != "cast" || !IsHalf(n->output()->type.dtype)) continue;
    Value* in = n->inputs[0];
    const bool only_rounded = in->type.dtype.kind == DTypeKind::kFloat32 && SoleUser(g, users, in) == n.get();
    if (only_rounded) in->origin = n->output()->origin;
  }
}

// A product whose factors are float16. What multiplies such numbers faster may round them to float16 again.
bool MultipliesHalves(const Node& n) {
  auto is_half = [&](size_t i) { return n.inputs[i]->type.dtype.kind == DTypeKind::kFloat16; };
  return (n.op == "conv2d" || n.op == "matmul") && is_half(0) && is_half(1);
}

}  // namespace

PassResult PromoteFloat16(Graph& g) {
  bool any = false;
  for (const auto& n : g.nodes()) {
    for (const auto& v : n->outputs) any = any || IsHalf(v->type.dtype);
  }
  if (!any) return false;
  g.set_float_storage(StorageOf(g));
  RememberOrigins(g);
  for (Node* n : NodesOf(g)) {
    if (MultipliesHalves(*n)) n->attributes.Set("factors", std::string("f16"));
  }
  const graph::Attributes to_float = {{"dtype", std::string("f32")}};
  std::vector<DType> output_dtypes;
  for (const graph::GraphOutput& o : g.outputs()) output_dtypes.push_back(o.value->type.dtype);
  std::unordered_map<const Value*, Value*> casts;  // of half inputs
  for (Node* n : NodesOf(g)) {
    g.SetInsertionPoint(n);
    if (n->op == "constant" && IsHalf(n->output()->type.dtype)) {
      Node cast;
      cast.op = "cast";
      cast.attributes = to_float;
      cast.inputs = {n->output()};
      ASSIGN_OR_RETURN(std::vector<ops::TensorData> data, ops::EvaluateNode(cast, {n->data}));
      Value* promoted = g.AddConstant({DTypeKind::kFloat32, n->output()->type.shape}, data[0], n->name);
      g.ReplaceAllUses(n->output(), promoted);
      continue;
    }
    if (n->op == "input" || n->op == "constant") continue;
    for (Value*& in : n->inputs) {
      if (in->producer->op != "input" || !IsHalf(in->type.dtype)) continue;
      Value*& cast = casts[in];
      if (cast == nullptr) {
        ASSIGN_OR_RETURN(cast, g.Add("cast", {in}, to_float));
        cast->origin = in->origin;
      }
      in = cast;
    }
    if (n->op == "cast") {
      ASSIGN_OR_RETURN(DType to, graph::ParseDType(n->attributes.String("dtype")));
      if (IsHalf(to)) n->attributes.Set("dtype", std::string("f32"));
    }
    ASSIGN_OR_RETURN(std::vector<graph::TensorType> types, graph::InferTypes(*n));
    for (size_t i = 0; i < types.size(); ++i) n->outputs[i]->type = types[i];
  }
  g.SetInsertionPoint(nullptr);
  for (size_t i = 0; i < g.outputs().size(); ++i) {
    graph::GraphOutput& o = g.outputs()[i];
    if (o.value->type.dtype == output_dtypes[i]) continue;
    ASSIGN_OR_RETURN(o.value, g.Add("cast", {o.value}, {{"dtype", ToString(output_dtypes[i])}}, o.name));
  }
  return true;
}

}  // namespace mgec::passes
