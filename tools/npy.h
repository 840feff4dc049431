// Reading and writing NumPy's .npy files, versions 1 and 2.
#ifndef MGEC_TOOLS_NPY_H_
#define MGEC_TOOLS_NPY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mgec {

// A dense, row-major, little-endian array.
struct NpyArray {
  std::string descr;  // NumPy's name of the element type: "<f4", "|u1", ...
  std::vector<uint32_t> shape;
  std::string data;

  // Bytes per element, from the digits of `descr`.
  size_t item_size() const;
};

// Parses the contents of a file. Refuses what is not exactly such an array: other byte orders, Fortran order, structured
// types, a size that does not match the shape.
absl::StatusOr<NpyArray> ParseNpy(absl::string_view file);

// The contents of a file that NumPy reads.
std::string FormatNpy(const NpyArray& array);

absl::StatusOr<NpyArray> ReadNpy(const std::string& path);
absl::Status WriteNpy(const std::string& path, const NpyArray& array);

}  // namespace mgec

#endif  // MGEC_TOOLS_NPY_H_
