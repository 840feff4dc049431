// Dropout, which training keeps in a graph.
#ifndef MGEC_COMPILER_MGE_DROPOUT_H_
#define MGEC_COMPILER_MGE_DROPOUT_H_

#include <cstdint>

#include "compiler/mge/importer.h"

namespace mgec::mge {

// x / (1 - p), or 0 with probability p, for each element; x itself for p = 0. InvalidArgument unless 0 <= p < 1. `seed` and
// the operator's place in the file decide which elements become 0.
absl::StatusOr<Value*> DropElements(ImportContext& c, Value* x, float p, uint64_t seed);

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_DROPOUT_H_
