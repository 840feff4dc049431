// What operators mean, from a model made by hand to numbers: those of which testdata/ops has no case.
#include <cmath>
#include <numeric>

#include "compiler/mge/test_model.h"
#include "compiler/mge/test_results.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

namespace param = fbs::param;
using fbs::DTypeEnum;
using Item = param::IndexDescMaskItem;

// An operator on the rows and columns of [[0 1 2] [3 4 5]], with values, if any, before the indices.
Floats Indexed(const char* op, std::vector<Item> items, const std::vector<int>& operands, TestModel& m) {
  m.Output(m.Op(op, operands, [&](auto& b) { return param::CreateIndexDescMaskDumpDirect(b, &items); }));
  return Results(m);
}

const Item kRows(0, false, false, false, true), kColumns(1, false, false, false, true);

TEST(MeaningTest, WritesToIndices) {
  TestModel set, add, mesh, sum;
  // Position (1, 2) is written to twice.
  EXPECT_EQ(Indexed("IndexingSetMultiAxisVec", {kColumns, kRows},
                    {set.Floats({2, 3}, Range(6)), set.Floats({3}, {10, 20, 30}), set.Ints({2, 0, -1}),
                     set.Ints({1, 0, -1})}, set),
            (Floats{20, 1, 2, 3, 4, 30}));
  EXPECT_EQ(Indexed("IndexingIncrMultiAxisVec", {kColumns, kRows},
                    {add.Floats({2, 3}, Range(6)), add.Floats({3}, {10, 20, 30}), add.Ints({2, 0, -1}),
                     add.Ints({1, 0, -1})}, add),
            (Floats{20, 1, 2, 3, 4, 45}));
  EXPECT_EQ(Indexed("SetMeshIndexing", {kColumns, kRows},
                    {mesh.Floats({2, 3}, Range(6)), mesh.Floats({2, 2}, {10, 20, 30, 40}), mesh.Ints({2, 0}),
                     mesh.Ints({1, 0})}, mesh),
            (Floats{40, 1, 30, 20, 4, 10}));
  EXPECT_EQ(Indexed("IncrMeshIndexing", {kColumns},
                    {sum.Floats({2, 3}, Range(6)), sum.Floats({1}, {10}), sum.Ints({2, 2})}, sum),
            (Floats{0, 1, 22, 3, 4, 25}));
}

TEST(MeaningTest, BatchedMesh) {
  TestModel get, set;
  const std::vector<int32_t> each = {2, 0, 1, 1};
  EXPECT_EQ(Indexed("BatchedMeshIndexing", {kColumns},
                    {get.Floats({2, 3}, Range(6)), get.Constant({2, 2}, DTypeEnum::Int32, each)}, get),
            (Floats{2, 0, 4, 4}));
  EXPECT_EQ(Indexed("BatchedSetMeshIndexing", {kColumns},
                    {set.Floats({2, 3}, Range(6)), set.Floats({2, 2}, {10, 20, 30, 40}),
                     set.Constant({2, 2}, DTypeEnum::Int32, each)}, set),
            (Floats{20, 1, 10, 3, 40, 5}));
  // The last axis of three: what gathering puts in front comes back to its place.
  TestModel far;
  const Item last(2, false, false, false, true);
  EXPECT_EQ(Indexed("BatchedMeshIndexing", {last},
                    {far.Floats({2, 2, 2}, Range(8)), far.Constant({2, 1}, DTypeEnum::Int32, std::vector<int32_t>{1, 0})},
                    far),
            (Floats{1, 3, 4, 6}));
}

TEST(MeaningTest, RemapOneHotDiagCross) {
  TestModel m;
  const int x = m.Floats({2, 3}, Range(6));
  m.Output(m.Op("IndexingRemap", {x, m.Constant({2, 2}, DTypeEnum::Int32, std::vector<int32_t>{1, 2, 0, 1})},
                [](auto& b) { return param::CreateIndexingRemap(b); }));
  m.Output(m.Op("IndexingSetOneHot", {x, m.Ints({2, 0}), m.Floats({2, 1}, {10, 20})},
                [](auto& b) { return param::CreateAxis(b, 1); }));
  m.Output(m.Op("Diag", {x}, [](auto& b) { return param::CreateDiag(b, 1); }));
  m.Output(m.Op("Diag", {m.Floats({1}, {7})}, [](auto& b) { return param::CreateDiag(b, -1); }));
  m.Output(m.Op("Cross", {m.Floats({3}, {1, 2, 3}), m.Floats({3}, {4, 5, 6})},
                [](auto& b) { return param::CreateCross(b); }));
  EXPECT_EQ(Results(m), (Floats{5, 1, 0, 1, 10, 20, 4, 5, 1, 5, 0, 0, 7, 0, -3, 6, -3}));
}

