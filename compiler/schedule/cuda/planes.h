// Images whose channels lie apart. Concatenations, slices and shuffles of channels copy nothing on GPUs: their results are lists of
// planes, all in the arena, and kernels find the plane of a channel by a table. Weights, and all other kernels, stay as they are.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_PLANES_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_PLANES_H_

#include <functional>
#include <string>
#include <vector>

#include "compiler/kernel/tensor_expr.h"
#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

// Elements of a plane of [N, C, ...].
int64_t PixelsOf(const graph::Shape& shape);

// Whether a node's result may be so: of images that are large enough, and are not written where the user wants them.
bool MayBePlanes(const Scheduler& s, const graph::Value* v);
// Whether a node does nothing but join or select channels of images that may be planes: it copies nothing where its operands are.
bool MovesPlanes(const Scheduler& s, const graph::Node& node);
// Place the result of a node where its operands are, if these may be planes themselves; of a selection, result and channels have
// been looked at.
bool ConcatPlanes(Scheduler& s, const graph::Node& node);
bool SelectPlanes(Scheduler& s, const graph::Node& node, const std::vector<int64_t>& channels);

// How a kernel reads a tensor [N, C, ...] of planes.
class PlaneReader {
 public:
  // Adds an argument that is bound so, with so many elements; a kernel's arguments are added in order.
  using AddArgument = std::function<kernel::Buffer(const std::string& name, kernel::Scalar scalar, int64_t elements, plan::Argument binding)>;
  PlaneReader(Scheduler& s, const std::string& name, kernel::Scalar scalar, const std::vector<int64_t>& shape,
              const std::vector<PlaneRef>& planes, const AddArgument& add);

  kernel::Expr Element(const std::vector<kernel::Expr>& index) const;
  // Storages that are read by way of the arena.
  const std::vector<plan::StorageId>& touches() const { return touches_; }

 private:
  const std::vector<int64_t> shape_;
  kernel::Buffer memory_, table_;
  int64_t unit_ = 1;                  // elements that the table counts in
  int64_t first_ = 0, channel_ = 0;   // without a table
  int64_t image_ = 0;                 // from image to image
  bool images_ = false;               // the table has an entry for each image's channels
  std::vector<plan::StorageId> touches_;
};

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_PLANES_H_
