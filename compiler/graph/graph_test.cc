#include "compiler/graph/graph.h"

#include "gtest/gtest.h"

namespace mgec::graph {
namespace {

const TensorType kType{DTypeKind::kFloat32, {2, 3}};

std::vector<std::string> Ops(const Graph& g) {
  std::vector<std::string> ops;
  for (const auto& n : g.nodes()) ops.push_back(n->op);
  return ops;
}

TEST(AttributesTest, HaveDefaultsAndKeepTheirTypes) {
  const Attributes a = {{"i", int64_t{3}}, {"f", 0.5}, {"s", std::string("x")}, {"is", std::vector<int64_t>{1, 2}}};
  EXPECT_EQ(a.Int("i"), 3);
  EXPECT_EQ(a.Float("i"), 3.0);  // an integer is a float, too
  EXPECT_EQ(a.Float("f"), 0.5);
  EXPECT_EQ(a.String("s"), "x");
  EXPECT_EQ(a.Ints("is"), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(a.Int("none", 7), 7);
  EXPECT_EQ(a.Float("none", 0.25), 0.25);
  EXPECT_EQ(a.String("none", "d"), "d");
  EXPECT_TRUE(a.Ints("none").empty());
  EXPECT_TRUE(a.Has("i"));
  EXPECT_FALSE(a.Has("none"));
}

TEST(GraphTest, InfersTypesAndNamesTheNodeInErrors) {
  Graph g;
  Value* x = g.AddInput("x", kType);
  auto y = g.Add("add", {x, g.AddScalar(1)}, {}, "sum");
  ASSERT_TRUE(y.ok()) << y.status();
  EXPECT_EQ((*y)->type, kType);
  const absl::Status unfit = g.Add("add", {x, g.AddInts({1, 2})}, {}, "bad").status();
  EXPECT_EQ(unfit.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(unfit.message().find("add \"bad\": "), absl::string_view::npos) << unfit;
  EXPECT_EQ(g.Add("no_such_op", {x}).status().message(), "no_such_op: there is no operator 'no_such_op'");
  EXPECT_FALSE(g.Add("relu", {x, x}).ok());  // too many operands
  EXPECT_EQ(g.Add("softmax", {x}, {{"axis", std::string("1")}}, "s").status().message(),
            "softmax \"s\": an attribute has the wrong type");
}

TEST(GraphTest, InsertsWhereItIsTold) {
  Graph g;
  Value* x = g.AddInput("x", kType);
  Value* y = g.Add("relu", {x}).value();
  g.SetInsertionPoint(y->producer);
  g.Add("exp", {x}).value();
  g.SetInsertionPoint(nullptr);
  g.Add("abs", {y}).value();
  EXPECT_EQ(Ops(g), (std::vector<std::string>{"input", "exp", "relu", "abs"}));
}

TEST(GraphTest, CopiesNodesFromAnotherGraph) {
  Graph from;
  Value* x = from.AddInput("x", kType);
  Node* sums = from.AddNode("reduce", {x}, {{"mode", std::string("sum")}, {"axes", std::vector<int64_t>{1}}}, "sums").value();
  sums->output()->origin = DTypeKind::kFloat16;
  const Value* two = from.AddConstant({DTypeKind::kFloat32, {1}}, std::string(4, '\1'), "two");

  Graph to;
  Value* y = to.AddInput("y", kType);
  const Node* last = to.Add("relu", {y}).value()->producer;
  to.SetInsertionPoint(const_cast<Node*>(last));
  const Node* copy = to.InsertCopy(*sums, {y});
  const Node* constant = to.InsertCopy(*two->producer, {});
  EXPECT_EQ(Ops(to), (std::vector<std::string>{"input", "reduce", "constant", "relu"}));
  EXPECT_EQ(copy->name, "sums");
  EXPECT_EQ(copy->attributes, sums->attributes);
  EXPECT_EQ(copy->inputs, std::vector<Value*>{y});
  EXPECT_EQ(copy->output()->producer, copy);
  EXPECT_EQ(copy->output()->type, sums->output()->type);
  EXPECT_EQ(copy->output()->origin, DTypeKind::kFloat16);
  EXPECT_EQ(constant->data, two->producer->data);  // shared
  EXPECT_EQ(constant->output()->origin, std::nullopt);
  EXPECT_TRUE(Verify(to).ok());
  EXPECT_EQ(sums->inputs, std::vector<Value*>{x});  // as it was
}

TEST(GraphTest, ReplacesEveryUse) {
  Graph g;
  Value* x = g.AddInput("x", kType);
  Value* a = g.Add("relu", {x}).value();
  Value* b = g.Add("exp", {x}).value();
  Value* sum = g.Add("add", {a, a}).value();
  g.AddOutput(a, "a");
  g.AddOutput(sum, "sum");
  g.ReplaceAllUses(a, b);
  EXPECT_EQ(sum->producer->inputs, (std::vector<Value*>{b, b}));
  EXPECT_EQ(g.outputs()[0].value, b);
  EXPECT_EQ(g.outputs()[0].name, "a");
  EXPECT_EQ(g.outputs()[1].value, sum);
  EXPECT_EQ(a->producer->inputs, std::vector<Value*>{x});
  EXPECT_TRUE(g.IsOutput(b));
  EXPECT_FALSE(g.IsOutput(a));
  EXPECT_EQ(g.Users().at(b), (std::vector<Node*>{sum->producer, sum->producer}));
  EXPECT_EQ(g.Users().count(a), 0u);
}

TEST(GraphTest, ErasesDeadChainsButNotInputs) {
  Graph g;
  Value* x = g.AddInput("x", kType);
  g.AddInput("unused", kType);
  Value* dead = g.Add("relu", {x}).value();
  Value* dead_too = g.Add("add", {dead, g.AddScalar(2)}).value();
  Value* live = g.Add("exp", {x}).value();
  g.AddOutput(live, "out");
  g.SetInsertionPoint(dead_too->producer);
  EXPECT_EQ(g.EraseDeadNodes(), 3);
  EXPECT_EQ(Ops(g), (std::vector<std::string>{"input", "input", "exp"}));
  EXPECT_EQ(g.EraseDeadNodes(), 0);
  g.Add("abs", {live}).value();  // the insertion point is gone with its node
  EXPECT_EQ(Ops(g).back(), "abs");
}

TEST(GraphTest, MakesConstants) {
  Graph g;
  const Value* ints = g.AddInts({1, -2});
  EXPECT_EQ(ToString(ints->type), "i32[2]");
  EXPECT_EQ(*ints->producer->data, std::string("\1\0\0\0\xfe\xff\xff\xff", 8));
  EXPECT_EQ(*g.AddScalar(1.0f)->producer->data, std::string("\0\0\x80\x3f", 4));
}

class VerifyTest : public testing::Test {
 protected:
  VerifyTest() {
    x_ = g_.AddInput("x", kType);
    y_ = g_.Add("relu", {x_}, {}, "r").value();
    g_.AddOutput(y_, "out");
  }
  void ExpectInvalid(const std::string& message) {
    const absl::Status s = Verify(g_);
    EXPECT_EQ(s.code(), absl::StatusCode::kInternal);
    EXPECT_EQ(s.message(), "invalid graph: " + message);
  }
  Graph g_;
  Value* x_;
  Value* y_;
};

TEST_F(VerifyTest, AcceptsWhatTheBuilderMade) { EXPECT_TRUE(Verify(g_).ok()); }

TEST_F(VerifyTest, SeesAnUseBeforeTheDefinition) {
  g_.SetInsertionPoint(y_->producer);
  Value* early = g_.Add("exp", {x_}, {}, "e").value();
  early->producer->inputs[0] = y_;
  ExpectInvalid("exp \"e\" uses a value that is not defined before it");
}

TEST_F(VerifyTest, SeesWrongTypes) {
  y_->type.shape = {3, 2};
  ExpectInvalid("relu \"r\" has an output of type f32[3,2] where its operator infers f32[2,3]");
  y_->type.shape = {-2, -3};
  ExpectInvalid("relu \"r\" has the negative shape [-2,-3]");
  x_->type.shape = {int64_t{1} << 30, int64_t{1} << 30};
  ExpectInvalid("input \"x\" has the shape [1073741824,1073741824], too large");
}

TEST_F(VerifyTest, SeesWhatTheOperatorRefuses) {
  y_->producer->op = "rellu";
  ExpectInvalid("rellu \"r\": there is no operator 'rellu'");
}

TEST_F(VerifyTest, SeesConstantsOfTheWrongSize) {
  Value* c = g_.AddScalar(1);
  c->producer->name = "c";
  c->type.shape = {2};
  ExpectInvalid("constant \"c\" does not hold the bytes of its type");
}

TEST_F(VerifyTest, SeesInputsOfOneName) {
  g_.AddInput("x", kType);
  ExpectInvalid("input \"x\" has a name that another input has");
}

TEST_F(VerifyTest, SeesAnUndefinedOutput) {
  Graph other;
  g_.AddOutput(other.AddInput("x", kType), "stranger");
  ExpectInvalid("the output \"stranger\" is not defined");
}

TEST_F(VerifyTest, LooksIntoBodies) {
  auto node = std::make_unique<Node>();
  node->op = "fused";
  node->name = "f";
  node->inputs = {x_};
  node->body = std::make_unique<Graph>();
  Graph& body = *node->body;
  Value* in = body.AddInput("in0", kType);
  body.AddOutput(body.Add("exp", {in}, {}, "inner").value(), "out");
  Value* f = g_.Insert(std::move(node), {kType})->output();
  EXPECT_TRUE(Verify(g_).ok());
  f->type.dtype = DTypeKind::kInt32;
  ExpectInvalid("fused \"f\" and its body differ in output types");
  body.AddOutput(in, "second");
  ExpectInvalid("fused \"f\" and its body differ in the number of inputs or outputs");
  in->type.shape = {3};
  ExpectInvalid("exp \"inner\" has an output of type f32[2,3] where its operator infers f32[3]");
}

}  // namespace
}  // namespace mgec::graph
