#include "compiler/mge/importer.h"

#include <cstring>

#include "absl/strings/cord.h"
#include "compiler/mge/dynamic_rules.h"
#include "compiler/ops/evaluate.h"

namespace mgec::mge {
namespace {

constexpr absl::string_view kSupportedPayload = "mgec/supported", kComputedPayload = "mgec/computed";

// What to say of operand `i`, whose value could not be had.
absl::Status NotConstant(int i, const absl::Status& status) {
  if (!absl::IsFailedPrecondition(status)) return status;
  absl::Status computed =
      Unsupported(absl::StrCat("operand ", i, " depends on data: ", status.message()), "constant operands");
  computed.SetPayload(kComputedPayload, absl::Cord());
  return computed;
}

}  // namespace

absl::Status Unsupported(absl::string_view detail, absl::string_view supported) {
  absl::Status status = absl::UnimplementedError(detail);
  if (!supported.empty()) status.SetPayload(kSupportedPayload, absl::Cord(supported));
  return status;
}

std::string SupportedInstead(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kSupportedPayload);
  return payload.has_value() ? std::string(*payload) : std::string();
}

bool NeedsComputedOperand(const absl::Status& status) { return status.GetPayload(kComputedPayload).has_value(); }

absl::StatusOr<graph::DType> ToGraphDType(const DType& dtype) {
  using graph::DTypeKind;
  const auto with = [&](DTypeKind kind) { return graph::DType(kind, dtype.scale, dtype.zero_point); };
  switch (dtype.type) {
    case fbs::DTypeEnum::Float32:
      return with(DTypeKind::kFloat32);
    case fbs::DTypeEnum::Float16:
      return with(DTypeKind::kFloat16);
    case fbs::DTypeEnum::BFloat16:
      return with(DTypeKind::kBFloat16);
    case fbs::DTypeEnum::Int8:
      return with(DTypeKind::kInt8);
    case fbs::DTypeEnum::Uint8:
    case fbs::DTypeEnum::Byte:
      return with(DTypeKind::kUint8);
    case fbs::DTypeEnum::Int16:
      return with(DTypeKind::kInt16);
    case fbs::DTypeEnum::Uint16:
      return with(DTypeKind::kUint16);
    case fbs::DTypeEnum::Int32:
      return with(DTypeKind::kInt32);
    case fbs::DTypeEnum::Bool:
      return with(DTypeKind::kBool);
    case fbs::DTypeEnum::QuantizedS8:
      return with(DTypeKind::kQuantizedS8);
    case fbs::DTypeEnum::Quantized8Asymm:
      return with(DTypeKind::kQuantized8Asymm);
    case fbs::DTypeEnum::QuantizedS32:
      return with(DTypeKind::kQuantizedS32);
    case fbs::DTypeEnum::QuantizedS16:
      return with(DTypeKind::kQuantizedS16);
    case fbs::DTypeEnum::QuantizedS4:
      return with(DTypeKind::kQuantizedS4);
    case fbs::DTypeEnum::Quantized4Asymm:
      return with(DTypeKind::kQuantized4Asymm);
    default:
      return Unsupported(absl::StrCat("element type ", fbs::EnumNameDTypeEnum(dtype.type)));
  }
}

std::string EnumText(const char* name, uint32_t number) {
  absl::string_view text(name);
  if (text.empty()) return absl::StrCat(number);
  if (text.back() == '_') text.remove_suffix(1);
  return std::string(text);
}

absl::StatusOr<int64_t> NormalizeAxis(int64_t axis, size_t rank) {
  const int64_t n = static_cast<int64_t>(rank);
  if (axis < -n || axis >= n) {
    return absl::InvalidArgumentError(absl::StrCat("axis ", axis, " does not exist in a tensor of ", n, " dimensions"));
  }
  return axis < 0 ? axis + n : axis;
}

absl::StatusOr<Value*> ImportContext::Reshape(Value* x, Shape shape) {
  if (x->type.shape == shape) return x;
  return Add("reshape", {x}, {{"shape", std::move(shape)}});
}

