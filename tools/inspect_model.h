// What is in a model file (.mge), for people and programs.
#ifndef MGEC_TOOLS_INSPECT_MODEL_H_
#define MGEC_TOOLS_INSPECT_MODEL_H_

#include <string>

#include "compiler/mge/model.h"
#include "nlohmann/json.hpp"

namespace mgec {

// An overview: inputs, outputs, and how often each operator occurs. With `operators`, every operator with its
// parameters.
std::string ModelText(const mge::Model& model, const std::string& name, bool operators);
// Everything but the constants' values.
nlohmann::ordered_json ModelJson(const mge::Model& model, const std::string& name);
// A Graphviz graph: operators, and the variables between them. Constants are left out.
std::string ModelDot(const mge::Model& model, const std::string& name);

}  // namespace mgec

#endif  // MGEC_TOOLS_INSPECT_MODEL_H_
