#include "runtime/lite/elements.h"

#include <cstring>
#include <memory>

#include "runtime/cuda/device.h"

namespace mgec {
namespace {

// Copies elements between two strided tensors of one shape, the innermost dimension in a loop of its own.
void CopyStrided(uint8_t* to, const std::vector<ptrdiff_t>& to_strides, const uint8_t* from,
                 const std::vector<ptrdiff_t>& from_strides, const std::vector<size_t>& shape, size_t element,
                 size_t dim = 0) {
  const size_t count = shape[dim];
  const ptrdiff_t to_step = to_strides[dim] * static_cast<ptrdiff_t>(element);
  const ptrdiff_t from_step = from_strides[dim] * static_cast<ptrdiff_t>(element);
  if (dim + 1 < shape.size()) {
    for (size_t i = 0; i < count; ++i) {
      CopyStrided(to + to_step * static_cast<ptrdiff_t>(i), to_strides, from + from_step * static_cast<ptrdiff_t>(i),
                  from_strides, shape, element, dim + 1);
    }
  } else if (to_step == static_cast<ptrdiff_t>(element) && from_step == to_step) {
    std::memcpy(to, from, count * element);
  } else {
    for (size_t i = 0; i < count; ++i) {
      std::memcpy(to + to_step * static_cast<ptrdiff_t>(i), from + from_step * static_cast<ptrdiff_t>(i), element);
    }
  }
}

// A dimension of two tensors at once; steps in bytes.
struct Dim {
  size_t count;
  ptrdiff_t to_step, from_step;
};

// The fewest dimensions that say the same: dense rows of `*width` bytes, and how they are repeated, outermost first.
std::vector<Dim> Merge(const std::vector<size_t>& shape, const std::vector<ptrdiff_t>& to, const std::vector<ptrdiff_t>& from,
                       size_t size, size_t* width) {
  const ptrdiff_t element = static_cast<ptrdiff_t>(size);
  std::vector<Dim> dims;
  *width = size;
  for (size_t i = shape.size(); i-- > 0;) {
    const Dim dim = {shape[i], to[i] * element, from[i] * element};
    const ptrdiff_t row = static_cast<ptrdiff_t>(*width);
    if (dim.count == 1) continue;
    if (dims.empty() && dim.to_step == row && dim.from_step == row) {
      *width *= dim.count;
      continue;
    }
    if (!dims.empty()) {
      Dim& inner = dims.front();
      const ptrdiff_t count = static_cast<ptrdiff_t>(inner.count);
      if (dim.to_step == inner.to_step * count && dim.from_step == inner.from_step * count) {
        inner.count *= dim.count;
        continue;
      }
    }
    dims.insert(dims.begin(), dim);
  }
  return dims;
}

// Calls rows(to offset, from offset, to pitch, from pitch, rows) for what one call of the driver can do.
template <typename Rows>
Status ForRows(const std::vector<Dim>& dims, size_t width, size_t dim, ptrdiff_t to, ptrdiff_t from, const Rows& rows) {
  if (dim == dims.size()) return rows(to, from, width, width, size_t{1});
  const Dim& d = dims[dim];
  const ptrdiff_t row = static_cast<ptrdiff_t>(width);
  if (dim + 1 == dims.size() && d.to_step >= row && d.from_step >= row) {
    return rows(to, from, static_cast<size_t>(d.to_step), static_cast<size_t>(d.from_step), d.count);
  }
  for (size_t i = 0; i < d.count; ++i) {
    const ptrdiff_t k = static_cast<ptrdiff_t>(i);
    MGEC_RETURN_IF_ERROR(ForRows(dims, width, dim + 1, to + k * d.to_step, from + k * d.from_step, rows));
  }
  return Status();
}

size_t Count(const std::vector<size_t>& shape) {
  size_t count = 1;
  for (size_t dim : shape) count *= dim;
  return count;
}

}  // namespace

std::vector<ptrdiff_t> DenseStrides(const std::vector<size_t>& shape) {
  std::vector<ptrdiff_t> strides(shape.size());
  ptrdiff_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= static_cast<ptrdiff_t>(shape[i]);
  }
  return strides;
}

Status CopyElements(const Elements& to, const Elements& from, const std::vector<size_t>& shape, size_t size) {
  if (shape.empty() || Count(shape) == 0) return Status();
  uint8_t* const destination = to.buffer.data() + to.offset;
  const uint8_t* const source = from.buffer.data() + from.offset;
  if (to.buffer.on_host() && from.buffer.on_host()) {
    CopyStrided(destination, to.strides, source, from.strides, shape, size);
    return Status();
  }
  const bool between_gpus = !to.buffer.on_host() && !from.buffer.on_host() && to.buffer.device() != from.buffer.device();
  cuda::Device& gpu = *(to.buffer.on_host() ? from : to).buffer.device();
  size_t width = 0;
  const std::vector<Dim> dims = Merge(shape, to.strides, from.strides, size, &width);
  return ForRows(dims, width, 0, 0, 0,
                 [&](ptrdiff_t to_offset, ptrdiff_t from_offset, size_t to_pitch, size_t from_pitch, size_t rows) {
                   if (between_gpus) {
                     return gpu.CopyRowsFrom(*from.buffer.device(), destination + to_offset, to_pitch, source + from_offset,
                                             from_pitch, width, rows);
                   }
                   return gpu.CopyRows(destination + to_offset, to.buffer.kind(), to_pitch, source + from_offset,
                                       from.buffer.kind(), from_pitch, width, rows);
                 });
}

Status ZeroElements(const Elements& to, const std::vector<size_t>& shape, size_t size) {
  if (shape.empty() || Count(shape) == 0) return Status();
  uint8_t* const memory = to.buffer.data() + to.offset;
  size_t width = 0;
  const std::vector<Dim> dims = Merge(shape, to.strides, to.strides, size, &width);
  return ForRows(dims, width, 0, 0, 0, [&](ptrdiff_t offset, ptrdiff_t, size_t pitch, size_t, size_t rows) {
    if (!to.buffer.on_host()) return to.buffer.device()->ZeroRows(memory + offset, pitch, width, rows);
    for (size_t row = 0; row < rows; ++row) std::memset(memory + offset + row * pitch, 0, width);
    return Status();
  });
}

}  // namespace mgec
