// Inputs, constants, and operators that hand their input on.
#include <algorithm>

#include "compiler/mge/importer.h"
#include "compiler/ops/op.h"

namespace mgec::mge {
namespace {

// MegEngine has no tensors without dimensions.
Shape ShapeOf(const Tensor& tensor) { return tensor.shape.empty() ? Shape{1} : tensor.shape; }

absl::StatusOr<Value*> ImportInput(ImportContext& c) {
  const Tensor& tensor = c.op().tensors[0];
  ASSIGN_OR_RETURN(const graph::DType dtype, ToGraphDType(tensor.dtype));
  std::string name(tensor.name);
  if (name.empty()) name = absl::StrCat("input", c.graph().inputs().size());
  for (const graph::Node* other : c.graph().inputs()) {
    if (other->name == name) return absl::InvalidArgumentError(absl::StrCat("two inputs have the name \"", name, "\""));
  }
  Shape shape = ShapeOf(tensor);
  if (const auto it = c.options().input_shapes.find(name); it != c.options().input_shapes.end()) shape = it->second;
  RETURN_IF_ERROR(ops::CheckSize(shape));
  return c.graph().AddInput(std::move(name), {dtype, std::move(shape)});
}

// Types of 4 bits are packed in the file, two to a byte, the low half first, each row starting on a byte. In the graph
// each takes a byte.
std::string Unpack4Bit(const Tensor& tensor) {
  const int64_t row = ShapeOf(tensor).back();
  const int64_t row_bytes = (row + 1) / 2;
  const bool is_signed = tensor.dtype.type == fbs::DTypeEnum::QuantizedS4;
  std::string unpacked;
  for (size_t start = 0; row_bytes > 0 && start + row_bytes <= tensor.data.size(); start += row_bytes) {
    for (int64_t i = 0; i < row; ++i) {
      const uint8_t byte = static_cast<uint8_t>(tensor.data[start + i / 2]);
      const int nibble = i % 2 == 0 ? byte & 15 : byte >> 4;
      unpacked.push_back(static_cast<char>(is_signed && nibble >= 8 ? nibble - 16 : nibble));
    }
  }
  return unpacked;
}

absl::StatusOr<Values> ImportConstants(ImportContext& c) {
  Values values;
  for (const Tensor& tensor : c.op().tensors) {
    ASSIGN_OR_RETURN(const graph::DType dtype, ToGraphDType(tensor.dtype));
    const TensorType type{dtype, ShapeOf(tensor)};
    std::string data = BitsOf(tensor.dtype.type) == 4 ? Unpack4Bit(tensor) : std::string(tensor.data);
    if (static_cast<int64_t>(data.size()) != graph::ByteSize(type)) {
      return absl::InvalidArgumentError(
          absl::StrCat("constant of type ", graph::ToString(type), " has no value in the file"));
    }
    // MegEngine takes every byte that is not 0 for true; generated code relies on 1.
    if (dtype.kind == graph::DTypeKind::kBool) {
      std::transform(data.begin(), data.end(), data.begin(), [](char b) { return b != 0 ? 1 : 0; });
    }
    values.push_back(c.graph().AddConstant(type, std::move(data), c.name()));
  }
  return values;
}

absl::StatusOr<Value*> ImportIdentity(ImportContext& c) { return c.input(0); }

// Compares its first input with its second, and returns the second.
absl::StatusOr<Value*> ImportAssertEqual(ImportContext& c) { return c.input(1); }

}  // namespace

void RegisterData(Registry& r) {
  r.Add("Host2DeviceCopy", ImportInput);
  r.AddMany("ImmutableTensor", ImportConstants);
  r.AddMany("SharedDeviceTensor", ImportConstants);
  r.AddMany("SharedDeviceTensorWithFormat", ImportConstants);
  r.AddMany("VolatileSharedDeviceTensor", ImportConstants);
  r.AddMany("MultipleDeviceTensorHolder", ImportConstants);
  r.AddMany("MultipleDeviceTensorWithFormatHolder", ImportConstants);
  r.Add("AssertEqual", ImportAssertEqual);
  r.Add("Copy", ImportIdentity);
  r.Add("Identity", ImportIdentity);
  r.Add("MarkDynamicVar", ImportIdentity);
  r.Add("MarkNoBroadcastElemwise", ImportIdentity);
  r.Add("PersistentOutputStorage", ImportIdentity);
  r.Add("VirtualDep", ImportIdentity);
}

}  // namespace mgec::mge
