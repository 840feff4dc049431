// Parameters of old files, rewritten to what they would be in a new one.
//
// MegEngine reuses the number of a parameter table after it has changed the table, so that the bytes of an old file
// must be read with the version that wrote them in mind. Four changes matter for inference:
//
//   before 1.3    the formats from 9 on have other numbers (there were Winograd formats)
//                 ConvBias has output_block_size in slot 10 and compute_mode in slot 11
//   1.5 to 1.6rc  the formats from 12 on have other numbers
//   before 1.4    Images2Neibs has no dilation: window_h and window_w are in slots 4 and 5
#ifndef MGEC_COMPILER_MGE_LEGACY_H_
#define MGEC_COMPILER_MGE_LEGACY_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/mge/schema/operator_param_generated.h"

namespace mgec::mge {

// Returns `param` itself where nothing has changed since `mge_version`; otherwise a new table, whose memory is added to
// `storage`. `param` must have been verified as the table that `type` names. Fails for formats that no longer exist.
absl::StatusOr<const void*> ModernizeParam(uint32_t mge_version, fbs::OperatorParam type, const void* param,
                                           std::vector<std::unique_ptr<uint64_t[]>>& storage);

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_LEGACY_H_
