// Which elements of a box are computed as the lanes of vectors.
#ifndef MGEC_COMPILER_SCHEDULE_VECTOR_DIMENSION_H_
#define MGEC_COMPILER_SCHEDULE_VECTOR_DIMENSION_H_

#include "compiler/schedule/merge.h"

namespace mgec::schedule {

// Vectors of `lanes` run along the last dimension. Where the last ones have few elements (the channels of a pixel, coordinates,
// a window), they become one element whose body is all of them (kConcat), and the dimension before them the last one.
void JoinFewElements(const Box& box, int lanes);

// For a body with a long reduction: where the loads along the last dimension are scattered over memory, and along another one
// neighbours or the same, that one becomes the last. Results are scattered then, once for all that the reduction loads.
void ChooseVectorDimension(const Box& box);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_VECTOR_DIMENSION_H_