TEST(MeaningTest, Cumsum) {
  for (bool exclusive : {false, true}) {
    for (bool reverse : {false, true}) {
      TestModel m;
      m.Output(m.Op("CumsumV1", {m.Floats({2, 3}, Range(6, 1))},
                    [&](auto& b) { return param::CreateCumsum(b, 1, exclusive, reverse); }));
      const Floats want = exclusive ? reverse ? Floats{5, 3, 0, 11, 6, 0} : Floats{0, 1, 3, 0, 4, 9}
                                    : reverse ? Floats{6, 5, 3, 15, 11, 6} : Floats{1, 3, 6, 4, 9, 15};
      EXPECT_EQ(Results(m), want) << exclusive << reverse;
    }
  }
}

TEST(MeaningTest, SortsWithTies) {
  TestModel m;
  const int x = m.Floats({1, 4}, {2, 1, 2, 0});
  const int up = m.Op("Argsort", {x}, [](auto& b) { return param::CreateArgsort(b); }, 2);
  const int down = m.Op("Argsort", {x}, [](auto& b) {
    return param::CreateArgsort(b, param::ArgsortOrder::DESCENDING);
  }, 2);
  m.Output(up + 1);
  m.Output(down + 1);
  EXPECT_EQ(Results<int32_t>(m), (std::vector<int32_t>{3, 1, 0, 2, 2, 0, 1, 3}));
  TestModel kth;
  for (int k : {2, -2, -9}) {
    kth.Output(kth.Op("TopK", {kth.Floats({1, 4}, {2, 1, 5, 0}), kth.Ints({k})},
                      [](auto& b) { return param::CreateTopK(b, param::TopKMode::KTH_ONLY); }));
  }
  EXPECT_EQ(Results(kth), (Floats{1, 2, 0}));
}

// Deconvolution is the transpose of convolution: sum(conv(x) * y) = sum(x * deconv(y)).
TEST(MeaningTest, Deconvolution3dIsTheTranspose) {
  TestModel m;
  const auto params = [](auto& b) {
    return param::CreateConvolution3D(b, param::Convolution3DMode::CROSS_CORRELATION, 1, 0, 1, 2, 1, 2, 1, 2, 1);
  };
  const Floats weights = Range(2 * 3 * 2 * 2 * 3, -17), x = Range(3 * 4 * 5 * 5, -3);
  const int w = m.Floats({2, 3, 2, 2, 3}, weights);
  m.Output(m.Op("Convolution3D", {m.Floats({1, 3, 4, 5, 5}, x), w}, params));
  const Floats y = Results(m);
  ASSERT_EQ(y.size(), 2u * 3 * 3 * 3);
  const Floats other = Range(static_cast<int>(y.size()), 1);
  TestModel back;
  back.Output(back.Op("Convolution3DBackwardData",
                      {back.Floats({2, 3, 2, 2, 3}, weights), back.Floats({1, 2, 3, 3, 3}, other)}, params));
  const Floats z = Results(back);
  ASSERT_EQ(z.size(), x.size());
  EXPECT_EQ(std::inner_product(y.begin(), y.end(), other.begin(), 0.0),
            std::inner_product(x.begin(), x.end(), z.begin(), 0.0));
}

TEST(MeaningTest, LocalShareTakesWeightsByRegion) {
  TestModel m;
  // A window of one element; the left half of the image takes the first weight, the right half the second.
  m.Output(m.Op("LocalShareForwardV1", {m.Floats({1, 1, 1, 4}, {1, 2, 3, 4}), m.Floats({1, 2, 1, 1, 1, 1}, {10, 100})},
                [](auto& b) {
                  return param::CreateLocalShare(b, param::ConvolutionMode::CROSS_CORRELATION, 0, 0, 1, 1, 1, 1, 1, 2);
                }));
  EXPECT_EQ(Results(m), (Floats{10, 20, 300, 400}));
}

