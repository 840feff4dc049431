// Runs a compiled model on bytes from a file, with MegEngine Lite's C++ interface. As run_model.c.
#include <cstdio>
#include <fstream>

#include "lite/network.h"

namespace {

void ReadInput(lite::Tensor& tensor, const char* path) {
  const auto size = static_cast<std::streamsize>(tensor.get_tensor_total_size_in_byte());
  std::ifstream file(path, std::ios::binary);
  if (!file.read(static_cast<char*>(tensor.get_memory_ptr()), size)) {
    throw lite::Error("cannot read " + std::to_string(size) + " bytes from " + path);
  }
}

void PrintOutput(lite::Network& network, const std::string& name) {
  const auto tensor = network.get_io_tensor(name, LITE_OUTPUT);
  const lite::Layout layout = tensor->get_layout();
  std::printf("%s [", name.c_str());
  for (size_t i = 0; i < layout.ndim; ++i) std::printf(i == 0 ? "%zu" : ", %zu", layout.shapes[i]);
  std::printf("]");
  if (layout.data_type == LITE_FLOAT) {
    const auto* values = static_cast<const float*>(tensor->get_memory_ptr());
    const size_t count = tensor->get_tensor_total_size_in_byte() / sizeof(float);
    for (size_t i = 0; i < count && i < 6; ++i) std::printf(" %g", values[i]);
  }
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: run_model_cpp MODEL.mgec INPUT.bin\n");
    return 2;
  }
  try {
    lite::Network network;
    network.load_model(argv[1]);
    ReadInput(*network.get_input_tensor(0), argv[2]);
    network.forward();
    network.wait();
    for (const std::string& name : network.get_all_output_name()) PrintOutput(network, name);
    return 0;
  } catch (const lite::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
