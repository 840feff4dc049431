// Operators that sample images at computed places, and windows over images, on dense and on blocked tensors.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Attributes;
using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

std::string Text(const char* s) { return s; }

TEST(SamplingScheduleTest, ResizesImages) {
  for (uint32_t seed = 0; seed < 6; ++seed) {
    ScheduleTester t(seed);
    t.set_tolerance(2e-5);
    const Shape shape = {t.Int(1, 2), t.Int(1, 20), t.Int(1, 12), t.Int(1, 40)};
    Value* x = t.Coin() ? t.Input(shape) : t.Blocked(shape);
    for (const char* mode : {"nearest", "linear", "cubic"}) {
      t.Expect(t.Add("resize", {x}, {{"mode", Text(mode)}, {"size", Ints{t.Int(1, 30), t.Int(1, 50)}}}));
      t.Expect(t.Add("resize", {t.Input(shape, DTypeKind::kUint8)}, {{"mode", Text(mode)}, {"size", Ints{t.Int(1, 9), t.Int(1, 70)}}}));
    }
    t.Expect(t.Add("resize3d", {t.Input({1, 3, t.Int(1, 5), t.Int(1, 6), t.Int(1, 20)})},
                   {{"size", Ints{t.Int(1, 9), t.Int(1, 9), t.Int(1, 40)}}, {"align_corners", t.Int(0, 1)}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Channels in few and in many blocks, and in no whole one.
TEST(SamplingScheduleTest, RegionsOfInterest) {
  for (int64_t channels : {3, 13, 40}) {
    ScheduleTester t(20 + static_cast<uint32_t>(channels));
    t.set_tolerance(2e-5);
    const Shape shape = {2, channels, t.Int(5, 9), t.Int(5, 20)};
    Value* x = t.Coin() ? t.Input(shape) : t.Blocked(shape);
    Value* rois = t.Add("abs", {t.Input({5, 5})});
    const Ints size = {t.Int(1, 4), t.Int(1, 9)};
    for (const char* mode : {"max", "average"}) {
      const Attributes a = {{"size", size}, {"scale", 5.0}, {"mode", Text(mode)}};
      t.Expect(t.Add("roi_pooling", {x, rois}, a));
      t.Expect(t.Add("roi_align", {x, rois}, a));
    }
    const Attributes max = {{"size", size}, {"scale", 5.0}, {"mode", Text("max")}};
    Value* input = t.Input(shape);  // places of equal maxima need equal numbers
    t.Expect(t.Add("roi_pooling_index", {input, rois, t.Add("roi_pooling", {input, rois}, max)}, max));
    t.Expect(t.Add("roi_align_index", {input, rois}, max));
    for (size_t i = 0; i < 2; ++i) {
      Value* y = t.Add("deformable_roi_pooling", {x, rois}, {{"size", size}, {"scale", 5.0}, {"samples", int64_t{2}}});
      t.Expect(y->producer->output(static_cast<int>(i)));
    }
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(SamplingScheduleTest, WarpsImages) {
  for (int64_t channels : {3, 40}) {
    ScheduleTester t(30 + static_cast<uint32_t>(channels));
    t.set_tolerance(1e-4);
    const Shape shape = {2, channels, 6, 19};
    Value* x = t.Coin() ? t.Input(shape) : t.Blocked(shape);
    Value* grid = t.Add("mul", {t.Input({2, 5, t.Int(2, 40), 2}), t.Scalar(9)});
    for (const char* border : {"replicate", "reflect", "constant"}) {
      for (const char* mode : {"nearest", "linear", "cubic"}) {
        t.Expect(t.Add("sample_image", {x, grid}, {{"border", Text(border)}, {"value", 1.5}, {"mode", Text(mode)}}));
      }
    }
    Value* offset = t.Add("mul", {t.Input({2, 18, 6, 19}), t.Scalar(3)});
    t.Expect(t.Add("deformable_windows", {x, offset, t.Input({2, 9, 6, 19})}, {{"window", Ints{3, 3}}, {"pad", Ints{1, 1}}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Pixels and coordinates: two to four neighbours in memory, of one and of four bytes.
TEST(SamplingScheduleTest, PairsAndPixels) {
  for (uint32_t seed = 0; seed < 4; ++seed) {
    ScheduleTester t(50 + seed);
    t.set_tolerance(1e-4);
    const int64_t rows = t.Int(1, 5), columns = t.Int(1, 70);
    for (const char* precision : {"float", "cv_linear", "cv_nearest"}) {
      const Attributes a = {{"size", Ints{rows, columns}}, {"precision", Text(precision)}};
      t.Expect(t.Add("affine_grid", {t.Input({2, 2, 3})}, a));
    }
    Value* matrix = t.Add("add", {t.Input({1, 3, 3}), t.Scalar(7)});
    t.Expect(t.Add("perspective_grid", {matrix}, {{"size", Ints{rows, columns}}}));
    Value* bytes = t.Input({1, rows, columns, 3}, DTypeKind::kUint8);
    for (const char* mode : {"rgb2gray", "rgb2bgr", "rgb2yuv"}) t.Expect(t.Add("cvt_color", {bytes}, {{"mode", Text(mode)}}));
    // Every second, third and fourth element, from the first on and from others.
    Value* x = t.Input({rows, 4 * columns + 3});
    for (int64_t step : {2, 3, 4}) {
      for (int64_t first : {0, 1}) {
        t.Expect(t.Add("slice", {x}, {{"begin", Ints{0, first}}, {"end", Ints{rows, 4 * columns + 3}}, {"step", Ints{1, step}}}));
      }
    }
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(SamplingScheduleTest, WindowsOverImages) {
  for (uint32_t seed = 0; seed < 4; ++seed) {
    ScheduleTester t(60 + seed);
    t.set_tolerance(5e-5);
    const int64_t channels = t.Int(1, 9), height = t.Int(4, 9), width = t.Int(5, 70), pad = t.Int(0, 3);
    Value* a = t.Input({2, channels, height, width});
    t.Expect(t.Add("correlation", {a, t.Input({2, channels, height, width})},
                   {{"max_displacement", t.Int(0, pad)}, {"pad", pad}, {"window", int64_t{1}}, {"multiply", t.Int(0, 1)}}));
    t.Expect(t.Add("images_to_windows", {a}, {{"window", Ints{3, 2}}, {"pad", Ints{t.Int(0, 1), 1}}}));
    const Shape regions = {2, height, width};
    t.set_integers(0, 2);
    t.Expect(t.Add("region_conv2d",
                   {a, t.Constant({1, 4, channels, 3, 3}), t.Input(regions, DTypeKind::kInt32), t.Input(regions, DTypeKind::kInt32)},
                   {{"pad", Ints{1, 1}}}));
    const int64_t out = t.Int(7, 17);
    t.Expect(t.Add("local_conv2d", {a, t.Constant({1, height, width, channels, 3, 3, out})}, {{"pad", Ints{1, 1}}}));
    Value* image = t.Coin() ? a : t.Blocked({1, 13, 5, 7});
    for (double beta : {0.25, 0.5, 0.75, 1.0, 1.75, 0.6}) {
      t.Expect(t.Add("lrn", {image}, {{"n", int64_t{5}}, {"k", 2.0}, {"alpha", 1e-2}, {"beta", beta}}));
    }
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
