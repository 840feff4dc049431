// One reader for each container. Callers use ReadModel of container.h.
#ifndef MGEC_COMPILER_MGE_READERS_H_
#define MGEC_COMPILER_MGE_READERS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "compiler/mge/model.h"

namespace mgec::mge::internal {

// Read the first graph of `bytes`, which begin with its header, into `model`. Bytes after it are ignored.
absl::Status ReadV1(absl::string_view bytes, Model& model);
absl::Status ReadV2(absl::string_view bytes, Model& model);

}  // namespace mgec::mge::internal

#endif  // MGEC_COMPILER_MGE_READERS_H_
