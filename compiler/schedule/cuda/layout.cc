#include "compiler/schedule/cuda/layout.h"

#include <set>
#include <unordered_map>
#include <vector>

#include "compiler/base/status_macros.h"
#include "compiler/ops/op.h"
#include "compiler/schedule/cuda/gpu_definition.h"
#include "compiler/kernel/work.h"
#include "compiler/schedule/cuda/layout_cost.h"
#include "compiler/schedule/cuda/min_cut.h"
#include "compiler/schedule/cuda/planes.h"
#include "compiler/schedule/cuda/product.h"
#include "compiler/schedule/cuda/tensor_order.h"

namespace mgec::schedule {
namespace {

using graph::Node;
using graph::Value;
using kernel::Expr;
using kernel::Op;

// To store a number of the result by itself, with another, and with all of its neighbours.
constexpr int64_t kStore = 8, kStorePair = 5, kStoreTogether = 3;
constexpr int64_t kStoredTogether = 8;  // that a thread has
constexpr int64_t kLookUp = 3;  // where a channel lies
constexpr int64_t kNever = int64_t{1} << 50;

// The input of the definition whose images a factor of a product reads; -1: none, or several.
int ImageOf(const Expr& factor, const kernel::Definition& d, const Node& node) {
  int image = -1;
  kernel::Visit(factor, [&](const Expr& n) {
    if (n->op != Op::kRead || n->tensor >= d.num_inputs() || Scheduler::ConstantData(node.inputs[n->tensor]) != nullptr) return;
    image = image == -1 || image == n->tensor ? n->tensor : -2;
  });
  return image < 0 ? -1 : image;
}

// The tensors, by number, whose elements the stage adds up or the like.
std::set<int> Reduced(const kernel::Stage& stage) {
  std::set<int> tensors;
  kernel::Visit(stage.body, [&](const Expr& n) {
    if (n->op != Op::kReduce) return;
    kernel::Visit(n, [&](const Expr& m) {
      if (m->op == Op::kRead) tensors.insert(m->tensor);
    });
  });
  return tensors;
}

class LayoutChooser {
 public:
  LayoutChooser(Scheduler& s, const graph::Graph& g) : s_(s), g_(g), cut_(Number()) {}

  absl::StatusOr<std::unordered_set<const Value*>> Choose() {
    if (values_.empty()) return std::unordered_set<const Value*>();
    for (const auto& node : g_.nodes()) RETURN_IF_ERROR(AddNode(*node));
    const std::vector<bool> last = cut_.Solve();
    std::unordered_set<const Value*> chosen;
    for (const auto& [v, i] : values_) {
      if (last[i]) chosen.insert(v);
    }
    return chosen;
  }

 private:
  // Values that can be either.
  int Number() {
    for (const auto& node : g_.nodes()) {
      if (node->op == "input" || node->op == "constant" || NeedsPlain(*node)) continue;
      for (const auto& v : node->outputs) {
        if (HasChannelsToMove(v->type.shape) && !g_.IsOutput(v.get())) values_.emplace(v.get(), static_cast<int>(values_.size()));
      }
    }
    return static_cast<int>(values_.size());
  }

  // Reads and writes plain tensors only.
  static bool NeedsPlain(const Node& node) {
    if (node.body != nullptr) return false;
    if (node.op == "reshape" || node.op == "attention" || node.op == "random_state") return true;
    const ops::OpDef* op = ops::FindOp(node.op);
    return op == nullptr || op->routine != nullptr || op->define == nullptr;
  }

  bool Movable(const Value* v) const { return values_.count(v) != 0; }
  void AddCost(const Value* v, int64_t plain, int64_t last) {
    if (Movable(v)) cut_.AddCost(values_.at(v), plain, last);
  }
  // Of two images, of which one that cannot be moved is plain. Others are the same in both orders.
  void AddDifference(const Value* a, const Value* b, int64_t cost) {
    if (!HasChannelsToMove(a->type.shape) || !HasChannelsToMove(b->type.shape)) return;
    if (Movable(a) && Movable(b)) cut_.AddDifference(values_.at(a), values_.at(b), cost);
    else AddCost(Movable(a) ? a : b, 0, cost);
  }
  static int64_t Traffic(const Value* v) { return 2 * kCostPerByte * graph::ByteSize(v->type); }

