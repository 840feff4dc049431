#include "tools/inspect_model.h"

#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "compiler/mge/support.h"
#include "tools/dot.h"

namespace mgec {
namespace {

using mge::Model;
using mge::Operator;

std::string Clean(absl::string_view text) { return absl::Utf8SafeCHexEscape(text); }

// "var12" where the file has no name.
std::string VariableName(const Model& model, int variable) {
  const absl::string_view name = model.variables[variable].name;
  return name.empty() ? absl::StrCat("var", variable) : Clean(name);
}

std::string OutputName(const mge::Output& output, const Model& model) {
  return output.name.empty() ? VariableName(model, output.variable) : Clean(output.name);
}

std::string TensorText(const mge::Tensor& t) {
  return absl::StrCat(mge::ToString(t.dtype), " [", absl::StrJoin(t.shape, ", "), "]");
}

bool IsInput(const Operator& op) { return op.type == "Host2DeviceCopy"; }
bool IsConstant(const Operator& op) { return !op.tensors.empty() && !IsInput(op); }

int64_t ConstantBytes(const Model& model) {
  int64_t bytes = 0;
  for (const Operator& op : model.operators) {
    for (const mge::Tensor& t : op.tensors) bytes += static_cast<int64_t>(t.data.size());
  }
  return bytes;
}

std::string OperatorLine(const Model& model, const Operator& op) {
  std::vector<std::string> inputs, outputs;
  for (int v : op.inputs) inputs.push_back(VariableName(model, v));
  for (int i = 0; i < op.num_outputs; ++i) outputs.push_back(VariableName(model, op.first_output + i));
  std::string line = absl::StrFormat("  %5d  %s = %s(%s)", op.index, absl::StrJoin(outputs, ", "), Clean(op.type),
                                     absl::StrJoin(inputs, ", "));
  const std::string parameters = mge::ParameterText(op);
  if (!parameters.empty()) absl::StrAppend(&line, "  {", parameters, "}");
  for (const mge::Tensor& t : op.tensors) absl::StrAppend(&line, "  ", TensorText(t));
  if (op.output_dtype.has_value()) absl::StrAppend(&line, "  -> ", mge::ToString(*op.output_dtype));
  if (!op.name.empty()) absl::StrAppend(&line, "  \"", Clean(op.name), "\"");
  return line + "\n";
}

}  // namespace

std::string ModelText(const Model& model, const std::string& name, bool operators) {
  std::string text = absl::StrFormat("%s   MegEngine %s, container %s, %d operators, constants of %.1f KB\n", name,
                                     mge::VersionText(model.mge_version), mge::ToString(model.container),
                                     model.operators.size(), ConstantBytes(model) * 1e-3);
  std::map<std::string, int> counts;
  for (const Operator& op : model.operators) {
    ++counts[Clean(op.type)];
    if (IsInput(op)) absl::StrAppendFormat(&text, "  input   %-16s %s\n", Clean(op.tensors[0].name), TensorText(op.tensors[0]));
  }
  for (const mge::Output& output : model.outputs) absl::StrAppendFormat(&text, "  output  %s\n", OutputName(output, model));
  for (const auto& [type, count] : counts) {
    absl::StrAppendFormat(&text, "  %5d x %s%s\n", count, type, mge::IsSupported(type) ? "" : "   (not supported)");
  }
  if (operators) {
    text += "operators\n";
    for (const Operator& op : model.operators) text += OperatorLine(model, op);
  }
  return text;
}

nlohmann::ordered_json ModelJson(const Model& model, const std::string& name) {
  nlohmann::ordered_json j;
  j["file"] = name;
  j["kind"] = "model";
  j["mge_version"] = mge::VersionText(model.mge_version);
  j["container"] = mge::ToString(model.container);
  j["constant_bytes"] = ConstantBytes(model);
  j["outputs"] = nlohmann::ordered_json::array();
  for (const mge::Output& output : model.outputs) {
    j["outputs"].push_back({{"name", OutputName(output, model)}, {"variable", output.variable}});
  }
  j["operators"] = nlohmann::ordered_json::array();
  for (const Operator& op : model.operators) {
    nlohmann::ordered_json o;
    o["index"] = op.index;
    o["type"] = Clean(op.type);
    o["name"] = Clean(op.name);
    o["supported"] = mge::IsSupported(op.type);
    o["parameters"] = mge::ParameterText(op);
    o["inputs"] = op.inputs;
    o["outputs"] = nlohmann::ordered_json::array();
    for (int i = 0; i < op.num_outputs; ++i) {
      o["outputs"].push_back({{"variable", op.first_output + i}, {"name", VariableName(model, op.first_output + i)}});
    }
    if (op.output_dtype.has_value()) o["output_dtype"] = mge::ToString(*op.output_dtype);
    for (const mge::Tensor& t : op.tensors) {
      o["tensors"].push_back({{"name", Clean(t.name)}, {"dtype", mge::ToString(t.dtype)}, {"shape", t.shape}, {"bytes", t.data.size()}});
    }
    j["operators"].push_back(std::move(o));
  }
  return j;
}

std::string ModelDot(const Model& model, const std::string& name) {
  DotGraph dot(name);
  for (const Operator& op : model.operators) {
    if (IsConstant(op)) continue;
    std::string label = Clean(op.type);
    const std::string parameters = mge::ParameterText(op);
    if (!parameters.empty()) absl::StrAppend(&label, "\n", parameters);
    if (IsInput(op)) label = absl::StrCat(Clean(op.tensors[0].name), "\n", TensorText(op.tensors[0]));
    dot.AddNode(absl::StrCat("op", op.index), label, IsInput(op) ? "ellipse" : "box");
    for (int v : op.inputs) {
      const Operator& producer = model.operators[model.variables[v].producer];
      if (!IsConstant(producer)) dot.AddEdge(absl::StrCat("op", producer.index), absl::StrCat("op", op.index), VariableName(model, v));
    }
  }
  for (size_t i = 0; i < model.outputs.size(); ++i) {
    const mge::Output& output = model.outputs[i];
    dot.AddNode(absl::StrCat("output", i), OutputName(output, model), "ellipse");
    dot.AddEdge(absl::StrCat("op", model.variables[output.variable].producer), absl::StrCat("output", i), "");
  }
  return dot.Finish();
}

}  // namespace mgec
