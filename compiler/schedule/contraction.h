// The register-blocked micro-kernel of convolution and matrix product.
//
// out[pixel, n] = epilogue(sum over k of in[address(pixel) + table[k]] * weights[k, n])
//
// Pixels form `rows` x `cols`; a register tile covers up to a target's tile height of pixels of one row and one panel of
// output channels. K is a list: first `block_entries` groups of 8 consecutive elements (a whole channel block at one
// kernel tap), then `single_entries` lone elements; the table holds their element offsets. So split, concat, shuffle and
// kernel taps are all the same to the kernel.
//
// Integers are multiplied in groups of neighbours along K, 2 of int16 (kDot2) or 4 of uint8 with int8 weights (kDot4), and
// added up in int32, exactly. A block entry is then 8 / group groups, and a single entry is a group.
//
// Weights are packed panel by panel, [k / group][8 * blocks of the panel][group], in the order of the K list (Panels
// below): the same for every target of that group, so that targets share them.
#ifndef MGEC_COMPILER_SCHEDULE_CONTRACTION_H_
#define MGEC_COMPILER_SCHEDULE_CONTRACTION_H_

#include <functional>
#include <string>
#include <vector>

#include "compiler/kernel/stmt.h"
#include "compiler/kernel/target.h"
#include "compiler/schedule/block_element.h"
#include "compiler/schedule/choice.h"

namespace mgec::schedule {

// Channels per block of the blocked layout, on every target.
inline constexpr int kBlock = 8;

struct ContractionSpec {
  // Independent products with weights of their own, packed one after the other.
  int64_t batch = 1, in_batch_stride = 0, out_batch_stride = 0;
  int64_t rows = 1, cols = 1;
  // Tasks go through the pixels first and the panels second, so that threads share pixels out among them (split.h).
  bool split_pixels = false;
  Choice choice;  // of tile_height, chunk, prefetch, tasks, and of split_pixels instead of the above
  std::function<kernel::Expr(kernel::Expr row)> in_row;   // element offset of (row, 0) in the input
  int64_t in_col_stride = 0;
  std::function<kernel::Expr(kernel::Expr row)> out_row;  // element offset of (row, 0), channel block 0
  int64_t out_col_stride = 0, out_block_stride = 0;
  int64_t block_entries = 0, single_entries = 0;
  // What is multiplied: float32, or the groups of integers described above by the type of the input. Inputs of 16-bit floats are
  // widened, a tile's part of a block entry at a time.
  kernel::Scalar in_scalar = kernel::Scalar::kFloat32;
  kernel::Scalar float_weights = kernel::Scalar::kFloat32;    // of float32 operands: how the packed weights are stored
  BlockElement out = PlainElement(kernel::Scalar::kFloat32);  // the epilogue's result, and how it is stored
  int64_t channels = 0;       // N
  int tail = 0;               // of these, the last ones that are computed as channel_tail.h says; their weights follow the others
  bool mask_last = false;     // store only the channels that exist (dense outputs); blocked outputs have room for all
  int64_t in_size = 0, out_size = 0;  // elements the kernel may touch
  int out_alignment = 4;
  // Float32 sums wait here where they cannot in the output (NeedsPartialSums): the same offsets as there.
  kernel::Buffer partial;
  // Among `extra`: the input once more, where ReadsInputTwice().
  kernel::Buffer in_again;
  std::vector<kernel::Buffer> extra;  // arguments of the epilogue, numbered from first_extra on
  int first_extra = 4;                // kExtraArgument, unless the epilogue belongs to another kernel
  std::vector<int32_t> bias;          // of integers, one per channel or none: part of the sums, not of the epilogue
  bool floats_start = false;          // sums of floats may start from a bias as well (BuildEpilogue)
  kernel::Buffer start;               // among `extra`, of the sums' type: what those of each channel start from; null: 0
  // The result for 8 channels from block `block` on at pixel (row, col), before it is stored. Where there are several
  // products of one row each, `row` is the number of the product.
  std::function<kernel::Expr(kernel::Expr acc, kernel::Expr block, kernel::Expr row, kernel::Expr col)> epilogue;

  // Blocks of channels without the tail.
  int64_t blocks() const { return tail > 0 ? channels / kBlock : (channels + kBlock - 1) / kBlock; }
  int group() const {
    return IsFloat(in_scalar) ? 1 : in_scalar == kernel::Scalar::kInt16 ? 2 : 4;
  }
  kernel::Scalar weight_scalar() const {
    return group() == 1 ? float_weights : group() == 4 ? kernel::Scalar::kInt8 : in_scalar;
  }
  kernel::Scalar sum_scalar() const { return group() == 1 ? kernel::Scalar::kFloat32 : kernel::Scalar::kInt32; }
};

// Arguments: input, int32 table, packed weights, output, then the epilogue's.
enum ContractionArgument { kInput = 0, kTable = 1, kWeights = 2, kOutput = 3, kExtraArgument = 4 };

// Widths, in blocks of 8, of the panels that `blocks` output blocks are divided into: 4, .., 4, then the rest.
std::vector<int> Panels(int64_t blocks);

// Code for panel number `panel`: one body for each run of panels of equal width, which gets the panel's first block.
void ForPanel(kernel::Block& b, const std::vector<int>& panels, const kernel::Expr& panel,
              const std::function<void(kernel::Block&, const kernel::Expr& block, int width)>& body);

// Packs `weight(k, n)` for k in [0, k_size), n in [0, channels), as float32, float16 or bfloat16; channels that do not exist
// are zero.
std::string PackWeights(int64_t k_size, int64_t channels, kernel::Scalar scalar,
                        const std::function<float(int64_t k, int64_t n)>& weight);
// The same for integers, as `scalar` (int8 or int16) in groups of `group`, which divides k_size.
std::string PackIntWeights(int64_t k_size, int64_t channels, kernel::Scalar scalar, int group,
                           const std::function<int64_t(int64_t k, int64_t n)>& weight);

// What could be chosen for a contraction instead, one decision at a time.
std::vector<Choice> ContractionAlternatives(const ContractionSpec& spec, const kernel::Target& target);

// The sums go through K in several chunks, and the output cannot hold them meanwhile: there has to be a `partial`.
bool NeedsPartialSums(const ContractionSpec& spec);

// Two vectors of AVX-512 may take the element that they multiply from one register, or broadcast it each, as a part of their
// instructions. The latter is better where they differ in width, because taking the narrow half of a register costs another
// instruction; and where K is short: without registers in between, a CPU looks further ahead, beyond the end of a tile. (For long sums
// it is no better on Zen 4, and CPUs with two multipliers of 512 bits would have to load more than they can.) Code generators
// merge loads of what they know to be the same memory, so the kernel wants the input as two arguments.
bool ReadsInputTwice(const ContractionSpec& spec, const kernel::Target& target);

kernel::Kernel ContractionKernel(const ContractionSpec& spec, const kernel::Target& target, const std::string& name);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CONTRACTION_H_