TEST(MeaningTest, DeformableConvolutionMoves) {
  TestModel m;
  // A window of one element that looks half a column to the right, with a mask of 2.
  m.Output(m.Op("DeformableConvForwardV1",
                {m.Floats({1, 1, 1, 3}, {1, 2, 4}), m.Floats({1, 1, 1, 1}, {10}),
                 m.Floats({1, 2, 1, 3}, {0, 0, 0, .5f, .5f, .5f}), m.Floats({1, 1, 1, 3}, {2, 2, 2})},
                [](auto& b) { return param::CreateConvolution(b); }));
  EXPECT_EQ(Results(m), (Floats{30, 60, 40}));
}

TEST(MeaningTest, SlidingWindowTransposeAddsUp) {
  TestModel m;
  m.Output(m.Op("SlidingWindowTranspose", {m.Floats({1, 1, 1, 2, 1, 2}, {1, 2, 3, 4})}, [](auto& b) {
    return param::CreateSlidingWindowTranspose(b, 1, 3, 0, 0, 1, 1, 1, 1, 1, 2);
  }));
  EXPECT_EQ(Results(m), (Floats{1, 5, 4}));
}

TEST(MeaningTest, TurnsImages) {
  TestModel m;
  const int x = m.Floats({1, 2, 3, 1}, Range(6));
  m.Output(m.Op("Flip", {x}, [](auto& b) { return param::CreateFlip(b, true, true); }));
  m.Output(m.Op("Rotate", {x}, [](auto& b) { return param::CreateRotate(b, true); }));
  m.Output(m.Op("Rotate", {x}, [](auto& b) { return param::CreateRotate(b, false); }));
  EXPECT_EQ(Results(m), (Floats{5, 4, 3, 2, 1, 0, 3, 0, 4, 1, 5, 2, 2, 5, 1, 4, 0, 3}));
}

TEST(MeaningTest, WarpAffineLikeOpenCv) {
  TestModel m;
  // Half a pixel to the right; beyond the border is 8.
  m.Output(m.Op("WarpAffineV2", {m.Floats({1, 1, 3, 1}, {0, 2, 4}), m.Floats({1, 2, 3}, {1, 0, .5f, 0, 1, 0}),
                                 m.Ints({1, 3})},
                [](auto& b) {
                  return param::CreateWarpAffine(b, param::InterpolationMode::LINEAR, param::BorderMode::CONSTANT, 8);
                }));
  EXPECT_EQ(Results(m), (Floats{1, 3, 6}));
}

TEST(MeaningTest, BlurKeepsConstants) {
  TestModel m;
  m.Output(m.Op("GaussianBlur", {m.Floats({1, 3, 4, 1}, Floats(12, 5))}, [](auto& b) {
    return param::CreateGaussianBlur(b, param::BorderMode::REFLECT_101, 3, 5, 1, 1);
  }));
  for (float v : Results(m)) EXPECT_NEAR(v, 5, 1e-6);
}

TEST(MeaningTest, RoiAlign) {
  TestModel m;
  // One sample in each of two bins of a region one row high.
  m.Output(m.Op("ROIAlignV1", {m.Floats({1, 1, 2, 5}, Range(10)), m.Floats({1, 5}, {0, 0, 0, 4, 0})}, [](auto& b) {
    return param::CreateROIAlign(b, param::ROIAlignMode::AVERAGE, param::ConvolutionFormat::NCHW, 1, 0, 1, 2, 1, 1);
  }, 2));
  EXPECT_EQ(Results(m), (Floats{1, 3}));
}

TEST(MeaningTest, RoundsToGrids) {
  TestModel m;
  const int x = m.Floats({4}, {-.75f, .74f, .75f, 9}), scale = m.Floats({1}, {.5f}), zero = m.Floats({1}, {1});
  m.Output(m.Op("FakeQuant", {x, scale, zero}, [](auto& b) { return param::CreateFakeQuant(b, -4, 4); }));
  m.Output(m.Op("LSQ", {x, scale, zero, scale}, [](auto& b) { return param::CreateLSQ(b, -4, 4); }));
  m.Output(m.Op("TQT", {x, m.Floats({1}, {-1})}, [](auto& b) { return param::CreateTQT(b, -4, 4); }));
  EXPECT_EQ(Results(m), (Floats{-1, .5f, 1, 1.5f,      //
                                -1, .5f, 1, 1.5f,      // -0.5 and 2.5 round away from zero too
                                -1, .5f, 1, 2}));
}

