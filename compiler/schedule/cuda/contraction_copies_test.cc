// Contractions that copy factors to shared memory asynchronously, by the emulator: what they copy lands when it is waited for, and
// not before. For GPUs that cannot, the same kernels pass everything through registers.
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Attributes;
using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

Attributes Transposed(bool a, bool b) { return {{"transpose_a", int64_t{a}}, {"transpose_b", int64_t{b}}}; }
Shape Matrix(int64_t rows, int64_t cols, bool transposed) { return transposed ? Shape{cols, rows} : Shape{rows, cols}; }

// A tensor of which kernels know that it is aligned: another step's result. Not a constant, which may be folded.
Value* Aligned(ScheduleTester& t, const Shape& shape) {
  return t.Add("softmax", {t.Input(shape)}, {{"axis", static_cast<int64_t>(shape.size()) - 1}});
}

// How many elements of a factor, "rows" or "cols", the last of the tester's kernels copies at a time; 0: it does not copy them.
int AtATime(const ScheduleTester& t, const std::string& factor) {
  if (t.kernels().empty()) return -1;  // something has failed before
  const std::string text = ToString(t.kernels().back());
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::StrContains(line, "copy " + factor + "[")) continue;
    const size_t lanes = line.find("] x");
    return lanes == absl::string_view::npos ? 1 : std::atoi(std::string(line.substr(lanes + 3)).c_str());
  }
  return 0;
}

// Sums of one tile, of as many as are under way at a time, of one less and one more, and of parts of a tile.
TEST(ContractionCopiesTest, SumsOfEveryLength) {
  ScheduleTester t;
  for (int64_t depth : {8, 12, 24, 32, 33, 40, 77}) {
    t.Expect(t.Add("matmul", {Aligned(t, {36, depth}), Aligned(t, {depth, 44})}));
  }
  t.CheckCuda();
  EXPECT_TRUE(t.KernelsContain("copy rows[") && t.KernelsContain("copy cols["));
}

// Every tile, with both factors along rows and along columns of memory.
TEST(ContractionCopiesTest, Tiles) {
  uint32_t salt = 100;
  for (const Ints& mkn : {Ints{33, 17, 70}, Ints{64, 64, 64}, Ints{200, 40, 900}, Ints{2040, 12, 1992}}) {
    ScheduleTester t(salt);
    const bool ta = salt % 2 != 0, tb = salt % 4 > 1;
    t.Expect(t.Add("matmul", {Aligned(t, Matrix(mkn[0], mkn[1], ta)), t.Constant(Matrix(mkn[1], mkn[2], tb))}, Transposed(ta, tb)));
    t.CheckCuda();
    EXPECT_TRUE(t.KernelsContain("copy rows[") && t.KernelsContain("copy cols["));
    ++salt;
  }
}

// As many at a time as the shape, the memory's alignment and the number of threads allow.
TEST(ContractionCopiesTest, WordsAtATime) {
  struct Case {
    int64_t cols;
    bool aligned;
    int words;
  };
  uint32_t salt = 200;
  for (const Case& c : {Case{44, true, 4}, Case{46, true, 2}, Case{45, true, 1}, Case{44, false, 1}}) {
    ScheduleTester t(salt++);
    Value* b = c.aligned ? Aligned(t, {40, c.cols}) : t.Input({40, c.cols});
    t.Expect(t.Add("matmul", {t.Input({36, 40}), b}));
    t.CheckCuda();
    EXPECT_EQ(AtATime(t, "cols"), c.words) << c.cols;
    EXPECT_EQ(AtATime(t, "rows"), 1);  // along the sum
  }
}

// Padding becomes zeros.
TEST(ContractionCopiesTest, Convolutions) {
  for (uint32_t i = 0; i < 4; ++i) {
    ScheduleTester t(300 + i);
    const int64_t group = t.OneOf<int64_t>({1, 1, 2}), icg = t.Int(3, 20), ocg = t.Int(8, 40), k = t.OneOf<int64_t>({1, 3, 3});
    const Shape x = {2, group * icg, t.Int(k, 12), t.Int(k, 12)};
    const Shape w = group == 1 ? Shape{ocg, icg, k, k} : Shape{group, ocg, icg, k, k};
    Value* y = t.Add("conv2d", {Aligned(t, x), t.Constant(w)},
                     {{"group", group}, {"pad", Ints{k / 2, k / 2}}, {"stride", Ints{t.Int(1, 2), t.Int(1, 2)}}});
    t.Expect(t.Add("relu", {y}));
    t.CheckCuda();
    EXPECT_TRUE(t.KernelsContain("copy rows[") && t.KernelsContain("copy cols["));
    EXPECT_TRUE(k == 1 || t.KernelsContain(" where ")) << "nothing is padded";
  }
}

// With tensor cores words of a factor that lie along the sum are copied: weights, mostly. What users bring may be aligned to an
// element only.
TEST(ContractionCopiesTest, WordsOfTensorCores) {
  struct Case {
    int64_t m, k, n;
    int elements;  // of the weights, at a time
  };
  uint32_t salt = 500;
  for (const Case& c : {Case{33, 32, 72, 16}, Case{200, 40, 900, 8}, Case{40, 1030, 70, 0}}) {
    ScheduleTester t(salt++);
    t.set_integers(-128, 127);
    Attributes attributes = Transposed(false, true);
    attributes.Set("dtype", std::string("i32"));
    t.Expect(t.Add("int_matmul", {t.Input({c.m, c.k}, DTypeKind::kInt8), t.Constant({c.n, c.k}, DTypeKind::kInt8)}, attributes));
    t.CheckCuda();
    EXPECT_TRUE(t.KernelsContain("mma("));
    EXPECT_EQ(AtATime(t, "rows"), 0);
    EXPECT_EQ(AtATime(t, "cols"), c.elements) << c.k;
  }
}

// All axes of the sum together are one run of a convolution's weights.
TEST(ContractionCopiesTest, WeightsOfConvolutions) {
  ScheduleTester t(600);
  t.set_integers(-128, 127);
  t.Expect(t.Add("int_conv2d", {t.Input({1, 16, 9, 7}, DTypeKind::kInt8), t.Constant({24, 16, 3, 3}, DTypeKind::kInt8)},
                 {{"pad", Ints{1, 1}}, {"dtype", std::string("i32")}}));
  t.CheckCuda();
  EXPECT_EQ(AtATime(t, "rows"), 8);  // so that each thread has something to copy
}

}  // namespace
}  // namespace mgec::schedule
