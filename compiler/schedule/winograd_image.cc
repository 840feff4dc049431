// Schedules convolutions of planar images by Winograd's algorithm as one kernel (winograd_image_kernel.h).
#include <algorithm>
#include <utility>

#include "compiler/base/status_macros.h"
#include "compiler/schedule/epilogue.h"
#include "compiler/schedule/scheduler.h"
#include "compiler/schedule/winograd.h"
#include "compiler/schedule/winograd_image_kernel.h"

namespace mgec::schedule {
namespace {

constexpr int kMostInputs = 6;     // of a tile, along an axis
constexpr int kMostChannels = 15;  // with more, blocks of channels are worth a copy
constexpr int kStripTiles = 16;    // enough to read the weights of a strip seldom, few enough for the cache

// Outputs per tile and axis, 0 for the direct way; offers what else there is.
int TileChoice(Scheduler& s, const WinogradImage& w) {
  const ops::ConvParams& p = w.conv;
  const int64_t window = p.kernel[0] * p.kernel[1] * p.in_channels;
  const int best = kMostInputs + 1 - w.r;
  if (kMostInputs * kMostInputs * w.channels() >= best * best * window) return 0;  // as many multiplications as directly
  const int by_rule = WinogradImagePays(best, window, w.channels(), p.out_channels, p.out_h, p.out_w) ? best : 0;
  std::vector<int> possible = {0, best};
  if (w.r == 3) possible.push_back(2);
  std::vector<Choice> others;
  for (int m : possible) {
    if (m != by_rule) others.push_back(Decided(&Choice::winograd, m));
  }
  if (by_rule != 0) {
    for (int tiles : {kStripTiles / 2, kStripTiles * 2}) others.push_back(Decided(&Choice::group_tiles, tiles));
  }
  s.Offer(others);
  const int wish = s.choice().winograd;
  return std::count(possible.begin(), possible.end(), wish) > 0 ? wish : by_rule;
}

// The extent of the largest window over one of the phases, or 3.
int PhaseWindow(const ops::ConvParams& p) {
  int64_t r = 3;
  for (int axis = 0; axis < 2; ++axis) r = std::max(r, (p.kernel[axis] + p.stride[axis] - 1) / p.stride[axis]);
  return static_cast<int>(r);
}

}  // namespace

absl::StatusOr<bool> ScheduleWinogradImage(Scheduler& s, const graph::Node& node) {
  const graph::Node* anchor = Anchor(node);
  if (anchor == nullptr || anchor->op != "conv2d" || anchor->inputs.size() != 2 || !s.options().winograd) return false;
  const graph::Value* x = Outer(node, anchor->inputs[0]);
  const graph::Value* filter = Outer(node, anchor->inputs[1]);
  const std::string* weights = Scheduler::ConstantData(filter);
  WinogradImage w;
  ASSIGN_OR_RETURN(w.conv, ops::ConvParamsOf(ops::ContextOf(*anchor)));
  const ops::ConvParams& p = w.conv;
  if (weights == nullptr || p.group != 1 || filter->type.shape.size() != 4 || p.in_channels > kMostChannels ||
      p.activation != "identity" || s.placement(x).blocked || node.outputs.size() != 1 ||
      node.output()->type.shape != anchor->output()->type.shape || !CanBeBlocked(node.output()) ||
      graph::NumElements(node.output()->type.shape) == 0 ||
      // Float32 is multiplied, whatever memory holds.
      anchor->inputs[0]->type.dtype != graph::DTypeKind::kFloat32 || filter->type.dtype != graph::DTypeKind::kFloat32) {
    return false;
  }
  w.images = x->type.shape[0];
  w.height = x->type.shape[2];
  w.width = x->type.shape[3];
  w.in = ops::StorageOf(x->type.dtype);
  const int wanted = s.choice().group_tiles > 0 ? s.choice().group_tiles : kStripTiles;
  w.r = PhaseWindow(p);
  if (w.r > 4) return false;
  w.m = kMostInputs + 1 - w.r;
  if (!DivideIntoStrips(w, wanted, s.target())) return false;
  w.m = TileChoice(s, w);
  if (w.m == 0 || !DivideIntoStrips(w, wanted, s.target())) return false;
  ASSIGN_OR_RETURN(kernel::Definition d, DefinitionFor(node));
  ContractionSpec epilogue;
  epilogue.first_extra = kWinogradImageExtra;
  epilogue.channels = p.out_channels;
  epilogue.out = s.Element(node.output());
  std::vector<plan::Argument> extra;
  if (!BuildEpilogue(s, node, d, /*blocked=*/true, PixelsByRows(w.images, p.out_h, p.out_w), epilogue, extra)) return false;

  const Placement image = s.Plain(x);
  const float* values = reinterpret_cast<const float*>(weights->data());
  const plan::StorageId packed = s.program().AddConstant(PackWinogradImage(w, [&](int64_t i) { return values[i]; }));
  const int64_t out_blocks = (p.out_channels + kBlock - 1) / kBlock;
  const plan::StorageId out = s.NewBlocks(node.output()->type.shape, out_blocks, epilogue.out);
  std::vector<plan::Argument> arguments = {{image.storage, image.offset, graph::ByteSize(x->type)}, {packed}, {out}};
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  s.program().AddStep(WinogradImageKernel(w, epilogue, s.target()), std::move(arguments), s.Info(node, OpName(node)));
  s.Place(node.output(), NaturalPlacement(out, p.out_channels));
  return true;
}

}  // namespace mgec::schedule
