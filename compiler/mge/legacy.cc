#include "compiler/mge/legacy.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace mgec::mge {
namespace {

using fbs::OperatorParam;
using fbs::param::ConvolutionFormat;

constexpr int kNoSlot = -1;

// The slot that holds a ConvolutionFormat.
int FormatSlot(OperatorParam type) {
  switch (type) {
    case OperatorParam::Convolution:
      return 8;
    case OperatorParam::ConvBias:
      return 3;
    case OperatorParam::BatchConvBias:
      return 9;
    case OperatorParam::Pooling:
      return 7;
    case OperatorParam::AdaptivePooling:
    case OperatorParam::Resize:
    case OperatorParam::ROIAlign:
      return 1;
    case OperatorParam::WarpAffine:
      return 3;
    case OperatorParam::WarpPerspective:
    case OperatorParam::Remap:
      return 2;
    case OperatorParam::LocalShare:
      return 10;
    case OperatorParam::DctChannelSelect:
      return 0;
    default:
      return kNoSlot;
  }
}

// Releases that renumbered, as (major * 1000 + minor) * 100 + patch.
constexpr uint32_t k0_5 = 500;
constexpr uint32_t k1_2 = 100200;
constexpr uint32_t k1_3 = 100300;
constexpr uint32_t k1_4 = 100400;
constexpr uint32_t k1_5 = 100500;
constexpr uint32_t k1_6 = 100600;

absl::StatusOr<uint32_t> ModernFormat(uint32_t mge_version, uint32_t format) {
  using F = ConvolutionFormat;
  constexpr F kGone = static_cast<F>(~0u);
  // From 9 on.
  static constexpr F kBefore1_3[] = {
      kGone,         kGone,        kGone,                  F::NCHW4_NCHW32,         F::NCHW32_NCHW4,
      F::NCHW4_NCHW, F::NHWC_NCHW, F::NHWC_NCHW4_IC_SMALL, F::NCHW_NCHW4_IC_SMALL, F::CHWN4,
      F::NCHW4_NHWC};
  // From 12 on.
  static constexpr F k1_5Only[] = {F::NCHW4_NHWC,          F::NHWC_NCHW, F::NHWC_NCHW4_IC_SMALL,
                                   F::NCHW_NCHW4_IC_SMALL, F::CHWN4,     F::NCHW64};
  F modern = static_cast<F>(format);
  if (mge_version < k0_5 && format >= 7) {
    modern = kGone;  // numbers 7 and 8 were inserted in two steps; nobody has such files
  } else if (mge_version < k1_2 && format == 12) {
    modern = F::CHWN4;
  } else if (mge_version < k1_3 && format >= 9) {
    modern = format - 9 < std::size(kBefore1_3) ? kBefore1_3[format - 9] : kGone;
  } else if (mge_version >= k1_5 && mge_version < k1_6 && format >= 12) {
    modern = format - 12 < std::size(k1_5Only) ? k1_5Only[format - 12] : kGone;
  }
  if (modern == kGone) {
    return absl::UnimplementedError(
        absl::StrCat("format ", format, " of MegEngine version ", mge_version, " no longer exists"));
  }
  return static_cast<uint32_t>(modern);
}

// A table of 4-byte scalars, which all the tables are that are rewritten here.
class ScalarTable {
 public:
  static constexpr int kMaxSlots = 16;

  explicit ScalarTable(const void* param) {
    const auto* table = static_cast<const flatbuffers::Table*>(param);
    const uint8_t* vtable = table->GetVTable();
    // A vtable begins with its own size and the size of the table, of 2 bytes each.
    const int size = flatbuffers::ReadScalar<flatbuffers::voffset_t>(vtable);
    for (int slot = 0; slot < kMaxSlots && 4 + 2 * slot < size; ++slot) {
      const auto offset = flatbuffers::ReadScalar<flatbuffers::voffset_t>(vtable + 4 + 2 * slot);
      present_[slot] = offset != 0;
      if (present_[slot]) std::memcpy(&value_[slot], reinterpret_cast<const uint8_t*>(table) + offset, 4);
    }
  }

  bool present(int slot) const { return present_[slot]; }
  uint32_t value(int slot) const { return value_[slot]; }
  void set(int slot, uint32_t value) {
    present_[slot] = true;
    value_[slot] = value;
  }
  void move(int from, int to) {
    present_[to] = present_[from];
    value_[to] = value_[from];
    present_[from] = false;
  }

  const void* Write(std::vector<std::unique_ptr<uint64_t[]>>& storage) const {
    flatbuffers::FlatBufferBuilder builder;
    const flatbuffers::uoffset_t start = builder.StartTable();
    builder.ForceDefaults(true);
    for (int slot = 0; slot < kMaxSlots; ++slot) {
      if (present_[slot]) builder.AddElement<uint32_t>(flatbuffers::FieldIndexToOffset(slot), value_[slot], 0);
    }
    builder.Finish(flatbuffers::Offset<flatbuffers::Table>(builder.EndTable(start)));
    auto copy = std::make_unique<uint64_t[]>((builder.GetSize() + 7) / 8);
    std::memcpy(copy.get(), builder.GetBufferPointer(), builder.GetSize());
    const void* root = flatbuffers::GetRoot<flatbuffers::Table>(copy.get());
    storage.push_back(std::move(copy));
    return root;
  }

 private:
  bool present_[kMaxSlots] = {};
  uint32_t value_[kMaxSlots] = {};
};

}  // namespace

absl::StatusOr<const void*> ModernizeParam(uint32_t mge_version, OperatorParam type, const void* param,
                                           std::vector<std::unique_ptr<uint64_t[]>>& storage) {
  if (mge_version >= k1_6) return param;
  const bool old_neibs = type == OperatorParam::Images2Neibs && mge_version < k1_4;
  const bool old_conv_bias = type == OperatorParam::ConvBias && mge_version < k1_3;
  const int format_slot = FormatSlot(type);
  if (!old_neibs && format_slot == kNoSlot) return param;

  ScalarTable table(param);
  bool changed = false;
  if (format_slot != kNoSlot && table.present(format_slot)) {
    const absl::StatusOr<uint32_t> format = ModernFormat(mge_version, table.value(format_slot));
    if (!format.ok()) return format.status();
    changed = *format != table.value(format_slot);
    table.set(format_slot, *format);
  }
  if (old_neibs) {
    table.move(4, 6);
    table.move(5, 7);
    changed = true;
  }
  if (old_conv_bias) {
    if (table.present(10) && table.value(10) != 0) {
      return absl::UnimplementedError(absl::StrCat("ConvBias of MegEngine version ", mge_version,
                                                   " with Winograd weights in blocks of ", table.value(10)));
    }
    table.move(11, 10);
    changed = true;
  }
  return changed ? table.Write(storage) : param;
}

}  // namespace mgec::mge
