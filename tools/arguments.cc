#include "tools/arguments.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "absl/flags/parse.h"

namespace mgec {
namespace {

// "--a-b=c-d" -> "--a_b=c-d"; anything but a long flag stays as it is.
std::string WithUnderscores(std::string argument) {
  if (argument.size() < 3 || argument.compare(0, 2, "--") != 0) return argument;
  const size_t end = std::min(argument.find('='), argument.size());
  std::replace(argument.begin() + 2, argument.begin() + end, '-', '_');
  return argument;
}

}  // namespace

Arguments ParseArguments(int argc, char** argv, const std::vector<std::string>& repeatable,
                         const std::map<std::string, std::string>& values) {
  Arguments arguments;
  for (const std::string& name : repeatable) arguments.repeated[name];
  std::vector<std::string> rest = {argv[0]};
  bool flags_ended = false;
  for (int i = 1; i < argc; ++i) {
    std::string argument = flags_ended ? argv[i] : WithUnderscores(argv[i]);
    for (const auto& [name, value] : values) {
      if (!flags_ended && argument == "--" + name) argument += "=" + value;
    }
    flags_ended = flags_ended || argument == "--";
    bool taken = false;
    for (const std::string& name : repeatable) {
      if (flags_ended || taken) break;
      if (argument == "--" + name) {
        if (i + 1 == argc) {
          std::fprintf(stderr, "error: --%s needs a value\n", name.c_str());
          std::exit(1);
        }
        arguments.repeated[name].push_back(argv[++i]);
        taken = true;
      } else if (argument.compare(0, name.size() + 3, "--" + name + "=") == 0) {
        arguments.repeated[name].push_back(argument.substr(name.size() + 3));
        taken = true;
      }
    }
    if (!taken) rest.push_back(argument);
  }
  std::vector<char*> pointers;
  for (std::string& argument : rest) pointers.push_back(argument.data());
  const std::vector<char*> positional = absl::ParseCommandLine(static_cast<int>(pointers.size()), pointers.data());
  arguments.positional.assign(positional.begin() + 1, positional.end());
  return arguments;
}

std::string ResolvePath(const std::string& path) {
  const char* folder = std::getenv("MGEC_WORKING_DIRECTORY");  // set by bazelw where it had to change the folder
  if (folder == nullptr) folder = std::getenv("BUILD_WORKING_DIRECTORY");
  if (path.empty() || path[0] == '/' || folder == nullptr) return path;
  return std::string(folder) + "/" + path;
}

}  // namespace mgec
