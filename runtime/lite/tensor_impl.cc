#include "runtime/lite/tensor_impl.h"

#include <algorithm>
#include <utility>

#include "runtime/cuda/device.h"
#include "runtime/lite/elements.h"

namespace mgec {
namespace {

constexpr size_t kMaxBytes = size_t{1} << 47;

Status Invalid(std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); }

// The range of memory that a strided tensor touches, relative to its first element, in bytes.
void Extent(const std::vector<size_t>& shape, const std::vector<ptrdiff_t>& strides, size_t element, ptrdiff_t* begin,
            ptrdiff_t* end) {
  *begin = 0;
  *end = static_cast<ptrdiff_t>(element);
  for (size_t i = 0; i < shape.size(); ++i) {
    const ptrdiff_t reach = (static_cast<ptrdiff_t>(shape[i]) - 1) * strides[i] * static_cast<ptrdiff_t>(element);
    (reach < 0 ? *begin : *end) += reach;
  }
}

}  // namespace

size_t ElementSize(LiteDataType dtype) {
  switch (dtype) {
    case LITE_FLOAT:
    case LITE_INT:
    case LITE_UINT:
      return 4;
    case LITE_HALF:
    case LITE_INT16:
    case LITE_UINT16:
      return 2;
    case LITE_INT8:
    case LITE_UINT8:
      return 1;
    case LITE_INT64:
      return 8;
  }
  return 0;
}

const char* Name(LiteDataType dtype) {
  constexpr const char* kNames[] = {"LITE_FLOAT", "LITE_HALF", "LITE_INT",    "LITE_INT16", "LITE_INT8",
                                    "LITE_UINT8", "LITE_UINT", "LITE_UINT16", "LITE_INT64"};
  return ElementSize(dtype) != 0 ? kNames[dtype] : "an unknown type";
}

Result<LiteDataType> ToLite(DataType dtype) {
  switch (dtype) {
    case DataType::kFloat32:
      return LITE_FLOAT;
    case DataType::kFloat16:
      return LITE_HALF;
    case DataType::kInt8:
    case DataType::kQuantizedS8:
      return LITE_INT8;
    case DataType::kUint8:
    case DataType::kBool:
    case DataType::kQuantized8Asymm:
      return LITE_UINT8;
    case DataType::kInt16:
    case DataType::kQuantizedS16:
      return LITE_INT16;
    case DataType::kUint16:
      return LITE_UINT16;
    case DataType::kInt32:
    case DataType::kQuantizedS32:
      return LITE_INT;
    default:
      return Status(StatusCode::kUnsupported, Format("tensors cannot hold %s", DataTypeName(dtype)));
  }
}

Status CheckDevice(LiteDeviceType device) {
  if (device == LITE_CPU || device == LITE_CUDA || device == LITE_DEVICE_DEFAULT) return Status();
  return Status(StatusCode::kUnsupported,
                Format("lite unsupported compnode type: enum value: %d. This library runs on LITE_CPU and LITE_CUDA.",
                       static_cast<int>(device)));
}

Result<std::shared_ptr<cuda::Device>> OpenGpu(int device_id) {
  const int id = std::max(device_id, 0);  // below zero: the default
  Result<std::shared_ptr<cuda::Device>> gpu = cuda::Device::Open(id);
  if (gpu.ok() || cuda::Device::Count() > 0) return gpu;
  return Status(gpu.status().code(),
                Format("request gpu%d out of valid range [0, 0): %s", id, gpu.status().message().c_str()));
}

Result<std::shared_ptr<TensorImpl>> TensorImpl::Make(const LiteTensorDesc& desc) {
  MGEC_RETURN_IF_ERROR(CheckDevice(desc.device_type));
  if (desc.device_id < -1) return Invalid(Format("device id %d is out of range", desc.device_id));
  auto tensor = std::make_shared<TensorImpl>();
  tensor->device_type = desc.device_type;
  tensor->device_id = desc.device_id;
  tensor->pinned = desc.is_pinned_host != 0;
  if (desc.device_type == LITE_CUDA) {
    Result<std::shared_ptr<cuda::Device>> gpu = OpenGpu(desc.device_id);
    if (!gpu.ok()) return gpu.status();
    tensor->gpu_ = std::move(gpu.value());
  }
  MGEC_RETURN_IF_ERROR(tensor->SetLayout(desc.layout));
  return tensor;
}

LiteLayout TensorImpl::layout() const {
  LiteLayout layout = default_layout;
  layout.ndim = shape_.size();
  std::copy(shape_.begin(), shape_.end(), layout.shapes);
  layout.data_type = dtype_;
  return layout;
}

size_t TensorImpl::elements() const {
  if (shape_.empty()) return 0;
  size_t count = 1;
  for (size_t dim : shape_) count *= dim;
  return count;
}

