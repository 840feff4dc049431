// What a definition computes for places rather than for elements, in tensors of its own.
//
// Where an image is sampled does not depend on the channel, and where it is resized not on the row either. The arithmetic that
// finds a place is repeated for all elements there:
//
//   y[n, c, h, w] = x[n, c, i64(floor((f32(h) + 0.5) * 0.3)), w]
//   t[h] = i32(floor((f32(h) + 0.5) * 0.3));  y[n, c, h, w] = x[n, c, i64(t[h]), w]
#ifndef MGEC_COMPILER_SCHEDULE_PLACE_TABLES_H_
#define MGEC_COMPILER_SCHEDULE_PLACE_TABLES_H_

#include <cstdint>

#include "compiler/kernel/tensor_expr.h"

namespace mgec::schedule {

struct DefinitionWithTables {
  kernel::Definition definition;  // the tables are its first stages
  size_t tables = 0;
};

// `d` with costly expressions as stages of their own that each entry serves `fewest_uses` elements or more, and that do not
// depend on dimension `channel_dim` (-1: on any). An expression becomes a table over the dimensions, and axes of reductions, that
// it depends on; it reads inputs only. Values are the same, by the bit. Bodies are simplified. ReplaceReads clamps indices, so
// that tables may be computed where the expression was not evaluated.
DefinitionWithTables WithPlaceTables(const kernel::Definition& d, int channel_dim, int64_t fewest_uses);

// The definition without its tables, which become its last inputs.
kernel::Definition TablesAsInputs(const DefinitionWithTables& t);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_PLACE_TABLES_H_