TEST(MeaningTest, IntegerModes) {
  const auto run = [](param::ElemwiseMultiTypeMode mode, std::vector<int> (*operands)(TestModel&)) {
    TestModel m;
    m.Output(m.Op("ElemwiseMultiType", operands(m),
                  [&](auto& b) { return param::CreateElemwiseMultiType(b, mode); }));
    return Results<int8_t>(m);
  };
  using Mode = param::ElemwiseMultiTypeMode;
  EXPECT_EQ(run(Mode::ROUND_SHR_SATURATE_IXxI8xI8,
                [](TestModel& m) {
                  return std::vector<int>{m.Ints({6, -6, 5, -5, 9999}),
                                          m.Constant({1}, DTypeEnum::Int8, std::vector<int8_t>{2})};
                }),
            (std::vector<int8_t>{2, -2, 1, -1, 127}));
  EXPECT_EQ(run(Mode::FUSE_MUL_ADD3_IXxF32xF32xI8,
                [](TestModel& m) {
                  return std::vector<int>{m.Ints({1, 3, 900, -900}), m.Floats({1}, {.5f}), m.Floats({1}, {0})};
                }),
            (std::vector<int8_t>{0, 2, 127, -128}));
  EXPECT_EQ(run(Mode::FUSE_ADD_RMULH_ROUND_SHR_SATURATE_INT32x32x32x8,
                [](TestModel& m) {
                  const auto byte = [&](int8_t v) { return m.Constant({1}, DTypeEnum::Int8, std::vector<int8_t>{v}); };
                  return std::vector<int>{m.Ints({3, 100}), m.Ints({3, 100}), m.Ints({1 << 30}), byte(1), byte(-8), byte(7)};
                }),
            (std::vector<int8_t>{2, 7}));
}

TEST(MeaningTest, CheckNonFinite) {
  TestModel m;
  const int x = m.Floats({2}, {1, 2}), y = m.Floats({1}, {std::numeric_limits<float>::infinity()});
  m.Output(m.Op("CheckNonFinite", {x, y}, [](auto& b) { return param::CreateCheckNonFinite(b, 2); }, 3) + 2);
  EXPECT_EQ(Results<int32_t>(m), (std::vector<int32_t>{1}));
}

// [[1 2] [3 4]] repeated in blocks: element (m, k) of A is m * 8 + k, B is the identity.
TEST(MeaningTest, MatricesInBlocks) {
  for (const bool dot : {false, true}) {
    TestModel m;
    Floats a(64), b(64, 0);  // A [2, 2, 4, 4] of 8x8, B [2, 8, 4]
    for (int row = 0; row < 8; ++row) {
      for (int k = 0; k < 8; ++k) {
        const int inside = dot ? row % 4 * 4 + k % 4 : k % 4 * 4 + row % 4;
        a[(row / 4 * 2 + k / 4) * 16 + inside] = static_cast<float>(row * 8 + k);
      }
      b[(row / 4 * 8 + row) * 4 + row % 4] = 1;
    }
    m.Output(m.Op("MatrixMulV2", {m.Floats({2, 2, 4, 4}, a), m.Floats({2, 8, 4}, b)}, [&](auto& b) {
      return param::CreateMatrixMul(b, false, false, {}, dot ? param::MatrixMulFormat::MK4_DOT
                                                             : param::MatrixMulFormat::MK4);
    }));
    const Floats y = Results(m);  // [2, 8, 4]: rows in blocks
    ASSERT_EQ(y.size(), 64u);
    for (int row = 0; row < 8; ++row) {
      for (int n = 0; n < 8; ++n) EXPECT_EQ(y[(row / 4 * 8 + n) * 4 + row % 4], row * 8 + n);
    }
  }
}

