// megenginelite._runtime: the runtime as Python sees it. Thin on purpose: behaviour that users see is in the Python modules
// of the package. Errors become RuntimeError with the runtime's message.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "runtime/artifact.h"
#include "runtime/buffer.h"
#include "runtime/data_type.h"
#include "runtime/network.h"

namespace py = pybind11;

namespace mgec {
namespace {

void Check(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.message());
}

template <typename T>
T Take(Result<T> result) {
  Check(result.status());
  return std::move(result.value());
}

// Keeps a Python object alive from C++, where the last reference may be dropped without the GIL.
std::shared_ptr<void> KeepAlive(py::object object) {
  return std::shared_ptr<void>(object.release().ptr(), [](void* pointer) {
    py::gil_scoped_acquire gil;
    Py_DECREF(static_cast<PyObject*>(pointer));
  });
}

std::shared_ptr<Buffer> Wrap(uintptr_t address, size_t size, py::object owner) {
  return Buffer::Wrap(reinterpret_cast<void*>(address), size,
                      owner.is_none() ? nullptr : KeepAlive(std::move(owner)));
}

// A writable array over part of a buffer; it keeps the buffer alive. The caller has checked that it lies inside.
py::array View(const std::shared_ptr<Buffer>& buffer, size_t offset, const py::dtype& dtype,
               const std::vector<py::ssize_t>& shape, const std::vector<py::ssize_t>& strides) {
  return py::array(dtype, shape, strides, buffer->data() + offset, py::cast(buffer));
}

py::dict Describe(const TensorInfo& info) {
  py::dict description;
  description["name"] = info.name;
  description["dtype"] = DataTypeName(info.dtype);
  description["shape"] = std::vector<uint32_t>(info.shape);
  description["scale"] = info.scale;
  description["zero_point"] = info.zero_point;
  description["nbytes"] = info.bytes;
  return description;
}

// The inputs or outputs of the artifact's first program.
py::list DescribeAll(const flatbuffers::Vector<flatbuffers::Offset<fb::Tensor>>* tensors, size_t internal = 0) {
  py::list list;
  for (size_t i = 0; i + internal < Count(tensors); ++i) list.append(Describe(DescribeTensor(*tensors->Get(i))));
  return list;
}

py::list DescribeInputs(const Network& network) {
  py::list list;
  for (size_t i = 0; i < network.input_count(); ++i) list.append(Describe(network.input(i)));
  return list;
}

// With the largest shapes, for which there must be memory.
py::list DescribeOutputs(const Network& network) {
  py::list list;
  for (size_t i = 0; i < network.output_count(); ++i) list.append(Describe(network.largest_output(i)));
  return list;
}

py::list DescribeProfile(const Network& network) {
  py::list list;
  for (const StepInfo& step : network.Profile()) {
    py::dict entry;
    entry["name"] = std::string(step.name);
    entry["op"] = std::string(step.op);
    entry["kernel"] = std::string(step.kernel);
    entry["macs"] = step.macs;
    entry["bytes"] = step.bytes;
    entry["total_ns"] = step.total_ns;
    list.append(entry);
  }
  return list;
}

void CheckIndex(size_t index, size_t count) {
  if (index >= count) throw std::runtime_error("index out of range");
}

std::unique_ptr<Network> LoadNetwork(std::shared_ptr<const Artifact> artifact, int threads) {
  NetworkOptions options;
  options.threads = threads;
  return Take(Network::Load(std::move(artifact), options));
}

PYBIND11_MODULE(_runtime, m) {
  py::class_<Buffer, std::shared_ptr<Buffer>>(m, "Buffer")
      .def_static("allocate", [](size_t size) { return Take(Buffer::Allocate(size)); })
      .def_static("wrap", &Wrap, py::arg("address"), py::arg("size"), py::arg("owner"))
      .def_property_readonly("address", [](const Buffer& buffer) { return reinterpret_cast<uintptr_t>(buffer.data()); })
      .def_property_readonly("size", &Buffer::size)
      .def("view", &View, py::arg("offset"), py::arg("dtype"), py::arg("shape"), py::arg("strides"));

  py::class_<Artifact, std::shared_ptr<Artifact>>(m, "Artifact")
      .def_static("open",
                  [](const std::string& path, bool private_constants) {
                    ArtifactOptions options;
                    options.private_constants = private_constants;
                    return std::const_pointer_cast<Artifact>(Take(Artifact::Open(path, options)));
                  })
      .def_static("from_bytes",
                  [](const py::bytes& bytes, const std::string& name, bool private_constants) {
                    ArtifactOptions options;
                    options.private_constants = private_constants;
                    char* data = nullptr;
                    py::ssize_t size = 0;
                    if (PyBytes_AsStringAndSize(bytes.ptr(), &data, &size) != 0) throw py::error_already_set();
                    return std::const_pointer_cast<Artifact>(Take(Artifact::FromBytes(data, size, name, options)));
                  })
      .def_property_readonly("inputs",
                             [](const Artifact& a) { return DescribeAll(a.metadata().programs()->Get(0)->inputs()); })
      .def_property_readonly("outputs",
                             [](const Artifact& a) {
                               const fb::Program& program = *a.metadata().programs()->Get(0);
                               return DescribeAll(program.outputs(), program.internal_outputs());
                             })
      .def_property_readonly("name", &Artifact::name);

  // Not for two threads at once, except that any thread may wait for forward(): the GIL is released there.
  py::class_<Network>(m, "Network")
      .def(py::init([](const std::shared_ptr<Artifact>& artifact, int threads) { return LoadNetwork(artifact, threads); }),
           py::arg("artifact"), py::arg("threads"))
      .def_property_readonly("inputs", &DescribeInputs)
      .def_property_readonly("outputs", &DescribeOutputs)
      // What forward() found, where the size depends on values.
      .def("output_shape",
           [](const Network& network, size_t index) {
             CheckIndex(index, network.output_count());
             return std::vector<uint32_t>(network.output(index).shape);
           })
      .def_property_readonly("target", [](const Network& network) { return std::string(network.target()); })
      .def_property_readonly("threads", &Network::threads)
      .def("select_shapes", [](Network& network, const std::vector<Shape>& shapes) { Check(network.SelectShapes(shapes)); })
      .def("bind_input",
           [](Network& network, size_t index, std::shared_ptr<Buffer> buffer, size_t offset) {
             CheckIndex(index, network.input_count());
             Check(network.BindInput(index, std::move(buffer), offset));
           })
      .def("bind_output",
           [](Network& network, size_t index, std::shared_ptr<Buffer> buffer, size_t offset) {
             CheckIndex(index, network.output_count());
             Check(network.BindOutput(index, std::move(buffer), offset));
           })
      .def("input_buffer",
           [](const Network& network, size_t index) {
             CheckIndex(index, network.input_count());
             return network.input_buffer(index);
           })
      .def("output_buffer",
           [](const Network& network, size_t index) {
             CheckIndex(index, network.output_count());
             return network.output_buffer(index);
           })
      .def("forward", &Network::Forward, py::call_guard<py::gil_scoped_release>())
      .def("enable_profile", &Network::EnableProfile)
      .def("profile", &DescribeProfile)
      .def_property_readonly("profiled_passes", &Network::profiled_passes);
}

}  // namespace
}  // namespace mgec
