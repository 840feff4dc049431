// Runs a compiled model on files of plain bytes: what tests start under an emulator of another CPU.
//
//   run_files MODEL.mgec OUT_DIR [NAME=FILE]..
//
// Inputs without a file are zero. Writes output number i to OUT_DIR/i, and to OUT_DIR/shapes a line for each with its extents.
// The exit code is 0, or 1 after an error on standard error.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "runtime/artifact.h"
#include "runtime/network.h"

namespace mgec {
namespace {

Status Run(int argc, char** argv) {
  if (argc < 3) return Status(StatusCode::kInvalidArgument, "usage: run_files MODEL.mgec OUT_DIR [NAME=FILE]..");
  auto artifact = Artifact::Open(argv[1]);
  if (!artifact.ok()) return artifact.status();
  auto loaded = Network::Load(artifact.value(), {});
  if (!loaded.ok()) return loaded.status();
  Network& network = *loaded.value();
  for (int i = 3; i < argc; ++i) {
    const char* equals = std::strchr(argv[i], '=');
    const int input = equals == nullptr ? -1 : network.FindInput(std::string(argv[i], static_cast<size_t>(equals - argv[i])));
    if (input < 0) return Status(StatusCode::kInvalidArgument, Format("no input %s", argv[i]));
    std::ifstream file(equals + 1, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (bytes.size() != network.input(input).bytes) {
      return Status(StatusCode::kInvalidArgument, Format("%s has %zu bytes instead of %zu", equals + 1, bytes.size(),
                                                         static_cast<size_t>(network.input(input).bytes)));
    }
    std::memcpy(network.input_data(input), bytes.data(), bytes.size());
  }
  if (Status ran = network.Forward(); !ran.ok()) return ran;
  const std::string folder = argv[2];
  std::ofstream shapes(folder + "/shapes");
  for (size_t i = 0; i < network.output_count(); ++i) {
    std::ofstream file(folder + "/" + std::to_string(i), std::ios::binary);
    file.write(reinterpret_cast<const char*>(network.output_data(i)), static_cast<std::streamsize>(network.output(i).bytes));
    if (!file.flush()) return Status(StatusCode::kResourceExhausted, Format("cannot write output %zu to %s", i, folder.c_str()));
    for (int64_t extent : network.output(i).shape) shapes << extent << ' ';
    shapes << '\n';
  }
  return shapes.flush() ? Status() : Status(StatusCode::kResourceExhausted, Format("cannot write to %s", folder.c_str()));
}

}  // namespace
}  // namespace mgec

int main(int argc, char** argv) {
  const mgec::Status status = mgec::Run(argc, argv);
  if (status.ok()) return 0;
  std::fprintf(stderr, "run_files: %s\n", status.message().c_str());
  return 1;
}