  absl::Status AddNode(const Node& node) {
    if (node.op == "input" || node.op == "constant") return absl::OkStatus();
    if (node.op == "identity" || node.op == "retype") {
      AddDifference(node.inputs[0], node.output(), kNever);
      return absl::OkStatus();
    }
    if (NeedsPlain(node)) {
      for (const Value* v : node.inputs) AddCost(v, 0, kLaunchCost + Traffic(v));
      return absl::OkStatus();
    }
    if (MovesPlanes(s_, node)) {
      AddMove(node);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const kernel::Definition d, GpuDefinition(s_, node));
    int product_image = -1;
    std::set<int> reduced;
    for (const kernel::Stage& stage : d.stages()) {
      reduced.merge(Reduced(stage));
      Product p;
      if (!FindProduct(stage, &p)) continue;
      for (bool rows : {true, false}) {
        const int image = ImageOf((rows ? p.rows : p.cols).value, d, node);
        if (image < 0) continue;
        AddFactor(p, rows, node.inputs[image], *node.output());
        product_image = image;
      }
      if (OnTensorCores(p.words)) AddResult(p, node);
    }
    // What else is read and written at the same places. Weights are packed as sums go along them.
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const Value* v = node.inputs[i];
      const bool weights = Scheduler::ConstantData(v) != nullptr && reduced.count(static_cast<int>(i)) != 0;
      if (static_cast<int>(i) == product_image || weights) continue;
      if (d.stages().size() > 1 && product_image < 0) AddCost(v, 0, Traffic(v));
      for (const auto& out : node.outputs) AddDifference(v, out.get(), Traffic(v));
    }
    return absl::OkStatus();
  }

  // Joining or selecting channels: nothing to do where all images are plain.
  void AddMove(const Node& node) {
    const Value* out = node.output();
    const int64_t copy = kLaunchCost + Traffic(out);
    AddCost(out, 0, copy);
    for (const Value* v : node.inputs) {
      if (!Movable(v)) continue;
      if (Movable(out)) cut_.AddOneWay(values_.at(out), values_.at(v), copy);
      else AddCost(v, 0, copy);
    }
  }

  // Bringing an image, a factor of the product, to shared memory.
  void AddFactor(const Product& p, bool rows, const Value* image, const Value& result) {
    if (!Movable(image)) return;
    const int64_t elements = ElementsOf(p.words), numbers = NumbersBrought(p, rows);
    int axes = 0;
    for (const kernel::ReduceAxis& a : p.sum->reduce_axes) axes += a.extent > 1 ? 1 : 0;
    const BringingCost& cost = axes > 1 ? kManyAxes : kOneAxis;
    // With channels innermost.
    const BringingCost& ordered = axes > 1 && image->type.shape[1] % (kTileDepth * elements) == 0 ? kBoxes : cost;
    if (!OnTensorCores(p.words)) {
      // Without them sums are added up as they are defined, plane by plane: neighbours are pixels.
      AddCost(image, 0, numbers * kCostPerByte);
      return;
    }
    const int64_t bytes = 4 / elements;  // of a number as tensor cores take it
    int64_t together = kernel::kGpuAccessBytes / bytes;
    while (image->type.shape[1] % together != 0) together /= 2;
    // Neighbouring pixels of float16 are copied, too, and turned.
    int64_t plain = numbers * (cost.one + (MovesPlanes(s_, *image->producer) ? kLookUp : 0));
    const int64_t plane = PixelsOf(image->type.shape);
    if (p.words == WordKind::kFloat16 && axes == 1 && plane == PixelsOf(result.type.shape)) {
      int64_t pixels = kernel::kGpuAccessBytes / bytes;
      while (plane % pixels != 0) pixels /= 2;
      if (pixels > 1 && graph::ByteSize(image->type.dtype) == bytes) plain = numbers / pixels * cost.several;
    }
    if (together == 1 || together < elements) return AddCost(image, plain, numbers * cost.one);
    // Numbers that are made of what memory holds pass through registers.
    const bool copied = bytes == graph::ByteSize(image->type.dtype);
    AddCost(image, plain, numbers / together * ordered.several + (copied ? 0 : numbers * ordered.each_of_several));
  }

  void AddResult(const Product& p, const Node& node) {
    const int64_t numbers = p.batches * p.rows.extent * p.cols.extent;
    for (const auto& out : node.outputs) {
      if (!HasChannelsToMove(out->type.shape)) continue;
      const bool together = out->type.shape[1] % kStoredTogether == 0, pairs = out->type.shape.back() % 2 == 0;
      AddCost(out.get(), numbers * (pairs ? kStorePair : kStore), numbers * (together ? kStoreTogether : kStore));
    }
  }

  Scheduler& s_;
  const graph::Graph& g_;
  std::unordered_map<const Value*, int> values_;
  MinCut cut_;  // after values_
};

}  // namespace

absl::StatusOr<std::unordered_set<const Value*>> ChooseChannelsLast(Scheduler& s, const graph::Graph& g) {
  return LayoutChooser(s, g).Choose();
}

}  // namespace mgec::schedule
