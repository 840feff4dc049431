// What the importer supports, for people and documents.
#ifndef MGEC_COMPILER_MGE_SUPPORT_H_
#define MGEC_COMPILER_MGE_SUPPORT_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "compiler/mge/model.h"

namespace mgec::mge {

struct OperatorFamily {
  std::string title;                   // "Pooling"
  std::vector<std::string> operators;  // MegEngine's names without version suffix, sorted
};

// The operators that can be imported, in the order of the documentation.
std::vector<OperatorFamily> SupportedOperators();

struct UnsupportedOperator {
  std::string name;
  std::string why;  // "is for training"
};

// The operators that MegEngine can write and that cannot be imported, sorted.
std::vector<UnsupportedOperator> UnsupportedOperators();

// Whether operators of this type (without version suffix) can be imported, with at least some of their parameters.
bool IsSupported(absl::string_view type);

// Why there is no importer for an operator, as a report says it: "operator, which is for training".
std::string WhyUnknown(const Operator& op);

// The operator's parameter as text, fields that are not the default: "pad_h: 1, pad_w: 1"; empty if there are none.
std::string ParameterText(const Operator& op);

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_SUPPORT_H_
