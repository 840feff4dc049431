#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "compiler/base/status_macros.h"
#include "compiler/graph/text.h"

namespace mgec::graph {
namespace {

class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {}

  absl::StatusOr<Graph> Parse() {
    RETURN_IF_ERROR(Expect("graph"));
    RETURN_IF_ERROR(Expect("{"));
    Graph g;
    RETURN_IF_ERROR(ParseBody(g, 0));
    Skip();
    if (at_++ != text_.size()) return Error("text after the graph");
    if (absl::Status s = Verify(g); !s.ok()) return Error(s.message());
    return g;
  }

 private:
  absl::Status Error(absl::string_view what) const {
    size_t end =
        std::min(at_, text_.size());  // of the last token: what stands wrong is there, not after the white space
    while (end > 0 && std::isspace(static_cast<unsigned char>(text_[end - 1]))) --end;
    const int64_t line = 1 + std::count(text_.begin(), text_.begin() + end, '\n');
    return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", what));
  }

  void Skip() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool Accept(absl::string_view token) {
    Skip();
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  absl::Status Expect(absl::string_view token) {
    return Accept(token) ? absl::OkStatus() : Error(absl::StrCat("expected '", token, "'"));
  }
  // The longest run of the given characters besides letters and digits.
  std::string Word(absl::string_view also) {
    Skip();
    const size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) ||
                                  also.find(text_[at_]) != absl::string_view::npos)) {
      ++at_;
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

  absl::StatusOr<std::string> String() {
    RETURN_IF_ERROR(Expect("\""));
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    if (at_ >= text_.size()) return Error("a string without an end");
    std::string value;
    if (!absl::CUnescape(text_.substr(begin, at_ - begin), &value)) return Error("a malformed string");
    ++at_;
    return value;
  }

  absl::StatusOr<Attribute> Number() {
    const std::string word = Word("+-.");
    if (word.empty()) return Error("expected a number");
    errno = 0;
    char* end;
    if (word.find_first_of(".enN") == std::string::npos || word == "0") {
      const long long v = std::strtoll(word.c_str(), &end, 10);
      if (*end == 0 && errno == 0) return Attribute(static_cast<int64_t>(v));
    }
    const double v = std::strtod(word.c_str(), &end);
    if (*end != 0) return Error(absl::StrCat("'", word, "' is no number"));
    return Attribute(v);
  }

  absl::StatusOr<Attribute> Value_() {
    Skip();
    if (at_ < text_.size() && text_[at_] == '"') {
      ASSIGN_OR_RETURN(std::string s, String());
      return Attribute(std::move(s));
    }
    if (!Accept("[")) return Number();
    std::vector<int64_t> ints;
    std::vector<double> floats;
    if (Accept(".]")) return Attribute(floats);
    while (!Accept("]")) {
      ASSIGN_OR_RETURN(Attribute a, Number());
      if (const auto* i = std::get_if<int64_t>(&a)) ints.push_back(*i);
      else floats.push_back(std::get<double>(a));
      if (!ints.empty() && !floats.empty()) return Error("integers and floats in one list");
      Accept(",");
      if (at_ >= text_.size()) return Error("a list without an end");
    }
    if (!floats.empty()) return Attribute(std::move(floats));
    return Attribute(std::move(ints));
  }

  absl::StatusOr<TensorType> Type() {
    std::string dtype = Word("");
    if (Accept("(")) {
      const size_t close = text_.find(')', at_);
      if (close == absl::string_view::npos) return Error("a dtype without an end");
      absl::StrAppend(&dtype, "(", text_.substr(at_, close - at_), ")");
      at_ = close + 1;
    }
    auto parsed = ParseDType(dtype);
    if (!parsed.ok()) return Error(parsed.status().message());
    ASSIGN_OR_RETURN(Attribute shape, Value_());
    if (!std::holds_alternative<std::vector<int64_t>>(shape)) return Error("expected a shape");
    return TensorType{*parsed, std::get<std::vector<int64_t>>(shape)};
  }

  absl::Status ParseAttributes(Node& n) {
    while (!Accept("}")) {
      const std::string name = Word("_");
      if (name.empty()) return Error("expected an attribute");
      RETURN_IF_ERROR(Expect("="));
      if (n.op == "constant" && name == "data") {
        RETURN_IF_ERROR(Expect("0x"));
        const std::string hex = Word("");
        if (hex.size() % 2 != 0 || hex.find_first_not_of("0123456789abcdef") != std::string::npos) {
          return Error("malformed data");
        }
        n.data = std::make_shared<const std::string>(absl::HexStringToBytes(hex));
      } else if (n.op == "constant") {
        return Error("the constant's data was too large to be printed");
      } else {
        ASSIGN_OR_RETURN(Attribute value, Value_());
        n.attributes.Set(name, std::move(value));
      }
      Accept(",");
      if (at_ >= text_.size()) return Error("attributes without an end");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Value*> Operand(const std::unordered_map<std::string, Value*>& values) {
    RETURN_IF_ERROR(Expect("%"));
    const std::string name = Word("_.");
    auto it = values.find(name);
    if (it == values.end()) return Error(absl::StrCat("%", name, " is not defined"));
    return it->second;
  }

  // Nodes and the return line, up to and including the closing brace.
  absl::Status ParseBody(Graph& g, int depth) {
    if (depth > 8) return Error("bodies are nested too deeply");
    std::unordered_map<std::string, Value*> values;
    for (;;) {
      if (Accept("return")) break;
      RETURN_IF_ERROR(ParseNode(g, values, depth));
    }
    do {
      ASSIGN_OR_RETURN(Value * v, Operand(values));
      ASSIGN_OR_RETURN(std::string name, String());
      g.AddOutput(v, std::move(name));
      g.outputs().back().internal = Accept("internal");
      if (Accept("sizes=")) {
        ASSIGN_OR_RETURN(const Attribute sizes, Value_());
        const auto* list = std::get_if<std::vector<int64_t>>(&sizes);
        if (list == nullptr) return Error("sizes are a list of integers");
        g.outputs().back().sizes.assign(list->begin(), list->end());
      }
    } while (Accept(","));
    return Expect("}");
  }

  absl::Status ParseNode(Graph& g, std::unordered_map<std::string, Value*>& values, int depth) {
    std::vector<std::string> results;
    do {
      RETURN_IF_ERROR(Expect("%"));
      results.push_back(Word("_."));
    } while (Accept(","));
    RETURN_IF_ERROR(Expect("="));
    auto node = std::make_unique<Node>();
    node->op = Word("_");
    RETURN_IF_ERROR(Expect("("));
    while (!Accept(")")) {
      ASSIGN_OR_RETURN(Value * v, Operand(values));
      node->inputs.push_back(v);
      Accept(",");
    }
    if (Accept("{")) RETURN_IF_ERROR(ParseAttributes(*node));
    Skip();
    if (at_ < text_.size() && text_[at_] == '"') {
      ASSIGN_OR_RETURN(node->name, String());
    }
    RETURN_IF_ERROR(Expect(":"));
    std::vector<TensorType> types;
    do {
      ASSIGN_OR_RETURN(TensorType t, Type());
      types.push_back(std::move(t));
    } while (Accept(","));
    if (types.size() != results.size()) return Error("results and types differ in number");
    if (Accept("{")) {
      node->body = std::make_unique<Graph>();
      RETURN_IF_ERROR(ParseBody(*node->body, depth + 1));
    }
    if (node->op == "constant" && node->data == nullptr) return Error("a constant without data");
    if ((node->op == "constant" || node->op == "input") && !node->inputs.empty()) return Error("takes no operands");
    Node* placed;
    if (node->op == "input") {
      if (types.size() != 1) return Error("an input has one result");
      placed = g.AddInput(node->name, types[0])->producer;
    } else {
      placed = g.Insert(std::move(node), types);
    }
    if (absl::Status s = VerifyNode(*placed); !s.ok()) return Error(s.message());
    for (size_t i = 0; i < results.size(); ++i) values[results[i]] = placed->output(static_cast<int>(i));
    return absl::OkStatus();
  }

  absl::string_view text_;
  size_t at_ = 0;
};

}  // namespace

absl::StatusOr<Graph> ParseText(absl::string_view text) { return Parser(text).Parse(); }

}  // namespace mgec::graph
