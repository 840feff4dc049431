// Tensors. Part of the C++ interface of MegEngine Lite.
//
//   lite::Tensor tensor(LITE_CPU, lite::Layout{{2, 3}, 2, LITE_FLOAT});
//   float* values = static_cast<float*>(tensor.get_memory_ptr());
//
// Functions throw lite::Error. See lite-c/tensor_c.h for what they do; only what differs is said here.
#ifndef LITE_TENSOR_H_
#define LITE_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "../lite-c/tensor_c.h"
#include "common_enum_c.h"
#include "error.h"
#include "macro.h"

namespace lite {

// Shape and element type; compared by value. At most 6 dimensions; ndim 0 is an empty tensor.
struct Layout {
  static constexpr uint32_t MAXDIM = LAYOUT_MAX_DIM;
  size_t shapes[MAXDIM] = {};
  size_t ndim = 0;
  LiteDataType data_type = LITE_FLOAT;

  // Bytes of an element.
  size_t get_elem_size() const {
    switch (data_type) {
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
    throw Error("Error: the layout has an unknown data type");
  }

  bool operator==(const Layout& other) const {
    if (ndim != other.ndim || data_type != other.data_type) return false;
    for (size_t i = 0; i < ndim; ++i) {
      if (shapes[i] != other.shapes[i]) return false;
    }
    return true;
  }
  bool operator!=(const Layout& other) const { return !(*this == other); }
};

namespace detail {

inline LiteLayout ToC(const Layout& layout) {
  LiteLayout result = default_layout;
  for (size_t i = 0; i < Layout::MAXDIM; ++i) result.shapes[i] = layout.shapes[i];
  result.ndim = layout.ndim;
  result.data_type = layout.data_type;
  return result;
}

inline Layout FromC(const LiteLayout& layout) {
  Layout result;
  for (size_t i = 0; i < Layout::MAXDIM; ++i) result.shapes[i] = layout.shapes[i];
  result.ndim = layout.ndim;
  result.data_type = layout.data_type;
  return result;
}

}  // namespace detail

// Copies of a Tensor object are the same tensor.
class Tensor {
 public:
  Tensor() : Tensor(0, LITE_CPU) {}
  Tensor(LiteDeviceType device_type, bool is_pinned_host = false) : Tensor(0, device_type, Layout(), is_pinned_host) {}
  Tensor(LiteDeviceType device_type, const Layout& layout, bool is_pinned_host = false)
      : Tensor(0, device_type, layout, is_pinned_host) {}
  Tensor(int device_id, LiteDeviceType device_type, const Layout& layout = {}, bool is_pinned_host = false) {
    LiteTensorDesc desc = default_desc;
    desc.is_pinned_host = is_pinned_host;
    desc.layout = detail::ToC(layout);
    desc.device_type = device_type;
    desc.device_id = device_id;
    LiteTensor handle = nullptr;
    detail::Check(LITE_make_tensor(desc, &handle));
    handle_ = Own(handle);
  }
  // Streams do not exist on a CPU.
  Tensor(int device_id, int /*stream_id*/, LiteDeviceType device_type, bool is_pinned_host = false)
      : Tensor(device_id, device_type, Layout(), is_pinned_host) {}
  Tensor(LiteBackend /*backend*/, LiteDeviceType device_type = LITE_CPU, int device_id = 0, const Layout& layout = {},
         bool is_pinned_host = false)
      : Tensor(device_id, device_type, layout, is_pinned_host) {}

  // A tensor of the C interface. `owner` is kept.
  static std::shared_ptr<Tensor> FromHandle(LiteTensor handle, std::shared_ptr<void> owner) {
    return std::shared_ptr<Tensor>(new Tensor(std::shared_ptr<void>(std::move(owner), handle)));
  }
  LiteTensor handle() const { return handle_.get(); }

  LiteDeviceType get_device_type() const { return Get<LiteDeviceType>(LITE_get_tensor_device_type); }
  int get_device_id() const { return Get<int>(LITE_get_tensor_device_id); }
  Layout get_layout() const { return detail::FromC(Get<LiteLayout>(LITE_get_tensor_layout)); }
  bool is_pinned_host() const { return Get<int>(LITE_is_pinned_host) != 0; }
  bool is_continue_memory() const { return Get<int>(LITE_is_memory_continue) != 0; }
  size_t get_tensor_total_size_in_byte() const { return Get<size_t>(LITE_get_tensor_total_size_in_byte); }
  void* get_memory_ptr() const { return Get<void*>(LITE_get_tensor_memory); }
  void* get_memory_ptr(const std::vector<size_t>& index) const {
    void* memory = nullptr;
    const size_t none = 0;
    detail::Check(
        LITE_get_tensor_memory_with_index(handle(), index.empty() ? &none : index.data(), index.size(), &memory));
    return memory;
  }

