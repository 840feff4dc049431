// Sizes that depend on values, from models made by hand to numbers: what testdata/ops has no case for.
#include <cmath>

#include "compiler/mge/dynamic_test_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

using testing::HasSubstr;
using param::ReduceMode;

Ints Taken(CondTakeMode mode, float val, float eps, const Floats& x) {
  TestModel m;
  const int in = m.Input("x", {static_cast<int64_t>(x.size())});
  m.Output(CondTake(m, in, in, mode, val, eps) + 1);
  const auto r = RunModel(m, x);
  return r.empty() ? Ints{-1} : r[0].as<int32_t>();
}

TEST(CondTakeTest, Modes) {
  const Floats x = {1, 2, 1.05f, 3, NAN, -1};
  EXPECT_EQ(Taken(CondTakeMode::EQ, 1, 1e-6f, x), (Ints{0}));
  EXPECT_EQ(Taken(CondTakeMode::EQ, 1, 0.1f, x), (Ints{0, 2}));
  EXPECT_EQ(Taken(CondTakeMode::NEQ, 1, 0.1f, x), (Ints{1, 3, 4, 5}));
  EXPECT_EQ(Taken(CondTakeMode::LT, 2, 0, x), (Ints{0, 2, 5}));
  EXPECT_EQ(Taken(CondTakeMode::LEQ, 2, 0, x), (Ints{0, 1, 2, 5}));
  EXPECT_EQ(Taken(CondTakeMode::GT, 2, 0, x), (Ints{3}));
  EXPECT_EQ(Taken(CondTakeMode::GEQ, 2, 0, x), (Ints{1, 3}));
}

TEST(CondTakeTest, IntegerMasks) {
  for (DTypeEnum type : {DTypeEnum::Int8, DTypeEnum::Uint8}) {
    TestModel m;
    const int x = m.Input("x", {5}, type);
    m.Output(CondTake(m, x, x, CondTakeMode::GEQ, 2.5f));  // as an integer: 2
    const auto r = RunModel(m, std::vector<int8_t>{1, 2, 3, 0, 100});
    ASSERT_EQ(r.size(), 1u);
    EXPECT_EQ(r[0].as<int8_t>(), (std::vector<int8_t>{2, 3, 100}));
  }
}

TEST(CondTakeTest, ConstantMasksGiveFixedSizes) {
  TestModel m;
  const int x = m.Input("x", {4}), mask = m.Floats({4}, {1, 0, 0, 1});
  m.Output(CondTake(m, x, mask, CondTakeMode::EQ, 1));
  const auto g = m.Import();
  ASSERT_TRUE(g.ok()) << g.status();
  EXPECT_EQ(g->outputs().size(), 1u);
  EXPECT_EQ(g->outputs()[0].value->type.shape, (graph::Shape{2}));
  EXPECT_EQ(RunModel(m, Floats{5, 6, 7, 8})[0].as<float>(), (Floats{5, 8}));
}

TEST(NonZeroTest, ARowForEachDimension) {
  TestModel m;
  m.Output(m.Op("NonZero", {m.Input("x", {2, 3})}));
  const auto r = RunModel(m, Floats{0, 1, 0, 1e-30f, 0, NAN});
  ASSERT_EQ(r.size(), 1u);
  EXPECT_EQ(r[0].shape, (graph::Shape{2, 3}));
  EXPECT_EQ(r[0].as<int32_t>(), (Ints{0, 1, 1, 1, 0, 2}));
  const auto none = RunModel(m, Floats(6, 0));
  EXPECT_EQ(none[0].shape, (graph::Shape{2, 0}));
}

