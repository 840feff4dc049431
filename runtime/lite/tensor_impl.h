// Tensors of the Lite interfaces: element type, shape and strides over a part of a shared buffer.
#ifndef MGEC_RUNTIME_LITE_TENSOR_IMPL_H_
#define MGEC_RUNTIME_LITE_TENSOR_IMPL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/buffer.h"
#include "runtime/data_type.h"
#include "runtime/include/lite-c/tensor_c.h"
#include "runtime/lite/elements.h"
#include "runtime/status.h"

namespace mgec {

// Bytes of an element; 0 for a number that is no LiteDataType.
size_t ElementSize(LiteDataType dtype);
const char* Name(LiteDataType dtype);

// How users see an element type of an artifact: quantized values as integers. Error: types that tensors cannot hold.
Result<LiteDataType> ToLite(DataType dtype);

// Tensors live in memory of the CPU or of a GPU. Error: another device.
Status CheckDevice(LiteDeviceType device);

// The GPU of this number; below zero, the first. Errors: see cuda::Device::Open().
Result<std::shared_ptr<cuda::Device>> OpenGpu(int device_id);

// Not for two threads at once, but for tensors that share memory this concerns each of them alone.
class TensorImpl {
 public:
  static constexpr size_t kMaxDims = LAYOUT_MAX_DIM - 1;

  TensorImpl() = default;
  // Errors: another device, a GPU that is not there, a number of the device below -1, a bad layout.
  static Result<std::shared_ptr<TensorImpl>> Make(const LiteTensorDesc& desc);

  LiteDataType dtype() const { return dtype_; }
  const std::vector<size_t>& shape() const { return shape_; }
  LiteLayout layout() const;
  size_t elements() const;
  size_t bytes() const { return elements() * ElementSize(dtype_); }
  bool contiguous() const;
  // Memory that the user gave, and how much of it.
  bool user_memory() const { return user_memory_ && buffer_ != nullptr; }
  size_t capacity() const { return capacity_; }

  // The first element, or null where there is no memory yet. Of a tensor on a GPU an address for that.
  uint8_t* data_or_null() const { return buffer_ != nullptr ? buffer_->data() + offset_ : nullptr; }
  // Gets memory if there is none. Errors: an empty layout, no memory.
  Status Data(uint8_t** data);
  Status DataAt(const size_t* index, size_t size, uint8_t** data);
  const std::shared_ptr<Buffer>& buffer() const { return buffer_; }
  size_t offset() const { return offset_; }

  // A dense tensor of this shape and type. Keeps memory and contents if they are large enough.
  Status SetLayout(const LiteLayout& layout);
  Status SetLayout(std::vector<size_t> shape, LiteDataType dtype);
  Status Reshape(const int* shape, size_t size);
  // The caller's memory, which outlives its use. Error: a tensor on a GPU that gets other memory than that GPU's.
  Status Reset(void* data, size_t size);
  // The same with another layout; `data` has as many bytes as that needs.
  Status Reset(void* data, const LiteLayout& layout);
  // Makes the tensor live in `buffer`, from `offset` on.
  void Use(std::shared_ptr<Buffer> buffer, size_t offset, size_t capacity, bool user_memory);
  // From now on new memory is the GPU's, or the CPU's and pinned for it.
  void UseGpu(std::shared_ptr<cuda::Device> gpu, bool is_pinned);
  void set_allocator(std::shared_ptr<Allocator> allocator) { allocator_ = std::move(allocator); }

  // A view: numbers as in Python's slices, `step` may be null.
  Result<std::shared_ptr<TensorImpl>> Slice(const ptrdiff_t* start, const ptrdiff_t* end, const ptrdiff_t* step,
                                            size_t size);
  Status FillZero();
  Status CopyFrom(TensorImpl& source);
  Status ShareMemoryWith(TensorImpl& source);
  // Copies the elements, in order, to memory of the CPU that holds bytes().
  Status CopyTo(uint8_t* destination);

  LiteDeviceType device_type = LITE_CPU;
  int device_id = 0;
  bool pinned = false;

 private:
  Status EnsureMemory();
  void DropMemory();
  // Where there is memory.
  Elements Place() const { return {*buffer_, offset_, strides_}; }

  LiteDataType dtype_ = LITE_FLOAT;
  std::vector<size_t> shape_;
  std::vector<ptrdiff_t> strides_;  // in elements
  std::shared_ptr<Allocator> allocator_;
  std::shared_ptr<cuda::Device> gpu_;  // whose memory it gets; null for the CPU's
  std::shared_ptr<Buffer> buffer_;
  size_t offset_ = 0;
  size_t capacity_ = 0;       // bytes of the buffer from offset_ on that belong to this tensor
  bool user_memory_ = false;
  bool fixed_ = false;        // a part of another tensor: a copy may not move it elsewhere
};

// A new tensor with the contents of all, one after the other along dimension `dim`.
Result<std::shared_ptr<TensorImpl>> Concatenate(const std::vector<std::shared_ptr<TensorImpl>>& tensors, int dim,
                                                LiteDeviceType device, int device_id);

}  // namespace mgec

#endif  // MGEC_RUNTIME_LITE_TENSOR_IMPL_H_
