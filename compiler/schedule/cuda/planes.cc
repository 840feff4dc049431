#include "compiler/schedule/cuda/planes.h"

#include <algorithm>
#include <utility>

#include "compiler/kernel/lower.h"
#include "compiler/kernel/work.h"

namespace mgec::schedule {
namespace {

using graph::Shape;
using graph::Value;
using kernel::Expr;
using kernel::Int;

// Smaller planes are better copied than looked up.
constexpr int64_t kLeastPixels = 16;
// Of a table with an entry for each channel of each image.
constexpr int64_t kMostEntries = 1 << 16;

bool HasPlanes(const Scheduler& s, const Value* v) {
  const Shape& shape = v->type.shape;
  return s.target().cuda && shape.size() >= 3 && graph::NumElements(shape) > 0 && PixelsOf(shape) >= kLeastPixels;
}

// The planes of a value; empty where it lies otherwise, or outside of the arena.
std::vector<PlaneRef> PlanesOf(Scheduler& s, const Value* v) {
  const Placement& p = s.placement(v);
  if (p.blocked || p.channels_last || !HasPlanes(s, v)) return {};
  if (!p.planes.empty()) return p.planes;
  const int64_t bytes = graph::ByteSize(v->type.dtype), pixels = PixelsOf(v->type.shape), channels = v->type.shape[1];
  if (s.program().storage(p.storage).space != plan::Space::kArena || p.offset % bytes != 0) return {};
  std::vector<PlaneRef> planes;
  for (int64_t c = 0; c < channels; ++c) planes.push_back({p.storage, p.offset / bytes + c * pixels, channels * pixels});
  return planes;
}

// Images lie as far apart in all channels, so that one entry serves them all.
bool HaveOneDistance(const std::vector<PlaneRef>& planes) {
  return std::all_of(planes.begin(), planes.end(), [&](const PlaneRef& p) { return p.image == planes[0].image; });
}

void Place(Scheduler& s, const Value* v, std::vector<PlaneRef> planes) {
  Placement p;
  p.planes = std::move(planes);
  s.Place(v, std::move(p));
}

// The largest power of two, of at most `most`, that divides all places.
int64_t UnitOf(const std::vector<PlaneRef>& planes, int64_t most) {
  int64_t unit = most;
  for (const PlaneRef& p : planes) {
    while (p.offset % unit != 0 || p.image % unit != 0) unit /= 2;
  }
  return unit;
}

}  // namespace

int64_t PixelsOf(const Shape& shape) {
  int64_t pixels = 1;
  for (size_t i = 2; i < shape.size(); ++i) pixels *= shape[i];
  return pixels;
}

bool MayBePlanes(const Scheduler& s, const Value* v) { return HasPlanes(s, v) && !s.IsOutput(v) && !s.WantsChannelsLast(v); }

bool MovesPlanes(const Scheduler& s, const graph::Node& node) {
  if (node.op != "concat" && node.op != "gather" && node.op != "slice") return false;
  if (!MayBePlanes(s, node.output())) return false;
  if (node.op == "concat") return node.attributes.Int("axis") == 1;
  if (node.op == "gather") return node.attributes.Int("axis") == 1 && Scheduler::ConstantData(node.inputs[1]) != nullptr;
  const Shape &in = node.inputs[0]->type.shape, &out = node.output()->type.shape;
  const std::vector<int64_t> step = node.attributes.Ints("step");
  for (size_t i = 0; i < in.size(); ++i) {
    if (i != 1 && (out[i] != in[i] || step[i] != 1)) return false;
  }
  return true;
}

bool ConcatPlanes(Scheduler& s, const graph::Node& node) {
  if (node.attributes.Int("axis") != 1 || !MayBePlanes(s, node.output())) return false;
  std::vector<PlaneRef> planes;
  for (const Value* v : node.inputs) {
    if (v->type.shape[1] == 0) continue;
    const std::vector<PlaneRef> part = PlanesOf(s, v);
    if (part.empty()) return false;
    planes.insert(planes.end(), part.begin(), part.end());
  }
  const Shape& shape = node.output()->type.shape;
  if (!HaveOneDistance(planes) && shape[0] > 1 && shape[0] * shape[1] > kMostEntries) return false;
  Place(s, node.output(), std::move(planes));
  return true;
}

bool SelectPlanes(Scheduler& s, const graph::Node& node, const std::vector<int64_t>& channels) {
  const std::vector<PlaneRef> all = PlanesOf(s, node.inputs[0]);
  if (all.empty()) return false;
  std::vector<PlaneRef> planes;
  for (int64_t c : channels) planes.push_back(all[c]);
  Place(s, node.output(), std::move(planes));
  return true;
}

PlaneReader::PlaneReader(Scheduler& s, const std::string& name, kernel::Scalar scalar, const std::vector<int64_t>& shape,
                         const std::vector<PlaneRef>& planes, const AddArgument& add)
    : shape_(shape) {
  const PlaneRef& first = planes.front();
  const int64_t step = planes.size() > 1 ? planes[1].offset - first.offset : 0, bytes = SizeOf(scalar);
  const bool same_image = shape[0] == 1 || HaveOneDistance(planes);
  bool regular = true;
  for (size_t c = 0; c < planes.size(); ++c) {
    regular = regular && planes[c].storage == first.storage && planes[c].offset == first.offset + static_cast<int64_t>(c) * step;
  }
  if (same_image && shape[0] > 1) image_ = first.image;
  if (regular && same_image) {
    first_ = first.offset;
    channel_ = step;
    memory_ = add(name, scalar, s.program().storage(first.storage).bytes / bytes, {first.storage});
    return;
  }
  images_ = !same_image;
  unit_ = UnitOf(planes, std::max<int64_t>(1, kernel::kGpuAccessBytes / bytes));
  std::vector<std::pair<plan::StorageId, int64_t>> entries;
  for (int64_t n = 0; n < (images_ ? shape[0] : 1); ++n) {
    for (const PlaneRef& p : planes) entries.emplace_back(p.storage, (p.offset + n * p.image) / unit_);
  }
  for (const PlaneRef& p : planes) {
    if (std::find(touches_.begin(), touches_.end(), p.storage) == touches_.end()) touches_.push_back(p.storage);
  }
  const int64_t count = static_cast<int64_t>(entries.size());
  memory_ = add(name, scalar, kMaxArenaElements, {plan::kWholeArena});
  table_ = add(name + "_table", kernel::Scalar::kInt32, count, {s.OffsetTable(std::move(entries), static_cast<int>(unit_ * bytes))});
}

Expr PlaneReader::Element(const std::vector<Expr>& index) const {
  const Expr pixel = kernel::FlatIndex({index.begin() + 2, index.end()}, {shape_.begin() + 2, shape_.end()});
  if (table_ == nullptr) return Load(memory_, index[0] * image_ + index[1] * channel_ + pixel + first_);
  const Expr entry = images_ ? index[0] * shape_[1] + index[1] : index[1];
  const Expr plane = Cast(kernel::kIndexType, Load(table_, entry)) * unit_;
  return Load(memory_, plane + index[0] * image_ + pixel);
}

}  // namespace mgec::schedule
