// Whole files: read, and written so that nobody ever sees half of one.
#ifndef MGEC_TOOLS_FILES_H_
#define MGEC_TOOLS_FILES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mgec {

// The bytes of a regular file of at most 64 GiB. Errors name the file and the system's reason.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// Writes beside `path`, or beside the file that it links to, and renames: on any error, and if the process dies, the old file (or
// none) is there. What is no file, as /dev/null, is written to.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view bytes);

}  // namespace mgec

#endif  // MGEC_TOOLS_FILES_H_
