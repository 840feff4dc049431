#include "compiler/graph/text.h"

#include <cmath>
#include <limits>
#include <random>

#include "gtest/gtest.h"

namespace mgec::graph {
namespace {

const char kNetwork[] = R"(graph {
  %0 = input() "data" : f32[1,2,4,4]
  %1 = constant() {data=0x0000803f} : f32[1]
  %2 = conv2d(%0, %3_w) {stride=[1,1]} "c" : f32[1,2,4,4]
)";

// Everything that the text form can hold.
const char kFull[] = R"(graph {
  %0 = input() "data" : f32[1,2,4,4]
  %1 = input() "a \"name\"\\ of\n\x01\xff\x61ll" : i32[2]
  %2 = constant() {data=0x0000803f} "one" : f32[1]
  %3 = add(%0, %2) "sum" : f32[1,2,4,4]
  %4 = fused(%3, %2) "f" : f32[1,2,4,4], f32[1,2,2,2] {
    %0 = input() "in0" : f32[1,2,4,4]
    %1 = input() "in1" : f32[1]
    %2 = mul(%0, %1) : f32[1,2,4,4]
    %3 = pool2d(%2) {mode="max", pad=[0,0], stride=[2,2], window=[2,2]} "p" : f32[1,2,2,2]
    return %2 "first", %3 "second"
  }
  %6 = softmax(%4) {axis=1} : f32[1,2,4,4]
  return %6 "out", %1 "in"
}
)";

std::string Numbered(std::string text) {  // kFull with the numbers that the printer gives
  const size_t at = text.find("%4 = fused");
  return text.replace(at, 2, "%4, %5");
}

TEST(TextTest, PrintsWhatItParses) {
  const std::string text = Numbered(kFull);
  const absl::StatusOr<Graph> g = ParseText(text);
  ASSERT_TRUE(g.ok()) << g.status();
  EXPECT_EQ(ToText(*g), text);
  ASSERT_EQ(g->inputs().size(), 2u);
  EXPECT_EQ(g->inputs()[1]->name, "a \"name\"\\ of\n\001\377all");
  EXPECT_EQ(g->outputs()[1].value, g->inputs()[1]->output());
}

