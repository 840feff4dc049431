// Regions of interest: ROIPooling, ROIAlign, DeformablePSROIPooling, NMSKeep.
#include "compiler/mge/importer.h"

namespace mgec::mge {
namespace {

template <typename Mode>
absl::Status CheckMode(Mode mode) {
  if (static_cast<uint32_t>(mode) <= 1) return absl::OkStatus();
  return Unsupported(absl::StrCat("mode=", static_cast<uint32_t>(mode)), "MAX, AVERAGE");
}

absl::Status CheckRoiPooling(const Operator& op) { return CheckMode(op.Param<param::ROIPooling>()->mode()); }

absl::Status CheckRoiAlign(const Operator& op) {
  const auto& p = *op.Param<param::ROIAlign>();
  if (p.format() != param::ConvolutionFormat::NCHW) return Unsupported("a format other than NCHW", "NCHW");
  return CheckMode(p.mode());
}

// Outputs: the result, and where each maximum was. MegEngine leaves the latter undefined where means are formed.
absl::StatusOr<Values> ImportRoiPooling(ImportContext& c) {
  const auto& p = c.Param<param::ROIPooling>();
  ASSIGN_OR_RETURN(const Shape size, c.Ints(2));
  const bool is_max = p.mode() == param::ROIPoolingMode::MAX_;
  const graph::Attributes attributes = {{"mode", std::string(is_max ? "max" : "average")},
                                        {"scale", static_cast<double>(p.scale())},
                                        {"size", size}};
  ASSIGN_OR_RETURN(Value * y, c.Add("roi_pooling", {c.input(0), c.input(1)}, attributes));
  if (!is_max) return Values{y, nullptr};
  ASSIGN_OR_RETURN(Value * index, c.Add("roi_pooling_index", {c.input(0), c.input(1), y}, attributes));
  return Values{y, index};
}

absl::StatusOr<Values> ImportRoiAlign(ImportContext& c) {
  const auto& p = c.Param<param::ROIAlign>();
  const bool is_max = p.mode() == param::ROIAlignMode::MAX_;
  const graph::Attributes attributes = {{"mode", std::string(is_max ? "max" : "average")},
                                        {"scale", static_cast<double>(p.spatial_scale())},
                                        {"offset", static_cast<double>(p.offset())},
                                        {"size", Shape{p.pooled_height(), p.pooled_width()}},
                                        {"samples", Shape{p.sample_height(), p.sample_width()}}};
  ASSIGN_OR_RETURN(Value * y, c.Add("roi_align", {c.input(0), c.input(1)}, attributes));
  if (!is_max) return Values{y, nullptr};
  ASSIGN_OR_RETURN(Value * index, c.Add("roi_align_index", {c.input(0), c.input(1)}, attributes));
  return Values{y, index};
}

absl::StatusOr<Values> ImportDeformableRoi(ImportContext& c) {
  const auto& p = c.Param<param::DeformablePSROIPooling>();
  Values inputs = {c.input(0), c.input(1)};
  if (!p.no_trans()) inputs.push_back(c.input(2));
  ASSIGN_OR_RETURN(const graph::Node* node,
                   c.graph().AddNode("deformable_roi_pooling", inputs,
                                     {{"scale", static_cast<double>(p.spatial_scale())},
                                      {"trans_std", static_cast<double>(p.trans_std())},
                                      {"size", Shape{p.pooled_h(), p.pooled_w()}},
                                      {"part", int64_t{p.part_size()}},
                                      {"samples", int64_t{p.sample_per_part()}}},
                                     c.name()));
  return Values{node->output(0), node->output(1)};
}

absl::StatusOr<Values> ImportNms(ImportContext& c) {
  const auto& p = c.Param<param::NMSKeep>();
  ASSIGN_OR_RETURN(const graph::Node* node,
                   c.graph().AddNode("nms_keep", {c.input(0)},
                                     {{"iou_threshold", static_cast<double>(p.iou_thresh())},
                                      {"max_output", int64_t{p.max_output()}}},
                                     c.name()));
  return Values{node->output(0), node->output(1)};
}

}  // namespace

void RegisterRoi(Registry& r) {
  r.AddMany("DeformablePSROIPoolingForward", ImportDeformableRoi);
  r.AddMany("NMSKeepMGB", ImportNms);
  r.AddMany("ROIAlign", ImportRoiAlign, CheckRoiAlign);
  r.AddMany("ROIPooling", ImportRoiPooling, CheckRoiPooling);
}

}  // namespace mgec::mge
