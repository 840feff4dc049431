// Attention in a graph: softmax(f(Q K')) V, whatever shapes and movements stand around and between the operators.
//
//   q [B, M, D] x k [B, N, D] -> scores [B, M, N] -> any pointwise nodes -> softmax -> x v [B, N, E] -> [B, M, E]
#ifndef MGEC_COMPILER_OPS_ATTENTION_H_
#define MGEC_COMPILER_OPS_ATTENTION_H_

#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "compiler/graph/graph.h"

namespace mgec::ops {

// Where an operand's matrices lie: element (row, col) of the matrix with batch indices b is at
// offset + b[0] * batch[0] + .. + row * row_stride + col * col_stride of `source`.
struct MatrixView {
  const graph::Value* source;
  int64_t offset;
  std::vector<int64_t> batch;
  int64_t row_stride, col_stride;
};

struct Attention {
  std::vector<int64_t> batch;  // extents of the dimensions that number the independent products; none: one product
  int64_t queries, keys;       // M, N
  int64_t depth, value_depth;  // D, E
  // All computation is in float32; the sources may hold 16-bit floats.
  MatrixView q, k, v;          // rows of q are queries; those of k and v are keys
  MatrixView out;              // rows are queries; its source is the result
  double scale = 1;            // of the products: the constants that q and k are multiplied by
  const graph::Value* scores;  // the sums of products
  std::vector<const graph::Node*> pointwise;  // from the scores to what softmax reads, in order
  // Their other operands, broadcast: rows are queries, columns are keys.
  std::vector<std::pair<const graph::Value*, MatrixView>> operands;
  std::vector<const graph::Node*> members;  // everything that computes the result from the operands, in any order
  const graph::Value* result;

  int64_t products() const;  // of all batch extents
};

using Users = std::unordered_map<const graph::Value*, std::vector<graph::Node*>>;

// The value that an input of a fused node's body stands for, and any other value itself.
using Resolve = std::function<const graph::Value*(const graph::Value*)>;

// The attention whose weighted sum is `product`, a matmul of `g`. Nothing where it is something else, where other nodes read
// what is between (scores, weights), where K or V are constants (products with packed constants are better), or not float32.
std::optional<Attention> FindAttention(const graph::Graph& g, const Users& users, const graph::Node& product,
                                       const Resolve& resolve = [](const graph::Value* v) { return v; });

// The attention that a fused node computes as a whole.
std::optional<Attention> AttentionOf(const graph::Node& fused);

}  // namespace mgec::ops

#endif  // MGEC_COMPILER_OPS_ATTENTION_H_
