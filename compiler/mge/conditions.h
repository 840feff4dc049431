// Conditional execution: which variables of a model exist only if a predicate holds.
//
// MegEngine computes a branch only if its predicate is 1. Here all branches are computed, and a merge selects: no
// operator of a branch can fail, and what it gives is not looked at where the predicate is 0. A predicate is an int32[1];
// one that is made inside of a branch holds only if the branch's own does.
#ifndef MGEC_COMPILER_MGE_CONDITIONS_H_
#define MGEC_COMPILER_MGE_CONDITIONS_H_

#include <map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"
#include "compiler/mge/model.h"

namespace mgec::mge {

class Conditions {
 public:
  // The predicate under which a variable exists; null: always.
  graph::Value* Of(int variable) const;
  // The predicate of the branch in which a predicate is made; null: none.
  graph::Value* Around(graph::Value* predicate) const;
  // The innermost of the predicates of the operator's operands. InvalidArgument if they are of different branches.
  absl::StatusOr<graph::Value*> Of(const Operator& op) const;

  void Set(int variable, graph::Value* predicate);
  void SetAround(graph::Value* predicate, graph::Value* around) { around_[predicate] = around; }

  // Results of an operator other than those of conditional execution, which set their own, exist where its operands do.
  absl::Status Follow(const Operator& op);

 private:
  // The inner of two predicates, of which one must be around the other.
  absl::StatusOr<graph::Value*> Inner(graph::Value* a, graph::Value* b) const;

  std::map<int, graph::Value*> of_;
  std::map<const graph::Value*, graph::Value*> around_;
};

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_CONDITIONS_H_
