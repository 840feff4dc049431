// What is in a compiled model (.mgec), for people and programs.
#ifndef MGEC_TOOLS_INSPECT_ARTIFACT_H_
#define MGEC_TOOLS_INSPECT_ARTIFACT_H_

#include <string>

#include "nlohmann/json.hpp"
#include "runtime/artifact.h"
#include "tools/gpu_model.h"

namespace mgec {

// An overview. With `steps`, the steps of every plan; with `bindings` also the memory of every argument. Plans for CUDA get a
// predicted time on `gpu`, if that is not null.
std::string ArtifactText(const Artifact& artifact, bool steps, bool bindings, const Gpu* gpu = nullptr);
// Everything but code and constants.
nlohmann::ordered_json ArtifactJson(const Artifact& artifact);
// A Graphviz graph: the steps of the first program for the first target, in the order in which they run.
std::string ArtifactDot(const Artifact& artifact);

}  // namespace mgec

#endif  // MGEC_TOOLS_INSPECT_ARTIFACT_H_
