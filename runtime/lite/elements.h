// Copies between strided tensors in memory of any kind.
#ifndef MGEC_RUNTIME_LITE_ELEMENTS_H_
#define MGEC_RUNTIME_LITE_ELEMENTS_H_

#include <cstddef>
#include <vector>

#include "runtime/buffer.h"
#include "runtime/status.h"

namespace mgec {

// Where the elements of a tensor are.
struct Elements {
  const Buffer& buffer;
  size_t offset = 0;                      // of the first, in bytes
  const std::vector<ptrdiff_t>& strides;  // in elements, of any sign
};

// Strides of a dense, row-major tensor, in elements.
std::vector<ptrdiff_t> DenseStrides(const std::vector<size_t>& shape);

// Copies elements of `size` bytes between two tensors of one shape, which do not overlap. On GPUs dense rows are copied at
// once, so tensors whose last dimension has a step take long. Waits for what the GPU does, before and after. Errors: those of
// the GPU's driver.
Status CopyElements(const Elements& to, const Elements& from, const std::vector<size_t>& shape, size_t size);

// Sets every element to zero.
Status ZeroElements(const Elements& to, const std::vector<size_t>& shape, size_t size);

}  // namespace mgec

#endif  // MGEC_RUNTIME_LITE_ELEMENTS_H_
