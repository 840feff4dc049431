#include "compiler/ops/op.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "compiler/graph/infer_hook.h"
#include "compiler/ops/common.h"
#include "compiler/ops/fused.h"

namespace mgec::ops {
namespace {

std::map<std::string, OpDef, std::less<>>& Registry() {
  static auto* registry = new std::map<std::string, OpDef, std::less<>>();
  return *registry;
}

absl::StatusOr<std::vector<graph::TensorType>> Infer(const graph::Node& node) {
  const OpDef* op = FindOp(node.op);
  if (op == nullptr) return absl::InvalidArgumentError(absl::StrCat("there is no operator '", node.op, "'"));
  const int n = static_cast<int>(node.inputs.size());
  if (n < op->min_inputs || (op->max_inputs >= 0 && n > op->max_inputs)) {
    return absl::InvalidArgumentError(absl::StrCat("got ", n, " inputs, takes ", op->min_inputs, " to ",
                                                   op->max_inputs < 0 ? std::string("any number")
                                                                      : absl::StrCat(op->max_inputs)));
  }
  auto types = op->infer(ContextOf(node));
  if (!types.ok()) return types;
  for (const graph::TensorType& t : *types) {
    if (absl::Status s = CheckSize(t.shape); !s.ok()) return s;
  }
  return types;
}

[[maybe_unused]] const bool hook_installed = (graph::SetInferHook(&Infer), true);

}  // namespace

const OpDef* FindOp(absl::string_view name) {
  auto it = Registry().find(name);
  return it == Registry().end() ? nullptr : &it->second;
}

std::vector<std::string> AllOps() {
  std::vector<std::string> names;
  for (const auto& [name, op] : Registry()) names.push_back(name);
  return names;
}

OpDef& RegisterOp(absl::string_view name) {
  OpDef& op = Registry()[std::string(name)];
  op.name = std::string(name);
  return op;
}

OpContext ContextOf(const graph::Node& node) {
  OpContext context{node.attributes, {}};
  for (const graph::Value* v : node.inputs) context.inputs.push_back(v->type);
  return context;
}

absl::StatusOr<kernel::Definition> DefinitionOf(const graph::Node& node) {
  if (node.body != nullptr) return FusedDefinition(*node.body);
  const OpDef* op = FindOp(node.op);
  if (op == nullptr || !op->define) return absl::InternalError(absl::StrCat("'", node.op, "' has no definition"));
  return op->define(ContextOf(node));
}

absl::StatusOr<std::optional<Routine>> RoutineOf(const graph::Node& node, int lanes) {
  const OpDef* op = node.body == nullptr ? FindOp(node.op) : nullptr;
  if (op == nullptr || !op->routine) return std::nullopt;
  return op->routine(ContextOf(node), lanes);
}

kernel::Scalar StorageOf(const graph::DType& d) {
  using K = graph::DTypeKind;
  using S = kernel::Scalar;
  switch (d.kind) {
    case K::kFloat32: return S::kFloat32;
    case K::kFloat16: return S::kFloat16;
    case K::kBFloat16: return S::kBFloat16;
    case K::kInt8: case K::kQuantizedS8: case K::kQuantizedS4: return S::kInt8;
    case K::kUint8: case K::kQuantized8Asymm: case K::kQuantized4Asymm: return S::kUint8;
    case K::kInt16: case K::kQuantizedS16: return S::kInt16;
    case K::kUint16: return S::kUint16;
    case K::kInt32: case K::kQuantizedS32: return S::kInt32;
    case K::kBool: return S::kBool;
  }
  return S::kFloat32;
}

kernel::TensorInfo InfoOf(const graph::TensorType& t) { return {StorageOf(t.dtype), t.shape}; }

}  // namespace mgec::ops
