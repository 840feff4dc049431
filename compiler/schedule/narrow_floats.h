// Constants of float16 and bfloat16 networks, which are computed in float32, kept in 16 bits.
#ifndef MGEC_COMPILER_SCHEDULE_NARROW_FLOATS_H_
#define MGEC_COMPILER_SCHEDULE_NARROW_FLOATS_H_

#include <cstdint>
#include <string>

#include "compiler/kernel/type.h"

namespace mgec::schedule {

// The bits of `v` rounded to `scalar`, float16 or bfloat16.
uint16_t NarrowBits(float v, kernel::Scalar scalar);

// `wanted` where rounding to it costs no weight more than float16 usually does: half a unit in its last place, or that much
// of a weight 16 times smaller than the largest. Float32 elsewhere: where weights that were scaled have become too large or
// too small for float16.
kernel::Scalar StorageForWeights(const float* weights, int64_t count, kernel::Scalar wanted);

// float32 `data` rounded to `scalar`, float16 or bfloat16; the second, empty where that changes a number.
std::string Narrowed(const std::string& data, kernel::Scalar scalar);
std::string NarrowExactly(const std::string& data, kernel::Scalar scalar);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_NARROW_FLOATS_H_
