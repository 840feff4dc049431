// Tensors whose dimensions lie in memory in another order than definitions have them. On GPUs, images may have their channels
// together ([N, H, W, C]; Placement::channels_last), and weights what a sum goes along. A definition is rewritten to such
// tensors before it is scheduled, so that all that follows knows dense row-major tensors only.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_TENSOR_ORDER_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_TENSOR_ORDER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "compiler/kernel/tensor_expr.h"

namespace mgec::schedule {

// Dimension i in memory is dimension order[i] of the definition.
using TensorOrder = std::vector<int>;

// [N, C, H, W] as [N, H, W, C].
TensorOrder ChannelsLast();
// Whether that is another order for a tensor of this shape.
bool HasChannelsToMove(const std::vector<int64_t>& shape);

// The same definition with some of its tensors (by number: inputs and stages) in other orders.
kernel::Definition InOrders(const kernel::Definition& d, const std::map<int, TensorOrder>& orders);

// The elements of a dense tensor in that order.
std::string DataInOrder(const std::string& data, const std::vector<int64_t>& shape, const TensorOrder& order);

// Sums of products in the order in which kernels find their terms most easily. For tensor cores channels are innermost where a factor
// is a tensor of `last` (by number), which has them together. For others, whose tiles are boxes (sum_box.h), they are so where they
// fill tiles: a window's place is the same for all of a tile then. Fewer channels follow the window's first axis. In the latter cases
// a factor must be an input of which `packable` is true, as its memory is to follow (PackedOrders()).
kernel::Definition WithOrderedSums(kernel::Definition d, const std::vector<bool>& packable, const std::vector<bool>& last);

// Orders of input tensors of which `packable` is true, so that what kernels read together lies together: what products for tensor
// cores add up ([.., OC, KH, KW, IC] for the weights of a convolution of images with channels last), the rows of other products
// ([.., KH, KW, IC, OC]), and what neighbours read of results of `last` ([.., KH, KW, C] for weights of a depthwise convolution).
// Inputs that are right as they are do not appear.
std::map<int, TensorOrder> PackedOrders(const kernel::Definition& d, const std::vector<bool>& packable, const std::vector<bool>& last);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_TENSOR_ORDER_H_
