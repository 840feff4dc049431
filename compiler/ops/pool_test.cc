#include <algorithm>
#include <limits>

#include "compiler/ops/testing.h"

namespace mgec::ops {
namespace {

using graph::DTypeKind;
using graph::Shape;
using graph::TensorType;
using Ints = std::vector<int64_t>;

graph::Attributes Window(const char* mode, Ints window, Ints stride, Ints pad) {
  return {{"mode", std::string(mode)}, {"window", window}, {"stride", stride}, {"pad", pad}};
}

TEST(PoolTest, EveryModeOnOddShapes) {
  const struct {
    Shape x;
    Ints window, stride, pad;
  } kCases[] = {
      {{1, 1, 4, 4}, {2, 2}, {2, 2}, {0, 0}},
      {{2, 3, 5, 7}, {3, 2}, {2, 1}, {1, 1}},
      {{1, 2, 7, 5}, {3, 3}, {2, 2}, {0, 0}},  // the last row and column are left over
      {{1, 2, 3, 3}, {3, 3}, {1, 1}, {2, 2}},
      {{1, 2, 5, 3}, {5, 3}, {1, 1}, {0, 0}},
      {{1, 1, 6, 6}, {1, 1}, {3, 4}, {0, 0}},
  };
  for (const auto& c : kCases) {
    const Tensor x = Counting(c.x, 30, -1);
    const std::vector<float> in = ValuesOf<float>(x);
    for (const char* mode : {"max", "average", "average_count_exclude_padding"}) {
      const int64_t oh = (c.x[2] + 2 * c.pad[0] - c.window[0]) / c.stride[0] + 1;
      const int64_t ow = (c.x[3] + 2 * c.pad[1] - c.window[1]) / c.stride[1] + 1;
      std::vector<float> want;
      for (int64_t nc = 0; nc < c.x[0] * c.x[1]; ++nc) {
        for (int64_t o = 0; o < oh * ow; ++o) {
          float sum = 0, max = -std::numeric_limits<float>::infinity();
          int inside = 0;
          for (int64_t k = 0; k < c.window[0] * c.window[1]; ++k) {
            const int64_t h = o / ow * c.stride[0] - c.pad[0] + k / c.window[1];
            const int64_t w = o % ow * c.stride[1] - c.pad[1] + k % c.window[1];
            if (h < 0 || h >= c.x[2] || w < 0 || w >= c.x[3]) continue;
            const float v = in[(nc * c.x[2] + h) * c.x[3] + w];
            sum += v;
            max = std::max(max, v);
            ++inside;
          }
          const std::string m = mode;
          want.push_back(m == "max" ? max
                                    : sum / static_cast<float>(m == "average" ? c.window[0] * c.window[1] : inside));
        }
      }
      SCOPED_TRACE(mode + std::string(" of ") + graph::ToString(c.x));
      const absl::StatusOr<Tensor> y = RunOp("pool2d", {x}, Window(mode, c.window, c.stride, c.pad));
      ASSERT_TRUE(y.ok()) << y.status();
      EXPECT_EQ(y->type.shape, (Shape{c.x[0], c.x[1], oh, ow}));
      ExpectNear(ValuesOf<float>(*y), want);
    }
  }
}

TEST(PoolTest, TheDefaultIsTwoByTwo) {
  EXPECT_EQ(RunFloats("pool2d", {F32({1, 1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})}, {{"mode", std::string("max")}}),
            (std::vector<float>{6, 8}));
}

TEST(PoolTest, PaddingNeverWins) {  // even against negative elements
  EXPECT_EQ(RunFloats("pool2d", {F32({1, 1, 1, 1}, {-5})}, Window("max", {3, 3}, {1, 1}, {1, 1})),
            std::vector<float>{-5});
  const Tensor h = RunOp("cast", {F32({1, 1, 1, 1}, {-5})}, {{"dtype", std::string("f16")}}).value();
  EXPECT_EQ(ValuesOf<uint16_t>(RunOp("pool2d", {h}, Window("max", {3, 3}, {1, 1}, {1, 1})).value())[0], 0xc500);
}

TEST(PoolTest, Refuses) {
  const TensorType x{DTypeKind::kFloat32, {1, 2, 5, 5}};
  ExpectRefused(InferOne("pool2d", {x}, {{"mode", std::string("median")}}).status(),
                "there is no pooling mode 'median'");
  ExpectRefused(InferOne("pool2d", {x}, Window("max", {6, 2}, {1, 1}, {0, 0})).status(),
                "a window of 6 with padding 0");
  ExpectRefused(InferOne("pool2d", {x}, Window("max", {2, 2}, {1, 1}, {2, 0})).status(),
                "a window of 2 with padding 2");
  ExpectRefused(InferOne("pool2d", {x}, Window("max", {2, 2}, {0, 1}, {0, 0})).status(), "attribute stride");
  ExpectRefused(InferOne("pool2d", {x}, Window("max", {2}, {1, 1}, {0, 0})).status(), "attribute window");
  ExpectRefused(InferOne("pool2d", {x}, Window("max", {2, 2}, {1, 1}, {0, -1})).status(), "attribute pad");
  const TensorType flat{DTypeKind::kFloat32, {2, 5, 5}}, bools{DTypeKind::kBool, x.shape};
  ExpectRefused(InferOne("pool2d", {flat}, {{"mode", std::string("max")}}).status(), "needs 4 dimensions");
  ExpectRefused(InferOne("pool2d", {bools}, {{"mode", std::string("max")}}).status(), "does not take bool");
}

}  // namespace
}  // namespace mgec::ops
