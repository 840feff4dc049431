// Parameters that MegEngine keeps in one flat vector: recurrent networks, attention.
#ifndef MGEC_COMPILER_MGE_FLAT_PARAMETERS_H_
#define MGEC_COMPILER_MGE_FLAT_PARAMETERS_H_

#include <cstdint>

#include "compiler/mge/importer.h"

namespace mgec::mge {

// Cuts matrices off a vector, one after the other.
class FlatParameters {
 public:
  // `flat` may have any shape.
  FlatParameters(ImportContext& c, Value* flat) : c_(c), flat_(flat) {}

  // The next rows * cols elements as [rows, cols]. InvalidArgument where there are not so many.
  absl::StatusOr<Value*> Take(int64_t rows, int64_t cols) {
    const int64_t total = graph::NumElements(flat_->type.shape);
    if (rows <= 0 || cols <= 0 || rows > total / cols || at_ > total - rows * cols) {
      return absl::InvalidArgumentError(absl::StrCat("the weights have only ", total, " elements"));
    }
    ASSIGN_OR_RETURN(Value * flat, c_.Reshape(flat_, {total}));
    const int64_t end = at_ + rows * cols;
    ASSIGN_OR_RETURN(Value * part, c_.Add("slice", {flat}, {{"begin", Shape{at_}}, {"end", Shape{end}}, {"step", Shape{1}}}));
    at_ = end;
    return c_.Reshape(part, {rows, cols});
  }

  // InvalidArgument unless everything was taken.
  absl::Status Finish() const {
    if (at_ == graph::NumElements(flat_->type.shape)) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("the weights have ", graph::NumElements(flat_->type.shape),
                                                   " elements, the layers take ", at_));
  }

 private:
  ImportContext& c_;
  Value* flat_;
  int64_t at_ = 0;
};

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_FLAT_PARAMETERS_H_