TEST(DynamicTest, ReductionsSeeOnlyWhatCounts) {
  const auto reduce = [](ReduceMode mode, const Floats& x) {
    TestModel m;
    const int taken = Positive(m, m.Input("x", {static_cast<int64_t>(x.size())}));
    m.Output(m.Op("ReduceV2", {taken}, [&](auto& b) { return param::CreateReduce(b, mode, 0); }));
    const auto r = RunModel(m, x);
    return r.empty() ? -1e30f : r[0].as<float>()[0];
  };
  const Floats x = {-7, 3, -1, 5, 4};
  EXPECT_EQ(reduce(ReduceMode::SUM, x), 12);
  EXPECT_EQ(reduce(ReduceMode::SUM_SQR, x), 50);
  EXPECT_EQ(reduce(ReduceMode::PRODUCT, x), 60);
  EXPECT_EQ(reduce(ReduceMode::MIN_, x), 3);
  EXPECT_EQ(reduce(ReduceMode::MAX_, x), 5);
  EXPECT_EQ(reduce(ReduceMode::MEAN, x), 4);
  const Floats none = {-1, -2};
  EXPECT_EQ(reduce(ReduceMode::SUM, none), 0);
  EXPECT_EQ(reduce(ReduceMode::PRODUCT, none), 1);
  EXPECT_TRUE(std::isnan(reduce(ReduceMode::MEAN, none)));
}

TEST(DynamicTest, TakesAgainFromWhatWasTaken) {
  TestModel m;
  const int positive = Positive(m, m.Input("x", {6}));
  m.Output(CondTake(m, positive, positive, CondTakeMode::LT, 4));
  EXPECT_EQ(RunModel(m, Floats{-1, 3, 5, -9, 1, 0})[0].as<float>(), (Floats{3, 1}));
}

// Zeros in the divisor would stop the program: there are some beyond what counts.
TEST(DynamicTest, IntegerDivision) {
  TestModel m;
  const int x = m.Input("x", {5}, DTypeEnum::Int32);
  const int taken = CondTake(m, x, x, CondTakeMode::NEQ);
  m.Output(m.Op("Elemwise", {m.Ints({-60}), taken},
                [](auto& b) { return param::CreateElemwise(b, param::ElemwiseMode::FLOOR_DIV); }));
  EXPECT_EQ(RunModel(m, Ints{7, 0, 0, -1, 0})[0].as<int32_t>(), (Ints{-9, 60}));
}

TEST(DynamicTest, EqualSelectionsMeet) {
  TestModel m;
  const int x = m.Input("x", {4});
  m.Output(m.Op("Elemwise", {Positive(m, x), Positive(m, x)},
                [](auto& b) { return param::CreateElemwise(b, param::ElemwiseMode::ADD); }));
  EXPECT_EQ(RunModel(m, Floats{1, -1, 2, 3})[0].as<float>(), (Floats{2, 4, 6}));
}

TEST(DynamicTest, WhatWasCutFromTheSameRowsMeetsAgain) {
  TestModel cut;
  const int same = PositiveRows(cut, cut.Input("x", {3, 2}));
  const auto part = [&](int begin, int end) {
    const std::vector<Item> items = {{1, true, true, false, false}};
    return cut.Op("Subtensor", {same, cut.Ints({begin}), cut.Ints({end})},
                  [&](auto& b) { return param::CreateIndexDescMaskDumpDirect(b, &items); });
  };
  cut.Output(cut.Op("Elemwise", {part(1, 2), part(0, -1)},
                    [](auto& b) { return param::CreateElemwise(b, param::ElemwiseMode::SUB); }));
  EXPECT_EQ(RunModel(cut, Floats{1, 2, -3, 4, 5, 7})[0].as<float>(), (Floats{1, 2}));
}

TEST(DynamicTest, OneHot) {
  TestModel m;
  const int x = m.Input("x", {4}, DTypeEnum::Int32);
  const int taken = CondTake(m, x, x, CondTakeMode::GT);
  const int size = m.Op("GetVarShapeV1", {taken}, [](auto& b) { return param::CreateOptionalAxisV1(b, 7); });
  const int shape = m.Op("Concat", {size, m.Ints({3})}, [](auto& b) { return param::CreateAxis(b, 0); });
  const int zeros = m.Op("Broadcast", {m.Ints({0}), shape});
  m.Output(m.Op("IndexingSetOneHot", {zeros, taken, m.Ints({1})}, [](auto& b) { return param::CreateAxis(b, 1); }));
  const auto r = RunModel(m, Ints{2, 0, 1, -5});
  ASSERT_EQ(r.size(), 1u);
  EXPECT_EQ(r[0].shape, (graph::Shape{2, 3}));
  EXPECT_EQ(r[0].as<int32_t>(), (Ints{0, 0, 1, 0, 1, 0}));
}

