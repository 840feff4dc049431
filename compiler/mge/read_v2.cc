// Container version 2: one size-prefixed FlatBuffer that holds everything, values included.
#include "absl/container/flat_hash_map.h"
#include "compiler/mge/decode.h"
#include "compiler/mge/readers.h"
#include "compiler/mge/schema/v2_generated.h"

namespace mgec::mge::internal {
namespace {

namespace v2 = fbs::v2;

class V2Reader {
 public:
  V2Reader(Model& model, uint64_t file_size) : model_(model), decoder_(model, file_size) {}

  absl::Status Read(const v2::Model& fb) {
    model_.mge_version = fb.mge_version();
    if (const v2::Metadata* metadata = fb.metadata()) {
      model_.user_info = View(metadata->user_info());
      model_.optimize_options = metadata->optimize_options();
      model_.graph_modified = metadata->graph_modified();
    }
    const auto* operators = fb.oprs();
    if (Size(operators) == 0) return absl::DataLossError("the graph has no operators");
    if (absl::Status s = decoder_.Charge(operators->size(), sizeof(uint32_t)); !s.ok()) return s;
    for (uint32_t i = 0; i < operators->size(); ++i) {
      Operator op;
      op.index = static_cast<int>(i);
      if (IsNull(operators, i)) return In(op, absl::DataLossError("is missing"));
      if (absl::Status s = ReadOperator(*operators->Get(i), op); !s.ok()) return In(op, s);
    }
    ReadNames(fb);
    return ReadOutputs(fb);
  }

 private:
  // Leaves `op` filled as far as it came, for the message.
  absl::Status ReadOperator(const v2::Operator& fb, Operator& op) {
    op.type = View(fb.type());
    // Version 1 of an operator is named in the old way, all others by the full name of their class.
    if (fb.opr_version() == 1) op.info = FindOperator(fb.type_id(), IdKind::kUnversioned);
    if (fb.opr_version() == 2) op.info = FindOperator(fb.type_id(), IdKind::kFull);
    // MegEngine looks at the id alone. A name that contradicts it means that one of them is damaged.
    if (op.info != nullptr && StripVersion(op.type) != op.info->type()) op.info = nullptr;
    if (op.info != nullptr) op.type = op.info->type();
    if (absl::Status s = decoder_.ReadCommon(fb, op); !s.ok()) return s;
    if (absl::Status s = ReadTensors(fb, op); !s.ok()) return s;

    const uint32_t blobs = Size(fb.custom_data());
    if (absl::Status s = decoder_.Charge(blobs, sizeof(uint32_t)); !s.ok()) return s;
    for (uint32_t i = 0; i < blobs; ++i) {
      if (IsNull(fb.custom_data(), i)) return absl::DataLossError(absl::StrCat("blob ", i, " is missing"));
      op.blobs.push_back(View(fb.custom_data()->Get(i)->data()));
    }

    const uint32_t outputs = Size(fb.outputs());
    if (absl::Status s = decoder_.Charge(outputs, sizeof(uint32_t)); !s.ok()) return s;
    const absl::StatusOr<int> expected = decoder_.CountOutputs(op);
    if (!expected.ok()) return expected.status();
    if (*expected >= 0 && *expected != static_cast<int>(outputs)) {
      return absl::DataLossError(absl::StrCat("has ", outputs, " outputs instead of ", *expected));
    }
    for (uint32_t i = 0; i < outputs; ++i) {
      const size_t id = model_.variables.size() + i;
      if (fb.outputs()->Get(i) != id) {
        return absl::DataLossError(
            absl::StrCat("output ", i, " is variable ", fb.outputs()->Get(i), ", but ", id, " is the next one"));
      }
    }
    return decoder_.Append(op, static_cast<int>(outputs));
  }

  absl::Status ReadTensors(const v2::Operator& fb, Operator& op) {
    const uint32_t count = Size(fb.tensors());
    if (absl::Status s = decoder_.Charge(count, sizeof(uint32_t)); !s.ok()) return s;
    op.tensors.resize(count);
    for (uint32_t i = 0; i < count; ++i) {
      const absl::Status s = IsNull(fb.tensors(), i) ? absl::DataLossError("is missing")
                                                     : ReadTensor(*fb.tensors()->Get(i), op.tensors[i]);
      if (!s.ok()) return absl::Status(s.code(), absl::StrCat("tensor ", i, ": ", s.message()));
    }
    return absl::OkStatus();
  }

