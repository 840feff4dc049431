// Graphviz's DOT language.
#ifndef MGEC_TOOLS_DOT_H_
#define MGEC_TOOLS_DOT_H_

#include <string>

namespace mgec {

class DotGraph {
 public:
  explicit DotGraph(const std::string& name);
  // Labels may have several lines.
  void AddNode(const std::string& id, const std::string& label, const char* shape);
  void AddEdge(const std::string& from, const std::string& to, const std::string& label);
  std::string Finish();

 private:
  std::string text_;
};

}  // namespace mgec

#endif  // MGEC_TOOLS_DOT_H_
