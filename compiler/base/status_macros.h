// RETURN_IF_ERROR and ASSIGN_OR_RETURN for absl::Status, as used everywhere in the compiler.
#ifndef MGEC_COMPILER_BASE_STATUS_MACROS_H_
#define MGEC_COMPILER_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define RETURN_IF_ERROR(expr)                                   \
  do {                                                          \
    if (absl::Status mgec_status = (expr); !mgec_status.ok()) { \
      return mgec_status;                                       \
    }                                                           \
  } while (false)

#define MGEC_CONCAT_INNER(a, b) a##b
#define MGEC_CONCAT(a, b) MGEC_CONCAT_INNER(a, b)
#define ASSIGN_OR_RETURN(lhs, expr) MGEC_ASSIGN_OR_RETURN(MGEC_CONCAT(mgec_statusor_, __LINE__), lhs, expr)
#define MGEC_ASSIGN_OR_RETURN(tmp, lhs, expr) \
  auto tmp = (expr);                          \
  if (!tmp.ok()) return tmp.status();         \
  lhs = std::move(tmp).value()

#endif  // MGEC_COMPILER_BASE_STATUS_MACROS_H_
