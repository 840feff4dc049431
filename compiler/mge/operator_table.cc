#include "compiler/mge/operator_table.h"

#include <string>

#include "absl/container/flat_hash_map.h"
#include "xxhash.h"

namespace mgec::mge {
namespace {

using P = fbs::OperatorParam;
using O = OutputRule;

// In the order of names. An operator that changed its hash, but not its meaning, has a row for each name. Most
// operators with Backward in their name are written by training only (ConvolutionBackwardData, which is deconvolution,
// is not): they are here so that a file that has them can be refused by name.
constexpr OperatorInfo kOperators[] = {
    // name, parameter, fewest and most inputs, outputs
    {"AdaptivePoolingBackwardV1", P::AdaptivePooling, 4, 4, O::kOne},
    {"AdaptivePoolingV1", P::AdaptivePooling, 2, 2, O::kOne},
    {"AddUpdate", P::MGBAddUpdate, 2, 2, O::kOne},
    {"AffineInt", P::Empty, 3, 3, O::kOne},
    {"Alloc", P::ParamDType, 1, 1, O::kOne},
    {"Argmax", P::Axis, 1, 1, O::kOne},
    {"Argmin", P::Axis, 1, 1, O::kOne},
    {"Argsort", P::Argsort, 1, 1, O::kTwo},
    {"ArgsortBackward", P::Empty, 3, 3, O::kOne},
    {"AssertEqual", P::AssertEqual, 2, 3, O::kOne},
    {"AtlasRuntimeOpr", P::NONE, 0, kAnyInputs, O::kUnknown},
    {"AxisAddRemove", P::AxisAddRemove, 1, 1, O::kOne},
    {"BatchConvBiasForward", P::BatchConvBias, 2, 4, O::kOne},
    {"BatchConvBiasForwardV1", P::BatchConvBias, 2, 4, O::kOne},
    {"BatchNormBackwardV1", P::BN, 6, 6, O::kOne},
    {"BatchNormV1", P::BN, 3, 5, O::kBatchNorm},
    {"BatchedIncrMeshIndexing", P::IndexDescMaskDump, 0, kAnyInputs, O::kOne},
    {"BatchedMatrixMulV2", P::MatrixMul, 2, 2, O::kOne},
    {"BatchedMeshIndexing", P::IndexDescMaskDump, 1, kAnyInputs, O::kOne},
    {"BatchedSetMeshIndexing", P::IndexDescMaskDump, 0, kAnyInputs, O::kOne},
    {"BetaRNG", P::BetaRNG, 2, 2, O::kOne},
    {"Broadcast", P::Empty, 2, 2, O::kOne},
    {"CheckNonFinite", P::CheckNonFinite, 1, kAnyInputs, O::kCheckNonFinite},
    {"Concat", P::Axis, 1, kAnyInputs, O::kOne},
    {"CondExecMark", P::CondExecMark, 2, kAnyInputs, O::kInputsMinus1},
    {"CondExecMarkIfNeed", P::CondExecMark, 0, kAnyInputs, O::kOne},
    {"CondExecMerge", P::CondExecMerge, 1, kAnyInputs, O::kCondExecMerge},
    {"CondExecPred", P::CondExecPred, 2, kAnyInputs, O::kCondExecPred},
    {"CondExecPredLogical", P::CondExecPredLogical, 1, kAnyInputs, O::kOne},
    {"CondTake", P::CondTake, 2, 2, O::kTwo},
    {"ConvBiasForward", P::ConvBias, 2, 4, O::kOne},
    {"ConvBiasForwardV4", P::ConvBias, 2, 4, O::kOne},
    {"Convolution", P::Convolution, 2, 2, O::kOne},
    {"Convolution3D", P::Convolution3D, 2, 2, O::kOne},
    {"Convolution3DBackwardData", P::Convolution3D, 2, 3, O::kOne},
    {"Convolution3DBackwardFilter", P::Convolution3D, 3, 3, O::kOne},
    {"ConvolutionBackwardData", P::Convolution, 2, 3, O::kOne},
    {"ConvolutionBackwardDataV2", P::Convolution, 2, 3, O::kOne},
    {"ConvolutionBackwardFilter", P::Convolution, 3, 3, O::kOne},
    {"ConvolutionBackwardFilterV2", P::Convolution, 3, 3, O::kOne},
    {"ConvolutionV2", P::Convolution, 2, 2, O::kOne},
    {"Copy", P::Empty, 1, 1, O::kOne},
    {"CorrelationBackwardData1", P::Correlation, 3, 3, O::kOne},
    {"CorrelationBackwardData2", P::Correlation, 3, 3, O::kOne},
    {"CorrelationForward", P::Correlation, 2, 2, O::kOne},
    {"Cross", P::Cross, 2, 2, O::kOne},
    {"CumsumV1", P::Cumsum, 1, 1, O::kOne},
    {"CustomOpNode", P::NONE, 0, kAnyInputs, O::kUnknown},
    {"CvtColor", P::CvtColor, 1, 1, O::kOne},
    {"DctChannelSelectV1", P::DctChannelSelect, 1, 3, O::kOne},
    {"DeformableConvBackwardData", P::Convolution, 0, kAnyInputs, O::kOne},
    {"DeformableConvBackwardDataV1", P::Convolution, 0, kAnyInputs, O::kOne},
    {"DeformableConvBackwardFilter", P::Convolution, 0, kAnyInputs, O::kOne},
    {"DeformableConvBackwardFilterV1", P::Convolution, 0, kAnyInputs, O::kOne},
    {"DeformableConvForward", P::Convolution, 4, 4, O::kOne},
    {"DeformableConvForwardV1", P::Convolution, 4, 4, O::kOne},
    {"DeformablePSROIPoolingBackward", P::DeformablePSROIPooling, 5, 5, O::kOne},
    {"DeformablePSROIPoolingForward", P::DeformablePSROIPooling, 3, 3, O::kTwo},
    {"Diag", P::Diag, 1, 1, O::kOne},
    {"DiagBackward", P::Diag, 2, 2, O::kOne},
    {"Dimshuffle", P::Dimshuffle, 1, 1, O::kOne},
    {"Dot", P::Empty, 2, 2, O::kOne},
    {"Dropout", P::Dropout, 1, 1, O::kTwo},
    {"DropoutBackward", P::Dropout, 2, 2, O::kOne},
    {"Elemwise", P::Elemwise, 1, 4, O::kOne},
    {"ElemwiseMultiType", P::ElemwiseMultiType, 1, 6, O::kOne},
    {"ExponentialRNG", P::ExponentialRNG, 1, 1, O::kOne},
    {"ExternCOprRunner", P::NONE, 1, kAnyInputs, O::kUnknown},
    {"Eye", P::Eye, 1, 1, O::kOne},
    {"FakeQuant", P::FakeQuant, 3, 3, O::kOne},
    {"FakeQuantBackward", P::FakeQuant, 4, 4, O::kOne},
    {"Flip", P::Flip, 1, 1, O::kOne},
    {"GammaRNG", P::GammaRNG, 2, 2, O::kOne},
    {"GaussianBlur", P::GaussianBlur, 1, 1, O::kOne},
    {"GaussianRNGV1", P::GaussianRNG, 1, 1, O::kOne},
    {"GeneralNorm", P::GeneralNorm, 1, 3, O::kThree},
    {"GeneralNormBackward", P::GeneralNorm, 0, kAnyInputs, O::kOne},
    {"GetVarShapeV1", P::OptionalAxisV1, 1, kAnyInputs, O::kOne},
    {"GroupLocalBackwardDataV2", P::Convolution, 3, 3, O::kOne},
    {"GroupLocalBackwardFilterV2", P::Convolution, 3, 3, O::kOne},
    {"GroupLocalV2", P::Convolution, 2, 2, O::kOne},
    {"GroupNorm", P::GroupNorm, 1, 3, O::kThree},
    {"GroupNormBackward", P::GroupNorm, 0, kAnyInputs, O::kOne},
    {"Host2DeviceCopy", P::Host2DeviceCopy, 0, 0, O::kTensor},
    {"Identity", P::Empty, 1, 1, O::kOne},
    {"Images2Neibs", P::Images2Neibs, 1, 1, O::kOne},
    {"Images2NeibsBackward", P::Images2Neibs, 2, 2, O::kOne},
    {"ImmutableTensor", P::NONE, 0, 0, O::kTensor},
    {"IncrMeshIndexing", P::IndexDescMaskDump, 0, kAnyInputs, O::kOne},
    {"IncrSubtensor", P::IndexDescMaskDump, 0, kAnyInputs, O::kOne},
    {"IndexingIncrMultiAxisVec", P::IndexDescMaskDump, 0, kAnyInputs, O::kOne},
    {"IndexingMultiAxisVec", P::IndexDescMaskDump, 1, kAnyInputs, O::kOne},
    {"IndexingOneHot", P::Axis, 2, 2, O::kOne},
    {"IndexingRemap", P::IndexingRemap, 2, 2, O::kOne},
    {"IndexingRemapBackward", P::IndexingRemap, 3, 3, O::kOne},
    {"IndexingSetMultiAxisVec", P::IndexDescMaskDump, 0, kAnyInputs, O::kOne},
    {"IndexingSetOneHot", P::Axis, 3, 3, O::kOne},
    {"InstanceNorm", P::GroupNorm, 1, 3, O::kThree},
    {"InstanceNormBackward", P::GroupNorm, 0, kAnyInputs, O::kOne},
    {"LRN", P::LRN, 1, 1, O::kOne},
    {"LRNBackward", P::LRN, 3, 3, O::kOne},
    {"LSQ", P::LSQ, 4, 4, O::kOne},
    {"LSQBackward", P::LSQ, 5, 5, O::kOne},
    {"LSTMBackward", P::LSTM, 9, 9, O::kOne},
    {"LSTMCellForward", P::Empty, 7, 7, O::kThree},
    {"LSTMForward", P::LSTM, 4, 4, O::kFour},
    {"LayerNorm", P::LayerNorm, 1, 3, O::kThree},
    {"LayerNormBackward", P::LayerNorm, 0, kAnyInputs, O::kOne},
    {"Linspace", P::Linspace, 3, 3, O::kOne},
    {"LocalBackwardDataV2", P::Convolution, 3, 3, O::kOne},
    {"LocalBackwardFilterV2", P::Convolution, 3, 3, O::kOne},
    {"LocalShareBackwardData", P::LocalShare, 0, kAnyInputs, O::kOne},
    {"LocalShareBackwardDataV1", P::LocalShare, 0, kAnyInputs, O::kOne},
    {"LocalShareBackwardFilter", P::LocalShare, 0, kAnyInputs, O::kOne},
    {"LocalShareBackwardFilterV1", P::LocalShare, 0, kAnyInputs, O::kOne},
    {"LocalShareForward", P::LocalShare, 2, 2, O::kOne},
    {"LocalShareForwardV1", P::LocalShare, 2, 2, O::kOne},
    {"LocalV2", P::Convolution, 2, 2, O::kOne},
    {"MarkDynamicVar", P::Empty, 1, 1, O::kOne},
    {"MarkNoBroadcastElemwise", P::Empty, 1, 1, O::kOne},
    {"MaskConvolutionV2", P::Convolution, 3, 3, O::kOne},
    {"MaskPropagate", P::MaskPropagate, 1, 1, O::kOne},
    {"MaskedFill", P::Fill, 2, 2, O::kOne},
    {"MatrixInverse", P::Empty, 1, 1, O::kOne},
    {"MatrixMulV2", P::MatrixMul, 2, 2, O::kOne},
    {"MeshIndexing", P::IndexDescMaskDump, 1, kAnyInputs, O::kOne},
    {"MultiHeadAttn", P::MultiHeadAttn, 4, 7, O::kFour},
    {"MultiHeadAttnBackward", P::MultiHeadAttn, 0, kAnyInputs, O::kOne},
    {"MultinomialRNG", P::MultinomialRNG, 1, 1, O::kOne},
    {"MultipleDeviceTensorHolder", P::NONE, 0, 0, O::kTensors},
    {"MultipleDeviceTensorWithFormatHolder", P::NONE, 0, 0, O::kTensors},
    {"NMSKeepMGB", P::NMSKeep, 1, 1, O::kTwo},
    {"NonZero", P::Empty, 1, 1, O::kOne},
    {"NvOf", P::NvOf, 1, 1, O::kOne},
    {"Padding", P::Padding, 1, 1, O::kOne},
    {"PaddingBackward", P::Padding, 2, 2, O::kOne},
    {"PermutationRNG", P::PermutationRNG, 1, 1, O::kOne},
    {"PersistentOutputStorage", P::PersistentOutputStorage, 1, 1, O::kOne},
    {"PoissonRNG", P::PoissonRNG, 1, 1, O::kOne},
    {"PoolingBackwardV1", P::Pooling, 0, kAnyInputs, O::kOne},
    {"PoolingV1", P::Pooling, 1, 1, O::kOne},
    {"PowC", P::PowC, 1, 1, O::kOne},
    {"RNNBackward", P::RNN, 7, 7, O::kOne},
    {"RNNCellForward", P::RNNCell, 6, 6, O::kOne},
    {"RNNForward", P::RNN, 3, 3, O::kThree},
    {"ROIAlignBackwardV1", P::ROIAlign, 4, 4, O::kOne},
    {"ROIAlignV1", P::ROIAlign, 2, 2, O::kTwo},
    {"ROIPooling", P::ROIPooling, 3, 3, O::kTwo},
    {"ROIPoolingBackward", P::ROIPooling, 4, 4, O::kOne},
    {"ReduceV2", P::Reduce, 1, 2, O::kOne},
    {"RegionRestrictedConvolution", P::Convolution, 4, 4, O::kOne},
    {"RegionRestrictedConvolutionBackwardData", P::Convolution, 4, 5, O::kOne},
    {"RegionRestrictedConvolutionBackwardFilter", P::Convolution, 5, 5, O::kOne},
    {"RelayoutFormatV1", P::RelayoutFormat, 1, 1, O::kOne},
    {"RemapBackwardDataV1", P::Remap, 3, 3, O::kOne},
    {"RemapBackwardMatV1", P::Remap, 3, 3, O::kOne},
    {"RemapV1", P::Remap, 2, 2, O::kOne},
    {"ReshapeV1", P::OptionalAxisV1, 2, 2, O::kOne},
    {"Resize3D", P::Resize3D, 2, 2, O::kOne},
    {"ResizeBackward", P::Resize, 2, 2, O::kOne},
    {"ResizeV2", P::Resize, 2, 2, O::kOne},
    {"Rotate", P::Rotate, 1, 1, O::kOne},
    {"SVD", P::SVD, 1, 1, O::kSvd},
    {"SetMeshIndexing", P::IndexDescMaskDump, 0, kAnyInputs, O::kOne},
    {"SetSubtensor", P::IndexDescMaskDump, 0, kAnyInputs, O::kOne},
    {"SharedDeviceTensor", P::NONE, 0, 0, O::kTensor},
    {"SharedDeviceTensorWithFormat", P::NONE, 0, 0, O::kTensor},
    {"ShuffleRNG", P::ShuffleRNG, 1, 1, O::kTwo},
    {"ShuffleRNGBackward", P::ShuffleRNG, 3, 3, O::kOne},
    {"Sleep", P::MGBSleep, 1, 1, O::kOne},
    {"SlidingWindowTranspose", P::SlidingWindowTranspose, 1, 1, O::kOne},
    {"SlidingWindowTransposeBackward", P::SlidingWindowTranspose, 2, 2, O::kOne},
    {"Softmax", P::Softmax, 1, 1, O::kOne},
    {"SoftmaxBackward", P::Softmax, 2, 2, O::kOne},
    {"Split", P::Axis, 2, kAnyInputs, O::kInputsMinus1},
    {"Subtensor", P::IndexDescMaskDump, 1, kAnyInputs, O::kOne},
    {"TQT", P::TQT, 2, 2, O::kOne},
    {"TQTBackward", P::TQT, 3, 3, O::kOne},
    {"TensorRTRuntimeOpr", P::NONE, 0, kAnyInputs, O::kUnknown},
    {"TopK", P::TopK, 2, 2, O::kTopK},
    {"TypeCvtV2", P::DType, 1, 1, O::kOne},
    {"UniformRNGV1", P::UniformRNG, 1, 1, O::kOne},
    {"VirtualDep", P::NONE, 1, kAnyInputs, O::kOne},
    {"VirtualGrad", P::Empty, 2, 2, O::kOne},
    {"VolatileSharedDeviceTensor", P::NONE, 0, 0, O::kTensor},
    {"WarpAffineV2", P::WarpAffine, 3, 3, O::kOne},
    {"WarpPerspectiveBackwardDataV2", P::WarpPerspective, 0, kAnyInputs, O::kOne},
    {"WarpPerspectiveBackwardMatV2", P::WarpPerspective, 0, kAnyInputs, O::kOne},
    {"WarpPerspectiveV2", P::WarpPerspective, 3, kAnyInputs, O::kOne},
    {"Where", P::Empty, 3, 3, O::kOne},
    {"WhereBackward", P::Empty, 4, 4, O::kTwo},
};

// Seed of the hash that MegEngine uses for names.
constexpr uint64_t kSeed = 20160701;

using IdMap = absl::flat_hash_map<uint64_t, const OperatorInfo*>;

IdMap MakeIdMap(IdKind kind) {
  IdMap map;
  for (const OperatorInfo& info : kOperators) map.emplace(OperatorId(info, kind), &info);
  return map;
}

}  // namespace

absl::string_view StripVersion(absl::string_view class_name) {
  const size_t n = class_name.size();
  const bool versioned = n > 2 && class_name[n - 2] == 'V' && class_name[n - 1] >= '0' && class_name[n - 1] <= '9';
  return versioned ? class_name.substr(0, n - 2) : class_name;
}

absl::Span<const OperatorInfo> AllOperators() { return kOperators; }

uint64_t OperatorId(const OperatorInfo& info, IdKind kind) {
  std::string text(kind == IdKind::kFull ? info.class_name : info.type());
  if (kind == IdKind::kFull) text.push_back('\0');
  const uint64_t hash = XXH64(text.data(), text.size(), kSeed);
  return hash == 0 ? 1 : hash;
}

const OperatorInfo* FindOperator(uint64_t id, IdKind kind) {
  static const IdMap* const full = new IdMap(MakeIdMap(IdKind::kFull));
  static const IdMap* const unversioned = new IdMap(MakeIdMap(IdKind::kUnversioned));
  const IdMap& map = kind == IdKind::kFull ? *full : *unversioned;
  const auto it = map.find(id);
  return it == map.end() ? nullptr : it->second;
}

}  // namespace mgec::mge
