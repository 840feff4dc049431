#include "compiler/mge/conditions.h"

#include "absl/strings/match.h"
#include "compiler/base/status_macros.h"

namespace mgec::mge {

using graph::Value;

Value* Conditions::Of(int variable) const {
  const auto it = of_.find(variable);
  return it == of_.end() ? nullptr : it->second;
}

Value* Conditions::Around(Value* predicate) const {
  const auto it = around_.find(predicate);
  return it == around_.end() ? nullptr : it->second;
}

void Conditions::Set(int variable, Value* predicate) {
  if (predicate != nullptr) of_[variable] = predicate;
}

absl::StatusOr<Value*> Conditions::Inner(Value* a, Value* b) const {
  const auto is_around = [&](Value* outer, Value* inner) {
    while (inner != nullptr && inner != outer) inner = Around(inner);
    return inner == outer;
  };
  if (is_around(a, b)) return b;
  if (is_around(b, a)) return a;
  return absl::InvalidArgumentError("has operands of different branches");
}

absl::StatusOr<Value*> Conditions::Of(const Operator& op) const {
  Value* inner = nullptr;
  for (int variable : op.inputs) {
    ASSIGN_OR_RETURN(inner, Inner(inner, Of(variable)));
  }
  return inner;
}

absl::Status Conditions::Follow(const Operator& op) {
  if (of_.empty() || absl::StartsWith(op.type, "CondExec")) return absl::OkStatus();
  ASSIGN_OR_RETURN(Value * predicate, Of(op));
  for (int i = 0; i < op.num_outputs; ++i) Set(op.first_output + i, predicate);
  return absl::OkStatus();
}

}  // namespace mgec::mge
