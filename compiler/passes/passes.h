// Rewrites of the graph. Each pass is one file; pipeline.cc lists them in the order in which they run.
//
// A pass returns whether it changed anything. It keeps the meaning of every graph output (up to float rounding), leaves
// the graph valid, and may leave dead nodes behind.
#ifndef MGEC_COMPILER_PASSES_PASSES_H_
#define MGEC_COMPILER_PASSES_PASSES_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"

namespace mgec::passes {

using PassResult = absl::StatusOr<bool>;

// Composite operators become simple ones: a convolution's bias, residual and activation; FUSE_* modes; batch
// normalization. Operators that do nothing vanish.
PassResult Canonicalize(graph::Graph& g);
// float16 and bfloat16 values are computed as float32; network inputs and outputs keep their dtypes. Values remember what they
// were (graph::Value::origin).
PassResult PromoteFloat16(graph::Graph& g);
// Nodes whose operands are all constants are computed now.
PassResult FoldConstants(graph::Graph& g);
// Equal nodes are computed once.
PassResult EliminateCommonSubexpressions(graph::Graph& g);
// Nodes that nobody uses vanish.
PassResult EliminateDeadNodes(graph::Graph& g);
// A grouped convolution that is not depthwise becomes one convolution per group between slices and a concat.
PassResult SplitGroupedConvolutions(graph::Graph& g);
// Chains of reshapes, transposes and slices that only rearrange channels become one gather along the channel axis.
PassResult FindChannelShuffles(graph::Graph& g);
// A convolution of the pixels of each residue of row and column, concatenated (YOLOX's Focus), reads the image itself with a
// larger kernel and stride.
PassResult FoldSpaceToDepth(graph::Graph& g);
// Maxima over large windows are taken along the rows first, along the columns second.
PassResult SplitMaxPooling(graph::Graph& g);
// Zero padding goes into the convolution that reads it.
PassResult FoldPadding(graph::Graph& g);
// Pointwise nodes that follow a matrix product behind a reshape of its rows come before the reshape, where the product's kernel can
// compute them. Reshapes of reshapes become one.
PassResult SinkReshapes(graph::Graph& g);
// Multiplication by a constant per output channel goes into a convolution's or matrix product's weights.
PassResult FoldScales(graph::Graph& g);
// Sigmoid and silu after a convolution or matrix product with constant weights become sigmoid_exp2 and silu_exp2, as 1 / (1 + 2^z)
// is less to do than 1 / (1 + e^-x): weights and bias take the factor -log2(e).
PassResult FoldLog2E(graph::Graph& g);
// Attention, softmax(f(Q K')) V, becomes one node, with the movements around it (ops/attention.h).
PassResult FuseAttention(graph::Graph& g);
// Nodes that become one kernel: a contraction, pooling or reduction with the pointwise nodes after it; pointwise chains;
// chains of data movement.
PassResult Fuse(graph::Graph& g);
// Where the model stored float16 or bfloat16, tensors between kernels become that again: kernels compute in float32 and convert
// what they read and write. Float32 stay what the model says is float32, and what routines, scans and nodes of several results
// read or write; tensors that dense convolutions would have to read channel by channel; and small ones, beside the largest, of
// kernels that add up few terms for each element, where converting would take longer than it saves. It looks at the graph only,
// and at sizes only beside each other: all CPUs, and batches of any size, round the same tensors.
PassResult StoreFloat16(graph::Graph& g);
// The same for GPUs, which read channels one by one anyway and convert for nothing: what is only better left alone on CPUs becomes
// 16 bits wide as well. Graphs may have been through StoreFloat16.
PassResult StoreFloat16OnGpu(graph::Graph& g);

struct Pass {
  const char* name;
  PassResult (*run)(graph::Graph& g);
};

// All passes in order; some appear more than once.
const std::vector<Pass>& Pipeline();

// Runs passes and verifies the graph after every one. The message of an error names the pass; Internal where it broke the
// graph.
absl::Status RunPasses(graph::Graph& g, const std::vector<Pass>& passes = Pipeline());

}  // namespace mgec::passes

#endif  // MGEC_COMPILER_PASSES_PASSES_H_
