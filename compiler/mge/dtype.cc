#include "compiler/mge/dtype.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace mgec::mge {

using fbs::DTypeEnum;

bool IsQuantized(DTypeEnum type) {
  switch (type) {
    case DTypeEnum::Quantized8Asymm:
    case DTypeEnum::QuantizedS32:
    case DTypeEnum::QuantizedS8:
    case DTypeEnum::Quantized4Asymm:
    case DTypeEnum::QuantizedS4:
    case DTypeEnum::QuantizedS16:
    case DTypeEnum::QuantizedS1:
      return true;
    default:
      return false;
  }
}

int BitsOf(DTypeEnum type) {
  switch (type) {
    case DTypeEnum::QuantizedS1:
      return 1;
    case DTypeEnum::Quantized4Asymm:
    case DTypeEnum::QuantizedS4:
      return 4;
    case DTypeEnum::Uint8:
    case DTypeEnum::Int8:
    case DTypeEnum::Byte:
    case DTypeEnum::Bool:
    case DTypeEnum::Quantized8Asymm:
    case DTypeEnum::QuantizedS8:
      return 8;
    case DTypeEnum::Int16:
    case DTypeEnum::Uint16:
    case DTypeEnum::Float16:
    case DTypeEnum::BFloat16:
    case DTypeEnum::QuantizedS16:
      return 16;
    case DTypeEnum::Float32:
    case DTypeEnum::Int32:
    case DTypeEnum::QuantizedS32:
      return 32;
    case DTypeEnum::Complex64:
      return 64;
    case DTypeEnum::IntB1:
    case DTypeEnum::IntB2:
    case DTypeEnum::IntB4:
    case DTypeEnum::UintB4:
      return 0;
  }
  return 0;
}

std::string ToString(const DType& dtype) {
  std::string text = fbs::EnumNameDTypeEnum(dtype.type);
  if (!IsQuantized(dtype.type)) return text;
  absl::StrAppend(&text, "(scale=", dtype.scale);
  if (dtype.type == DTypeEnum::Quantized8Asymm || dtype.type == DTypeEnum::Quantized4Asymm) {
    absl::StrAppend(&text, ", zero_point=", dtype.zero_point);
  }
  return text + ")";
}

absl::StatusOr<DType> DecodeDType(const fbs::DType* table) {
  DType dtype;
  if (table == nullptr) return dtype;
  dtype.type = table->type();
  if (BitsOf(dtype.type) == 0) {
    return absl::DataLossError(absl::StrCat("element type ", static_cast<int>(dtype.type), " does not exist"));
  }
  if (!IsQuantized(dtype.type)) return dtype;
  const fbs::LinearQuantizationParam* param = table->param_as_LinearQuantizationParam();
  if (param == nullptr) {
    return absl::DataLossError(absl::StrCat(fbs::EnumNameDTypeEnum(dtype.type), " has no scale"));
  }
  dtype.scale = param->scale();
  if (!std::isfinite(dtype.scale) || dtype.scale <= 0) {
    return absl::DataLossError(
        absl::StrCat(fbs::EnumNameDTypeEnum(dtype.type), " has scale ", dtype.scale, ", which is not positive"));
  }
  if (dtype.type == DTypeEnum::Quantized8Asymm || dtype.type == DTypeEnum::Quantized4Asymm) {
    dtype.zero_point = param->zero_point();
    if (dtype.type == DTypeEnum::Quantized4Asymm && dtype.zero_point > 15) {
      return absl::DataLossError(absl::StrCat("Quantized4Asymm has zero point ", dtype.zero_point));
    }
  }
  return dtype;
}

absl::StatusOr<uint64_t> DenseBytes(absl::Span<const int64_t> shape, DTypeEnum type) {
  if (shape.size() > kMaxRank) {
    return absl::DataLossError(absl::StrCat("shape has ", shape.size(), " axes; at most ", kMaxRank, " are possible"));
  }
  const int bits = BitsOf(type);
  bool is_empty = false;
  uint64_t bytes = 1;  // of one element, then of ever more axes, the last one first
  for (size_t i = shape.size(); i-- > 0;) {
    uint64_t extent = static_cast<uint64_t>(shape[i]);
    if (i + 1 == shape.size()) extent = (extent * bits + 7) / 8;
    // An empty axis must not hide that the others are too large: whoever multiplies them may do so in any order.
    if (extent == 0) {
      is_empty = true;
      continue;
    }
    if (bytes > kMaxTensorBytes / extent) {
      return absl::DataLossError(
          absl::StrCat("shape [", absl::StrJoin(shape, ", "), "] is too large: more than ", kMaxTensorBytes, " bytes"));
    }
    bytes *= extent;
  }
  if (shape.empty()) return static_cast<uint64_t>((bits + 7) / 8);
  return is_empty ? 0 : bytes;
}

}  // namespace mgec::mge
