#include <cinttypes>
#include <cstdio>
#include <functional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "compiler/graph/text.h"

namespace mgec::graph {
namespace {

std::string Quoted(const std::string& s) { return absl::StrCat("\"", absl::CHexEscape(s), "\""); }

// Floats keep a mark of what they are: 1 prints as 1.0.
std::string FloatText(double v) {
  std::string s = absl::StrFormat("%.17g", v);
  if (s.find_first_of(".en") == std::string::npos) s += ".0";
  return s;
}

std::string AttributeText(const Attribute& a) {
  struct Printer {
    std::string operator()(int64_t v) const { return absl::StrCat(v); }
    std::string operator()(double v) const { return FloatText(v); }
    std::string operator()(const std::string& v) const { return Quoted(v); }
    std::string operator()(const std::vector<int64_t>& v) const { return absl::StrCat("[", absl::StrJoin(v, ","), "]"); }
    std::string operator()(const std::vector<double>& v) const {
      return absl::StrCat("[", absl::StrJoin(v, ",", [](std::string* out, double d) { *out += FloatText(d); }),
                          v.empty() ? ".]" : "]");
    }
  };
  return std::visit(Printer(), a);
}

// FNV-1a: enough to tell constants apart in a print.
uint64_t Fnv(const std::string& s) {
  uint64_t h = 1469598103934665603u;
  for (unsigned char c : s) h = (h ^ c) * 1099511628211u;
  return h;
}

class Printer {
 public:
  explicit Printer(const TextOptions& options) : options_(options) {}

  void Print(const Graph& g, const std::string& indent, std::string* out) {
    std::unordered_map<const Value*, std::string> names;
    int next = 0;
    for (const auto& n : g.nodes()) {
      std::vector<std::string> results, types, operands;
      for (const auto& v : n->outputs) {
        names[v.get()] = absl::StrCat("%", next++);
        results.push_back(names[v.get()]);
        types.push_back(ToString(v->type));
      }
      for (const Value* v : n->inputs) {
        auto it = names.find(v);
        operands.push_back(it == names.end() ? "%undefined" : it->second);
      }
      absl::StrAppend(out, indent, absl::StrJoin(results, ", "), " = ", n->op, "(", absl::StrJoin(operands, ", "), ")");
      PrintAttributes(*n, out);
      if (!n->name.empty()) absl::StrAppend(out, " ", Quoted(n->name));
      absl::StrAppend(out, " : ", absl::StrJoin(types, ", "));
      if (n->body != nullptr) {
        absl::StrAppend(out, " {\n");
        Print(*n->body, indent + "  ", out);
        absl::StrAppend(out, indent, "}");
      }
      absl::StrAppend(out, "\n");
    }
    std::vector<std::string> outputs;
    for (const GraphOutput& o : g.outputs()) {
      outputs.push_back(absl::StrCat(names[o.value], " ", Quoted(o.name), o.internal ? " internal" : ""));
      if (!o.sizes.empty()) absl::StrAppend(&outputs.back(), " sizes=[", absl::StrJoin(o.sizes, ","), "]");
    }
    absl::StrAppend(out, indent, "return ", absl::StrJoin(outputs, ", "), "\n");
  }

 private:
  void PrintAttributes(const Node& n, std::string* out) const {
    std::vector<std::string> items;
    for (const auto& [name, value] : n.attributes.map()) items.push_back(absl::StrCat(name, "=", AttributeText(value)));
    if (n.data != nullptr) {
      if (static_cast<int64_t>(n.data->size()) <= options_.max_constant_bytes) {
        items.push_back(absl::StrCat("data=0x", absl::BytesToHexString(*n.data)));
      } else {
        items.push_back(absl::StrFormat("bytes=%d", n.data->size()));
        items.push_back(absl::StrFormat("hash=0x%016x", Fnv(*n.data)));
      }
    }
    if (!items.empty()) absl::StrAppend(out, " {", absl::StrJoin(items, ", "), "}");
  }

  const TextOptions& options_;
};

}  // namespace

std::string ToText(const Graph& g, const TextOptions& options) {
  std::string out = "graph {\n";
  Printer(options).Print(g, "  ", &out);
  return out + "}\n";
}

}  // namespace mgec::graph
