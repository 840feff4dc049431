// What is in a compiled model (.mgec), for people and programs.
#ifndef MGEC_TOOLS_INSPECT_ARTIFACT_H_
#define MGEC_TOOLS_INSPECT_ARTIFACT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "runtime/artifact.h"
#include "tools/gpu_model.h"

namespace mgec {

struct ArtifactTextOptions {
  bool steps = false;     // list those of every plan
  bool bindings = false;  // and the memory of every argument
  std::string target;     // of the plans that are shown; empty: all
  std::vector<Gpu> gpus;  // for which plans for CUDA get a predicted time
};
// An overview. NotFound, naming the targets that there are, where no plan is for the wanted one.
absl::StatusOr<std::string> ArtifactText(const Artifact& artifact, const ArtifactTextOptions& options);
// Everything but code and constants.
nlohmann::ordered_json ArtifactJson(const Artifact& artifact);
// A Graphviz graph: the steps of the first program for the first target, in the order in which they run.
std::string ArtifactDot(const Artifact& artifact);

}  // namespace mgec

#endif  // MGEC_TOOLS_INSPECT_ARTIFACT_H_