// Of x, whose second row is not taken: {1, 2}, {5, 6}, {7, 8}.
void Pad(TestModel& m, param::PaddingMode mode, int axis, uint32_t before, uint32_t after) {
  const int rows = PositiveRows(m, m.Input("x", {4, 2}));
  m.Output(m.Op("Padding", {rows}, [&](auto& b) {
    param::PaddingBuilder p(b);
    if (axis == 0) p.add_front_offset_dim0(before);
    if (axis == 0) p.add_back_offset_dim0(after);
    if (axis == 1) p.add_front_offset_dim1(before);
    if (axis == 1) p.add_back_offset_dim1(after);
    p.add_padding_val(9);
    p.add_padding_mode(mode);
    return p.Finish();
  }));
}

std::vector<Result> Padded(param::PaddingMode mode, int axis, uint32_t before, uint32_t after) {
  TestModel m;
  Pad(m, mode, axis, before, after);
  return RunModel(m, Floats{1, 2, -3, 4, 5, 6, 7, 8});
}

TEST(DynamicTest, Pads) {
  using param::PaddingMode;
  auto r = Padded(PaddingMode::CONSTANT, 1, 1, 0);
  ASSERT_EQ(r.size(), 1u);
  EXPECT_EQ(r[0].as<float>(), (Floats{9, 1, 2, 9, 5, 6, 9, 7, 8}));
  r = Padded(PaddingMode::CONSTANT, 0, 1, 2);
  ASSERT_EQ(r.size(), 1u);
  EXPECT_EQ(r[0].shape, (graph::Shape{6, 2}));
  EXPECT_EQ(r[0].as<float>(), (Floats{9, 9, 1, 2, 5, 6, 7, 8, 9, 9, 9, 9}));
  r = Padded(PaddingMode::REPLICATE, 0, 1, 2);
  ASSERT_EQ(r.size(), 1u);
  EXPECT_EQ(r[0].as<float>(), (Floats{1, 2, 1, 2, 5, 6, 7, 8, 7, 8, 7, 8}));
  r = Padded(PaddingMode::REFLECT, 0, 2, 1);
  ASSERT_EQ(r.size(), 1u);
  EXPECT_EQ(r[0].as<float>(), (Floats{7, 8, 5, 6, 1, 2, 5, 6, 7, 8, 5, 6}));
}

TEST(DynamicTest, RefusesToPadByMoreThanThereCanBe) {
  TestModel huge, reflected;
  Pad(huge, param::PaddingMode::CONSTANT, 0, 4000000000u, 4000000000u);
  EXPECT_THAT(huge.Text(), HasSubstr("cannot have 8000000004 elements"));
  Pad(reflected, param::PaddingMode::REFLECT, 0, 4, 0);
  EXPECT_THAT(reflected.Text(), HasSubstr("reflects more than the 4 elements"));
}

// Around nothing there is padding all the same.
TEST(DynamicTest, PadsWhatIsEmpty) {
  TestModel m;
  const int taken = Positive(m, m.Input("x", {3}));
  m.Output(m.Op("Padding", {taken}, [](auto& b) {
    param::PaddingBuilder p(b);
    p.add_front_offset_dim0(1);
    p.add_back_offset_dim0(1);
    p.add_padding_val(7);
    return p.Finish();
  }));
  const auto r = RunModel(m, Floats{-1, -2, -3});
  ASSERT_EQ(r.size(), 1u);
  EXPECT_EQ(r[0].as<float>(), (Floats{7, 7}));
}

