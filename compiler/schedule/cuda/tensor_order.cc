#include "compiler/schedule/cuda/tensor_order.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <utility>

#include "compiler/kernel/simplify.h"
#include "compiler/schedule/cuda/product.h"

namespace mgec::schedule {

using kernel::Definition;
using kernel::Expr;
using kernel::Op;
using kernel::ReduceAxis;
using kernel::Stage;

namespace {

template <typename T>
std::vector<T> Ordered(const std::vector<T>& all, const TensorOrder& order) {
  std::vector<T> result;
  for (int i : order) result.push_back(all[i]);
  return result;
}

// The one reduction of a stage that is a product.
Expr SumOf(const Stage& stage) {
  Expr sum;
  kernel::Visit(stage.body, [&](const Expr& n) {
    if (n->op == Op::kReduce) sum = n;
  });
  return sum;
}

// Which of the sum's axes index `e`: none: -1; several: -2.
int AxisOf(const Expr& e, const std::vector<ReduceAxis>& axes) {
  int found = -1;
  for (size_t i = 0; i < axes.size(); ++i) {
    if (kernel::DependsOn(e, axes[i].var)) found = found == -1 ? static_cast<int>(i) : -2;
  }
  return found;
}

// The order of a read's dimensions in which those that the sum goes along come last, as its axes do. Empty where an index follows
// several.
TensorOrder AlongSum(const Expr& read, const std::vector<ReduceAxis>& axes) {
  std::vector<int> axis;
  for (const Expr& index : read->args) axis.push_back(AxisOf(index, axes));
  if (std::find(axis.begin(), axis.end(), -2) != axis.end()) return {};
  TensorOrder order;
  for (size_t i = 0; i < axis.size(); ++i) order.push_back(static_cast<int>(i));
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return axis[a] < axis[b]; });
  return order;
}

// The same with the last of the other dimensions behind them.
TensorOrder AcrossSum(const Expr& read, const std::vector<ReduceAxis>& axes) {
  TensorOrder order = AlongSum(read, axes);
  size_t others = 0;  // come first
  while (others < order.size() && AxisOf(read->args[order[others]], axes) < 0) ++others;
  if (others > 0) std::rotate(order.begin() + others - 1, order.begin() + others, order.end());
  return order;
}

// The order in which the dimension that `v` runs along comes last. Empty where it runs along none, or several.
TensorOrder AlongDimension(const Expr& read, const kernel::Var& v) {
  TensorOrder order, along;
  for (size_t i = 0; i < read->args.size(); ++i) {
    (DependsOn(read->args[i], v) ? along : order).push_back(static_cast<int>(i));
  }
  if (along.size() != 1) return {};
  order.push_back(along[0]);
  return order;
}

}  // namespace

TensorOrder ChannelsLast() { return {0, 2, 3, 1}; }

bool HasChannelsToMove(const std::vector<int64_t>& shape) { return shape.size() == 4 && shape[1] > 1 && shape[2] * shape[3] > 1; }

Definition InOrders(const Definition& d, const std::map<int, TensorOrder>& orders) {
  std::vector<kernel::TensorInfo> inputs;
  for (int t = 0; t < d.num_inputs(); ++t) {
    inputs.push_back(d.info(t));
    const auto it = orders.find(t);
    if (it != orders.end()) inputs[t].shape = Ordered(inputs[t].shape, it->second);
  }
  Definition result(std::move(inputs));
  for (size_t i = 0; i < d.stages().size(); ++i) {
    Stage stage = d.stages()[i];
    stage.body = kernel::Rewrite(stage.body, [&](const Expr& n) {
      const auto it = n->op == Op::kRead ? orders.find(n->tensor) : orders.end();
      return it == orders.end() ? n : kernel::Read(n->tensor, n->type.scalar, Ordered(n->args, it->second));
    });
    const auto it = orders.find(d.num_inputs() + static_cast<int>(i));
    if (it != orders.end()) {
      stage.vars = Ordered(stage.vars, it->second);
      stage.info.shape = Ordered(stage.info.shape, it->second);
      if (stage.scan >= 0) {
        stage.scan = static_cast<int>(std::find(it->second.begin(), it->second.end(), stage.scan) - it->second.begin());
      }
    }
    result.stages().push_back(std::move(stage));
  }
  result.SetOutputs(d.outputs());
  return result;
}

std::string DataInOrder(const std::string& data, const std::vector<int64_t>& shape, const TensorOrder& order) {
  int64_t elements = 1;
  for (int64_t extent : shape) elements *= extent;
  if (elements == 0) return data;
  const size_t bytes = data.size() / static_cast<size_t>(elements);
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  const std::vector<int64_t> extents = Ordered(shape, order), steps = Ordered(strides, order);
  std::vector<int64_t> index(shape.size(), 0);
  std::string result(data.size(), '\0');
  int64_t from = 0;
  for (int64_t to = 0; to < elements; ++to) {
    std::memcpy(&result[to * bytes], &data[from * bytes], bytes);
    for (size_t i = extents.size(); i-- > 0;) {
      from += steps[i];
      if (++index[i] < extents[i]) break;
      from -= steps[i] * extents[i];
      index[i] = 0;
    }
  }
  return result;
}

