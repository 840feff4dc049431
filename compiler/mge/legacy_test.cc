#include "compiler/mge/legacy.h"

#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

using fbs::OperatorParam;
using fbs::param::ConvolutionFormat;

using Storage = std::vector<std::unique_ptr<uint64_t[]>>;

// A table of 4-byte scalars in the given slots, as an old writer would have made it.
class OldTable {
 public:
  explicit OldTable(std::vector<std::pair<int, uint32_t>> slots) {
    const auto start = builder_.StartTable();
    for (const auto& [slot, value] : slots) {
      builder_.AddElement<uint32_t>(flatbuffers::FieldIndexToOffset(slot), value, ~value);
    }
    builder_.Finish(flatbuffers::Offset<flatbuffers::Table>(builder_.EndTable(start)));
  }
  const void* get() { return flatbuffers::GetRoot<flatbuffers::Table>(builder_.GetBufferPointer()); }

 private:
  flatbuffers::FlatBufferBuilder builder_;
};

template <typename T>
const T* As(const absl::StatusOr<const void*>& param) {
  return static_cast<const T*>(param.value());
}

TEST(LegacyTest, LeavesNewFilesAlone) {
  Storage storage;
  OldTable table({{3, 12}});
  EXPECT_EQ(ModernizeParam(101300, OperatorParam::ConvBias, table.get(), storage).value(), table.get());
  EXPECT_EQ(ModernizeParam(100700, OperatorParam::Pooling, table.get(), storage).value(), table.get());
  EXPECT_TRUE(storage.empty());
}

TEST(LegacyTest, RenumbersFormats) {
  Storage storage;
  struct Case {
    uint32_t version, old_format;
    ConvolutionFormat now;
  };
  const Case kCases[] = {
      {100200, 12, ConvolutionFormat::NCHW4_NCHW32}, {100200, 18, ConvolutionFormat::CHWN4},
      {100100, 12, ConvolutionFormat::CHWN4},        {100200, 6, ConvolutionFormat::NCHW88},
      {100400, 12, ConvolutionFormat::NHWC_NCHW},    {100500, 12, ConvolutionFormat::NCHW4_NHWC},
      {100500, 17, ConvolutionFormat::NCHW64},       {100500, 9, ConvolutionFormat::NCHW4_NCHW32},
  };
  for (const Case& c : kCases) {
    OldTable table({{1, 5}, {8, c.old_format}});
    const auto* conv = As<fbs::param::Convolution>(
        ModernizeParam(c.version, OperatorParam::Convolution, table.get(), storage));
    EXPECT_EQ(conv->format(), c.now) << c.version << " " << c.old_format;
    EXPECT_EQ(conv->pad_h(), 5u);
    EXPECT_EQ(conv->stride_h(), 1u) << "absent fields keep their defaults";
  }
}

TEST(LegacyTest, RefusesFormatsThatAreGone) {
  Storage storage;
  for (const auto& [version, format] : {std::pair(100200u, 9u), {100200u, 99u}, {300u, 7u}, {100500u, 18u}}) {
    OldTable table({{1, format}});
    EXPECT_EQ(ModernizeParam(version, OperatorParam::AdaptivePooling, table.get(), storage).status().code(),
              absl::StatusCode::kUnimplemented)
        << version << " " << format;
  }
}

TEST(LegacyTest, MovesComputeModeOfConvBias) {
  Storage storage;
  OldTable table({{4, 2}, {11, 1}});
  const auto* conv =
      As<fbs::param::ConvBias>(ModernizeParam(100200, OperatorParam::ConvBias, table.get(), storage));
  EXPECT_EQ(conv->compute_mode(), fbs::param::ConvolutionComputeMode::FLOAT32);
  EXPECT_EQ(conv->pad_h(), 2u);

  OldTable winograd({{10, 6}});
  EXPECT_FALSE(ModernizeParam(100200, OperatorParam::ConvBias, winograd.get(), storage).ok());
}

TEST(LegacyTest, MovesWindowOfImages2Neibs) {
  Storage storage;
  OldTable table({{2, 3}, {4, 5}, {5, 7}});
  const auto* neibs =
      As<fbs::param::Images2Neibs>(ModernizeParam(100300, OperatorParam::Images2Neibs, table.get(), storage));
  EXPECT_EQ(neibs->stride_h(), 3u);
  EXPECT_EQ(neibs->dilate_h(), 1u);
  EXPECT_EQ(neibs->dilate_w(), 1u);
  EXPECT_EQ(neibs->window_h(), 5u);
  EXPECT_EQ(neibs->window_w(), 7u);
}

}  // namespace
}  // namespace mgec::mge
