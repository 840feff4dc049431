// --tune and --tuning-db of //tools:compile: measures, keeps the results in a file, and makes compilations use them.
#ifndef MGEC_TOOLS_TUNING_SESSION_H_
#define MGEC_TOOLS_TUNING_SESSION_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "compiler/compile.h"
#include "tools/tuning/tuner.h"

namespace mgec::tuning {

struct Request {
  double seconds = 0;    // to measure for; 0: only use what the database has
  int threads = 1;       // that networks will run on
  std::string database;  // path; empty: measurements are for this compilation only
  bool terminal = false;  // shows progress on stderr
};

// Measures as asked and sets options->schedule.choose. While it measures, the first interrupt (Ctrl-C) ends the measurements and
// keeps what they have found; a second one ends the process, as always, and leaves the database whole. Errors: those of
// Database and Compile().
absl::Status Apply(absl::string_view mge, const Request& request, CompileOptions* options, Report* report);

// A line for each target, ended by newlines.
std::string ToText(const Report& report);

}  // namespace mgec::tuning

#endif  // MGEC_TOOLS_TUNING_SESSION_H_
