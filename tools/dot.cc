#include "tools/dot.h"

namespace mgec {
namespace {

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '\n') {
      quoted += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace

DotGraph::DotGraph(const std::string& name) : text_("digraph " + Quoted(name) + " {\n") {}

void DotGraph::AddNode(const std::string& id, const std::string& label, const char* shape) {
  text_ += "  " + Quoted(id) + " [label=" + Quoted(label) + ", shape=" + shape + "];\n";
}

void DotGraph::AddEdge(const std::string& from, const std::string& to, const std::string& label) {
  text_ += "  " + Quoted(from) + " -> " + Quoted(to);
  if (!label.empty()) text_ += " [label=" + Quoted(label) + "]";
  text_ += ";\n";
}

std::string DotGraph::Finish() { return text_ + "}\n"; }

}  // namespace mgec
