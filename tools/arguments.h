// Command lines of the tools: Abseil flags, with dashes for underscores, flags that may be repeated, and paths that are
// relative to the folder where the user typed `bazel run`.
#ifndef MGEC_TOOLS_ARGUMENTS_H_
#define MGEC_TOOLS_ARGUMENTS_H_

#include <map>
#include <string>
#include <vector>

namespace mgec {

struct Arguments {
  std::vector<std::string> positional;  // without the program's name
  // For each name given to ParseArguments(), the values in the order given.
  std::map<std::string, std::vector<std::string>> repeated;
};

// Parses flags by absl::ParseCommandLine(), which ends the process with a message on mistakes. Before that, `--a-b` becomes
// `--a_b`, and the flags in `repeatable` (names with underscores) are taken out with their values: `--name value` or
// `--name=value`, any number of times. Give each an ABSL_FLAG of the same name for --help. Flags in `values` may be given
// without a value, `--name` alone, and have that one then; others that they are to have need `--name=value`.
Arguments ParseArguments(int argc, char** argv, const std::vector<std::string>& repeatable = {},
                         const std::map<std::string, std::string>& values = {});

// `path` if it is absolute; else relative to the folder where `bazel run` was called, or to the current one.
std::string ResolvePath(const std::string& path);

}  // namespace mgec

#endif  // MGEC_TOOLS_ARGUMENTS_H_