bool TensorImpl::contiguous() const {
  ptrdiff_t step = 1;
  for (size_t i = shape_.size(); i-- > 0;) {
    if (shape_[i] == 0) return true;
    if (shape_[i] != 1 && strides_[i] != step) return false;
    step *= static_cast<ptrdiff_t>(shape_[i]);
  }
  return true;
}

Status TensorImpl::EnsureMemory() {
  if (shape_.empty()) return Invalid("Tensor layout is not valid when get memory ptr.");
  if (buffer_ != nullptr) return Status();
  Result<std::shared_ptr<Buffer>> buffer = gpu_ == nullptr ? Buffer::Allocate(bytes(), allocator_)
                                           : pinned        ? gpu_->AllocatePinned(bytes())
                                                           : gpu_->AllocateMemory(bytes(), allocator_);
  if (!buffer.ok()) return buffer.status();
  Use(std::move(buffer.value()), 0, bytes(), /*user_memory=*/false);
  return Status();
}

Status TensorImpl::Data(uint8_t** data) {
  MGEC_RETURN_IF_ERROR(EnsureMemory());
  *data = data_or_null();
  return Status();
}

Status TensorImpl::DataAt(const size_t* index, size_t size, uint8_t** data) {
  if (size > shape_.size()) {
    return Invalid(Format("an index of %zu numbers for a tensor of %zu dimensions", size, shape_.size()));
  }
  ptrdiff_t offset = 0;
  for (size_t i = 0; i < size; ++i) {
    if (index[i] >= shape_[i]) {
      return Invalid(Format("index %zu is out of range in dimension %zu of %zu", index[i], i, shape_[i]));
    }
    offset += static_cast<ptrdiff_t>(index[i]) * strides_[i];
  }
  MGEC_RETURN_IF_ERROR(Data(data));
  *data += offset * static_cast<ptrdiff_t>(ElementSize(dtype_));
  return Status();
}

Status TensorImpl::SetLayout(const LiteLayout& layout) {
  if (layout.ndim > kMaxDims) {
    return Invalid(Format("clayout ndim is to large: %zu, at most %zu", layout.ndim, kMaxDims));
  }
  return SetLayout(std::vector<size_t>(layout.shapes, layout.shapes + layout.ndim), layout.data_type);
}

Status TensorImpl::SetLayout(std::vector<size_t> shape, LiteDataType dtype) {
  if (ElementSize(dtype) == 0) {
    return Invalid(Format("unsupport dtype in lite enum id is %d.", static_cast<int>(dtype)));
  }
  size_t size = ElementSize(dtype);
  bool fits = shape.size() <= kMaxDims;
  for (size_t dim : shape) fits = fits && !__builtin_mul_overflow(size, dim == 0 ? 1 : dim, &size) && size < kMaxBytes;
  if (!fits) return Invalid("the layout is too large");
  const bool was_contiguous = contiguous();
  shape_ = std::move(shape);
  dtype_ = dtype;
  strides_ = DenseStrides(shape_);
  if (buffer_ != nullptr && (!was_contiguous || bytes() > capacity_)) DropMemory();
  return Status();
}

void TensorImpl::DropMemory() {
  buffer_ = nullptr;
  offset_ = capacity_ = 0;
  user_memory_ = fixed_ = false;
}

Status TensorImpl::Reshape(const int* shape, size_t size) {
  if (shape_.empty()) return Invalid("The tensor to be reshape is empty.");
  if (size > kMaxDims) return Invalid("The ndim of reshape input is too large.");
  if (!contiguous()) return Invalid("reshape needs a continue tensor: copy the slice to a tensor of its own first.");
  std::vector<size_t> dims;
  size_t known = 1, open = size;
  bool valid = true;
  for (size_t i = 0; i < size; ++i) {
    if (shape[i] == -1 && open == size) {
      open = i;
      dims.push_back(1);
    } else if (shape[i] > 0 && !__builtin_mul_overflow(known, static_cast<size_t>(shape[i]), &known)) {
      dims.push_back(static_cast<size_t>(shape[i]));
    } else {
      valid = false;
    }
  }
  if (valid && open < size) {
    valid = elements() > 0 && elements() % known == 0;
    if (valid) dims[open] = elements() / known;
  } else {
    valid = valid && known == elements();
  }
  if (!valid) return Invalid("The reshape inputs invalid.");
  if (dims.empty()) dims.push_back(1);
  return SetLayout(std::move(dims), dtype_);
}

