// Container version 1:
//
//   magic MGBC: u32 magic, u64 features, u32 reserved, u64 size of values | values | u32 size, FlatBuffer
//   magic MGBS: u32 magic, u32 reserved,               u64 size of values | values | u32 size, FlatBuffer
#include "absl/strings/escaping.h"
#include "compiler/mge/decode.h"
#include "compiler/mge/readers.h"
#include "compiler/mge/schema/v1_generated.h"

namespace mgec::mge::internal {
namespace {

namespace v1 = fbs::v1;

TensorFormat FormatFromBlob(absl::string_view blob) {
  // u32 kind, then details that only matter to the device that the tensor was meant for.
  if (blob.size() < sizeof(uint32_t)) return TensorFormat::kDefault;
  switch (blob[0]) {
    case 1:
      return TensorFormat::kImage2DPack4;
    case 2:
      return TensorFormat::kLowbitsAligned;
    default:
      return TensorFormat::kDefault;
  }
}

class V1Reader {
 public:
  V1Reader(Model& model, absl::string_view values, uint64_t graph_size)
      : model_(model), values_(values), decoder_(model, values.size() + graph_size) {}

  absl::Status Read(const v1::Graph& graph) {
    model_.mge_version = graph.mgb_version();
    if (const v1::Metadata* metadata = graph.metadata()) {
      model_.user_info = View(metadata->user_info());
      model_.optimize_options = metadata->optimize_options();
      model_.graph_modified = metadata->graph_modified();
    }
    const auto* operators = graph.oprs();
    const auto* outputs = graph.output_vars_idx();
    if (Size(operators) == 0) return absl::DataLossError("the graph has no operators");
    if (Size(outputs) == 0) return absl::DataLossError("the graph has no outputs");
    if (absl::Status s = decoder_.Charge(operators->size(), sizeof(uint32_t)); !s.ok()) return s;
    for (uint32_t i = 0; i < operators->size(); ++i) {
      Operator op;
      op.index = static_cast<int>(i);
      if (IsNull(operators, i)) return In(op, absl::DataLossError("is missing"));
      if (absl::Status s = ReadOperator(*operators->Get(i), op); !s.ok()) return In(op, s);
    }
    if (absl::Status s = decoder_.Charge(outputs->size(), sizeof(v1::OutputVar)); !s.ok()) return s;
    for (const v1::OutputVar* output : *outputs) {
      if (absl::Status s = decoder_.AppendOutput(output->compact_id(), {}); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

 private:
  // Leaves `op` filled as far as it came, for the message.
  absl::Status ReadOperator(const v1::Operator& fb, Operator& op) {
    const IdKind kind = model_.container == Container::kV1Old ? IdKind::kUnversioned : IdKind::kFull;
    op.info = FindOperator(fb.type_id(), kind);
    op.type = op.info != nullptr ? op.info->type()
                                 : KeepText(absl::StrCat("id ", absl::Hex(fb.type_id(), absl::kZeroPad16)));
    if (absl::Status s = decoder_.ReadCommon(fb, op); !s.ok()) return s;
    if (absl::Status s = ReadTensors(fb, op); !s.ok()) return s;
    if (absl::Status s = ReadBlobs(fb, op); !s.ok()) return s;

    absl::StatusOr<int> count = decoder_.CountOutputs(op);
    if (!count.ok()) return count.status();
    const uint32_t names = Size(fb.output_name());
    if (absl::Status s = decoder_.Charge(names, sizeof(uint32_t)); !s.ok()) return s;
    if (names > 0 && (*count < 0 || op.info->outputs == OutputRule::kBatchNorm)) count = static_cast<int>(names);
    if (*count < 0) {
      return absl::UnimplementedError("is not known, so that the variables after it cannot be numbered");
    }
    if (names > 0 && static_cast<int>(names) != *count) {
      return absl::DataLossError(absl::StrCat("has ", *count, " outputs, but ", names, " names for them"));
    }
    const size_t first = model_.variables.size();
    if (absl::Status s = decoder_.Append(op, *count); !s.ok()) return s;
    for (uint32_t i = 0; i < names; ++i) {
      if (IsNull(fb.output_name(), i)) return absl::DataLossError(absl::StrCat("name of output ", i, " is missing"));
      model_.variables[first + i].name = View(fb.output_name()->Get(i));
    }
    return absl::OkStatus();
  }

  absl::Status ReadTensors(const v1::Operator& fb, Operator& op) {
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

  absl::Status ReadTensor(const v1::Tensor& fb, Tensor& tensor) {
    uint64_t dense = 0;
    if (absl::Status s = decoder_.ReadTensorHeader(fb, tensor, dense); !s.ok()) return s;
    const uint64_t size = fb.data_size();
    if (size == 0) return absl::OkStatus();
    if (size > values_.size() - cursor_) {
      return absl::DataLossError(absl::StrCat("value of ", size, " bytes at ", cursor_, " lies beyond the ",
                                              values_.size(), " bytes of values in the file"));
    }
    if (fb.offset() > size || dense > size - fb.offset()) {
      return absl::DataLossError(absl::StrCat("value has ", size, " bytes, of which ", fb.offset(),
                                              " are to be skipped; its shape needs ", dense));
    }
    tensor.data = values_.substr(cursor_ + fb.offset(), dense);
    cursor_ += size;
    return absl::OkStatus();
  }

  absl::Status ReadBlobs(const v1::Operator& fb, Operator& op) {
    const uint32_t count = Size(fb.blobs());
    if (absl::Status s = decoder_.Charge(count, sizeof(uint32_t)); !s.ok()) return s;
    for (uint32_t i = 0; i < count; ++i) {
      if (IsNull(fb.blobs(), i)) return absl::DataLossError(absl::StrCat("blob ", i, " is missing"));
      op.blobs.push_back(View(fb.blobs()->Get(i)->data()));
    }
    // Where tensors have formats, their blobs follow one that holds the number of tensors, if there can be several.
    if (op.type == "SharedDeviceTensorWithFormat" && count == 1 && op.tensors.size() == 1) {
      op.tensors[0].format = FormatFromBlob(op.blobs[0]);
    } else if (op.type == "MultipleDeviceTensorWithFormatHolder") {
      if (count != op.tensors.size() + 1) {
        return absl::DataLossError(absl::StrCat("has ", count, " blobs for ", op.tensors.size(), " tensors"));
      }
      for (size_t i = 0; i < op.tensors.size(); ++i) op.tensors[i].format = FormatFromBlob(op.blobs[i + 1]);
    }
    return absl::OkStatus();
  }

  // A text that lives as long as the model.
  absl::string_view KeepText(const std::string& text) {
    auto copy = std::make_unique<uint64_t[]>((text.size() + 7) / 8);
    std::memcpy(copy.get(), text.data(), text.size());
    const absl::string_view view(reinterpret_cast<const char*>(copy.get()), text.size());
    model_.storage.push_back(std::move(copy));
    return view;
  }

  Model& model_;
  absl::string_view values_;
  uint64_t cursor_ = 0;  // values that earlier tensors have taken
  Decoder decoder_;
};

}  // namespace

absl::Status ReadV1(absl::string_view bytes, Model& model) {
  const bool old = bytes.substr(0, 4) == "MGBS";
  model.container = old ? Container::kV1Old : Container::kV1;
  const size_t header = old ? 16 : 24;
  if (bytes.size() < header) return absl::DataLossError("the file ends inside of its header");
  const uint32_t low_features = ReadLittleEndian<uint32_t>(bytes, 4);
  if (low_features != 0) {
    return absl::UnimplementedError(
        absl::StrCat("the file asks for features that are not known (", absl::Hex(low_features), ")"));
  }
  const uint64_t values_size = ReadLittleEndian<uint64_t>(bytes, header - 8);
  const uint64_t rest = bytes.size() - header;
  if (rest < 8 || values_size > rest - 8) {
    return absl::DataLossError(absl::StrCat("the graph should follow ", values_size,
                                            " bytes of values, but the file ends ", rest,
                                            " bytes after its header: it is cut off or damaged"));
  }
  const absl::string_view values = bytes.substr(header, values_size);
  absl::string_view graph = bytes.substr(header + values_size);
  const uint64_t graph_size = ReadLittleEndian<uint32_t>(graph, 0);
  if (graph_size < 8 || graph_size > graph.size() - 4) {
    return absl::DataLossError(absl::StrCat("the graph should have ", graph_size, " bytes, but the file has ",
                                            graph.size() - 4, ": it is cut off or damaged"));
  }
  // It begins wherever the values end, which is why it usually has to be copied.
  graph = Aligned(graph.substr(0, 4 + graph_size), model.storage);
  if (graph.size() >= FLATBUFFERS_MAX_BUFFER_SIZE) return absl::DataLossError("the graph is larger than 2 GiB");
  if (graph.substr(8, 4) != v1::GraphIdentifier()) {
    return absl::DataLossError(absl::StrCat("the graph is marked \"", absl::CHexEscape(graph.substr(8, 4)),
                                            "\" instead of \"", v1::GraphIdentifier(), "\""));
  }
  flatbuffers::Verifier verifier = MakeVerifier(graph);
  if (!v1::VerifySizePrefixedGraphBuffer(verifier)) return absl::DataLossError("the graph is damaged");
  return V1Reader(model, values, graph.size()).Read(*v1::GetSizePrefixedGraph(graph.data()));
}

}  // namespace mgec::mge::internal
