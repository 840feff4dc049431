#include "compiler/mge/decode.h"

#include "absl/strings/escaping.h"

namespace mgec::mge::internal {

using fbs::OperatorParam;

absl::string_view Aligned(absl::string_view bytes, std::vector<std::unique_ptr<uint64_t[]>>& storage) {
  if (reinterpret_cast<uintptr_t>(bytes.data()) % sizeof(uint64_t) == 0) return bytes;
  auto copy = std::make_unique<uint64_t[]>((bytes.size() + 7) / 8);
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  const absl::string_view view(reinterpret_cast<const char*>(copy.get()), bytes.size());
  storage.push_back(std::move(copy));
  return view;
}

flatbuffers::Verifier MakeVerifier(absl::string_view buffer) {
  constexpr flatbuffers::uoffset_t kMaxDepth = 16;
  // Each table takes at least the 4 bytes that refer to its vtable.
  return flatbuffers::Verifier(reinterpret_cast<const uint8_t*>(buffer.data()), buffer.size(), kMaxDepth,
                               static_cast<flatbuffers::uoffset_t>(buffer.size() / 4 + 1));
}

absl::Status In(const Operator& op, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(Describe(op), ": ", status.message()));
}

absl::Status Decoder::Charge(uint64_t elements, uint64_t bytes_each) {
  if (elements > budget_ / bytes_each) return absl::DataLossError("the file describes more data than it holds");
  budget_ -= elements * bytes_each;
  return absl::OkStatus();
}

absl::Status Decoder::CheckParam(Operator& op) {
  if (op.param_type > OperatorParam::MAX) {
    return absl::DataLossError(absl::StrCat("parameter type ", static_cast<int>(op.param_type), " does not exist"));
  }
  if ((op.param_type == OperatorParam::NONE) != (op.param == nullptr)) {
    return absl::DataLossError("parameter has a type but no value, or a value but no type");
  }
  if (op.info == nullptr) return absl::OkStatus();
  if (op.info->param != op.param_type) {
    return absl::DataLossError(absl::StrCat("parameter is of type ", fbs::EnumNameOperatorParam(op.param_type),
                                            ", expected ", fbs::EnumNameOperatorParam(op.info->param)));
  }
  if (op.param == nullptr) return absl::OkStatus();
  const absl::StatusOr<const void*> modern =
      ModernizeParam(model_.mge_version, op.param_type, op.param, model_.storage);
  if (!modern.ok()) return modern.status();
  op.param = *modern;
  return absl::OkStatus();
}

absl::StatusOr<int> Decoder::CountOutputs(const Operator& op) const {
  using namespace fbs::param;  // NOLINT: only parameter tables are named below
  const int num_inputs = static_cast<int>(op.inputs.size());
  if (op.info == nullptr) return -1;
  switch (op.info->outputs) {
    case OutputRule::kOne:
    case OutputRule::kTwo:
    case OutputRule::kThree:
    case OutputRule::kFour:
      return static_cast<int>(op.info->outputs);
    case OutputRule::kTensor:
      return 1;
    case OutputRule::kTensors:
      return static_cast<int>(op.tensors.size());
    case OutputRule::kInputsMinus1:
      return num_inputs - 1;
    case OutputRule::kBatchNorm: {
      // Saved mean and variance, a reserve since 1.7, and y; training has the running mean and variance before them.
      const bool training = op.Param<BN>()->fwd_mode() == BNFwdMode::TRAINING && num_inputs == 5;
      const int reserve = model_.mge_version >= 100700 ? 1 : 0;
      return 3 + reserve + (training ? 2 : 0);
    }
    case OutputRule::kTopK:
      return op.Param<TopK>()->mode() == TopKMode::KTH_ONLY ? 1 : 2;
    case OutputRule::kSvd:
      return op.Param<SVD>()->compute_uv() ? 3 : 1;
    case OutputRule::kCondExecPred:
      return num_inputs - 1 + (op.Param<CondExecPred>()->mode() == CondExecPredMode::CASE ? 0 : 1);
    case OutputRule::kCondExecMerge: {
      const uint32_t count = op.Param<CondExecMerge>()->nr_output();
      if (count == 0 || count > op.inputs.size()) {
        return absl::DataLossError(absl::StrCat(num_inputs, " inputs cannot be merged to ", count, " outputs"));
      }
      return static_cast<int>(count);
    }
    case OutputRule::kCheckNonFinite:
      return model_.container == Container::kV2 ? num_inputs + 1 : 1;
    case OutputRule::kUnknown:
      return -1;
  }
  return -1;
}

absl::Status Decoder::Append(Operator op, int num_outputs) {
  if (op.info != nullptr) {
    const int count = static_cast<int>(op.inputs.size());
    const int least = op.info->min_inputs;
    const int most = op.info->max_inputs;
    if (count < least || (most != kAnyInputs && count > most)) {
      const std::string range = most == kAnyInputs ? " or more" : most > least ? absl::StrCat(" to ", most) : "";
      return absl::DataLossError(absl::StrCat("has ", count, " inputs, needs ", least, range));
    }
    if (op.info->outputs == OutputRule::kTensor && op.tensors.size() != 1) {
      return absl::DataLossError(absl::StrCat("holds ", op.tensors.size(), " tensors, needs 1"));
    }
  }
  op.first_output = static_cast<int>(model_.variables.size());
  op.num_outputs = num_outputs;
  model_.variables.resize(model_.variables.size() + num_outputs, Variable{{}, op.index});
  model_.operators.push_back(std::move(op));
  return absl::OkStatus();
}

absl::Status Decoder::AppendOutput(uint32_t variable, absl::string_view name) {
  if (variable >= model_.variables.size()) {
    return absl::DataLossError(absl::StrCat("output ", model_.outputs.size(), " of the network is variable ", variable,
                                            ", but only ", model_.variables.size(), " exist"));
  }
  const absl::string_view own_name = model_.variables[variable].name;
  model_.outputs.push_back({static_cast<int>(variable), name.empty() ? own_name : name});
  return absl::OkStatus();
}

}  // namespace mgec::mge::internal
