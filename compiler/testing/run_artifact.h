// Compiled models in tests: loaded and run as users do.
#ifndef MGEC_COMPILER_TESTING_RUN_ARTIFACT_H_
#define MGEC_COMPILER_TESTING_RUN_ARTIFACT_H_

#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "compiler/kernel/target.h"
#include "runtime/artifact.h"
#include "runtime/cpu.h"
#include "runtime/network.h"

namespace mgec {

// The bytes of a file; "" if there is none.
inline std::string FileBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

// Targets whose code this CPU runs, the most demanding first.
inline std::vector<kernel::Target> RunnableTargets() {
  std::vector<kernel::Target> targets;
  for (kernel::Target& t : kernel::AllTargets()) {
    if (CpuSupports(t.name)) targets.push_back(std::move(t));
  }
  return targets;
}

// Loads an artifact, fills the inputs (by name; others keep their zeros), runs it, and returns the outputs' bytes, and
// their shapes in `shapes` if that is not null.
inline absl::StatusOr<std::vector<std::string>> RunArtifact(const std::string& artifact,
                                                            const std::map<std::string, std::string>& inputs,
                                                            int threads = 1,
                                                            std::vector<Shape>* shapes = nullptr) {
  auto file = Artifact::FromBytes(artifact.data(), artifact.size());
  if (!file.ok()) return absl::DataLossError(file.status().message());
  NetworkOptions options;
  options.threads = threads;
  auto loaded = Network::Load(file.value(), options);
  if (!loaded.ok()) return absl::UnavailableError(loaded.status().message());
  Network& network = *loaded.value();
  for (const auto& [name, bytes] : inputs) {
    const int i = network.FindInput(name);
    if (i < 0) return absl::InvalidArgumentError(absl::StrCat("no input ", name));
    if (network.input(i).bytes != bytes.size()) {
      return absl::InvalidArgumentError(absl::StrCat("input ", name, " has ", network.input(i).bytes, " bytes"));
    }
    std::memcpy(network.input_data(i), bytes.data(), bytes.size());
  }
  if (const Status ran = network.Forward(); !ran.ok()) return absl::InternalError(ran.message());
  std::vector<std::string> outputs;
  for (size_t i = 0; i < network.output_count(); ++i) {
    outputs.emplace_back(reinterpret_cast<const char*>(network.output_data(i)), network.output(i).bytes);
    if (shapes != nullptr) shapes->push_back(network.output(i).shape);
  }
  return outputs;
}

}  // namespace mgec

#endif  // MGEC_COMPILER_TESTING_RUN_ARTIFACT_H_
