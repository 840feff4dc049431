// Reads MegEngine model files (.mge) of all kinds.
#ifndef MGEC_COMPILER_MGE_CONTAINER_H_
#define MGEC_COMPILER_MGE_CONTAINER_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "compiler/mge/model.h"

namespace mgec::mge {

// Reads the first graph of a file: container v1 (MegEngine 0.3 to 1.9, and on request later), v2 (since 1.10), either
// of them inside of a MegEngine Lite package ("packed_model") or before test cases ("mgbtest0"). Bytes after the first
// graph are ignored, as MegEngine does.
//
// The file is not trusted: whatever the bytes are, the result is a model in which every reference and every size is
// right, or an error:
//
//   kInvalidArgument   not a model of MegEngine; the message says what it is if that is known
//   kDataLoss          cut off or damaged
//   kUnimplemented     a model, but encrypted or of a kind that cannot be read
//
// The model refers to `bytes`, which must outlive it, at any alignment. Values are not copied (except for a v2 graph
// that is not at a multiple of 8). Thread-safe.
absl::StatusOr<Model> ReadModel(absl::string_view bytes);

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_CONTAINER_H_