// Volumes: of each the two slices one below the other, and the slices apart again.
TEST(DynamicTest, ConvolvesVolumes) {
  TestModel m;
  const int rows = PositiveRows(m, m.Input("x", {3, 3}));
  const int volumes =
      m.Op("ReshapeV1", {rows, m.Ints({-1, 1, 3, 1, 1})}, [](auto& b) { return param::CreateOptionalAxisV1(b, 0); });
  const int y = m.Op("Convolution3D", {volumes, m.Floats({1, 1, 2, 1, 1}, {10, 1})},
                     [](auto& b) { return param::Convolution3DBuilder(b).Finish(); });
  m.Output(y);
  m.Output(m.Op("Convolution3DBackwardData", {m.Floats({1, 1, 2, 1, 1}, {10, 1}), y},
                [](auto& b) { return param::Convolution3DBuilder(b).Finish(); }));
  const auto r = RunModel(m, Floats{1, 2, 3, -4, 5, 6, 7, 8, 9});
  ASSERT_EQ(r.size(), 2u);
  EXPECT_EQ(r[0].shape, (graph::Shape{2, 1, 2, 1, 1}));
  EXPECT_EQ(r[0].as<float>(), (Floats{12, 23, 78, 89}));
  EXPECT_EQ(r[1].shape, (graph::Shape{2, 1, 3, 1, 1}));
  EXPECT_EQ(r[1].as<float>(), (Floats{120, 242, 23, 780, 968, 89}));
}

// Of slices of one volume that were chosen, the window sees several.
TEST(DynamicTest, RefusesVolumesOfUnknownDepth) {
  TestModel m;
  const int rows = PositiveRows(m, m.Input("x", {3, 3}));
  const int volume =
      m.Op("ReshapeV1", {rows, m.Ints({1, 1, -1, 1, 3})}, [](auto& b) { return param::CreateOptionalAxisV1(b, 2); });
  m.Output(m.Op("Convolution3D", {volume, m.Floats({1, 1, 1, 1, 1}, {1})},
                [](auto& b) { return param::Convolution3DBuilder(b).Finish(); }));
  EXPECT_THAT(m.Text(), HasSubstr("images whose extents depend on values"));
}

TEST(DynamicTest, AllocatesForWhatWasTaken) {
  TestModel m;
  const int taken = Positive(m, m.Input("x", {3}));
  const int size = m.Op("GetVarShapeV1", {taken}, [](auto& b) { return param::CreateOptionalAxisV1(b, 7); });
  m.Output(m.Op("Alloc", {size}, [](auto& b) { return param::CreateDType(b, DTypeEnum::Int32); }));
  const auto r = RunModel(m, Floats{1, -2, 3});
  ASSERT_EQ(r.size(), 1u);
  EXPECT_EQ(r[0].as<int32_t>(), (Ints{0, 0}));
}

// A bound that the user gives: of it nothing is known when the model is compiled.
TEST(DynamicTest, CutsAtAnInputOfTheNetwork) {
  TestModel m;
  const int x = m.Input("x", {2}, DTypeEnum::Int32);
  std::vector<Item> items = {Item(0, true, true, false, false)};
  const auto part = [&](int i) {
    std::vector<Item> one = {Item(0, false, false, false, true)};
    return m.Op("Subtensor", {x, m.Ints({i})},
                [&](auto& b) { return param::CreateIndexDescMaskDump(b, b.CreateVectorOfStructs(one)); });
  };
  m.Output(m.Op("Subtensor", {m.Ints({10, 11, 12, 13, 14}), part(0), part(1)},
                [&](auto& b) { return param::CreateIndexDescMaskDump(b, b.CreateVectorOfStructs(items)); }));
  const auto r = RunModel(m, Ints{1, -1});
  ASSERT_EQ(r.size(), 1u);
  EXPECT_EQ(r[0].as<int32_t>(), (Ints{11, 12, 13}));
}

