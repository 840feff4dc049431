// Prints which of MegEngine's operators the compiler takes, as a table for the README.
//   bazel run //tools:operators                        # prints it
//   bazel run //tools:operators -- --update README.md  # writes it between the file's marks
//   bazel run //tools:operators -- --check README.md   # fails if it is out of date
#include <cstdio>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "compiler/mge/support.h"
#include "nlohmann/json.hpp"
#include "tools/arguments.h"
#include "tools/files.h"

ABSL_FLAG(std::string, update, "", "Write the table into this file.");
ABSL_FLAG(std::string, check, "", "Compare with the table in this file.");
ABSL_FLAG(bool, json, false, "Print JSON.");

namespace mgec {
namespace {

constexpr char kBegin[] = "<!-- operators: written by `bazel run //tools:operators -- --update README.md` -->\n";
constexpr char kEnd[] = "<!-- end of operators -->\n";

std::string Table() {
  std::string text = "| family | operators |\n| --- | --- |\n";
  for (const mge::OperatorFamily& family : mge::SupportedOperators()) {
    absl::StrAppend(&text, "| ", family.title, " | ", absl::StrJoin(family.operators, ", "), " |\n");
  }
  std::string training, others;
  for (const mge::UnsupportedOperator& op : mge::UnsupportedOperators()) {
    if (op.why == "is for training") {
      absl::StrAppend(&training, training.empty() ? "" : ", ", op.name);
    } else {
      absl::StrAppend(&others, others.empty() ? "" : "; ", op.name, op.why.empty() ? "" : absl::StrCat(" (", op.why, ")"));
    }
  }
  absl::StrAppend(&text, "\nNot supported: ", others, ".\nFor training only, and not supported: ", training, ".\n");
  return text;
}

std::string Json() {
  nlohmann::ordered_json j;
  for (const mge::OperatorFamily& family : mge::SupportedOperators()) {
    j["supported"].push_back({{"family", family.title}, {"operators", family.operators}});
  }
  for (const mge::UnsupportedOperator& op : mge::UnsupportedOperators()) {
    j["unsupported"].push_back({{"operator", op.name}, {"why", op.why}});
  }
  return j.dump(1) + "\n";
}

// Where the table stands in a file: between the marks.
absl::Status Find(const std::string& path, const std::string& content, size_t* begin, size_t* end) {
  *begin = content.find(kBegin);
  *end = content.find(kEnd);
  if (*begin == std::string::npos || *end == std::string::npos || *end < *begin) {
    return absl::InvalidArgumentError(absl::StrCat(path, " has no lines\n", kBegin, kEnd));
  }
  *begin += sizeof(kBegin) - 1;
  return absl::OkStatus();
}

absl::Status Main(const Arguments& arguments) {
  if (!arguments.positional.empty()) return absl::InvalidArgumentError("takes flags only; see --help");
  const std::string update = absl::GetFlag(FLAGS_update), check = absl::GetFlag(FLAGS_check);
  if (update.empty() && check.empty()) {
    std::fputs(absl::GetFlag(FLAGS_json) ? Json().c_str() : Table().c_str(), stdout);
    return absl::OkStatus();
  }
  const std::string path = ResolvePath(update.empty() ? check : update);
  absl::StatusOr<std::string> content = ReadFile(path);
  if (!content.ok()) return content.status();
  size_t begin = 0, end = 0;
  if (const absl::Status found = Find(path, *content, &begin, &end); !found.ok()) return found;
  if (!update.empty()) return WriteFileAtomically(path, content->replace(begin, end - begin, Table()));
  if (content->substr(begin, end - begin) == Table()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the table of operators in ", check, " is out of date: bazel run //tools:operators -- --update ", check));
}

}  // namespace
}  // namespace mgec

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Prints which of MegEngine's operators the compiler takes.\n"
                               "operators [--json] [--update FILE] [--check FILE]");
  const absl::Status status = mgec::Main(mgec::ParseArguments(argc, argv));
  if (!status.ok()) {
    std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