Status TensorImpl::Reset(void* data, size_t size) {
  if (shape_.empty()) return Invalid("Tensor layout is not valid when get memory ptr.");
  if (size < bytes()) return Invalid(Format("the memory given has %zu bytes; the tensor needs %zu", size, bytes()));
  if (reinterpret_cast<uintptr_t>(data) % ElementSize(dtype_) != 0) {
    return Invalid(Format("the memory given is not aligned to %zu bytes", ElementSize(dtype_)));
  }
  std::shared_ptr<Buffer> buffer = Buffer::Wrap(data, size, nullptr);
  if (gpu_ != nullptr && !pinned) {
    Result<std::shared_ptr<Buffer>> on_gpu = gpu_->WrapMemory(data, size, nullptr);
    if (!on_gpu.ok()) return on_gpu.status();
    buffer = std::move(on_gpu.value());
  }
  strides_ = DenseStrides(shape_);
  Use(std::move(buffer), 0, size, /*user_memory=*/true);
  return Status();
}

Status TensorImpl::Reset(void* data, const LiteLayout& layout) {
  TensorImpl probe;  // so that an error changes nothing
  probe.gpu_ = gpu_;
  probe.pinned = pinned;
  MGEC_RETURN_IF_ERROR(probe.SetLayout(layout));
  MGEC_RETURN_IF_ERROR(probe.Reset(data, probe.bytes()));
  DropMemory();
  MGEC_RETURN_IF_ERROR(SetLayout(layout));
  return Reset(data, bytes());
}

void TensorImpl::UseGpu(std::shared_ptr<cuda::Device> gpu, bool is_pinned) {
  gpu_ = std::move(gpu);
  pinned = is_pinned;
  device_type = is_pinned ? LITE_CPU : LITE_CUDA;
  device_id = gpu_->id();
}

void TensorImpl::Use(std::shared_ptr<Buffer> buffer, size_t offset, size_t capacity, bool user_memory) {
  buffer_ = std::move(buffer);
  offset_ = offset;
  capacity_ = capacity;
  user_memory_ = user_memory;
  fixed_ = false;
}

Result<std::shared_ptr<TensorImpl>> TensorImpl::Slice(const ptrdiff_t* start, const ptrdiff_t* end,
                                                      const ptrdiff_t* step, size_t size) {
  if (shape_.empty() || size > shape_.size()) {
    return Invalid("The start and end must be the same size and less than layout ndim.");
  }
  MGEC_RETURN_IF_ERROR(EnsureMemory());
  auto part = std::make_shared<TensorImpl>();
  part->dtype_ = dtype_;
  part->shape_ = shape_;
  part->strides_ = strides_;
  part->allocator_ = allocator_;
  ptrdiff_t first = 0;
  for (size_t i = 0; i < size; ++i) {
    const ptrdiff_t dim = static_cast<ptrdiff_t>(shape_[i]);
    const ptrdiff_t by = step != nullptr ? step[i] : 1;
    if (by == 0) return Invalid("The step of slice must not be zero.");
    // As Python's slice.indices(): numbers below zero count from the end; then both ends are clamped.
    const ptrdiff_t low = by < 0 ? -1 : 0, high = by < 0 ? dim - 1 : dim;
    const ptrdiff_t from = std::clamp(start[i] < 0 ? start[i] + dim : start[i], low, std::max(low, high));
    const ptrdiff_t to = std::clamp(end[i] < 0 ? end[i] + dim : end[i], low, std::max(low, high));
    const ptrdiff_t span = by < 0 ? from - to : to - from;
    const ptrdiff_t width = by < 0 ? -(by + 1) : by - 1;  // |by| - 1, without overflow
    const size_t count = span <= 0 ? 0 : static_cast<size_t>(span - 1) / (static_cast<size_t>(width) + 1) + 1;
    if (count > 0) first += from * strides_[i];
    part->shape_[i] = count;
    part->strides_[i] = count > 1 ? strides_[i] * by : strides_[i];
  }
  const bool empty = part->elements() == 0;
  part->Use(buffer_, empty ? offset_ : offset_ + first * static_cast<ptrdiff_t>(ElementSize(dtype_)), part->bytes(),
            user_memory_);
  part->fixed_ = true;
  part->device_type = device_type;
  part->device_id = device_id;
  part->gpu_ = gpu_;
  part->pinned = pinned && gpu_ != nullptr;
  return part;
}

Status TensorImpl::FillZero() {
  if (shape_.empty()) return Invalid("fill_zero can't apply on a tensor with empty layout.");
  MGEC_RETURN_IF_ERROR(EnsureMemory());
  if (elements() == 0) return Status();
  return ZeroElements(Place(), shape_, ElementSize(dtype_));
}