// Of some images: each has its own result, and there are as many.
TEST(DynamicTest, TransposedConvolution) {
  TestModel m;
  const int rows = PositiveRows(m, m.Input("x", {3, 2}));
  const int images = m.Op("ReshapeV1", {rows, m.Ints({-1, 1, 1, 2})}, [](auto& b) { return param::CreateOptionalAxisV1(b, 0); });
  const int y = m.Op("ConvolutionBackwardDataV2", {m.Floats({1, 1, 1, 2}, {1, 10}), images}, [](auto& b) {
    param::ConvolutionBuilder p(b);
    p.add_mode(param::ConvolutionMode::CROSS_CORRELATION);
    p.add_stride_w(2);
    return p.Finish();
  });
  m.Output(y);
  const auto r = RunModel(m, Floats{1, 2, -3, 4, 5, 6});
  ASSERT_EQ(r.size(), 1u);
  EXPECT_EQ(r[0].shape, (graph::Shape{2, 1, 1, 4}));
  EXPECT_EQ(r[0].as<float>(), (Floats{1, 10, 2, 20, 5, 50, 6, 60}));
}

// A warp for each image that was chosen, or of one image by each matrix.
TEST(DynamicTest, Warps) {
  TestModel m;
  const int rows = PositiveRows(m, m.Input("x", {3, 2}));
  const int images = m.Op("ReshapeV1", {rows, m.Ints({-1, 1, 1, 2})}, [](auto& b) { return param::CreateOptionalAxisV1(b, 0); });
  // x' = 1 - x
  const int matrix = m.Floats({1, 3, 3}, {-1, 0, 1, 0, 1, 0, 0, 0, 1});
  const int size = m.Op("GetVarShapeV1", {rows}, [](auto& b) { return param::CreateOptionalAxisV1(b, 0); });
  const int shape = m.Op("Concat", {size, m.Ints({3, 3})}, [](auto& b) { return param::CreateAxis(b, 0); });
  const int matrices = m.Op("Broadcast", {matrix, shape});
  const auto warp = [](auto& b) {
    param::WarpPerspectiveBuilder p(b);
    p.add_format(param::ConvolutionFormat::NCHW);
    return p.Finish();
  };
  m.Output(m.Op("WarpPerspectiveV2", {images, matrices, m.Ints({1, 2})}, warp));
  const int numbers = m.Op("TypeCvtV2", {Column(m, rows, 1)}, [](auto& b) { return fbs::CreateDType(b, DTypeEnum::Int32); });
  m.Output(m.Op("WarpPerspectiveV2", {m.Floats({2, 1, 1, 2}, {10, 20, 30, 40}), matrices, numbers, m.Ints({1, 2})}, warp));
  const auto r = RunModel(m, Floats{1, 0, -3, 4, 5, 1});
  ASSERT_EQ(r.size(), 2u);
  EXPECT_EQ(r[0].shape, (graph::Shape{2, 1, 1, 2}));
  EXPECT_EQ(r[0].as<float>(), (Floats{0, 1, 1, 5}));
  EXPECT_EQ(r[1].as<float>(), (Floats{20, 10, 40, 30}));
}

TEST(DynamicTest, RefusesWhatItCannotFollow) {
  TestModel different;
  const int x = different.Input("x", {4});
  different.Output(different.Op("Elemwise", {Positive(different, x), CondTake(different, x, x, CondTakeMode::LT)},
                                [](auto& b) { return param::CreateElemwise(b, param::ElemwiseMode::ADD); }));
  EXPECT_THAT(different.Text(), HasSubstr("Elemwise  operands whose sizes depend on different values  1 use"));

  TestModel unknown;
  unknown.Output(unknown.Op("Diag", {Positive(unknown, unknown.Input("x", {4}))},
                            [](auto& b) { return param::CreateDiag(b, 0); }));
  EXPECT_THAT(unknown.Text(), HasSubstr("Diag  operands whose size depends on values  1 use"));

  TestModel fixed;
  const int y = fixed.Input("x", {4});
  fixed.Output(fixed.Op("Elemwise", {Positive(fixed, y), y},
                        [](auto& b) { return param::CreateElemwise(b, param::ElemwiseMode::ADD); }));
  EXPECT_THAT(fixed.Text(), HasSubstr("sizes depend on different values"));

  TestModel shapes;
  const int z = shapes.Input("x", {4});
  shapes.Output(CondTake(shapes, z, shapes.Floats({2, 2}, {1, 0, 0, 1}), CondTakeMode::EQ, 1));
  EXPECT_THAT(shapes.Text(), HasSubstr("differ"));
}

}  // namespace
}  // namespace mgec::mge
