// Small artifacts for tests of everything that runs artifacts, made without the compiler. Their kernels are a few bytes
// of x86-64 machine code in test_artifact.cc.
#ifndef MGEC_RUNTIME_TESTING_TEST_ARTIFACT_H_
#define MGEC_RUNTIME_TESTING_TEST_ARTIFACT_H_

#include <string>
#include <vector>

#include "runtime/artifact_generated.h"
#include "runtime/data_type.h"

namespace mgec {

// How to build one; every field may be changed to make a bad artifact.
struct TestArtifactOptions {
  // One program per shape; all tensors of a program have its shape.
  std::vector<Shape> shapes = {{2, 3}};
  // If not 0, the outputs have the shape {first dimension of the inputs, this} and are made of the first elements.
  uint32_t classes = 0;
  std::vector<std::string> targets = {"x86-64-v3"};
  std::vector<std::string> inputs = {"a", "b"};
  std::vector<std::string> outputs = {"sum", "scaled"};
  // How many times the steps are repeated (with the same result).
  int repeats = 1;
  // Added to numbers that the loader has to check.
  uint64_t extra_binding_size = 0;
  uint64_t extra_binding_offset = 0;
  uint32_t extra_binding_index = 0;
  uint64_t extra_code_offset = 0;
  uint32_t extra_kernel_index = 0;
  uint32_t extra_code_section = 0;
  uint8_t space = static_cast<uint8_t>(fb::BufferSpace::Arena);  // of the intermediate result
  uint8_t dtype = static_cast<uint8_t>(fb::DataType::Float32);   // of every tensor
  // Dynamic dimensions of the first output, and how many of the outputs are internal; these are int32[1] then.
  std::vector<fb::DynamicDimension> dynamic;
  uint32_t internal_outputs = 0;
  // For each of the shapes: 0, or the batch that its first dimension is, for programs that compute a part each.
  std::vector<uint32_t> batches;
  uint32_t batch_rows = 1;
};

// A network of two steps on float32: sum = inputs[0] + inputs[last]; scaled = sum * 0.5, where the sum also passes
// through the arena. With one output only `scaled` is left.
std::string MakeTestArtifact(const TestArtifactOptions& options = {});

}  // namespace mgec

#endif  // MGEC_RUNTIME_TESTING_TEST_ARTIFACT_H_
