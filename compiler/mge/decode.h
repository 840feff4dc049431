// What the readers of both containers share: turning verified FlatBuffers into a Model, refusing what does not fit.
//
// The FlatBuffers verifier has already made sure that no access leaves the buffer. What is checked here is everything
// that it does not know: that references between operators are right, that sizes agree, that the file does not
// describe more than it holds.
#ifndef MGEC_COMPILER_MGE_DECODE_H_
#define MGEC_COMPILER_MGE_DECODE_H_

#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "compiler/mge/legacy.h"
#include "compiler/mge/model.h"
#include "flatbuffers/flatbuffers.h"

namespace mgec::mge::internal {

// `bytes` at an address that is a multiple of 8: itself, or a copy that `storage` owns.
absl::string_view Aligned(absl::string_view bytes, std::vector<std::unique_ptr<uint64_t[]>>& storage);

// A verifier for a buffer that MegEngine may have written: no depth to speak of, but any number of tables.
flatbuffers::Verifier MakeVerifier(absl::string_view buffer);

// An integer at any alignment; the caller has checked that it is inside.
template <typename T>
T ReadLittleEndian(absl::string_view bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return flatbuffers::EndianScalar(value);
}

inline absl::string_view View(const flatbuffers::String* s) {
  return s == nullptr ? absl::string_view() : absl::string_view(s->c_str(), s->size());
}

inline absl::string_view View(const flatbuffers::Vector<uint8_t>* v) {
  return v == nullptr ? absl::string_view()
                      : absl::string_view(reinterpret_cast<const char*>(v->data()), v->size());
}

template <typename T>
uint32_t Size(const flatbuffers::Vector<T>* v) {
  return v == nullptr ? 0 : v->size();
}

// FlatBuffers takes a null entry of a vector for an empty table at the place of the entry; this tells them apart.
template <typename T>
bool IsNull(const flatbuffers::Vector<flatbuffers::Offset<T>>* v, uint32_t i) {
  return flatbuffers::ReadScalar<flatbuffers::uoffset_t>(v->Data() + i * sizeof(flatbuffers::uoffset_t)) == 0;
}

// `status` with "operator 17 (Convolution): " in front.
absl::Status In(const Operator& op, const absl::Status& status);

class Decoder {
 public:
  // `file_size` bounds what the file may describe. FlatBuffers lets any number of tables refer to the same vector, so
  // that a small hostile file could otherwise unfold to a huge model. Honest writers never share vectors.
  Decoder(Model& model, uint64_t file_size) : model_(model), budget_(file_size) {}

  absl::Status Charge(uint64_t elements, uint64_t bytes_each);

  // Everything but tensors, blobs and outputs. `op.info`, `op.type`, `op.index` must be set.
  template <typename FbOperator>
  absl::Status ReadCommon(const FbOperator& fb, Operator& op);

  // Name, shape and element type; `dense_bytes` is what a value of this tensor takes.
  template <typename FbTensor>
  absl::Status ReadTensorHeader(const FbTensor& fb, Tensor& tensor, uint64_t& dense_bytes);

  // The number of outputs that the table of operators gives; -1 where only the file can tell.
  absl::StatusOr<int> CountOutputs(const Operator& op) const;

  // Checks that the operator holds the tensors that its kind needs, then appends it and its variables.
  absl::Status Append(Operator op, int num_outputs);

  // Appends an output of the network.
  absl::Status AppendOutput(uint32_t variable, absl::string_view name);

 private:
  absl::Status CheckParam(Operator& op);

  Model& model_;
  uint64_t budget_;
};

template <typename FbOperator>
absl::Status Decoder::ReadCommon(const FbOperator& fb, Operator& op) {
  op.name = View(fb.name());
  op.param_type = fb.param_type();
  op.param = fb.param();
  if (absl::Status s = CheckParam(op); !s.ok()) return s;

  const uint32_t num_inputs = Size(fb.inputs());
  if (absl::Status s = Charge(num_inputs, sizeof(uint32_t)); !s.ok()) return s;
  op.inputs.reserve(num_inputs);
  for (uint32_t i = 0; i < num_inputs; ++i) {
    const uint32_t variable = fb.inputs()->Get(i);
    if (variable >= model_.variables.size()) {
      return absl::DataLossError(absl::StrCat("input ", i, " refers to variable ", variable, ", but only ",
                                              model_.variables.size(), " exist so far"));
    }
    op.inputs.push_back(static_cast<int>(variable));
  }
  if (fb.output_dtype() != nullptr) {
    const absl::StatusOr<DType> dtype = DecodeDType(fb.output_dtype());
    if (!dtype.ok()) return absl::DataLossError(absl::StrCat("output type: ", dtype.status().message()));
    op.output_dtype = *dtype;
  }
  return absl::OkStatus();
}

template <typename FbTensor>
absl::Status Decoder::ReadTensorHeader(const FbTensor& fb, Tensor& tensor, uint64_t& dense_bytes) {
  tensor.name = View(fb.name());
  const absl::StatusOr<DType> dtype = DecodeDType(fb.dtype());
  if (!dtype.ok()) return dtype.status();
  tensor.dtype = *dtype;
  const uint32_t rank = Size(fb.shape());
  if (rank > kMaxRank) return absl::DataLossError(absl::StrCat("shape has ", rank, " axes; at most 7 are possible"));
  if (absl::Status s = Charge(rank, sizeof(uint32_t)); !s.ok()) return s;
  for (uint32_t i = 0; i < rank; ++i) tensor.shape.push_back(fb.shape()->Get(i));
  const absl::StatusOr<uint64_t> bytes = DenseBytes(tensor.shape, tensor.dtype.type);
  if (!bytes.ok()) return bytes.status();
  dense_bytes = *bytes;
  return absl::OkStatus();
}

}  // namespace mgec::mge::internal

#endif  // MGEC_COMPILER_MGE_DECODE_H_
