#include "compiler/schedule/int_operands.h"

#include <algorithm>
#include <cstring>

#include "compiler/ops/op.h"
#include "compiler/ops/quantize.h"

namespace mgec::schedule {
namespace {

using kernel::Scalar;

template <typename T>
std::vector<int32_t> Unbiased(const std::string& data, int zero_point) {
  std::vector<int32_t> values(data.size() / sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) {
    T v;
    std::memcpy(&v, data.data() + i * sizeof(T), sizeof(T));
    values[i] = int32_t{v} - zero_point;
  }
  return values;
}

std::optional<std::vector<int32_t>> WeightsOf(const graph::Value* w) {
  const std::string* data = Scheduler::ConstantData(w);
  if (data == nullptr) return std::nullopt;
  const int zero_point = ops::ZeroPointOf(w->type.dtype);
  switch (ops::StorageOf(w->type.dtype)) {
    case Scalar::kInt8: return Unbiased<int8_t>(*data, zero_point);
    case Scalar::kUint8: return Unbiased<uint8_t>(*data, zero_point);
    case Scalar::kInt16: return Unbiased<int16_t>(*data, zero_point);
    default: return std::nullopt;
  }
}

int64_t ValueOf(const IntOperands& operands, int64_t index) { return index < 0 ? 0 : operands.weights[index]; }

}  // namespace

std::optional<IntOperands> IntOperandsOf(const Scheduler& s, const graph::Value* x, const graph::Value* w) {
  IntOperands o;
  o.in = s.Element(x);
  o.zero_point = ops::ZeroPointOf(x->type.dtype);
  if (o.in.stored != Scalar::kInt16 && o.in.stored != Scalar::kUint8) return std::nullopt;
  std::optional<std::vector<int32_t>> weights = WeightsOf(w);
  if (!weights) return std::nullopt;
  o.weights = *std::move(weights);
  // Weights without their zero point may need 9 bits.
  const bool fit = std::all_of(o.weights.begin(), o.weights.end(), [](int32_t v) { return v >= -128 && v <= 127; });
  if (o.in.stored == Scalar::kUint8 && !fit) o.in = {o.in.value, Scalar::kInt16, 0};
  return o;
}

void AddStart(Scheduler& s, const IntOperands& operands, int64_t k_size, const WeightIndexFunction& weight,
              ContractionSpec& spec, std::vector<plan::Argument>& bindings) {
  const int64_t offset = operands.zero_point + operands.in.bias;
  if (offset == 0 && spec.bias.empty()) return;
  const int64_t padded = (spec.channels + kBlock - 1) / kBlock * kBlock;
  std::string starts(padded * 4, '\0');
  for (int64_t n = 0; n < spec.channels; ++n) {
    int64_t sum = 0;
    for (int64_t k = 0; k < k_size; ++k) sum += ValueOf(operands, weight(k, n));
    const int64_t bias = spec.bias.empty() ? 0 : spec.bias[n];
    const auto start = static_cast<uint32_t>(bias - offset * sum);  // sums wrap, as the micro-kernel's
    std::memcpy(&starts[n * 4], &start, 4);
  }
  spec.start = kernel::ArgumentBuffer("start", Scalar::kInt32, padded,
                                      spec.first_extra + static_cast<int>(spec.extra.size()), 64);
  spec.extra.push_back(spec.start);
  bindings.push_back({s.program().AddConstant(std::move(starts))});
}

plan::StorageId AddIntWeights(Scheduler& s, const IntOperands& operands, int64_t k_size,
                              const WeightIndexFunction& weight, ContractionSpec& spec,
                              std::vector<plan::Argument>& bindings) {
  AddStart(s, operands, k_size, weight, spec, bindings);
  auto value = [&](int64_t k, int64_t n) { return ValueOf(operands, weight(k, n)); };
  return s.program().AddConstant(PackIntWeights(k_size, spec.channels, spec.weight_scalar(), spec.group(), value));
}

}  // namespace mgec::schedule