  void set_layout(const Layout& layout) { detail::Check(LITE_set_tensor_layout(handle(), detail::ToC(layout))); }
  void reset(void* prepared_data, size_t data_length_in_byte) {
    detail::Check(LITE_reset_tensor_memory(handle(), prepared_data, data_length_in_byte));
  }
  void reset(void* prepared_data, const Layout& layout) {
    detail::Check(LITE_reset_tensor(handle(), detail::ToC(layout), prepared_data));
  }
  void reshape(const std::vector<int>& shape) {
    const int none = 0;
    detail::Check(LITE_tensor_reshape(handle(), shape.empty() ? &none : shape.data(), static_cast<int>(shape.size())));
  }
  std::shared_ptr<Tensor> slice(const std::vector<size_t>& start, const std::vector<size_t>& end,
                                const std::vector<size_t>& step = {}) {
    if (start.size() != end.size() || (!step.empty() && step.size() != start.size())) {
      throw Error("Error: slice with different length of start, end and step.");
    }
    LiteTensor part = nullptr;
    const size_t none = 0;
    detail::Check(LITE_tensor_slice(handle(), start.empty() ? &none : start.data(), end.empty() ? &none : end.data(),
                                    step.empty() ? nullptr : step.data(), start.size(), &part));
    return std::shared_ptr<Tensor>(new Tensor(Own(part)));
  }
  void fill_zero() { detail::Check(LITE_tensor_fill_zero(handle())); }
  void copy_from(const Tensor& src) { detail::Check(LITE_tensor_copy(handle(), src.handle())); }
  void share_memory_with(const Tensor& src) { detail::Check(LITE_tensor_share_memory_with(handle(), src.handle())); }
  // Nothing to do: the functions above always look at the tensor itself.
  void update_from_implement() {}

 private:
  friend class TensorUtils;

  explicit Tensor(std::shared_ptr<void> handle) : handle_(std::move(handle)) {}

  static std::shared_ptr<void> Own(LiteTensor handle) {
    return std::shared_ptr<void>(handle, [](void* tensor) { LITE_destroy_tensor(tensor); });
  }

  template <typename T>
  T Get(int (*function)(const LiteTensor, T*)) const {
    T value{};
    detail::Check(function(handle(), &value));
    return value;
  }

  std::shared_ptr<void> handle_;  // points to nothing: a number that the C functions know
};

class TensorUtils {
 public:
  static std::shared_ptr<Tensor> concat(const std::vector<Tensor>& tensors, int dim,
                                        LiteDeviceType dst_device = LITE_DEVICE_DEFAULT, int dst_device_id = -1) {
    std::vector<LiteTensor> handles;
    for (const Tensor& tensor : tensors) handles.push_back(tensor.handle());
    LiteTensor none = nullptr, result = nullptr;
    detail::Check(LITE_tensor_concat(handles.empty() ? &none : handles.data(), static_cast<int>(handles.size()), dim,
                                     dst_device, dst_device_id, &result));
    return std::shared_ptr<Tensor>(new Tensor(Tensor::Own(result)));
  }
};

// A value of one of a few types. Taking it as another type throws.
class LiteAny {
 public:
  enum Type {
    STRING = 0,
    INT32 = 1,
    UINT32 = 2,
    UINT8 = 3,
    INT8 = 4,
    INT64 = 5,
    UINT64 = 6,
    BOOL = 7,
    VOID_PTR = 8,
    FLOAT = 9,
    NONE_SUPPORT = 10,
  };

  LiteAny() = default;
  template <typename T, typename = std::enable_if_t<!std::is_same<std::decay_t<T>, LiteAny>::value>>
  LiteAny(T value) : value_(std::make_shared<T>(std::move(value))), info_(&typeid(T)), type_(get_type<T>()) {}
  LiteAny(const LiteAny&) = default;
  LiteAny& operator=(const LiteAny&) = default;

  template <typename T>
  static constexpr Type get_type() {
    return std::is_same<T, std::string>::value ? STRING
           : std::is_same<T, int32_t>::value   ? INT32
           : std::is_same<T, uint32_t>::value  ? UINT32
           : std::is_same<T, uint8_t>::value   ? UINT8
           : std::is_same<T, int8_t>::value    ? INT8
           : std::is_same<T, int64_t>::value   ? INT64
           : std::is_same<T, uint64_t>::value  ? UINT64
           : std::is_same<T, bool>::value      ? BOOL
           : std::is_same<T, void*>::value     ? VOID_PTR
           : std::is_same<T, float>::value     ? FLOAT
                                               : NONE_SUPPORT;
  }

  template <typename T>
  T safe_cast() const {
    if (value_ == nullptr || *info_ != typeid(T)) throw Error("Error: LiteAny holds a value of another type");
    return *static_cast<const T*>(value_.get());
  }
  template <typename T>
  bool try_cast() const {
    return value_ != nullptr && *info_ == typeid(T);
  }
  void* cast_void_ptr() const {
    if (value_ == nullptr) throw Error("Error: LiteAny is empty");
    return const_cast<void*>(value_.get());
  }
  Type type() const { return type_; }

 private:
  std::shared_ptr<const void> value_;  // never changed, so copies may share it
  const std::type_info* info_ = nullptr;
  Type type_ = NONE_SUPPORT;
};

}  // namespace lite

#endif  // LITE_TENSOR_H_