  absl::Status ReadTensor(const v2::Tensor& fb, Tensor& tensor) {
    uint64_t dense = 0;
    if (absl::Status s = decoder_.ReadTensorHeader(fb, tensor, dense); !s.ok()) return s;
    switch (fb.format_type()) {
      case v2::TensorFormat::NONE:
      case v2::TensorFormat::DefaultTensorFormat:
        break;
      case v2::TensorFormat::Image2DPackedTensorFormat:
        tensor.format = TensorFormat::kImage2DPack4;
        break;
      case v2::TensorFormat::LowbitsAlignedTensorFormat:
        tensor.format = TensorFormat::kLowbitsAligned;
        break;
      default:
        return absl::DataLossError(absl::StrCat("format ", static_cast<int>(fb.format_type()), " does not exist"));
    }
    tensor.data = View(fb.data());
    if (absl::Status s = decoder_.Charge(tensor.data.size(), 1); !s.ok()) return s;
    if (!tensor.data.empty() && tensor.data.size() != dense) {
      return absl::DataLossError(
          absl::StrCat("value has ", tensor.data.size(), " bytes; its shape needs ", dense));
    }
    return absl::OkStatus();
  }

  // Names are hints: the vector may be short, and entries may be null.
  void ReadNames(const v2::Model& fb) {
    const auto* tensors = fb.middle_tensors();
    for (uint32_t i = 0; i < Size(tensors) && i < model_.variables.size(); ++i) {
      if (!IsNull(tensors, i)) model_.variables[i].name = View(tensors->Get(i)->name());
    }
  }

  absl::Status ReadOutputs(const v2::Model& fb) {
    const auto* outputs = fb.output_vars_idx();
    if (Size(outputs) == 0) return absl::DataLossError("the graph has no outputs");
    const bool aliased = Size(fb.output_alias()) > 0;
    absl::flat_hash_map<uint32_t, uint32_t> by_original_id;
    for (uint32_t i = 0; i < outputs->size(); ++i) {
      if (IsNull(outputs, i)) return absl::DataLossError(absl::StrCat("output ", i, " of the network is missing"));
      const v2::OutputVar& output = *outputs->Get(i);
      by_original_id.emplace(output.original_id(), output.compact_id());
      if (absl::Status s = decoder_.Charge(1, sizeof(uint32_t)); !s.ok()) return s;
      if (absl::Status s = decoder_.AppendOutput(output.compact_id(), {}); !s.ok()) return s;
    }
    if (!aliased) return absl::OkStatus();
    // The list of aliases, where there is one, replaces the list of outputs: order and length are its own.
    model_.outputs.clear();
    for (uint32_t i = 0; i < fb.output_alias()->size(); ++i) {
      if (IsNull(fb.output_alias(), i)) return absl::DataLossError(absl::StrCat("output alias ", i, " is missing"));
      const v2::OutputAlias& alias = *fb.output_alias()->Get(i);
      if (absl::Status s = decoder_.Charge(1, sizeof(uint32_t)); !s.ok()) return s;
      const auto it = by_original_id.find(alias.id());
      if (it == by_original_id.end()) {
        return absl::DataLossError(absl::StrCat("output alias ", i, " is for variable ", alias.id(),
                                                " of the writer, which is not an output"));
      }
      if (absl::Status s = decoder_.AppendOutput(it->second, View(alias.name())); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  Model& model_;
  Decoder decoder_;
};

}  // namespace

absl::Status ReadV2(absl::string_view bytes, Model& model) {
  model.container = Container::kV2;
  const uint64_t size = ReadLittleEndian<uint32_t>(bytes, 0);
  if (size < 8 || size > bytes.size() - 4) {
    return absl::DataLossError(absl::StrCat("the graph should have ", size, " bytes, but the file has ",
                                            bytes.size() - 4, ": it is cut off or damaged"));
  }
  bytes = bytes.substr(0, 4 + size);
  if (bytes.size() >= FLATBUFFERS_MAX_BUFFER_SIZE) return absl::DataLossError("the graph is larger than 2 GiB");
  bytes = Aligned(bytes, model.storage);
  flatbuffers::Verifier verifier = MakeVerifier(bytes);
  if (!v2::VerifySizePrefixedModelBuffer(verifier)) return absl::DataLossError("the graph is damaged");
  return V2Reader(model, bytes.size()).Read(*v2::GetSizePrefixedModel(bytes.data()));
}

}  // namespace mgec::mge::internal
