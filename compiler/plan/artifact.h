// Puts everything that was compiled into one artifact file (runtime/artifact_format.h).
#ifndef MGEC_COMPILER_PLAN_ARTIFACT_H_
#define MGEC_COMPILER_PLAN_ARTIFACT_H_

#include <string>
#include <vector>

#include "compiler/graph/graph.h"
#include "compiler/plan/constant_pool.h"
#include "compiler/kernel/work.h"
#include "compiler/plan/program.h"

namespace mgec::plan {

// A module of GPU code: kernels [first_kernel, first_kernel + kernel_count) for one architecture (80 for sm_80).
struct GpuModule {
  int architecture = 0;
  bool ptx = false;
  int first_kernel = 0, kernel_count = 0;
  std::string bytes;
};
// For "cuda", instead of a code image.
struct GpuCode {
  std::vector<GpuModule> modules;
  std::vector<int> blocks;     // threads of a block, for each kernel of the program
  std::vector<int64_t> grids;  // blocks, for each step
  bool tf32 = false;           // factors of float32 products are rounded to TF32, where tensor cores know that
  std::vector<kernel::GpuWork> work;  // what each step does; empty where nobody has counted
};

// A program and its machine code for one target.
struct TargetProgram {
  std::string target;
  PlannedProgram program;
  std::string code;                     // flat image
  std::vector<uint64_t> entry_offsets;  // one per kernel of the program
  GpuCode gpu;                          // target "cuda"
};

// The network compiled for one set of input shapes. Targets go from the most to the least demanding, "cuda" last.
struct ShapeProgram {
  graph::Graph graph;  // its inputs and outputs are the program's
  std::vector<TargetProgram> targets;
  // For a batch of any size, in parts of `batch` entries (0: not that): the programs of the same `batch_group` follow each
  // other, with falling `batch`. The rows of dimension 0 that an entry has, for each input and output of the graph; 0 where
  // the tensor has nothing to do with the batch.
  int64_t batch = 0;
  int batch_group = 0;
  std::vector<int64_t> input_rows, output_rows;
};

// What the artifact says about its model.
struct ModelInfo {
  std::string source_name;
  uint64_t source_hash = 0;  // XXH3-64 of the model's bytes
  uint32_t mge_version = 0;
  uint32_t operators = 0;
  std::string user_info;
};

// The artifact's bytes. The programs differ in shapes only. The same arguments give the same bytes.
std::string BuildArtifact(const ModelInfo& model, std::vector<ShapeProgram> programs, const ConstantPool& constants);

// The version that artifacts record and `compile --version` prints.
const char* CompilerVersion();

}  // namespace mgec::plan

#endif  // MGEC_COMPILER_PLAN_ARTIFACT_H_
