// megenginelite._compiler: the compiler, for models that are loaded without having been compiled. The package works
// without it.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/compile.h"
#include "compiler/plan/artifact.h"

namespace py = pybind11;

namespace {

// The artifact of a model. RuntimeError, with everything that is unsupported listed, where it cannot be compiled.
py::bytes Compile(const py::bytes& model, const std::string& name,
                  const std::vector<std::map<std::string, std::vector<int64_t>>>& input_shapes, int threads) {
  const std::string_view bytes = model;
  mgec::CompileOptions options;
  options.source_name = name;
  options.threads = threads;
  if (!input_shapes.empty()) options.input_shapes = input_shapes;
  mgec::CompileReport report;
  absl::StatusOr<std::string> artifact = [&] {
    py::gil_scoped_release release;
    return mgec::Compile({bytes.data(), bytes.size()}, options, &report);
  }();
  if (!artifact.ok()) throw std::runtime_error(name + ": " + std::string(artifact.status().message()));
  return py::bytes(*artifact);
}

}  // namespace

PYBIND11_MODULE(_compiler, module) {
  module.doc() = "Compiles MegEngine models.";
  module.def("compile", &Compile, py::arg("model"), py::arg("name"),
             py::arg("input_shapes") = std::vector<std::map<std::string, std::vector<int64_t>>>(), py::arg("threads") = 1,
             "The artifact (bytes) of a .mge model (bytes). Each dict of input shapes makes one program of the artifact; a first dimension of -1 stands for a batch of any size. "
             "Releases the GIL. RuntimeError with what is wrong.");
  module.def("version", &mgec::plan::CompilerVersion, "The compiler's version.");
}