// Transforming a cosine gives its frequency alone; masks choose frequencies of each channel.
TEST(MeaningTest, SelectsFrequencies) {
  TestModel all, some;
  std::vector<uint8_t> image;  // channel 0 is constant, channel 1 changes along its rows
  for (int channel = 0; channel < 2; ++channel) {
    for (int i = 0; i < 64; ++i) {
      image.push_back(channel == 0 ? 100 : static_cast<uint8_t>(std::lround(128 + 80 * std::cos((2 * (i % 8) + 1) * M_PI / 16))));
    }
  }
  auto make = [](auto& b) { return param::CreateDctChannelSelect(b); };
  all.Output(all.Op("DctChannelSelectV1", {all.Constant({1, 2, 8, 8}, DTypeEnum::Uint8, image)}, make));
  const Floats y = Results(all);
  ASSERT_EQ(y.size(), 128u);
  for (int k = 0; k < 128; ++k) {
    const float want = k == 0 ? 800.0f : k == 64 ? 1024.0f : k == 65 ? 80 * 4 * std::sqrt(2.0f) : 0.0f;
    EXPECT_NEAR(y[k], want, 4) << k;  // the image is rounded to bytes
  }
  some.Output(some.Op("DctChannelSelectV1", {some.Constant({1, 2, 8, 8}, DTypeEnum::Uint8, image), some.Ints({0, 1, 3}),
                                             some.Ints({0, 1, 0})}, make));
  EXPECT_EQ(Results(some), (Floats{y[0], y[65], y[64]}));
}

// The same numbers, in the layouts of the input, the weights and the output.
TEST(MeaningTest, ConvolvesFromOneLayoutToAnother) {
  Floats x(4 * 4), w(4 * 4);  // NCHW4: [1, 1, 2, 2, 4] and [4, 1, 1, 1, 4]
  std::iota(x.begin(), x.end(), 0.0f);
  for (int i = 0; i < 4; ++i) w[i * 4 + i] = 1;  // the identity
  auto run = [&](param::ConvolutionFormat format) {
    TestModel m;
    m.Output(m.Op("ConvolutionV2", {m.Floats({1, 1, 2, 2, 4}, x), m.Floats({4, 1, 1, 1, 4}, w)}, [&](auto& b) {
      param::ConvolutionBuilder p(b);
      p.add_format(format);
      return p.Finish();
    }));
    return Results(m);
  };
  EXPECT_EQ(run(param::ConvolutionFormat::NCHW4), x);
  EXPECT_EQ(run(param::ConvolutionFormat::NCHW4_NHWC), x);
  EXPECT_EQ(run(param::ConvolutionFormat::NCHW4_NCHW), (Floats{0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15}));
}

// Each channel of a batch gets mean 0 and variance 1.
TEST(MeaningTest, NormalizesABatchByItself) {
  TestModel m;
  const Floats x = {1, 3, 10, 20, 5, 7, 30, 40};  // [2, 2, 1, 2]
  auto parameter = [&](float v) { return m.Floats({1, 2, 1, 1}, {v, v}); };
  m.Output(m.Op("BatchNormV1", {m.Floats({2, 2, 1, 2}, x), parameter(1), parameter(0), parameter(9), parameter(9)},
                [](auto& b) {
                  return param::CreateBN(b, param::BNParamDim::DIM_1C11, param::BNFwdMode::TRAINING, 0.0);
                }, 6) + 5);
  const Floats y = Results(m);
  ASSERT_EQ(y.size(), 8u);
  EXPECT_NEAR(y[0], -3 / std::sqrt(5.0f), 1e-4);
  EXPECT_NEAR(y[1], -1 / std::sqrt(5.0f), 1e-4);
  EXPECT_NEAR(y[2], -15 / std::sqrt(125.0f), 1e-4);
  EXPECT_NEAR(y[7], 15 / std::sqrt(125.0f), 1e-4);
}

TEST(MeaningTest, AllocatesZeros) {
  TestModel m;
  m.Output(m.Op("Alloc", {m.Ints({2, 3})}, [](auto& b) { return param::CreateDType(b, fbs::DTypeEnum::Float32); }));
  EXPECT_EQ(Results(m), Floats(6, 0.0f));
}

// The identity of volumes, with channels last.
TEST(MeaningTest, ConvolvesVolumesWithChannelsLast) {
  TestModel m;
  const Floats x = Range(2 * 2 * 3 * 2);  // [1, 2, 2, 3, 2]
  m.Output(m.Op("Convolution3D", {m.Floats({1, 2, 2, 3, 2}, x), m.Floats({2, 1, 1, 1, 2}, {0, 1, 2, 0})}, [](auto& b) {
    param::Convolution3DBuilder p(b);
    p.add_format(param::Convolution3DFormat::NDHWC);
    return p.Finish();
  }));
  const Floats y = Results(m);
  ASSERT_EQ(y.size(), x.size());
  for (size_t i = 0; i < x.size(); i += 2) {
    EXPECT_EQ(y[i], x[i + 1]);
    EXPECT_EQ(y[i + 1], 2 * x[i]);
  }
}

}  // namespace
}  // namespace mgec::mge
