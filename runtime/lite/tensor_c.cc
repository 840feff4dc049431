#include "runtime/include/lite-c/tensor_c.h"

#include <memory>
#include <utility>
#include <vector>

#include "runtime/lite/c_support.h"

using mgec::Report;
using mgec::Result;
using mgec::TensorHandle;
using mgec::TensorImpl;
using mgec::Tensors;

namespace {

int AddTensor(const Result<std::shared_ptr<TensorImpl>>& tensor, LiteTensor* handle) {
  if (!tensor.ok()) return Report(tensor.status());
  *handle = Tensors().Add(std::make_shared<TensorHandle>(TensorHandle{tensor.value(), false}));
  return 0;
}

}  // namespace

int LITE_make_tensor(const LiteTensorDesc tensor_describe, LiteTensor* tensor) {
  MGEC_CHECK_NOT_NULL(tensor);
  return AddTensor(TensorImpl::Make(tensor_describe), tensor);
}

int LITE_destroy_tensor(LiteTensor tensor) {
  MGEC_FIND_TENSOR(object, tensor);
  static_cast<void>(object);
  if (!object_handle->of_network) Tensors().Remove(tensor);
  return 0;
}

int LITE_set_tensor_layout(LiteTensor tensor, const LiteLayout layout) {
  MGEC_FIND_TENSOR(object, tensor);
  return Report(object.SetLayout(layout));
}

int LITE_reset_tensor_memory(LiteTensor tensor, void* prepared_data, size_t data_length_in_byte) {
  MGEC_FIND_TENSOR(object, tensor);
  MGEC_CHECK_NOT_NULL(prepared_data);
  return Report(object.Reset(prepared_data, data_length_in_byte));
}

int LITE_reset_tensor(LiteTensor tensor, const LiteLayout layout, void* prepared_data) {
  MGEC_FIND_TENSOR(object, tensor);
  MGEC_CHECK_NOT_NULL(prepared_data);
  return Report(object.Reset(prepared_data, layout));
}

int LITE_tensor_reshape(LiteTensor tensor, const int* shape, int size) {
  MGEC_FIND_TENSOR(object, tensor);
  MGEC_CHECK_NOT_NULL(shape);
  if (size < 0) return mgec::Fail(__func__, "the size is negative");
  return Report(object.Reshape(shape, static_cast<size_t>(size)));
}

int LITE_tensor_slice(const LiteTensor tensor, const size_t* start, const size_t* end, const size_t* step, size_t size,
                      LiteTensor* slice_tensor) {
  MGEC_FIND_TENSOR(object, tensor);
  MGEC_CHECK_NOT_NULL(start);
  MGEC_CHECK_NOT_NULL(end);
  MGEC_CHECK_NOT_NULL(slice_tensor);
  // size_t and ptrdiff_t may alias; numbers below zero come as their two's complement.
  return AddTensor(object.Slice(reinterpret_cast<const ptrdiff_t*>(start), reinterpret_cast<const ptrdiff_t*>(end),
                                reinterpret_cast<const ptrdiff_t*>(step), size),
                   slice_tensor);
}

int LITE_tensor_fill_zero(LiteTensor tensor) {
  MGEC_FIND_TENSOR(object, tensor);
  return Report(object.FillZero());
}

int LITE_tensor_copy(LiteTensor dst_tensor, const LiteTensor src_tensor) {
  MGEC_FIND_TENSOR(destination, dst_tensor);
  MGEC_FIND_TENSOR(source, src_tensor);
  return Report(destination.CopyFrom(source));
}

int LITE_tensor_share_memory_with(LiteTensor dst_tensor, const LiteTensor src_tensor) {
  MGEC_FIND_TENSOR(destination, dst_tensor);
  MGEC_FIND_TENSOR(source, src_tensor);
  return Report(destination.ShareMemoryWith(source));
}

int LITE_get_tensor_memory(const LiteTensor tensor, void** data) {
  MGEC_FIND_TENSOR(object, tensor);
  MGEC_CHECK_NOT_NULL(data);
  uint8_t* memory = nullptr;
  if (Report(object.Data(&memory)) != 0) return -1;
  *data = memory;
  return 0;
}

int LITE_get_tensor_memory_with_index(const LiteTensor tensor, const size_t* index, size_t size, void** data) {
  MGEC_FIND_TENSOR(object, tensor);
  MGEC_CHECK_NOT_NULL(index);
  MGEC_CHECK_NOT_NULL(data);
  uint8_t* memory = nullptr;
  if (Report(object.DataAt(index, size, &memory)) != 0) return -1;
  *data = memory;
  return 0;
}

int LITE_get_tensor_total_size_in_byte(const LiteTensor tensor, size_t* size) {
  MGEC_FIND_TENSOR(object, tensor);
  MGEC_CHECK_NOT_NULL(size);
  *size = object.bytes();
  return 0;
}

int LITE_get_tensor_layout(const LiteTensor tensor, LiteLayout* layout) {
  MGEC_FIND_TENSOR(object, tensor);
  MGEC_CHECK_NOT_NULL(layout);
  *layout = object.layout();
  return 0;
}

int LITE_get_tensor_device_type(const LiteTensor tensor, LiteDeviceType* device_type) {
  MGEC_FIND_TENSOR(object, tensor);
  MGEC_CHECK_NOT_NULL(device_type);
  *device_type = object.device_type;
  return 0;
}

int LITE_get_tensor_device_id(const LiteTensor tensor, int* device_id) {
  MGEC_FIND_TENSOR(object, tensor);
  MGEC_CHECK_NOT_NULL(device_id);
  *device_id = object.device_id;
  return 0;
}

int LITE_is_pinned_host(const LiteTensor tensor, int* is_pinned_host) {
  MGEC_FIND_TENSOR(object, tensor);
  MGEC_CHECK_NOT_NULL(is_pinned_host);
  *is_pinned_host = object.pinned;
  return 0;
}

int LITE_is_memory_continue(const LiteTensor tensor, int* is_continue) {
  MGEC_FIND_TENSOR(object, tensor);
  MGEC_CHECK_NOT_NULL(is_continue);
  *is_continue = object.contiguous();
  return 0;
}

int LITE_tensor_concat(LiteTensor* tensors, int nr_tensor, int dim, LiteDeviceType dst_device, int device_id,
                       LiteTensor* result_tensor) {
  MGEC_CHECK_NOT_NULL(tensors);
  MGEC_CHECK_NOT_NULL(result_tensor);
  std::vector<std::shared_ptr<TensorImpl>> list;
  for (int i = 0; i < nr_tensor; ++i) {
    MGEC_FIND_TENSOR(object, tensors[i]);
    static_cast<void>(object);
    list.push_back(object_handle->tensor);
  }
  return AddTensor(mgec::Concatenate(list, dim, dst_device, device_id), result_tensor);
}
