#include "compiler/ops/strided_view.h"

#include "compiler/graph/text.h"
#include "gtest/gtest.h"

namespace mgec::ops {

static void PrintTo(const Span& s, std::ostream* os) { *os << s.extent << " by " << s.stride; }

namespace {

using graph::Attributes;
using graph::Graph;
using graph::Value;
using Ints = std::vector<int64_t>;

// The view as it says, element by element, against the movements' meaning: x holds 0, 1, 2, ..
class StridedViewTest : public ::testing::Test {
 protected:
  Value* x(const graph::Shape& shape) { return g_.AddInput("x", {graph::DTypeKind::kFloat32, shape}); }
  Value* Reshape(Value* v, const Ints& shape) { return Add("reshape", v, {{"shape", shape}}, shape); }
  Value* Broadcast(Value* v, const Ints& shape) { return Add("broadcast", v, {{"shape", shape}}, shape); }
  Value* Transpose(Value* v, const Ints& perm) {
    graph::Shape out;
    for (const int64_t i : perm) out.push_back(v->type.shape[i]);
    return Add("transpose", v, {{"perm", perm}}, out);
  }
  Value* Slice(Value* v, const Ints& begin, const Ints& end, const Ints& step, const graph::Shape& out) {
    return Add("slice", v, {{"begin", begin}, {"end", end}, {"step", step}}, out);
  }
  StridedView View(const Value* v) {
    through_.clear();
    return ViewOf(v, &through_);
  }

  std::vector<const graph::Node*> through_;

 private:
  Value* Add(const char* op, Value* v, Attributes attributes, const graph::Shape& out) {
    auto node = std::make_unique<graph::Node>();
    node->op = op;
    node->inputs = {v};
    node->attributes = std::move(attributes);
    return g_.Insert(std::move(node), {{graph::DTypeKind::kFloat32, out}})->output();
  }

  Graph g_;
};

TEST_F(StridedViewTest, HeadsOfAttention) {
  Value* v = x({2, 5, 8});
  const StridedView view = View(Reshape(Transpose(Reshape(v, {2, 5, 4, 2}), {0, 2, 1, 3}), {8, 5, 2}));
  EXPECT_EQ(view.source, v);
  EXPECT_EQ(view.offset, 0);
  EXPECT_EQ(view.axes, (std::vector<Axis>{{{2, 40}, {4, 2}}, {{5, 8}}, {{2, 1}}}));
  EXPECT_EQ(through_.size(), 3u);
}

TEST_F(StridedViewTest, ASliceOfWhatIsPackedTogether) {
  Value* v = x({2, 5, 24});
  Value* parts = Transpose(Reshape(v, {2, 5, 3, 4, 2}), {2, 0, 3, 1, 4});
  const StridedView view = View(Reshape(Slice(parts, {1, 0, 0, 0, 0}, {2, 2, 4, 5, 2}, {1, 1, 1, 1, 1}, {1, 2, 4, 5, 2}), {8, 5, 2}));
  EXPECT_EQ(view.source, v);
  EXPECT_EQ(view.offset, 8);
  EXPECT_EQ(view.axes, (std::vector<Axis>{{{2, 120}, {4, 2}}, {{5, 24}}, {{2, 1}}}));
}

TEST_F(StridedViewTest, StepsAndRepetitions) {
  Value* v = x({6, 7});
  EXPECT_EQ(View(Slice(v, {5, 1}, {-1, 7}, {-2, 3}, {3, 2})).axes, (std::vector<Axis>{{{3, -14}}, {{2, 3}}}));
  EXPECT_EQ(View(Slice(v, {5, 1}, {-1, 7}, {-2, 3}, {3, 2})).offset, 36);
  Value* heads = Reshape(Broadcast(Reshape(v, {6, 1, 7}), {6, 4, 7}), {24, 7});
  EXPECT_EQ(View(heads).axes, (std::vector<Axis>{{{6, 7}, {4, 0}}, {{7, 1}}}));
}

// Where an axis is divided unevenly, the view begins behind it.
TEST_F(StridedViewTest, StopsAtUnevenDivisions) {
  Value* turned = Transpose(x({4, 6}), {1, 0});
  Value* v = Reshape(turned, {3, 8});
  EXPECT_EQ(View(v).source, turned->producer->inputs[0]);  // 6 x 4 spans divide into 3 x 2 x 4
  Value* uneven = Reshape(turned, {4, 6});
  EXPECT_EQ(View(uneven).source, uneven);
  EXPECT_TRUE(through_.empty());
  Value* part = Slice(Reshape(Transpose(x({2, 3, 5}), {1, 0, 2}), {6, 5}), {1, 0}, {3, 5}, {1, 1}, {2, 5});
  EXPECT_EQ(View(part).source, part);
}

TEST_F(StridedViewTest, SpansOfTheSameExtents) {
  Axis a = {{6, 10}}, b = {{2, 100}, {3, 0}}, c = {{6, 0}};
  ASSERT_TRUE(DivideAlike({&a, &b, &c}));
  EXPECT_EQ(a, (Axis{{2, 30}, {3, 10}}));
  EXPECT_EQ(b, (Axis{{2, 100}, {3, 0}}));
  EXPECT_EQ(c, (Axis{{2, 0}, {3, 0}}));
  Axis d = {{3, 100}, {2, 7}};
  EXPECT_FALSE(DivideAlike({&b, &d}));
}

}  // namespace
}  // namespace mgec::ops
