// What a definition computes for places rather than for channels, in tensors of its own.
//
// Where an image is sampled does not depend on the channel. With a vector for eight channels of a place, the arithmetic that
// finds it is scalar, and repeated for all the blocks of channels:
//
//   y[n, c, h, w] = x[n, c, i64(floor((f32(h) + 0.5) * 0.3)), w]
//   t[h] = i32(floor((f32(h) + 0.5) * 0.3));  y[n, c, h, w] = x[n, c, i64(t[h]), w]
#ifndef MGEC_COMPILER_SCHEDULE_PLACE_TABLES_H_
#define MGEC_COMPILER_SCHEDULE_PLACE_TABLES_H_

#include <vector>

#include "compiler/kernel/tensor_expr.h"

namespace mgec::schedule {

struct DefinitionWithTables {
  kernel::Definition definition;
  std::vector<bool> is_table;  // of each stage
};

// `d` with costly expressions that do not depend on dimension 1 as stages of their own, in front of the stages that read
// them. An expression becomes a table over the dimensions, and axes of reductions, that it depends on. Values are the same, by the
// bit. Bodies are simplified. Indices inside of a table are clamped by ReplaceReads, so that tables may be computed where the
// expression was not evaluated.
DefinitionWithTables WithPlaceTables(const kernel::Definition& d);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_PLACE_TABLES_H_
