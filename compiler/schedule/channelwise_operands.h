// The tensors that a stage on blocked tensors reads and writes: arguments of its kernel, and where a task's block begins in each.
#ifndef MGEC_COMPILER_SCHEDULE_CHANNELWISE_OPERANDS_H_
#define MGEC_COMPILER_SCHEDULE_CHANNELWISE_OPERANDS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/schedule/channelwise_stage.h"
#include "compiler/schedule/window_band.h"

namespace mgec::schedule {

class ChannelwiseOperands {
 public:
  // One argument (or immediate, or table) for every tensor that the stage reads. Adds to `info` what else is read.
  ChannelwiseOperands(Scheduler& s, const graph::Node& node, const ChannelwiseNode& n, const kernel::Stage& stage,
                      plan::StepInfo& info);
  kernel::Buffer AddArgument(const std::string& name, kernel::Scalar scalar, int64_t elements, plan::Argument binding);

  // Declares where each tensor's block begins. `widens`: loops read constants of 16 bits again and again.
  void EmitBases(kernel::Block& b, const kernel::Expr& block, bool widens);
  // The 8 channels of tensor `t` at `index`; of its pixel number `pixel` where that is not null and the tensor is blocked.
  kernel::Expr Read(int t, const std::vector<kernel::Expr>& index, const kernel::Expr& pixel) const;
  // Whether e only moves elements of constants that have no infinities and no NaN.
  bool IsFinite(const kernel::Expr& e) const;

  // Rows of a windowed operand that are widened first: of as many output rows as the result says, 0 where there is no band.
  int64_t FindBand(int64_t out_rows, const kernel::Ranges& ranges);
  bool HasBand() const;
  // Emits the widening of what output rows [first, last) of the image at `image` (an index into the stage's result) read.
  void WidenBand(kernel::Block& b, const std::vector<kernel::Expr>& image, const kernel::Expr& first, const kernel::Expr& last);

  std::vector<kernel::Buffer> TakeArguments() { return std::move(arguments_); }
  std::vector<plan::Argument> TakeBindings() { return std::move(bindings_); }

 private:
  struct Access {
    kernel::Expr immediate;
    kernel::Buffer buffer, table;
    BlockElement element;
    kernel::Expr base;    // element offset of the task's block
    kernel::Buffer wide;  // what a task reads instead, where there is one: a constant's block
    bool finite = false;  // a constant without infinities and NaN
    std::optional<WindowBand> band;  // or a band
  };
  void AddConstant(Access& a, int t, const std::string& data);
  void AddBlocked(Access& a, int t, plan::StepInfo& info);
  std::string Name(int t) const { return "t" + std::to_string(t); }
  // Elements of one block, and of all.
  int64_t BlockElements(int t) const;
  int64_t AllElements(int t) const { return BlockElements(t) * static_cast<int64_t>(n_.blocks.size()); }

  Scheduler& s_;
  const graph::Node& node_;
  const ChannelwiseNode& n_;
  const kernel::Stage& stage_;
  std::vector<Access> access_;  // by tensor
  std::vector<kernel::Buffer> arguments_;
  std::vector<plan::Argument> bindings_;
  std::map<kernel::Scalar, kernel::Buffer> arenas_;  // the whole arena as elements of each type
};

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CHANNELWISE_OPERANDS_H_
