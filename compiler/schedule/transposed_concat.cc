#include "compiler/schedule/transposed_concat.h"

#include <algorithm>
#include <string>
#include <vector>

#include "compiler/base/status_macros.h"

namespace mgec::schedule {

using graph::Node;
using graph::Shape;
using graph::Value;

absl::StatusOr<bool> ScheduleTransposedConcat(Scheduler& s, const Node& node) {
  if (s.target().cuda || node.op != "concat" || s.IsOutput(node.output())) return false;
  const std::vector<Node*>& users = s.users(node.output());
  if (users.size() != 1 || users[0]->op != "transpose") return false;
  const Node& transpose = *users[0];
  const std::vector<int64_t> perm = transpose.attributes.Ints("perm");
  const Shape& out = transpose.output()->type.shape;
  const auto axis = std::find(perm.begin(), perm.end(), node.attributes.Int("axis")) - perm.begin();
  if (!std::all_of(out.begin(), out.begin() + axis, [](int64_t n) { return n == 1; })) return false;

  const Placement whole = s.NewPlain(transpose.output());
  graph::Graph& g = s.NewGraph();
  int64_t offset = whole.offset;
  for (const Value* v : node.inputs) {
    if (graph::NumElements(v->type.shape) == 0) continue;
    Value* x = g.AddInput("x" + std::to_string(g.inputs().size()), v->type);
    s.Place(x, s.placement(v));
    ASSIGN_OR_RETURN(const Value* part, g.Add("transpose", {x}, transpose.attributes, transpose.name));
    Placement place = whole;
    place.offset = offset;
    s.Reserve(part, place);
    RETURN_IF_ERROR(ScheduleGeneric(s, *part->producer));
    offset += graph::ByteSize(v->type);
  }
  s.Place(transpose.output(), whole);
  return true;
}

}  // namespace mgec::schedule