Status TensorImpl::CopyFrom(TensorImpl& source) {
  if (source.shape_.empty()) return Invalid("can not copy from a tensor with empty layout.");
  if (!shape_.empty() && dtype_ != source.dtype_) {
    return Invalid(Format("attempt to access dtype %s as %s", Name(dtype_), Name(source.dtype_)));
  }
  MGEC_RETURN_IF_ERROR(source.EnsureMemory());
  if (buffer_ != nullptr && source.elements() > 0 && elements() > 0) {
    ptrdiff_t begin, end, source_begin, source_end;
    Extent(shape_, strides_, ElementSize(dtype_), &begin, &end);
    Extent(source.shape_, source.strides_, ElementSize(dtype_), &source_begin, &source_end);
    const uint8_t* data = data_or_null();
    const uint8_t* source_data = source.data_or_null();
    // What will be written, if the memory is kept.
    if (contiguous()) end = std::max(end, static_cast<ptrdiff_t>(std::min(source.bytes(), capacity_)));
    if (data + begin < source_data + source_end && source_data + source_begin < data + end) {
      return Invalid("cound not perform copy between overlapped tensors");
    }
  }
  if (contiguous()) {
    if (fixed_ && source.bytes() > capacity_) return Invalid("can not grow a tensor that does not allow realloc");
    MGEC_RETURN_IF_ERROR(SetLayout(source.shape_, source.dtype_));
  } else if (shape_ != source.shape_) {
    return Invalid("shape differs in copy_from_fixlayout");
  }
  MGEC_RETURN_IF_ERROR(EnsureMemory());
  MGEC_RETURN_IF_ERROR(CopyElements(Place(), source.Place(), shape_, ElementSize(dtype_)));
  if (gpu_ == nullptr) pinned = false;
  return Status();
}

Status TensorImpl::ShareMemoryWith(TensorImpl& source) {
  if (source.shape_.empty()) return Invalid("To be shared tensor with empty layout.");
  MGEC_RETURN_IF_ERROR(source.EnsureMemory());
  if (&source == this) return Status();
  dtype_ = source.dtype_;
  shape_ = source.shape_;
  strides_ = source.strides_;
  pinned = source.pinned;
  if (gpu_ != source.gpu_) {
    device_type = source.device_type;
    device_id = source.device_id;
    gpu_ = source.gpu_;
  }
  Use(source.buffer_, source.offset_, source.capacity_, source.user_memory_);
  return Status();
}

Status TensorImpl::CopyTo(uint8_t* destination) {
  if (elements() == 0) return Status();
  MGEC_RETURN_IF_ERROR(EnsureMemory());
  const std::vector<ptrdiff_t> dense = DenseStrides(shape_);
  return CopyElements({*Buffer::Wrap(destination, bytes(), nullptr), 0, dense}, Place(), shape_, ElementSize(dtype_));
}

Result<std::shared_ptr<TensorImpl>> Concatenate(const std::vector<std::shared_ptr<TensorImpl>>& tensors, int dim,
                                                LiteDeviceType device, int device_id) {
  if (tensors.empty()) return Invalid("concat needs at least one tensor.");
  TensorImpl& first = *tensors[0];
  if (dim < 0 || static_cast<size_t>(dim) >= first.shape().size()) {
    return Invalid(Format("the dim %d in concat is out of range for %zu dimensions", dim, first.shape().size()));
  }
  LiteTensorDesc desc = default_desc;
  desc.layout = first.layout();
  desc.device_type = device == LITE_DEVICE_DEFAULT ? first.device_type : device;
  desc.device_id = device_id == -1 ? first.device_id : device_id;
  size_t total = 0;
  for (const std::shared_ptr<TensorImpl>& tensor : tensors) {
    std::vector<size_t> shape = tensor->shape();
    if (tensor->dtype() != first.dtype() || shape.size() != first.shape().size()) {
      return Invalid("the dtype and ndim of all tensors in concat must be the same");
    }
    total += shape[dim];
    shape[dim] = first.shape()[dim];
    if (shape != first.shape()) {
      return Invalid(Format("the shape of all tensors in concat must be the same except in dim %d", dim));
    }
  }
  desc.layout.shapes[dim] = total;
  Result<std::shared_ptr<TensorImpl>> result = TensorImpl::Make(desc);
  if (!result.ok()) return result;
  std::vector<ptrdiff_t> start(dim + 1, 0), end(first.shape().begin(), first.shape().begin() + dim + 1);
  end[dim] = 0;
  for (const std::shared_ptr<TensorImpl>& tensor : tensors) {
    start[dim] = end[dim];
    end[dim] += static_cast<ptrdiff_t>(tensor->shape()[dim]);
    if (tensor->elements() == 0) continue;
    Result<std::shared_ptr<TensorImpl>> part = result.value()->Slice(start.data(), end.data(), nullptr, start.size());
    if (!part.ok()) return part;
    MGEC_RETURN_IF_ERROR(part.value()->CopyFrom(*tensor));
  }
  return result;
}

}  // namespace mgec
