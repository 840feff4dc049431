// The operators that MegEngine can write, and how a file names them.
//
// An operator is named by a hash of its C++ class name, in one of two ways: of the full name and its terminating NUL
// ("ConvolutionV2\0"), or of the name without version suffix and NUL ("Convolution"). Which of them a file uses depends
// on the container and on the operator:
//
//   container v1, magic MGBC           full
//   container v1, magic MGBS           unversioned
//   container v2, operator version 1   unversioned
//   container v2, operator version 2   full
#ifndef MGEC_COMPILER_MGE_OPERATOR_TABLE_H_
#define MGEC_COMPILER_MGE_OPERATOR_TABLE_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "compiler/mge/schema/operator_param_generated.h"

namespace mgec::mge {

// How many outputs an operator has. Workspaces do not count: a file gives them no id.
enum class OutputRule : int8_t {
  kOne = 1,
  kTwo = 2,
  kThree = 3,
  kFour = 4,
  kTensor,         // one, and the operator holds exactly one tensor
  kTensors,        // one for each tensor that the operator holds
  kInputsMinus1,   // Split, CondExecMark
  kBatchNorm,      // depends on the mode and on the version that wrote the file; y is the last one
  kTopK,           // KTH_ONLY has no indices
  kSvd,            // the singular values alone, or with both matrices
  kCondExecPred,   // one for each branch
  kCondExecMerge,  // as the parameter says
  kCheckNonFinite, // one in container v1, one more than inputs in v2
  kUnknown,        // only the file can tell
};

// "Convolution" for "ConvolutionV2".
absl::string_view StripVersion(absl::string_view class_name);

struct OperatorInfo {
  absl::string_view class_name;  // "ConvolutionV2"
  fbs::OperatorParam param;      // NONE: no parameter
  int8_t min_inputs;
  int8_t max_inputs;  // kAnyInputs: no limit
  OutputRule outputs;

  absl::string_view type() const { return StripVersion(class_name); }
};

inline constexpr int8_t kAnyInputs = -1;

absl::Span<const OperatorInfo> AllOperators();

enum class IdKind { kFull, kUnversioned };

uint64_t OperatorId(const OperatorInfo& info, IdKind kind);

// Null if there is no such operator.
const OperatorInfo* FindOperator(uint64_t id, IdKind kind);

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_OPERATOR_TABLE_H_
