// What schedules of attention have in common: a fused node as memory, strides and an expression.
#ifndef MGEC_COMPILER_SCHEDULE_ATTENTION_H_
#define MGEC_COMPILER_SCHEDULE_ATTENTION_H_

#include <vector>

#include "compiler/ops/attention.h"
#include "compiler/schedule/attention_kernel.h"
#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

// The kernel's spec and, once BindAttention has been called, its arguments.
struct BoundAttention {
  AttentionSpec spec;
  std::vector<plan::Argument> arguments;
};

// The sizes and strides of `a`, which `node` computes.
AttentionSpec AttentionSpecOf(const ops::Attention& a);

// Places the operands and the result and completes the spec. Constants that are added to the scores are turned around where that
// puts queries side by side.
BoundAttention BindAttention(Scheduler& s, const graph::Node& node, const ops::Attention& a);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_ATTENTION_H_
