#include "compiler/schedule/node_key.h"

#include <map>
#include <type_traits>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "compiler/schedule/scheduler.h"
#include "runtime/checksum.h"

namespace mgec::schedule {
namespace {

std::string TypesOf(const std::vector<graph::Value*>& values) {
  return absl::StrJoin(values, " ", [](std::string* out, const graph::Value* v) { absl::StrAppend(out, graph::ToString(v->type)); });
}

std::string AttributesOf(const graph::Node& node);

// Everything but names and values of constants.
std::string StructureOf(const graph::Graph& g) {
  std::map<const graph::Value*, size_t> numbers;
  std::string text;
  for (const auto& node : g.nodes()) {
    absl::StrAppend(&text, node->op, "(");
    for (const graph::Value* v : node->inputs) absl::StrAppend(&text, numbers.at(v), ",");
    absl::StrAppend(&text, ")", AttributesOf(*node));
    for (const auto& v : node->outputs) {
      const size_t number = numbers.size();
      numbers[v.get()] = number;
      absl::StrAppend(&text, ":", graph::ToString(v->type));
    }
    absl::StrAppend(&text, ";");
  }
  for (const graph::GraphOutput& o : g.outputs()) absl::StrAppend(&text, ">", numbers.at(o.value));
  return text;
}

std::string AttributesOf(const graph::Node& node) {
  std::string text;
  for (const auto& [name, attribute] : node.attributes.map()) {
    absl::StrAppend(&text, name, "=");
    std::visit([&](const auto& v) {
      using T = std::decay_t<decltype(v)>;
      if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, double> || std::is_same_v<T, std::string>) {
        absl::StrAppend(&text, v);
      } else {
        absl::StrAppend(&text, absl::StrJoin(v, ","));
      }
    }, attribute);
    absl::StrAppend(&text, " ");
  }
  if (node.body != nullptr) absl::StrAppend(&text, "{", StructureOf(*node.body), "}");
  return text;
}

}  // namespace

std::string NodeKey(const graph::Node& node, absl::string_view input_layouts) {
  std::vector<graph::Value*> outputs;
  for (const auto& v : node.outputs) outputs.push_back(v.get());
  std::string key = absl::StrCat(OpName(node), " ", TypesOf(node.inputs), " -> ", TypesOf(outputs));
  const std::string all = absl::StrCat(key, "|", input_layouts, "|", AttributesOf(node));
  constexpr size_t kLongest = 300;  // of what people read; the hash tells nodes apart
  if (key.size() > kLongest) key = key.substr(0, kLongest) + "..";
  return absl::StrFormat("%s #%016x", key, Checksum(all.data(), all.size()));
}

}  // namespace mgec::schedule