namespace {

// The order of a sum's axes, by number; empty: as they are.
using AxisOrder = std::vector<size_t>;

AxisOrder ForTensorCores(const Expr& sum, const std::vector<bool>& last) {
  const std::vector<ReduceAxis>& axes = sum->reduce_axes;
  int channels = -1;
  kernel::Visit(sum, [&](const Expr& n) {
    if (n->op != Op::kRead || !last[n->tensor]) return;
    const int axis = AxisOf(n->args.back(), axes);
    if (axis >= 0) channels = axis;
  });
  if (channels < 0) return {};
  AxisOrder order;
  for (size_t i = 0; i < axes.size(); ++i) {
    if (static_cast<int>(i) != channels) order.push_back(i);
  }
  order.push_back(static_cast<size_t>(channels));
  return order;
}

// It reads inputs that are packable, and nothing else.
bool IsPackable(const Expr& factor, const std::vector<bool>& packable) {
  bool some = false, all = true;
  kernel::Visit(factor, [&](const Expr& n) {
    if (n->op != Op::kRead) return;
    some = true;
    all = all && static_cast<size_t>(n->tensor) < packable.size() && packable[n->tensor];
  });
  return some && all;
}

// Whether an image is read at indices of the axis that no dimension of the result moves, but those that the weights have, too: groups.
bool IsChannelAxis(const Expr& image, const Expr& weights, const std::vector<kernel::Var>& vars, const ReduceAxis& axis) {
  bool found = false, alone = true;
  kernel::Visit(image, [&](const Expr& n) {
    if (n->op != Op::kRead) return;
    for (const Expr& index : n->args) {
      if (!DependsOn(index, axis.var)) continue;
      found = true;
      for (const kernel::Var& v : vars) alone = alone && (!DependsOn(index, v) || DependsOn(weights, v));
    }
  });
  return found && alone;
}

AxisOrder ForBoxes(const Stage& stage, const Expr& sum, const std::vector<bool>& packable) {
  const Expr& term = sum->args[0];
  if (term->op != Op::kMul) return {};
  const bool first = IsPackable(term->args[0], packable);
  if (!first && !IsPackable(term->args[1], packable)) return {};
  const Expr &weights = term->args[first ? 0 : 1], &image = term->args[first ? 1 : 0];
  AxisOrder window, channels;
  int64_t together = 1;
  for (size_t i = 0; i < sum->reduce_axes.size(); ++i) {
    const ReduceAxis& axis = sum->reduce_axes[i];
    const bool channel = IsChannelAxis(image, weights, stage.vars, axis);
    (channel ? channels : window).push_back(i);
    if (channel) together *= axis.extent;
  }
  if (window.empty() || channels.empty()) return {};
  window.insert(together >= kTileDepth ? window.end() : window.begin() + 1, channels.begin(), channels.end());
  return window;
}

}  // namespace

Definition WithOrderedSums(Definition d, const std::vector<bool>& packable, const std::vector<bool>& last) {
  for (Stage& stage : d.stages()) {
    Product p;
    if (!FindProduct(stage, &p)) continue;
    const Expr sum = SumOf(stage);
    const AxisOrder order = OnTensorCores(p.words) ? ForTensorCores(sum, last) : ForBoxes(stage, sum, packable);
    if (order.empty()) continue;
    std::vector<ReduceAxis> axes;
    for (size_t i : order) axes.push_back(sum->reduce_axes[i]);
    stage.body = WithSum(stage.body, sum, kernel::Reduce(sum->combiner, std::move(axes), sum->args[0]));
  }
  return d;
}

std::map<int, TensorOrder> PackedOrders(const Definition& d, const std::vector<bool>& packable, const std::vector<bool>& last) {
  std::map<int, std::vector<TensorOrder>> wanted;  // for every read
  for (size_t i = 0; i < d.stages().size(); ++i) {
    const Stage& stage = d.stages()[i];
    Product p;
    const bool product = FindProduct(stage, &p);
    const Expr sum = product ? SumOf(stage) : nullptr;
    std::unordered_set<const kernel::ExprNode*> added;  // up by it
    if (sum != nullptr) kernel::Visit(sum, [&](const Expr& n) { added.insert(n.get()); });
    kernel::Visit(stage.body, [&](const Expr& n) {
      if (n->op != Op::kRead || n->tensor >= d.num_inputs() || !packable[n->tensor]) return;
      TensorOrder order;
      if (added.count(n.get()) != 0) order = OnTensorCores(p.words) ? AlongSum(n, sum->reduce_axes) : AcrossSum(n, sum->reduce_axes);
      else if (!product && last[d.num_inputs() + i]) order = AlongDimension(n, stage.vars.back());
      wanted[n->tensor].push_back(std::move(order));
    });
  }
  std::map<int, TensorOrder> orders;
  for (const auto& [t, all] : wanted) {
    if (all.size() == 1 && !std::is_sorted(all[0].begin(), all[0].end())) orders[t] = all[0];
  }
  return orders;
}

}  // namespace mgec::schedule
