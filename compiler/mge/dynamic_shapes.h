// Sizes that depend on values, while a model is imported.
//
// The shapes of a graph are fixed. A tensor whose size is known only when it has been computed has the shape of the
// largest that it can be there, and counts beside it: values of the graph, int32[1], that tell how many elements there
// are. Those beyond are there, too, and mean nothing.
//
//   Extent n = shapes.Count(count, 20);           // a size of `count`, which is at most 20
//   shapes.Set(boxes, {n, Extent(4)});            // of boxes, f32[20,4], n rows count
#ifndef MGEC_COMPILER_MGE_DYNAMIC_SHAPES_H_
#define MGEC_COMPILER_MGE_DYNAMIC_SHAPES_H_

#include <optional>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"

namespace mgec::mge {

// The size of a dimension: a number times counts.
struct Extent {
  int64_t factor = 1;
  std::vector<graph::Value*> counts;  // sorted; none of them is an alias of another

  explicit Extent(int64_t fixed = 1) : factor(fixed) {}
  bool fixed() const { return counts.empty(); }
  bool operator==(const Extent& o) const { return factor == o.factor && counts == o.counts; }
  bool operator!=(const Extent& o) const { return !(*this == o); }
};
using Extents = std::vector<Extent>;

Extent operator*(const Extent& a, const Extent& b);
// a / b where that is a number times counts.
std::optional<Extent> Divide(const Extent& a, const Extent& b);

// What is known of a number that the model computes.
struct Number {
  double least, most;            // bounds, both included
  std::optional<Extent> extent;  // what it is, where that is known

  bool constant() const { return least == most; }
};

class DynamicShapes {
 public:
  explicit DynamicShapes(graph::Graph& g) : graph_(g) {}

  // One extent for each dimension. Values that are not known here have the extents of their shape.
  Extents Of(const graph::Value* v) const;
  bool IsDynamic(const graph::Value* v) const { return extents_.count(v) != 0; }
  void Set(graph::Value* v, const Extents& extents);

  // A size that is the value of `count`, int32[1], which lies in [0, most]. Counts that are computed alike are the same.
  Extent Count(graph::Value* count, int64_t most);
  int64_t Most(const Extent& e) const;
  graph::Shape Most(const Extents& extents) const;
  // The size as int32[1]; adds nodes where it is a product.
  absl::StatusOr<graph::Value*> AsValue(const Extent& e);

  // What is known of each element of a small integer or float tensor; nothing for more than 64.
  std::vector<Number> NumbersOf(const graph::Value* v) { return NumbersOf(v, 0); }
  // Element k of an integer tensor as int32[1].
  absl::StatusOr<graph::Value*> Element(graph::Value* v, int64_t k);
  // Element k as a size. Unimplemented where it has no bounds.
  absl::StatusOr<Extent> ExtentAt(graph::Value* v, int64_t k);

 private:
  std::vector<Number> NumbersOf(const graph::Value* v, int depth);
  std::vector<Number> Compute(const graph::Value* v, int depth);
  Number Combine(const std::string& op, const Number& a, const Number& b) const;

  graph::Graph& graph_;
  std::unordered_map<const graph::Value*, Extents> extents_;
  std::vector<std::pair<graph::Value*, int64_t>> counts_;  // each with its bound, without aliases
  std::unordered_map<const graph::Value*, graph::Value*> alias_;
  std::unordered_map<const graph::Value*, std::vector<Number>> numbers_;
};

// Whether two values are computed in the same way from the same values.
bool ComputedAlike(const graph::Value* a, const graph::Value* b);

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_DYNAMIC_SHAPES_H_
