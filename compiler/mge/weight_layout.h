// Weights of convolutions into the layouts of devices: the modes of RelayoutFormat that are for weights.
#ifndef MGEC_COMPILER_MGE_WEIGHT_LAYOUT_H_
#define MGEC_COMPILER_MGE_WEIGHT_LAYOUT_H_

#include "absl/status/statusor.h"
#include "compiler/mge/importer.h"

namespace mgec::mge {

// Whether the mode rearranges weights.
bool IsWeightMode(param::RelayoutFormatMode mode);

// The weight w, [OC, IC, KH, KW] or, for modes of groups, [G, OC/G, IC/G, KH, KW], in the layout of the mode; channels
// that are missing to a whole block are zero. InvalidArgument for a weight of another rank.
absl::StatusOr<Value*> WeightToLayout(ImportContext& c, Value* w, param::RelayoutFormatMode mode);

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_WEIGHT_LAYOUT_H_