absl::StatusOr<Value*> ImportContext::Transpose(Value* x, std::vector<int64_t> perm) {
  bool identity = true;
  for (size_t i = 0; i < perm.size(); ++i) identity = identity && perm[i] == static_cast<int64_t>(i);
  if (identity) return x;
  return Add("transpose", {x}, {{"perm", std::move(perm)}});
}

absl::StatusOr<Value*> ImportContext::Cast(Value* x, const graph::DType& dtype) {
  if (x->type.dtype == dtype) return x;
  return Add("cast", {x}, {{"dtype", graph::ToString(dtype)}});
}

absl::StatusOr<std::vector<int64_t>> ImportContext::Ints(int i) const {
  // A shape or less, however much memory the file would like to have for it.
  const Shape& shape = inputs_[i]->type.shape;
  if (shape.size() != 1 || shape[0] > kMaxRank) {
    return absl::InvalidArgumentError(
        absl::StrCat("operand ", i, " of shape ", graph::ToString(shape), " cannot be a list of at most 7 numbers"));
  }
  absl::StatusOr<std::vector<int64_t>> values = ops::EvaluateInts(inputs_[i]);
  if (!values.ok()) return NotConstant(i, values.status());
  return values;
}

absl::StatusOr<double> ImportContext::Number(int i) const {
  const TensorType& type = inputs_[i]->type;
  if (type.dtype.kind != graph::DTypeKind::kFloat32) {
    ASSIGN_OR_RETURN(const int64_t value, Int(i));
    return static_cast<double>(value);
  }
  const absl::StatusOr<ops::TensorData> data = ops::EvaluateConstant(inputs_[i]);
  if (!data.ok()) return NotConstant(i, data.status());
  float value = 0;
  if ((*data)->size() != sizeof(value)) {
    return absl::InvalidArgumentError(absl::StrCat("operand ", i, " is of type ", graph::ToString(type)));
  }
  std::memcpy(&value, (*data)->data(), sizeof(value));
  return value;
}

absl::StatusOr<int64_t> ImportContext::Int(int i) const {
  ASSIGN_OR_RETURN(const std::vector<int64_t> values, Ints(i));
  if (values.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("operand ", i, " has ", values.size(), " elements, needs 1"));
  }
  return values[0];
}

absl::Status ImportContext::RequireFloat(int i) const {
  const graph::DType& dtype = inputs_[i]->type.dtype;
  if (graph::IsFloating(dtype)) return absl::OkStatus();
  // Scales differ from use to use, and are no reason for a line each.
  return Unsupported(absl::StrCat("operands of type ", IsQuantized(dtype) ? "quantized" : graph::ToString(dtype)),
                     "float32, float16");
}

void Registry::Add(absl::string_view type, ImportOne import, Check check) {
  const auto many = [import](ImportContext& c) -> absl::StatusOr<Values> {
    ASSIGN_OR_RETURN(Value * value, import(c));
    return Values{value};
  };
  importers_[std::string(type)] = {many, check, nullptr};
}

void Registry::AddMany(absl::string_view type, ImportMany import, Check check) {
  importers_[std::string(type)] = {import, check, nullptr};
}

void Registry::AddDynamic(absl::string_view type, std::function<absl::StatusOr<Values>(ImportContext&)> import) {
  importers_.at(std::string(type)).import_dynamic = std::move(import);
}

void Registry::AddFollowing(absl::string_view type) {
  OperatorImporter& importer = importers_.at(std::string(type));
  importer.import_dynamic = [import = importer.import](ImportContext& c) { return ImportAndFollow(c, import); };
}

std::vector<std::string> Registry::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, importer] : importers_) names.push_back(name);
  return names;
}

const OperatorImporter* Registry::Find(absl::string_view type) const {
  const auto it = importers_.find(type);
  return it == importers_.end() ? nullptr : &it->second;
}

}  // namespace mgec::mge
