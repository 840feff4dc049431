// The command line of //tools:compile and of `python -m megenginelite compile`, apart from its parsing.
#ifndef MGEC_TOOLS_COMPILE_COMMAND_H_
#define MGEC_TOOLS_COMPILE_COMMAND_H_

#include <string>
#include <vector>

namespace mgec {

// The flags, as the help texts in compile.cc explain them.
struct CompileCommand {
  std::string model, output;  // paths; an empty output: beside the model
  std::string target, emit, tuning_db;
  std::vector<std::string> input_shapes;
  bool winograd = true, cuda_tf32 = false, json = false, time = false;
  int threads = 0, tune_threads = 1;
  double tune = 0;
};

struct CommandResult {
  int status = 0;        // of the process
  std::string out, err;  // what is to be printed
};

// Compiles, and writes the artifact if everything succeeded. Shows progress on stderr meanwhile if that is a terminal.
CommandResult RunCompileCommand(const CompileCommand& command);

}  // namespace mgec

#endif  // MGEC_TOOLS_COMPILE_COMMAND_H_
