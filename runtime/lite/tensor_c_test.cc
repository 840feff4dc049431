#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "lite-c/global_c.h"
#include "lite-c/tensor_c.h"

namespace {

LiteLayout Layout(std::vector<size_t> shape, LiteDataType dtype = LITE_INT) {
  LiteLayout layout = default_layout;
  layout.ndim = shape.size();
  for (size_t i = 0; i < shape.size(); ++i) layout.shapes[i] = shape[i];
  layout.data_type = dtype;
  return layout;
}

LiteTensor Make(std::vector<size_t> shape, LiteDataType dtype = LITE_INT) {
  LiteTensorDesc desc = default_desc;
  desc.layout = Layout(std::move(shape), dtype);
  LiteTensor tensor = nullptr;
  EXPECT_EQ(LITE_make_tensor(desc, &tensor), 0) << LITE_get_last_error();
  return tensor;
}

int32_t* Data(LiteTensor tensor) {
  void* data = nullptr;
  EXPECT_EQ(LITE_get_tensor_memory(tensor, &data), 0) << LITE_get_last_error();
  return static_cast<int32_t*>(data);
}

// 0, 1, 2, ...
LiteTensor Iota(std::vector<size_t> shape) {
  LiteTensor tensor = Make(shape);
  size_t count = 1;
  for (size_t dim : shape) count *= dim;
  std::iota(Data(tensor), Data(tensor) + count, 0);
  return tensor;
}

// The elements in order.
std::vector<int32_t> Values(LiteTensor tensor) {
  LiteTensor dense = nullptr;
  EXPECT_EQ(LITE_make_tensor(default_desc, &dense), 0);
  EXPECT_EQ(LITE_tensor_copy(dense, tensor), 0) << LITE_get_last_error();
  size_t bytes = 0;
  EXPECT_EQ(LITE_get_tensor_total_size_in_byte(dense, &bytes), 0);
  const std::vector<int32_t> values(Data(dense), Data(dense) + bytes / 4);
  EXPECT_EQ(LITE_destroy_tensor(dense), 0);
  return values;
}

std::vector<size_t> Shape(LiteTensor tensor) {
  LiteLayout layout;
  EXPECT_EQ(LITE_get_tensor_layout(tensor, &layout), 0);
  return {layout.shapes, layout.shapes + layout.ndim};
}

std::string LastError() { return LITE_get_last_error(); }

#define EXPECT_ERROR(call, text)                                             \
  do {                                                                       \
    LITE_clear_last_error();                                                 \
    EXPECT_EQ(call, -1);                                                     \
    EXPECT_NE(LastError().find(text), std::string::npos) << LastError();     \
    EXPECT_EQ(LITE_get_last_error_code(), LITE_INTERNAL_ERROR);              \
  } while (0)

LiteTensor Slice(LiteTensor tensor, std::vector<ptrdiff_t> start, std::vector<ptrdiff_t> end,
                 std::vector<ptrdiff_t> step = {}) {
  LiteTensor part = nullptr;
  EXPECT_EQ(LITE_tensor_slice(tensor, reinterpret_cast<size_t*>(start.data()), reinterpret_cast<size_t*>(end.data()),
                              step.empty() ? nullptr : reinterpret_cast<size_t*>(step.data()), start.size(), &part),
            0)
      << LITE_get_last_error();
  return part;
}

TEST(TensorC, NewTensorsAreZero) {
  LiteTensor tensor = Make({2, 3});
  EXPECT_EQ(Values(tensor), std::vector<int32_t>(6, 0));
  LiteDeviceType device;
  int id = -1, pinned = -1, continuous = -1;
  EXPECT_EQ(LITE_get_tensor_device_type(tensor, &device), 0);
  EXPECT_EQ(LITE_get_tensor_device_id(tensor, &id), 0);
  EXPECT_EQ(LITE_is_pinned_host(tensor, &pinned), 0);
  EXPECT_EQ(LITE_is_memory_continue(tensor, &continuous), 0);
  EXPECT_EQ(device, LITE_CPU);
  EXPECT_EQ(id, 0);
  EXPECT_EQ(pinned, 0);
  EXPECT_EQ(continuous, 1);
  EXPECT_EQ(LITE_destroy_tensor(tensor), 0);
}

TEST(TensorC, StaleAndNullHandlesAreErrors) {
  LiteTensor tensor = Make({2});
  EXPECT_EQ(LITE_destroy_tensor(tensor), 0);
  void* data;
  EXPECT_ERROR(LITE_destroy_tensor(tensor), "no such tensor");
  EXPECT_ERROR(LITE_get_tensor_memory(tensor, &data), "no such tensor");
  EXPECT_ERROR(LITE_get_tensor_memory(nullptr, &data), "null");
  int on_stack = 0;
  EXPECT_ERROR(LITE_tensor_fill_zero(&on_stack), "no such tensor");
  EXPECT_ERROR(LITE_make_tensor(default_desc, nullptr), "null");
  tensor = Make({2});
  EXPECT_ERROR(LITE_get_tensor_memory(tensor, nullptr), "null");
  EXPECT_ERROR(LITE_reset_tensor_memory(tensor, nullptr, 8), "null");
  EXPECT_ERROR(LITE_tensor_copy(tensor, nullptr), "null");
  EXPECT_ERROR(LITE_get_tensor_layout(tensor, nullptr), "null");
  LITE_destroy_tensor(tensor);
}

TEST(TensorC, BadDescriptionsAreErrors) {
  LiteTensor tensor;
  LiteTensorDesc desc = default_desc;
  desc.device_type = LITE_CUDA;
  EXPECT_ERROR(LITE_make_tensor(desc, &tensor), "request gpu0 out of valid range [0, 0): cannot open NVIDIA's driver");
  desc = default_desc;
  desc.layout = Layout({1, 1, 1, 1, 1, 1, 1});
  EXPECT_ERROR(LITE_make_tensor(desc, &tensor), "ndim is to large");
  desc.layout.ndim = 1000;
  EXPECT_ERROR(LITE_make_tensor(desc, &tensor), "ndim is to large");
  desc.layout = Layout({size_t{1} << 40, size_t{1} << 40});
  EXPECT_ERROR(LITE_make_tensor(desc, &tensor), "too large");
  desc.layout = Layout({1}, static_cast<LiteDataType>(99));
  EXPECT_ERROR(LITE_make_tensor(desc, &tensor), "dtype");
  desc = default_desc;
  desc.device_id = -2;
  EXPECT_ERROR(LITE_make_tensor(desc, &tensor), "device id");
}

TEST(TensorC, EmptyTensorsHaveNoMemory) {
  LiteTensor tensor = nullptr;
  ASSERT_EQ(LITE_make_tensor(default_desc, &tensor), 0);
  void* data;
  EXPECT_ERROR(LITE_get_tensor_memory(tensor, &data), "not valid when get memory ptr");
  EXPECT_ERROR(LITE_tensor_fill_zero(tensor), "empty layout");
  int shape[] = {1};
  EXPECT_ERROR(LITE_tensor_reshape(tensor, shape, 1), "is empty");
  LITE_destroy_tensor(tensor);
}

TEST(TensorC, LayoutsOfTheSameSizeKeepTheMemory) {
  LiteTensor tensor = Iota({2, 3});
  int32_t* data = Data(tensor);
  EXPECT_EQ(LITE_set_tensor_layout(tensor, Layout({3, 2})), 0);
  EXPECT_EQ(Data(tensor), data);
  EXPECT_EQ(LITE_set_tensor_layout(tensor, Layout({7})), 0);
  EXPECT_EQ(Shape(tensor), (std::vector<size_t>{7}));
  LITE_destroy_tensor(tensor);
}

TEST(TensorC, UsersMemory) {
  std::vector<int32_t> memory(8, 5);
  LiteTensor tensor = Make({2, 3});
  EXPECT_ERROR(LITE_reset_tensor_memory(tensor, memory.data(), 20), "needs 24");
  EXPECT_ERROR(LITE_reset_tensor_memory(tensor, reinterpret_cast<char*>(memory.data()) + 1, 28), "aligned");
  EXPECT_EQ(LITE_reset_tensor_memory(tensor, memory.data(), 32), 0);
  EXPECT_EQ(LITE_tensor_fill_zero(tensor), 0);
  EXPECT_EQ(memory, (std::vector<int32_t>{0, 0, 0, 0, 0, 0, 5, 5}));
  EXPECT_ERROR(LITE_reset_tensor(tensor, Layout({2}, LITE_INT64), reinterpret_cast<char*>(memory.data()) + 4), "aligned");
  EXPECT_EQ(Shape(tensor), (std::vector<size_t>{2, 3}));  // as before
  EXPECT_EQ(LITE_reset_tensor(tensor, Layout({8}), memory.data()), 0);
  EXPECT_EQ(Values(tensor), memory);
  LITE_destroy_tensor(tensor);
}

TEST(TensorC, Reshape) {
  LiteTensor tensor = Iota({2, 6});
  int a[] = {3, -1};
  EXPECT_EQ(LITE_tensor_reshape(tensor, a, 2), 0);
  EXPECT_EQ(Shape(tensor), (std::vector<size_t>{3, 4}));
  int b[] = {5, -1}, c[] = {-1, -1}, d[] = {0, 12}, e[] = {-2, 6}, f[] = {7};
  EXPECT_ERROR(LITE_tensor_reshape(tensor, b, 2), "invalid");
  EXPECT_ERROR(LITE_tensor_reshape(tensor, c, 2), "invalid");
  EXPECT_ERROR(LITE_tensor_reshape(tensor, d, 2), "invalid");
  EXPECT_ERROR(LITE_tensor_reshape(tensor, e, 2), "invalid");
  EXPECT_ERROR(LITE_tensor_reshape(tensor, f, 1), "invalid");
  EXPECT_ERROR(LITE_tensor_reshape(tensor, f, -1), "negative");
  EXPECT_EQ(Values(tensor)[11], 11);
  LITE_destroy_tensor(tensor);
}

TEST(TensorC, SlicesAreViews) {
  LiteTensor tensor = Iota({4, 5});
  LiteTensor part = Slice(tensor, {1, 1}, {3, 4});
  EXPECT_EQ(Shape(part), (std::vector<size_t>{2, 3}));
  EXPECT_EQ(Values(part), (std::vector<int32_t>{6, 7, 8, 11, 12, 13}));
  int continuous = 1;
  EXPECT_EQ(LITE_is_memory_continue(part, &continuous), 0);
  EXPECT_EQ(continuous, 0);
  EXPECT_EQ(LITE_tensor_fill_zero(part), 0);
  EXPECT_EQ(Values(tensor), (std::vector<int32_t>{0, 1, 2, 3, 4, 5, 0, 0, 0, 9, 10, 0, 0, 0, 14, 15, 16, 17, 18, 19}));
  LITE_destroy_tensor(tensor);
  EXPECT_EQ(Values(part), std::vector<int32_t>(6, 0));  // the memory is still there
  LITE_destroy_tensor(part);
}

TEST(TensorC, SliceNumbersAreThoseOfPython) {
  LiteTensor tensor = Iota({6});
  EXPECT_EQ(Values(Slice(tensor, {-4}, {-1})), (std::vector<int32_t>{2, 3, 4}));
  EXPECT_EQ(Values(Slice(tensor, {0}, {100}, {4})), (std::vector<int32_t>{0, 4}));
  EXPECT_EQ(Values(Slice(tensor, {5}, {0}, {-2})), (std::vector<int32_t>{5, 3, 1}));
  EXPECT_EQ(Shape(Slice(tensor, {3}, {3})), (std::vector<size_t>{0}));
  EXPECT_EQ(Values(Slice(tensor, {0}, {6}, {PTRDIFF_MAX})), (std::vector<int32_t>{0}));
  EXPECT_EQ(Values(Slice(tensor, {5}, {-100}, {PTRDIFF_MIN})), (std::vector<int32_t>{5}));
  size_t zero = 0, six = 6;
  LiteTensor part;
  EXPECT_ERROR(LITE_tensor_slice(tensor, &zero, &six, &zero, 1, &part), "step");
  size_t two[] = {0, 0};
  EXPECT_ERROR(LITE_tensor_slice(tensor, two, two, nullptr, 2, &part), "less than layout ndim");
  LITE_destroy_tensor(tensor);
}

TEST(TensorC, SlicesDoNotGrow) {
  LiteTensor tensor = Iota({6});
  LiteTensor part = Slice(tensor, {0}, {2});
  LiteTensor more = Iota({3});
  EXPECT_ERROR(LITE_tensor_copy(part, more), "realloc");
  LITE_destroy_tensor(tensor);
  LITE_destroy_tensor(part);
  LITE_destroy_tensor(more);
}

TEST(TensorC, MemoryWithIndex) {
  LiteTensor tensor = Iota({3, 4});
  size_t index[] = {2, 1};
  void* data;
  EXPECT_EQ(LITE_get_tensor_memory_with_index(tensor, index, 2, &data), 0);
  EXPECT_EQ(*static_cast<int32_t*>(data), 9);
  index[1] = 4;
  EXPECT_ERROR(LITE_get_tensor_memory_with_index(tensor, index, 2, &data), "out of range");
  size_t long_index[] = {0, 0, 0};
  EXPECT_ERROR(LITE_get_tensor_memory_with_index(tensor, long_index, 3, &data), "dimensions");
  LITE_destroy_tensor(tensor);
}

TEST(TensorC, CopyChecks) {
  LiteTensor tensor = Iota({4});
  LiteTensor bytes = Make({4}, LITE_INT8);
  EXPECT_ERROR(LITE_tensor_copy(bytes, tensor), "as LITE_INT");
  EXPECT_ERROR(LITE_tensor_copy(tensor, tensor), "overlapped");
  LiteTensor empty = nullptr;
  ASSERT_EQ(LITE_make_tensor(default_desc, &empty), 0);
  EXPECT_ERROR(LITE_tensor_copy(tensor, empty), "empty layout");
  EXPECT_ERROR(LITE_tensor_share_memory_with(tensor, empty), "empty layout");
  LiteTensor square = Iota({4, 4});
  LiteTensor column = Slice(square, {0, 1}, {4, 2});
  EXPECT_ERROR(LITE_tensor_copy(column, tensor), "shape differs");
  LiteTensor front = Slice(tensor, {0}, {3});
  LiteTensor back = Slice(tensor, {1}, {4});
  EXPECT_ERROR(LITE_tensor_copy(front, back), "overlapped");
  LITE_destroy_tensor(tensor);
}

TEST(TensorC, SharedMemory) {
  LiteTensor a = Iota({4}), b = Make({1});
  EXPECT_EQ(LITE_tensor_share_memory_with(b, a), 0);
  Data(a)[2] = 77;
  EXPECT_EQ(Values(b), (std::vector<int32_t>{0, 1, 77, 3}));
  LITE_destroy_tensor(a);
  EXPECT_EQ(Values(b)[2], 77);
  EXPECT_EQ(LITE_tensor_share_memory_with(b, b), 0);
  EXPECT_EQ(Values(b)[2], 77);
  LITE_destroy_tensor(b);
}

TEST(TensorC, Concat) {
  LiteTensor a = Iota({2, 2}), b = Iota({2, 1}), square = Iota({3, 3});
  LiteTensor tensors[] = {a, b, Slice(square, {0, 1}, {2, 3})};
  LiteTensor result;
  EXPECT_EQ(LITE_tensor_concat(tensors, 3, 1, LITE_DEVICE_DEFAULT, -1, &result), 0) << LITE_get_last_error();
  EXPECT_EQ(Shape(result), (std::vector<size_t>{2, 5}));
  EXPECT_EQ(Values(result), (std::vector<int32_t>{0, 1, 0, 1, 2, 2, 3, 1, 4, 5}));
  EXPECT_ERROR(LITE_tensor_concat(tensors, 3, 0, LITE_DEVICE_DEFAULT, -1, &result), "except in dim 0");
  EXPECT_ERROR(LITE_tensor_concat(tensors, 3, 2, LITE_DEVICE_DEFAULT, -1, &result), "out of range");
  EXPECT_ERROR(LITE_tensor_concat(tensors, 0, 0, LITE_DEVICE_DEFAULT, -1, &result), "at least one");
  EXPECT_ERROR(LITE_tensor_concat(tensors, 1, 0, LITE_CUDA, -1, &result), "cannot open NVIDIA's driver");
}

}  // namespace
