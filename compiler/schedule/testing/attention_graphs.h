// Parts of graphs that tests of attention put together.
#ifndef MGEC_COMPILER_SCHEDULE_TESTING_ATTENTION_GRAPHS_H_
#define MGEC_COMPILER_SCHEDULE_TESTING_ATTENTION_GRAPHS_H_

#include <vector>

#include "compiler/schedule/testing/schedule_tester.h"

namespace mgec::schedule {

graph::Value* MatMul(ScheduleTester& t, graph::Value* a, graph::Value* b, bool transpose_b = false);
// Along the last dimension.
graph::Value* Softmax(ScheduleTester& t, graph::Value* x);
graph::Value* Reshape(ScheduleTester& t, graph::Value* x, const graph::Shape& shape);
// x [images, length, heads * depth] as [images * heads, length, depth].
graph::Value* Heads(ScheduleTester& t, graph::Value* x, int64_t heads);
// A constant [m, n] of 0 and -inf. -inf are: row 5, of every third row what is right of the diagonal, and of every third all
// but the last two.
graph::Value* InfiniteMask(ScheduleTester& t, int64_t m, int64_t n);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_TESTING_ATTENTION_GRAPHS_H_
