#include "compiler/ops/evaluate.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "compiler/base/status_macros.h"
#include "compiler/kernel/interpreter.h"
#include "compiler/kernel/lower.h"
#include "compiler/kernel/reference_math.h"
#include "compiler/ops/op.h"

namespace mgec::ops {
namespace {

using graph::Graph;
using graph::Node;
using graph::Value;

int64_t Bytes(const kernel::TensorInfo& info) { return graph::NumElements(info.shape) * SizeOf(info.scalar); }

// What the compiler's own machine would take; the results do not depend on it.
constexpr int kLanes = 8;

absl::StatusOr<std::vector<TensorData>> EvaluateRoutine(const Node& node, const Routine& r,
                                                        const std::vector<TensorData>& operands) {
  std::vector<std::shared_ptr<std::string>> own;  // outputs, then scratch
  for (const auto& v : node.outputs) own.push_back(std::make_shared<std::string>(graph::ByteSize(v->type), '\0'));
  for (int64_t bytes : r.scratch) own.push_back(std::make_shared<std::string>(bytes, '\0'));
  std::vector<kernel::BufferView> views;
  // Routines do not write to their inputs.
  for (const TensorData& t : operands) views.push_back({const_cast<char*>(t->data()), static_cast<int64_t>(t->size())});
  for (const auto& t : own) views.push_back({t->data(), static_cast<int64_t>(t->size())});
  for (const kernel::Kernel& k : r.kernels) RETURN_IF_ERROR(kernel::Interpret(k, views, 0, k.tasks));
  return std::vector<TensorData>(own.begin(), own.begin() + node.outputs.size());
}

float FloatAt(const std::string& data, kernel::Scalar scalar, int64_t i) {
  if (!IsHalf(scalar)) {
    float x;
    std::memcpy(&x, data.data() + 4 * i, 4);
    return x;
  }
  uint16_t bits;
  std::memcpy(&bits, data.data() + 2 * i, 2);
  return scalar == kernel::Scalar::kFloat16 ? kernel::HalfToFloat(bits) : kernel::BFloat16ToFloat(bits);
}

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

// Beyond these, constants are left to the network's own kernels (or, where a shape depends on them, refused).
constexpr int64_t kMaxConstantBytes = int64_t{256} << 20;
constexpr int64_t kMaxConstantWork = int64_t{1} << 28;

// Elementary operations of the definition.
double WorkOfDefinition(const kernel::Definition& d) {
  double work = 0;
  for (const kernel::Stage& stage : d.stages()) {
    double terms = 1;
    kernel::Visit(stage.body, [&](const kernel::Expr& e) {
      double box = e->op == kernel::Op::kReduce ? 1 : 0;
      for (const kernel::ReduceAxis& a : e->reduce_axes) box *= static_cast<double>(a.extent);
      terms += box;
    });
    work += terms * static_cast<double>(graph::NumElements(stage.info.shape));
  }
  return work;
}

// Constants are evaluated by definition, where there is one.
absl::StatusOr<double> WorkOfEvaluation(const Node& n) {
  const OpDef* op = FindOp(n.op);
  if (op == nullptr || !op->define || !op->routine) {
    ASSIGN_OR_RETURN(const int64_t work, WorkOf(n));
    return static_cast<double>(work);
  }
  ASSIGN_OR_RETURN(const kernel::Definition d, DefinitionOf(n));
  return WorkOfDefinition(d);
}

absl::Status CheckConstant(const Node& n) {
  int64_t bytes = 0;
  for (const auto& v : n.outputs) bytes += graph::ByteSize(v->type);
  ASSIGN_OR_RETURN(const double work, WorkOfEvaluation(n));
  if (bytes <= kMaxConstantBytes && work <= kMaxConstantWork) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(n.op, " \"", n.name, "\" of shape ", graph::ToString(n.output()->type.shape),
                   " is too large to be computed while the model is compiled"));
}

// One result per output; operands are among `values`.
absl::StatusOr<std::vector<TensorData>> EvaluateFrom(const Node& n,
                                                     const std::unordered_map<const Value*, TensorData>& values) {
  if (n.op == "shape_of") {  // looks at the type only
    std::string shape;
    for (int64_t d : n.inputs[0]->type.shape) {
      const int32_t extent = static_cast<int32_t>(d);
      shape.append(reinterpret_cast<const char*>(&extent), sizeof(extent));
    }
    return std::vector<TensorData>{std::make_shared<const std::string>(std::move(shape))};
  }
  if (n.op != "constant") RETURN_IF_ERROR(CheckConstant(n));
  std::vector<TensorData> operands;
  for (const Value* in : n.inputs) operands.push_back(values.at(in));
  return EvaluateNode(n, operands);
}

absl::Status EvaluateUpTo(const Value* v, std::unordered_map<const Value*, TensorData>& values) {
  std::vector<const Value*> wanted = {v};  // a chain may be longer than the stack is deep
  while (!wanted.empty()) {
    const Node& n = *wanted.back()->producer;
    if (n.op == "input") {
      return absl::FailedPreconditionError(absl::StrCat("depends on the network input '", n.name, "'"));
    }
    if (n.op == "random_state") return absl::FailedPreconditionError("depends on random numbers");
    const size_t before = wanted.size();
    for (const Value* in : n.inputs) {
      if (n.op != "shape_of" && values.count(in) == 0) wanted.push_back(in);
    }
    if (wanted.size() > before) continue;
    if (values.count(wanted.back()) == 0) {
      ASSIGN_OR_RETURN(std::vector<TensorData> results, EvaluateFrom(n, values));
      for (size_t i = 0; i < results.size(); ++i) values[n.outputs[i].get()] = results[i];
    }
    wanted.pop_back();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int64_t> WorkOf(const Node& node) {
  if (node.op == "input" || node.op == "constant") return 0;
  double work = 0;
  if (node.body != nullptr) {
    for (const auto& n : node.body->nodes()) {
      ASSIGN_OR_RETURN(const int64_t of_node, WorkOf(*n));
      work += static_cast<double>(of_node);
    }
  } else {
    ASSIGN_OR_RETURN(const std::optional<Routine> routine, RoutineOf(node, kLanes));
    if (routine.has_value()) return routine->work;
    ASSIGN_OR_RETURN(const kernel::Definition d, DefinitionOf(node));
    work = WorkOfDefinition(d);
  }
  return static_cast<int64_t>(std::min(work, 0x1p62));
}

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
  const OpDef* op = FindOp(node.op);
  absl::StatusOr<std::vector<TensorData>> results;
  if (op != nullptr && !op->define && op->routine) {
    ASSIGN_OR_RETURN(const std::optional<Routine> routine, RoutineOf(node, kLanes));
    results = EvaluateRoutine(node, *routine, operands);
  } else {
    ASSIGN_OR_RETURN(const kernel::Definition definition, DefinitionOf(node));
    results = EvaluateDefinition(definition, operands);
  }
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
      case kernel::Scalar::kFloat32:
      case kernel::Scalar::kFloat16:
      case kernel::Scalar::kBFloat16: {
        const float x = FloatAt(*data, StorageOf(v->type.dtype), i);
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
