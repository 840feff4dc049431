#include "compiler/compile.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/base/status_macros.h"
#include "compiler/codegen/cuda/codegen.h"
#include "compiler/codegen/cuda/print_kernel.h"
#include "compiler/codegen/llvm/codegen.h"
#include "compiler/graph/text.h"
#include "compiler/kernel/work.h"
#include "compiler/mge/container.h"
#include "compiler/ops/batch.h"
#include "compiler/ops/evaluate.h"
#include "compiler/passes/passes.h"
#include "compiler/plan/artifact.h"
#include "runtime/checksum.h"

namespace mgec {
namespace {

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

bool HasIntegerContractions(const graph::Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(), [](const auto& node) {
    return node->op == "int_conv2d" || node->op == "int_matmul" ||
           (node->body != nullptr && HasIntegerContractions(*node->body));
  });
}

// The targets to compile for, the most demanding first: the order in which the loader tries them.
std::vector<kernel::Target> TargetsFor(const graph::Graph& graph, const CompileOptions& options) {
  if (options.targets.empty()) return kernel::DefaultTargets(HasIntegerContractions(graph));
  std::vector<kernel::Target> targets;
  for (kernel::Target& t : kernel::AllTargets()) {
    const bool wanted = std::any_of(options.targets.begin(), options.targets.end(),
                                    [&](const kernel::Target& o) { return o.name == t.name; });
    if (wanted) targets.push_back(std::move(t));
  }
  std::vector<int> architectures;
  bool cuda = false;
  for (const kernel::Target& o : options.targets) {
    if (!o.cuda) continue;
    cuda = true;
    architectures.insert(architectures.end(), o.architectures.begin(), o.architectures.end());
  }
  if (cuda) targets.push_back(kernel::CudaTarget(std::move(architectures)));
  return targets;
}

absl::Status GenerateCpu(const kernel::Target& target, const CompileOptions& options, plan::TargetProgram& result,
                         CompileReport& report, std::vector<double>& kernel_seconds) {
  codegen::Options codegen_options;
  codegen_options.threads = options.threads;
  std::string ir, assembly;
  if (options.emit_llvm) codegen_options.llvm_ir = &ir;
  if (options.emit_asm) codegen_options.assembly = &assembly;
  if (options.progress) {
    codegen_options.progress = [&](int done, int total) { options.progress(target.name, done, total); };
  }
  ASSIGN_OR_RETURN(codegen::CodeImage image, codegen::Generate(result.program.kernels, target, codegen_options));
  report.llvm_ir += ir;
  report.assembly += assembly;
  kernel_seconds = std::move(image.seconds);
  result.code = std::move(image.bytes);
  result.entry_offsets = std::move(image.entry_offsets);
  return absl::OkStatus();
}

absl::Status GenerateCuda(const kernel::Target& target, const CompileOptions& options, plan::TargetProgram& result,
                          CompileReport& report, std::vector<double>&) {
  namespace cuda = codegen::cuda;
  ASSIGN_OR_RETURN(const std::vector<int> architectures, cuda::Architectures(target.architectures));
  if (options.schedule.tf32 && architectures.back() < 80) {
    return absl::InvalidArgumentError(absl::StrCat("TF32 needs tensor cores of sm_80 or later, and code is only wanted for sm_",
                                                   absl::StrJoin(architectures, ", sm_")));
  }
  result.gpu.tf32 = options.schedule.tf32;
  cuda::Options codegen_options;
  codegen_options.threads = options.threads;
  if (options.progress) {
    codegen_options.progress = [&](int done, int total) { options.progress(target.name, done, total); };
  }
  ASSIGN_OR_RETURN(cuda::Code code, cuda::Generate(result.program.kernels, architectures, codegen_options));
  if (options.emit_cuda) report.cuda += code.source;
  for (cuda::Module& m : code.modules) {
    if (m.ptx && options.emit_ptx) report.ptx += m.bytes;
    result.gpu.modules.push_back({m.architecture, m.ptx, m.first_kernel, m.kernel_count, std::move(m.bytes)});
  }
  for (const kernel::Kernel& k : result.program.kernels) result.gpu.blocks.push_back(cuda::LaunchOf(k, 1).block);
  for (const plan::PlannedStep& s : result.program.steps) {
    result.gpu.grids.push_back(cuda::LaunchOf(result.program.kernels[s.kernel], s.tasks).grid);
    result.gpu.work.push_back(kernel::WorkOnGpu(result.program.kernels[s.kernel], s.tasks));
  }
  return absl::OkStatus();
}

absl::StatusOr<plan::TargetProgram> CompileForTarget(const graph::Graph& graph, const kernel::Target& target,
                                                     const CompileOptions& options, plan::ConstantPool& constants,
                                                     CompileReport& report) {
  const auto start = std::chrono::steady_clock::now();
  plan::TargetProgram result;
  result.target = target.name;
  plan::Program program;
  schedule::Alternatives alternatives;
  {
    const StageTimes::Scope time(report.times, target.name + " schedule");
    ASSIGN_OR_RETURN(program, schedule::ScheduleGraph(graph, target, options.schedule,
                                                      options.report_alternatives ? &alternatives : nullptr));
  }
  {
    const StageTimes::Scope time(report.times, target.name + " plan memory and constants");
    ASSIGN_OR_RETURN(result.program, std::move(program).Finish(constants));
  }
  if (options.emit_kernels) {
    for (const kernel::Kernel& k : result.program.kernels) {
      absl::StrAppend(&report.kernels, "// ", target.name, "\n", ToString(k), "\n");
    }
  }
  std::vector<double> kernel_seconds;
  {
    const StageTimes::Scope time(report.times, target.name + " generate code");
    RETURN_IF_ERROR((target.cuda ? GenerateCuda : GenerateCpu)(target, options, result, report, kernel_seconds));
  }
  int64_t code_bytes = static_cast<int64_t>(result.code.size());
  for (const plan::GpuModule& m : result.gpu.modules) code_bytes += static_cast<int64_t>(m.bytes.size());

  int64_t macs = 0;
  for (const plan::PlannedStep& s : result.program.steps) macs += s.info.macs;
  if (report.targets.empty()) report.macs = macs;
  report.targets.push_back({target.name, static_cast<int>(result.program.kernels.size()),
                            static_cast<int>(result.program.steps.size()), code_bytes,
                            result.program.arena_bytes, result.program.arena_lower_bound, SecondsSince(start), {},
                            std::move(alternatives), {}});
  for (size_t k = 0; k < kernel_seconds.size(); ++k) {
    report.targets.back().kernel_seconds.emplace_back(result.program.kernels[k].name, kernel_seconds[k]);
  }
  if (options.report_alternatives) {
    for (const plan::PlannedStep& step : result.program.steps) report.targets.back().step_keys.push_back(step.info.node_key);
  }
  return result;
}

void ReportGraph(const graph::Graph& graph, CompileReport& report) {
  for (const graph::Node* n : graph.inputs()) report.inputs.emplace_back(n->name, n->output()->type);
  for (const graph::GraphOutput& o : graph.outputs()) {
    if (o.internal) continue;
    report.outputs.emplace_back(o.name, o.value->type);
    std::vector<int>& dynamic = report.dynamic.emplace_back();
    for (size_t axis = 0; axis < o.sizes.size(); ++axis) {
      if (o.sizes[axis] >= 0) dynamic.push_back(static_cast<int>(axis));
    }
  }
}

// Refuses what would compute for hours: a damaged number, or one meant to do harm.
absl::Status CheckWork(const graph::Graph& graph) {
  constexpr int64_t kMaxWork = int64_t{1} << 44;
  int64_t total = 0;
  for (const auto& node : graph.nodes()) {
    ASSIGN_OR_RETURN(const int64_t work, ops::WorkOf(*node));
    if (work <= kMaxWork - total) {
      total += work;
      continue;
    }
    return absl::ResourceExhaustedError(absl::StrCat("takes over 2^44 operations; ", node->op, " \"", node->name,
                                                     "\", of shape ", graph::ToString(node->output()->type.shape),
                                                     ", takes ", work));
  }
  return absl::OkStatus();
}

// From an imported graph on.
absl::StatusOr<plan::ShapeProgram> CompileImported(graph::Graph graph, const CompileOptions& options,
                                                   plan::ConstantPool& constants, CompileReport& report) {
  plan::ShapeProgram program;
  program.graph = std::move(graph);
  if (report.outputs.empty()) ReportGraph(program.graph, report);
  const auto start = std::chrono::steady_clock::now();
  for (const passes::Pass& pass : passes::Pipeline()) {
    const StageTimes::Scope time(report.times, absl::StrCat("pass ", pass.name));
    RETURN_IF_ERROR(passes::RunPasses(program.graph, {pass}));
  }
  RETURN_IF_ERROR(CheckWork(program.graph));
  report.passes_seconds += SecondsSince(start);
  if (options.emit_graph) report.graph += graph::ToText(program.graph);

  for (const kernel::Target& target : TargetsFor(program.graph, options)) {
    ASSIGN_OR_RETURN(plan::TargetProgram p, CompileForTarget(program.graph, target, options, constants, report));
    program.targets.push_back(std::move(p));
  }
  return program;
}

absl::StatusOr<plan::ShapeProgram> CompileForShapes(const mge::Model& model,
                                                    const std::map<std::string, graph::Shape>& shapes,
                                                    const CompileOptions& options, plan::ConstantPool& constants,
                                                    CompileReport& report) {
  const auto start = std::chrono::steady_clock::now();
  graph::Graph graph;
  {
    const StageTimes::Scope time(report.times, "import");
    ASSIGN_OR_RETURN(graph, mge::Import(model, {shapes}, &report.unsupported));
  }
  report.import_seconds += SecondsSince(start);
  return CompileImported(std::move(graph), options, constants, report);
}

using InputShapes = std::map<std::string, graph::Shape>;

bool HasAnyBatch(const InputShapes& shapes) {
  return std::any_of(shapes.begin(), shapes.end(),
                     [](const auto& s) { return !s.second.empty() && s.second[0] == kAnyBatch; });
}

InputShapes WithBatch(InputShapes shapes, int64_t batch) {
  for (auto& [name, shape] : shapes) {
    if (!shape.empty() && shape[0] == kAnyBatch) shape[0] = batch;
  }
  return shapes;
}

// Programs that compute a batch of any size in parts.
absl::Status CompileForAnyBatch(const mge::Model& model, const InputShapes& shapes, const CompileOptions& options,
                                int group, plan::ConstantPool& constants, CompileReport& report,
                                std::vector<plan::ShapeProgram>& programs) {
  // What holds for these two sizes, with the same expressions, holds for all.
  constexpr int64_t kSizes[2] = {8, 9};
  graph::Graph graphs[2];
  for (int i = 0; i < 2; ++i) {
    absl::StatusOr<graph::Graph> g = mge::Import(model, {WithBatch(shapes, kSizes[i])}, &report.unsupported);
    if (absl::IsInvalidArgument(g.status())) {  // a model with a fixed batch in its reshapes, for example
      return absl::InvalidArgumentError(absl::StrCat(
          g.status().message(), " (tried with N = ", kSizes[i],
          "; where the model itself fixes the batch, give fixed sizes with several --input-shape instead)"));
    }
    RETURN_IF_ERROR(g.status());
    graphs[i] = *std::move(g);
  }
  ASSIGN_OR_RETURN(const ops::BatchRows rows, ops::ProveBatch(graphs[0], kSizes[0], graphs[1], kSizes[1]));
  const bool first = report.outputs.empty();
  if (first) {
    ASSIGN_OR_RETURN(const graph::Graph one, mge::Import(model, {WithBatch(shapes, 1)}, &report.unsupported));
    ReportGraph(one, report);
    report.input_rows = rows.inputs;
    report.output_rows = rows.outputs;
  }
  for (int64_t batch : kBatchParts) {
    ASSIGN_OR_RETURN(plan::ShapeProgram program,
                     CompileForShapes(model, WithBatch(shapes, batch), options, constants, report));
    program.batch = batch;
    program.batch_group = group;
    program.input_rows = rows.inputs;
    program.output_rows = rows.outputs;
    programs.push_back(std::move(program));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> Compile(absl::string_view mge, const CompileOptions& options, CompileReport* report) {
  CompileReport ignored;
  CompileReport& r = report != nullptr ? *report : ignored;
  const auto start = std::chrono::steady_clock::now();
  mge::Model model;
  {
    const StageTimes::Scope time(r.times, "read");
    ASSIGN_OR_RETURN(model, mge::ReadModel(mge));
  }
  r.mge_version = mge::VersionText(model.mge_version);
  r.container = mge::ToString(model.container);
  r.operators = static_cast<int>(model.operators.size());
  r.import_seconds = SecondsSince(start);
  plan::ConstantPool constants;
  std::vector<plan::ShapeProgram> programs;
  int group = 0;
  for (const auto& shapes : options.input_shapes) {
    if (HasAnyBatch(shapes)) {
      RETURN_IF_ERROR(CompileForAnyBatch(model, shapes, options, ++group, constants, r, programs));
      continue;
    }
    ASSIGN_OR_RETURN(plan::ShapeProgram program, CompileForShapes(model, shapes, options, constants, r));
    programs.push_back(std::move(program));
  }
  r.constant_bytes = static_cast<int64_t>(constants.bytes().size());
  const plan::ModelInfo info{options.source_name, Checksum(mge.data(), mge.size()), model.mge_version,
                             static_cast<uint32_t>(model.operators.size()), std::string(model.user_info)};
  const StageTimes::Scope time(r.times, "artifact");
  return plan::BuildArtifact(info, std::move(programs), constants);
}

absl::StatusOr<std::vector<kernel::Target>> TargetsOf(absl::string_view mge, const CompileOptions& options) {
  ASSIGN_OR_RETURN(const mge::Model model, mge::ReadModel(mge));
  ASSIGN_OR_RETURN(graph::Graph graph, mge::Import(model, {options.input_shapes.front()}));
  RETURN_IF_ERROR(passes::RunPasses(graph, passes::Pipeline()));
  return TargetsFor(graph, options);
}

absl::StatusOr<std::string> CompileGraph(graph::Graph graph, const CompileOptions& options, CompileReport* report) {
  CompileReport ignored;
  CompileReport& r = report != nullptr ? *report : ignored;
  plan::ConstantPool constants;
  std::vector<plan::ShapeProgram> programs(1);
  ASSIGN_OR_RETURN(programs[0], CompileImported(std::move(graph), options, constants, r));
  r.constant_bytes = static_cast<int64_t>(constants.bytes().size());
  plan::ModelInfo info;
  info.source_name = options.source_name;
  const StageTimes::Scope time(r.times, "artifact");
  return plan::BuildArtifact(info, std::move(programs), constants);
}

}  // namespace mgec
