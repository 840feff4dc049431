#include "compiler/ops/evaluate.h"

#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "compiler/base/status_macros.h"
#include "compiler/kernel/interpreter.h"
#include "compiler/kernel/lower.h"
#include "compiler/ops/op.h"

namespace mgec::ops {
namespace {

using graph::Graph;
using graph::Node;
using graph::Value;

int64_t Bytes(const kernel::TensorInfo& info) { return graph::NumElements(info.shape) * SizeOf(info.scalar); }

// Evaluates the nodes of `g` in order; `values` holds what is known and receives what is computed.
absl::Status EvaluateNodes(const Graph& g, std::unordered_map<const Value*, TensorData>& values) {
  for (const auto& node : g.nodes()) {
    if (node->op == "input") continue;
    std::vector<TensorData> operands;
    for (const Value* v : node->inputs) operands.push_back(values.at(v));
    ASSIGN_OR_RETURN(std::vector<TensorData> results, EvaluateNode(*node, operands));
    for (size_t i = 0; i < results.size(); ++i) values[node->outputs[i].get()] = results[i];
  }
  return absl::OkStatus();
}

absl::Status EvaluateUpTo(const Value* v, std::unordered_map<const Value*, TensorData>& values) {
  if (values.count(v) != 0) return absl::OkStatus();
  const Node& n = *v->producer;
  if (n.op == "input") {
    return absl::FailedPreconditionError(absl::StrCat("depends on the network input '", n.name, "'"));
  }
  std::vector<TensorData> operands;
  for (const Value* in : n.inputs) {
    if (n.op == "shape_of") {  // looks at the type only
      operands.push_back(std::make_shared<const std::string>(graph::ByteSize(in->type), '\0'));
      continue;
    }
    RETURN_IF_ERROR(EvaluateUpTo(in, values));
    operands.push_back(values.at(in));
  }
  ASSIGN_OR_RETURN(std::vector<TensorData> results, EvaluateNode(n, operands));
  for (size_t i = 0; i < results.size(); ++i) values[n.outputs[i].get()] = results[i];
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<TensorData>> EvaluateDefinition(const kernel::Definition& d,
                                                           const std::vector<TensorData>& operands) {
  std::vector<TensorData> tensors = operands;
  for (int t = 0; t < d.num_inputs(); ++t) {
    if (static_cast<int64_t>(tensors[t]->size()) != Bytes(d.info(t))) {
      return absl::InvalidArgumentError(absl::StrCat("operand ", t, " has ", tensors[t]->size(), " bytes, needs ",
                                                     Bytes(d.info(t))));
    }
  }
  for (size_t s = 0; s < d.stages().size(); ++s) {
    auto result = std::make_shared<std::string>(Bytes(d.stages()[s].info), '\0');
    const kernel::Kernel k = kernel::LowerNaive(d, static_cast<int>(s), absl::StrCat("stage", s));
    std::vector<kernel::BufferView> views;
    // The interpreter only writes to the last argument.
    for (const TensorData& t : tensors) views.push_back({const_cast<char*>(t->data()), static_cast<int64_t>(t->size())});
    views.push_back({result->data(), static_cast<int64_t>(result->size())});
    RETURN_IF_ERROR(kernel::Interpret(k, views, 0, k.tasks));
    tensors.push_back(std::move(result));
  }
  std::vector<TensorData> outputs;
  for (int t : d.outputs()) outputs.push_back(tensors[t]);
  return outputs;
}

absl::StatusOr<std::vector<TensorData>> EvaluateNode(const Node& node, const std::vector<TensorData>& operands) {
  if (node.op == "constant") return std::vector<TensorData>{node.data};
  if (node.body != nullptr) {
    std::unordered_map<const Value*, TensorData> values;
    for (size_t i = 0; i < operands.size(); ++i) values[node.body->inputs()[i]->output()] = operands[i];
    RETURN_IF_ERROR(EvaluateNodes(*node.body, values));
    std::vector<TensorData> results;
    for (const graph::GraphOutput& o : node.body->outputs()) results.push_back(values.at(o.value));
    return results;
  }
  auto definition = DefinitionOf(node);
  if (!definition.ok()) return definition.status();
  auto results = EvaluateDefinition(*definition, operands);
  if (results.ok()) return results;
  return absl::Status(results.status().code(),
                      absl::StrCat(node.op, " \"", node.name, "\": ", results.status().message()));
}

absl::StatusOr<std::vector<TensorData>> EvaluateGraph(const Graph& g, const std::map<std::string, TensorData>& inputs) {
  std::unordered_map<const Value*, TensorData> values;
  for (const Node* n : g.inputs()) {
    auto it = inputs.find(n->name);
    if (it == inputs.end()) return absl::InvalidArgumentError(absl::StrCat("input '", n->name, "' is not given"));
    if (static_cast<int64_t>(it->second->size()) != graph::ByteSize(n->output()->type)) {
      return absl::InvalidArgumentError(absl::StrCat("input '", n->name, "' has ", it->second->size(), " bytes, needs ",
                                                     graph::ByteSize(n->output()->type)));
    }
    values[n->output()] = it->second;
  }
  RETURN_IF_ERROR(EvaluateNodes(g, values));
  std::vector<TensorData> results;
  for (const graph::GraphOutput& o : g.outputs()) results.push_back(values.at(o.value));
  return results;
}

absl::StatusOr<TensorData> EvaluateConstant(const Value* v) {
  std::unordered_map<const Value*, TensorData> values;
  RETURN_IF_ERROR(EvaluateUpTo(v, values));
  return values.at(v);
}

absl::StatusOr<std::vector<int64_t>> EvaluateInts(const Value* v) {
  ASSIGN_OR_RETURN(TensorData data, EvaluateConstant(v));
  const int64_t n = graph::NumElements(v->type.shape);
  std::vector<int64_t> result(n);
  for (int64_t i = 0; i < n; ++i) {
    switch (StorageOf(v->type.dtype)) {
      case kernel::Scalar::kInt32: {
        int32_t x;
        std::memcpy(&x, data->data() + 4 * i, 4);
        result[i] = x;
        break;
      }
      case kernel::Scalar::kFloat32: {
        float x;
        std::memcpy(&x, data->data() + 4 * i, 4);
        if (!(std::abs(x) < 2147483648.0f) || x != std::floor(x)) {
          return absl::InvalidArgumentError(absl::StrCat("is ", x, ", not an integer"));
        }
        result[i] = static_cast<int64_t>(x);
        break;
      }
      case kernel::Scalar::kInt8:
        result[i] = static_cast<int8_t>((*data)[i]);
        break;
      case kernel::Scalar::kUint8:
      case kernel::Scalar::kBool:
        result[i] = static_cast<uint8_t>((*data)[i]);
        break;
      case kernel::Scalar::kInt16:
      case kernel::Scalar::kUint16: {
        uint16_t x;
        std::memcpy(&x, data->data() + 2 * i, 2);
        result[i] = StorageOf(v->type.dtype) == kernel::Scalar::kInt16 ? static_cast<int16_t>(x) : x;
        break;
      }
      default:
        return absl::InvalidArgumentError(absl::StrCat("has dtype ", ToString(v->type.dtype), "; needs an integer"));
    }
  }
  return result;
}

}  // namespace mgec::ops
