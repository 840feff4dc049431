// A model file in memory: what the file says, checked, and the same for both containers.
//
//   absl::StatusOr<Model> model = ReadModel(bytes);
//   for (const Operator& op : model->operators) {
//     if (const auto* conv = op.Param<fbs::param::Convolution>()) Use(conv->stride_h());
//   }
//
// Everything here was verified by ReadModel: inputs name variables that earlier operators made, `param` has the type
// that the operator wants, values have the size that shape and type imply. What a parameter *means* is not checked:
// that is the importer's business, which knows what is supported.
#ifndef MGEC_COMPILER_MGE_MODEL_H_
#define MGEC_COMPILER_MGE_MODEL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "compiler/mge/dtype.h"
#include "compiler/mge/operator_table.h"
#include "compiler/mge/schema/operator_param_generated.h"

namespace mgec::mge {

enum class Container { kV1Old, kV1, kV2 };  // MGBS, MGBC, mgv2

// "v1 (MGBS)", "v1", "v2".
const char* ToString(Container container);

// How a value is laid out where MegEngine uses it. In the file it is dense in all cases.
enum class TensorFormat { kDefault, kImage2DPack4, kLowbitsAligned };

struct Tensor {
  absl::string_view name;  // empty if the file has none
  std::vector<int64_t> shape;
  DType dtype;
  TensorFormat format = TensorFormat::kDefault;
  absl::string_view data;  // the dense value, at any alignment; empty for an input
};

struct Operator {
  int index = 0;
  // The operator without the version suffix of its C++ class: "Convolution" for ConvolutionV2. For an operator that
  // the table does not know: the name in the file, or its id.
  absl::string_view type;
  const OperatorInfo* info = nullptr;  // null: not a known operator
  absl::string_view name;              // empty unless the file was dumped with operator names
  std::vector<int> inputs;             // variables
  int first_output = 0;                // the outputs are first_output, first_output + 1, ...
  int num_outputs = 0;
  std::optional<DType> output_dtype;
  std::vector<Tensor> tensors;
  std::vector<absl::string_view> blobs;

  fbs::OperatorParam param_type = fbs::OperatorParam::NONE;
  const void* param = nullptr;

  // The parameter table if it is a T, otherwise null. Never null for the type that `info` names.
  template <typename T>
  const T* Param() const {
    return param_type == fbs::OperatorParamTraits<T>::enum_value ? static_cast<const T*>(param) : nullptr;
  }
};

// 'operator 17 (Convolution "conv1")', for messages.
std::string Describe(const Operator& op);

struct Variable {
  absl::string_view name;  // empty if the file has none
  int producer = 0;        // index of the operator
};

struct Output {
  int variable = 0;
  absl::string_view name;  // the alias where there is one; may be empty
};

struct Model {
  Container container = Container::kV2;
  uint32_t mge_version = 0;  // (major * 1000 + minor) * 100 + patch of the MegEngine that wrote the file
  std::vector<Operator> operators;
  std::vector<Variable> variables;
  std::vector<Output> outputs;

  absl::string_view user_info;     // raw bytes, usually a pickle
  uint64_t optimize_options = 0;   // what the writer optimised; information only
  bool graph_modified = false;     // by those optimisations
  absl::string_view lite_name;     // of a MegEngine Lite package, else empty
  absl::string_view lite_info;     // the JSON of a MegEngine Lite package, else empty

  // Memory that string views, spans and parameters refer to, besides the bytes that the model was read from.
  std::vector<std::unique_ptr<uint64_t[]>> storage;
};

// "1.13.0"
std::string VersionText(uint32_t mge_version);

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_MODEL_H_
