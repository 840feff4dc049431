#include "runtime/lite/elements.h"

#include <cstring>
#include <random>

#include "runtime/cuda/testing/gpu_test.h"

namespace mgec {
namespace {

using cuda::Gpu;

// A tensor with room around it, at random strides that do not make elements meet.
struct Layout {
  std::vector<ptrdiff_t> strides;
  size_t first = 0, bytes = 0;
};

Layout RandomLayout(const std::vector<size_t>& shape, size_t size, std::mt19937* random) {
  Layout layout;
  layout.strides.resize(shape.size());
  ptrdiff_t step = 1, low = 0;
  for (size_t i = shape.size(); i-- > 0;) {
    const bool back = (*random)() % 4 == 0;
    step *= (*random)() % 3 == 0 ? 2 : 1;
    layout.strides[i] = back ? -step : step;
    const ptrdiff_t reach = step * (static_cast<ptrdiff_t>(shape[i]) - 1);
    if (back) low += reach;
    step += reach;
  }
  layout.first = static_cast<size_t>(low) * size;
  layout.bytes = static_cast<size_t>(step) * size;
  return layout;
}

// Calls f(element's offset from the first in bytes) in order.
template <typename F>
void ForEach(const std::vector<size_t>& shape, const std::vector<ptrdiff_t>& strides, size_t size, const F& f, size_t dim = 0,
             ptrdiff_t offset = 0) {
  if (dim == shape.size()) return f(offset * static_cast<ptrdiff_t>(size));
  for (size_t i = 0; i < shape[dim]; ++i) {
    ForEach(shape, strides, size, f, dim + 1, offset + static_cast<ptrdiff_t>(i) * strides[dim]);
  }
}

std::shared_ptr<Buffer> Allocate(MemoryKind kind, size_t bytes) {
  return (kind == MemoryKind::kHost     ? Buffer::Allocate(bytes)
          : kind == MemoryKind::kPinned ? Gpu()->AllocatePinned(bytes)
                                        : Gpu()->AllocateMemory(bytes))
      .value();
}

void Write(const Buffer& buffer, const std::string& bytes) {
  if (buffer.on_host()) {
    std::memcpy(buffer.data(), bytes.data(), bytes.size());
  } else {
    ASSERT_TRUE(Gpu()->CopyToDevice(buffer.data(), bytes.data(), bytes.size()).ok());
  }
}

std::string Read(const Buffer& buffer) {
  std::string bytes(buffer.size(), '\0');
  if (buffer.on_host()) {
    std::memcpy(&bytes[0], buffer.data(), bytes.size());
  } else {
    EXPECT_TRUE(Gpu()->CopyToHost(&bytes[0], buffer.data(), bytes.size()).ok());
  }
  return bytes;
}

// Random tensors between all kinds of memory; what lies between the elements stays as it is.
TEST(ElementsTest, AnyStridesAndAnyMemory) {
  SKIP_WITHOUT_GPU();
  std::mt19937 random(1);
  const MemoryKind kinds[] = {MemoryKind::kHost, MemoryKind::kPinned, MemoryKind::kDevice};
  for (int i = 0; i < 200; ++i) {
    SCOPED_TRACE(i);
    std::vector<size_t> shape(1 + random() % 4);
    for (size_t& dim : shape) dim = random() % 10 == 0 ? 0 : 1 + random() % 4;
    const size_t size = size_t{1} << random() % 4;
    const Layout to = RandomLayout(shape, size, &random), from = RandomLayout(shape, size, &random);
    const auto destination = Allocate(kinds[random() % 3], to.bytes), source = Allocate(kinds[random() % 3], from.bytes);
    std::string before(to.bytes, 'x'), bytes(from.bytes, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    Write(*destination, before);
    Write(*source, bytes);
    std::string elements;
    ForEach(shape, from.strides, size, [&](ptrdiff_t offset) { elements.append(bytes, from.first + offset, size); });
    std::string copied = before, zeroed = before;
    size_t next = 0;
    ForEach(shape, to.strides, size, [&](ptrdiff_t offset) {
      copied.replace(to.first + offset, size, elements, next, size);
      zeroed.replace(to.first + offset, size, size, '\0');
      next += size;
    });
    const Status copy = CopyElements({*destination, to.first, to.strides}, {*source, from.first, from.strides}, shape, size);
    ASSERT_TRUE(copy.ok()) << copy.message();
    EXPECT_EQ(Read(*destination), copied);
    Write(*destination, before);
    const Status zero = ZeroElements({*destination, to.first, to.strides}, shape, size);
    ASSERT_TRUE(zero.ok()) << zero.message();
    EXPECT_EQ(Read(*destination), zeroed);
  }
}

// Dense rows are copied at once, and what is dense as a whole, too.
TEST(ElementsTest, OneCallForRows) {
  SKIP_WITHOUT_GPU();
  SKIP_UNLESS_EMULATED();
  const auto memory = Allocate(MemoryKind::kDevice, 4096), host = Allocate(MemoryKind::kHost, 4096);
  const std::vector<size_t> shape = {4, 8, 16};
  const std::vector<ptrdiff_t> dense = DenseStrides(shape);
  const auto calls = [] { return cuda::EmulatedCalls("cuMemcpyHtoD_v2") + cuda::EmulatedCalls("cuMemcpy2DUnaligned_v2"); };
  int before = calls();
  ASSERT_TRUE(CopyElements({*memory, 0, dense}, {*host, 0, dense}, shape, 4).ok());
  EXPECT_EQ(calls(), before + 1);
  before = calls();
  ASSERT_TRUE(CopyElements({*memory, 0, dense}, {*host, 0, dense}, {4, 8, 5}, 4).ok());
  EXPECT_EQ(calls(), before + 1);
}

// From one GPU to another, without memory of the CPU.
TEST(ElementsTest, BetweenGpus) {
  SKIP_WITHOUT_GPU();
  if (cuda::Device::Count() < 2) GTEST_SKIP() << "skipped: needs two GPUs";
  std::mt19937 random(2);
  const auto calls = [](const char* function) { return cuda::Emulated() ? cuda::EmulatedCalls(function) : 0; };
  for (int i = 0; i < 60; ++i) {
    SCOPED_TRACE(i);
    std::vector<size_t> shape(1 + random() % 4);
    for (size_t& dim : shape) dim = random() % 10 == 0 ? 0 : 1 + random() % 4;
    const size_t size = size_t{1} << random() % 4;
    const Layout to = RandomLayout(shape, size, &random), from = RandomLayout(shape, size, &random);
    const int id = i % 2;
    const auto destination = Gpu(id)->AllocateMemory(to.bytes).value(), source = Gpu(1 - id)->AllocateMemory(from.bytes).value();
    std::string copied(to.bytes, 'x'), bytes(from.bytes, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    ASSERT_TRUE(Gpu(id)->CopyToDevice(destination->data(), copied.data(), copied.size()).ok());
    ASSERT_TRUE(Gpu(1 - id)->CopyToDevice(source->data(), bytes.data(), bytes.size()).ok());
    std::string elements;
    ForEach(shape, from.strides, size, [&](ptrdiff_t offset) { elements.append(bytes, from.first + offset, size); });
    size_t next = 0;
    ForEach(shape, to.strides, size, [&](ptrdiff_t offset) {
      copied.replace(to.first + offset, size, elements, next, size);
      next += size;
    });
    const int by_host = calls("cuMemcpyDtoH_v2"), direct = calls("cuMemcpy3DPeer");
    const Status copy = CopyElements({*destination, to.first, to.strides}, {*source, from.first, from.strides}, shape, size);
    ASSERT_TRUE(copy.ok()) << copy.message();
    EXPECT_EQ(calls("cuMemcpyDtoH_v2"), by_host);
    EXPECT_TRUE(!cuda::Emulated() || elements.empty() || calls("cuMemcpy3DPeer") > direct);
    std::string got(to.bytes, '\0');
    ASSERT_TRUE(Gpu(id)->CopyToHost(&got[0], destination->data(), got.size()).ok());
    EXPECT_EQ(got, copied);
  }
  EXPECT_EQ(calls("cuCtxEnablePeerAccess"), cuda::Emulated() ? 2 : 0);  // once in each direction
}

TEST(ElementsTest, DenseStrides) {
  EXPECT_EQ(DenseStrides({2, 3, 4}), (std::vector<ptrdiff_t>{12, 4, 1}));
  EXPECT_EQ(DenseStrides({}), std::vector<ptrdiff_t>());
}

}  // namespace
}  // namespace mgec