TEST(TextTest, KeepsEveryKindOfAttribute) {
  Graph g;
  Value* x = g.AddInput("x", {DType(DTypeKind::kQuantized8Asymm, 0.1f, 128), {2, 0}});
  const double inf = std::numeric_limits<double>::infinity();
  const Attributes attributes = {
      {"int", int64_t{-5}},
      {"largest", std::numeric_limits<int64_t>::max()},
      {"smallest", std::numeric_limits<int64_t>::min()},
      {"one", 1.0},
      {"third", 1.0 / 3},
      {"big", 1e300},
      {"tiny", 5e-324},
      {"minus_zero", -0.0},
      {"inf", inf},
      {"minus_inf", -inf},
      {"text", std::string("\"quoted\", \\ % } \n")},
      {"no_text", std::string()},
      {"ints", std::vector<int64_t>{1, -2, 0}},
      {"no_ints", std::vector<int64_t>{}},
      {"floats", std::vector<double>{1, -0.5, inf}},
      {"no_floats", std::vector<double>{}},
  };
  Value* y = g.Add("shape_of", {x}, attributes).value();
  g.AddOutput(y, "y");
  const std::string text = ToText(g);
  const absl::StatusOr<Graph> parsed = ParseText(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status() << "\n" << text;
  EXPECT_EQ(ToText(*parsed), text);
  EXPECT_EQ(parsed->nodes().back()->attributes, attributes);
  EXPECT_EQ(parsed->inputs()[0]->output()->type, x->type);
}

TEST(TextTest, AbbreviatesLargeConstants) {
  Graph g;
  g.AddOutput(g.AddInts({1, 2, 3, 4, 5, 6, 7, 8, 9}), "c");
  const std::string text = ToText(g);
  EXPECT_NE(text.find("{bytes=36, hash=0x"), std::string::npos) << text;
  EXPECT_EQ(ParseText(text).status().message(), "line 2: the constant's data was too large to be printed");
  TextOptions all;
  all.max_constant_bytes = 36;
  const std::string longer = ToText(g, all);
  const absl::StatusOr<Graph> parsed = ParseText(longer);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(ToText(*parsed, all), longer);
}

TEST(TextTest, ReportsTheLine) {
  const std::pair<std::string, std::string> kCases[] = {
      {"", "line 1: expected 'graph'"},
      {kNetwork, "line 4: %3_w is not defined"},
      {"graph {\n  %0 = relu(%1) : f32[1]\n", "line 2: %1 is not defined"},
      {"graph {\n\n  return %0 \"x\"\n}\n", "line 3: %0 is not defined"},
      {"graph {\n%0 = input() \"x\" : f32[1]\nreturn %0 \"x\"\n}\nmore", "line 5: text after the graph"},
      {"graph {\n%0 = input() \"x\" : f23[1]\n", "line 2: 'f23' is not a dtype"},
      {"graph {\n%0 = input() \"x\" : f32[1.5]\n", "line 2: expected a shape"},
      {"graph {\n%0 = input() \"x\" : f32[-1]\n", "line 2: invalid graph: input \"x\" has the negative shape [-1]"},
      {"graph {\n%0 = input() \"x : f32[1]\n", "line 2: a string without an end"},
      {"graph {\n%0 = input() \"\\q\" : f32[1]\n", "line 2: a malformed string"},
      {"graph {\n%0 = constant() {data=0x123} : f32[1]\n", "line 2: malformed data"},
      {"graph {\n%0 = constant() {data=0x12} : f32[1]\n",
       "line 2: invalid graph: constant does not hold the bytes of its type"},
      {"graph {\n%0 = constant() : f32[1]\n", "line 2: a constant without data"},
      {"graph {\n%0 = input() \"x\" : f32[1]\n%1 = relu(%0) : f32[2]\n",
       "line 3: invalid graph: relu has an output of type f32[2] where its operator infers f32[1]"},
      {"graph {\n%0 = input() \"x\" : f32[1]\n%1 = reul(%0) : f32[1]\n",
       "line 3: invalid graph: reul: there is no operator 'reul'"},
      {"graph {\n%0 = input() \"x\" : f32[1]\n%1 = softmax(%0) {axis=\"0\"} : f32[1]\n",
       "line 3: invalid graph: softmax: an attribute has the wrong type"},
      {"graph {\n%0 = input() \"x\" : f32[1]\n%1 = softmax(%0) {axis=[1,0.5]} : f32[1]\n",
       "line 3: integers and floats in one list"},
      {"graph {\n%0 = input() \"x\" : f32[1]\n%0, %1 = relu(%0) : f32[1]\n",
       "line 3: results and types differ in number"},
      {"graph {\n%0 = input() \"x\" : f32[1]\n%1 = input() \"x\" : f32[1]\nreturn %0 \"y\"\n}",
       "line 5: invalid graph: input \"x\" has a name that another input has"},
  };
  for (const auto& [text, message] : kCases) {
    const absl::Status s = ParseText(text).status();
    EXPECT_EQ(s.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(std::string(s.message()), message) << text;
  }
}

// Whatever happens to a text, the parser answers with a graph that prints and parses again, or with a line.
TEST(TextTest, SurvivesMutations) {
  const std::string text = Numbered(kFull);
  std::mt19937 random(20240917);
  const std::string alphabet = "%{}()[],:=\"\\ \n.-+_0123456789abefnrstuxq\xff";
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string s = text;
    const int edits = 1 + static_cast<int>(random() % 3);
    for (int e = 0; e < edits && !s.empty(); ++e) {
      const size_t at = random() % s.size();
      switch (random() % 4) {
        case 0: s[at] = alphabet[random() % alphabet.size()]; break;
        case 1: s.erase(at, 1 + random() % 5); break;
        case 2: s.insert(at, 1, alphabet[random() % alphabet.size()]); break;
        case 3: {  // text from elsewhere
          const std::string piece = text.substr(random() % text.size(), 1 + random() % 12);
          s.insert(at, piece);
        }
      }
    }
    const absl::StatusOr<Graph> g = ParseText(s);
    if (g.ok()) {
      ++accepted;
      const std::string printed = ToText(*g);
      const absl::StatusOr<Graph> again = ParseText(printed);
      ASSERT_TRUE(again.ok()) << again.status() << "\n" << printed << "from\n" << s;
      EXPECT_EQ(ToText(*again), printed);
    } else {
      ASSERT_EQ(g.status().code(), absl::StatusCode::kInvalidArgument) << g.status() << "\n" << s;
      ASSERT_EQ(g.status().message().substr(0, 5), "line ") << g.status();
    }
  }
  EXPECT_GT(accepted, 100);  // names and white space
}

TEST(TextTest, SurvivesEveryTruncation) {
  const std::string text = Numbered(kFull);
  for (size_t n = 0; n + 2 < text.size(); ++n) {
    const absl::Status s = ParseText(text.substr(0, n)).status();
    ASSERT_EQ(s.code(), absl::StatusCode::kInvalidArgument) << n;
    ASSERT_EQ(s.message().substr(0, 5), "line ") << s;
  }
}

TEST(TextTest, SizesOfOutputs) {
  const char* const text =
      "graph {\n"
      "  %0 = input() \"x\" : f32[2,3]\n"
      "  %1 = input() \"n\" : i32[1]\n"
      "  return %0 \"y\" sizes=[-1,1], %1 \"y.size1\" internal\n"
      "}\n";
  const auto g = ParseText(text);
  ASSERT_TRUE(g.ok()) << g.status();
  EXPECT_EQ(g->outputs()[0].sizes, (std::vector<int>{-1, 1}));
  EXPECT_TRUE(g->outputs()[1].internal);
  EXPECT_EQ(ToText(*g), text);
  std::string wrong(text);
  wrong.replace(wrong.find("-1,1"), 4, "-1,0");
  EXPECT_FALSE(ParseText(wrong).ok());
}

}  // namespace
}  // namespace mgec::graph
