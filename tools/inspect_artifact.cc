#include "tools/inspect_artifact.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "tools/cubin.h"
#include "tools/dot.h"

namespace mgec {
namespace {

std::string Text(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

std::string Bytes(uint64_t bytes) {
  if (bytes < 10000) return absl::StrFormat("%d B", bytes);
  if (bytes < 10000000) return absl::StrFormat("%.1f KB", bytes * 1e-3);
  return absl::StrFormat("%.1f MB", bytes * 1e-6);
}

std::string Describe(const fb::Binding& binding) {
  static const char* const kSpaces[] = {"arena", "constant", "input", "output"};
  std::string text = kSpaces[static_cast<int>(binding.space())];
  if (binding.space() == fb::BufferSpace::Input || binding.space() == fb::BufferSpace::Output) {
    absl::StrAppend(&text, " ", binding.index());
  }
  return absl::StrCat(text, " [", binding.offset(), ", ", binding.offset() + binding.size(), ")");
}

void AppendTensor(std::string* text, const char* side, const fb::Tensor& tensor) {
  const TensorInfo info = DescribeTensor(tensor);
  std::string shape = ShapeToString(info.shape);
  if (tensor.batch_rows() > 0) {
    const std::string rows = tensor.batch_rows() == 1 ? "N" : absl::StrCat(tensor.batch_rows(), "N");
    shape.replace(1, shape.find_first_of(",]") - 1, rows);
  }
  absl::StrAppendFormat(text, "  %-7s %-16s %s %s", side, info.name, DataTypeName(info.dtype), shape);
  if (info.dtype >= DataType::kQuantizedS8) absl::StrAppendFormat(text, " scale %g zero point %d", info.scale, info.zero_point);
  for (size_t i = 0; i < Count(tensor.dynamic()); ++i) {
    absl::StrAppendFormat(text, "%s %d", i == 0 ? ", at most: the values decide dimension" : " and",
                          tensor.dynamic()->Get(i)->axis());
  }
  absl::StrAppendFormat(text, "\n");
}

bool IsForGpus(const fb::Plan& plan) { return Text(plan.target()) == "cuda"; }

StepWork WorkOf(const fb::Step& step) { return {step.macs(), step.bytes(), step.grid(), step.instructions(), step.products()}; }

using Resources = std::map<std::string, KernelResources>;

// What the kernels of a plan need on a GPU: from the cubins for its architecture, or else for the closest older one of the same
// generation. Nothing of kernels that there is only PTX of.
Resources ResourcesOn(const Artifact& artifact, const fb::Plan& plan, const Gpu& gpu) {
  Resources all;
  int best = -1;
  for (size_t i = 0; i < Count(plan.modules()); ++i) {
    const fb::Module& m = *plan.modules()->Get(i);
    const int architecture = static_cast<int>(m.architecture());
    if (m.ptx() || architecture > gpu.architecture || architecture / 10 != gpu.architecture / 10 || architecture < best) continue;
    if (architecture > best) all.clear();
    best = architecture;
    const uint64_t section = artifact.layout().sections[plan.code_section()].offset;
    const auto read = ReadCubin({reinterpret_cast<const char*>(artifact.file()) + section + m.offset(), m.size()});
    if (read.ok()) all.insert(read->begin(), read->end());
  }
  return all;
}

std::string DescribeResources(const Gpu& gpu, const KernelResources& r, int threads) {
  std::string text = absl::StrCat(r.registers, " registers");
  if (r.shared_bytes > 0) absl::StrAppend(&text, ", ", Bytes(r.shared_bytes), " shared");
  if (r.local_bytes > 0) absl::StrAppend(&text, ", ", Bytes(r.local_bytes), " of local memory a thread");
  const int blocks = BlocksAtATime(gpu, threads, r.registers, r.shared_bytes);
  absl::StrAppendFormat(&text, ", occupancy %.0f%%", 100.0 * std::min(gpu.threads, blocks * ((threads + 31) / 32 * 32)) / gpu.threads);
  return text;
}

// What a step of a plan for CUDA has to do, and what that is predicted to take.
std::string Prediction(const Gpu& gpu, const fb::Step& step, const fb::Kernel& kernel, const Resources& resources) {
  const StepWork work = WorkOf(step);
  std::string text = absl::StrFormat("predicted %.1f us", PredictSeconds(gpu, work) * 1e6);
  if (work.macs > 0) absl::StrAppendFormat(&text, ", %.0f%% of its roofline", 100 * RooflineShare(gpu, work));
  absl::StrAppendFormat(&text, ", %.2f MB", work.bytes * 1e-6);
  if (work.macs > 0) absl::StrAppendFormat(&text, ", %.2f GFLOP", 2e-9 * static_cast<double>(work.macs));
  if (work.instructions > 0) {
    absl::StrAppendFormat(&text, ", %.2f M instructions, %.2f M of them to memory", work.instructions * 1e-6, step.accesses() * 1e-6);
  }
  const auto it = resources.find(Text(kernel.name()));
  if (it != resources.end()) absl::StrAppend(&text, "; ", DescribeResources(gpu, it->second, static_cast<int>(kernel.block())));
  return text;
}

void AppendSteps(std::string* text, const fb::Plan& plan, const ArtifactTextOptions& options, const std::vector<Resources>& resources) {
  for (size_t i = 0; i < Count(plan.steps()); ++i) {
    const fb::Step& step = *plan.steps()->Get(i);
    const fb::Kernel& kernel = *plan.kernels()->Get(step.kernel());
    absl::StrAppendFormat(text, "    %4d  %-24s %s  (%s", i, Text(step.op()), Text(step.name()), Text(kernel.name()));
    if (IsForGpus(plan)) {
      absl::StrAppendFormat(text, ", %d blocks of %d threads)", step.grid(), kernel.block());
      for (size_t j = 0; j < options.gpus.size(); ++j) {
        const Gpu& gpu = options.gpus[j];
        const std::string prediction = Prediction(gpu, step, kernel, resources[j]);
        absl::StrAppend(text, options.gpus.size() == 1 ? "  " : absl::StrCat("\n            ", gpu.name, ": "), prediction);
      }
      *text += "\n";
    } else {
      absl::StrAppendFormat(text, " at 0x%x, %d tasks%s)\n", kernel.code_offset(), step.tasks(),
                            step.serial() ? ", serial" : "");
    }
    for (size_t j = 0; options.bindings && j < Count(step.bindings()); ++j) {
      absl::StrAppendFormat(text, "            %s\n", Describe(*step.bindings()->Get(j)));
    }
  }
}

void AppendPlan(std::string* text, const Artifact& artifact, const fb::Plan& plan, const ArtifactTextOptions& options) {
  uint64_t macs = 0;
  for (size_t i = 0; i < Count(plan.steps()); ++i) macs += plan.steps()->Get(i)->macs();
  absl::StrAppendFormat(text, "  plan %s: %d steps, %d kernels, code %s, arena %s (lower bound %s), %.1f M multiply-adds\n",
               absl::StrCat(Text(plan.target()), plan.tf32() ? " (TF32 factors from sm_80 on)" : ""), Count(plan.steps()), Count(plan.kernels()),
               Bytes(artifact.layout().sections[plan.code_section()].size), Bytes(plan.arena_size()),
               Bytes(plan.arena_lower_bound()), macs * 1e-6);
  for (size_t i = 0; i < Count(plan.modules()); ++i) {
    const fb::Module& m = *plan.modules()->Get(i);
    absl::StrAppendFormat(text, "    %s %s_%d, kernels %d to %d, %s\n", m.ptx() ? "PTX  " : "cubin", m.ptx() ? "compute" : "sm",
                          m.architecture(), m.first_kernel(), m.first_kernel() + m.kernels() - 1, Bytes(m.size()));
  }
  std::vector<Resources> resources;
  for (const Gpu& gpu : options.gpus) {
    if (!IsForGpus(plan)) break;
    double seconds = 0;
    for (size_t i = 0; i < Count(plan.steps()); ++i) seconds += PredictSeconds(gpu, WorkOf(*plan.steps()->Get(i)));
    absl::StrAppendFormat(text, "    predicted, not measured: %.0f us on %s at least (roofline: %.1f TFLOP/s, %.0f GB/s, %.0f us a launch)\n",
                          seconds * 1e6, gpu.name, gpu.flops * 1e-12, gpu.bytes * 1e-9, gpu.launch_seconds * 1e6);
    if (!options.bindings && !options.steps) continue;
    resources.push_back(ResourcesOn(artifact, plan, gpu));
    if (resources.back().empty() && Count(plan.kernels()) > 0) {
      absl::StrAppendFormat(text, "    registers and occupancy are unknown: there is no cubin for the %s (sm_%d); compile with "
                            "--target=cuda:sm_%d\n", gpu.name, gpu.architecture, gpu.architecture);
    }
  }
  if (options.bindings || options.steps) AppendSteps(text, plan, options, resources);
}

nlohmann::ordered_json TensorJson(const fb::Tensor& tensor) {
  const TensorInfo info = DescribeTensor(tensor);
  nlohmann::ordered_json j = {{"name", info.name}, {"dtype", DataTypeName(info.dtype)}, {"shape", info.shape}, {"bytes", info.bytes}};
  if (info.dtype >= DataType::kQuantizedS8) {
    j["scale"] = info.scale;
    j["zero_point"] = info.zero_point;
  }
  if (tensor.batch_rows() > 0) j["rows_per_batch_entry"] = tensor.batch_rows();
  for (size_t i = 0; i < Count(tensor.dynamic()); ++i) j["dynamic_axes"].push_back(tensor.dynamic()->Get(i)->axis());
  return j;
}

nlohmann::ordered_json PlanJson(const Artifact& artifact, const fb::Plan& plan) {
  nlohmann::ordered_json j = {{"target", Text(plan.target())},
                              {"code_bytes", artifact.layout().sections[plan.code_section()].size},
                              {"arena_bytes", plan.arena_size()},
                              {"arena_lower_bound", plan.arena_lower_bound()},
                              {"random", plan.random()},
                              {"steps", nlohmann::ordered_json::array()}};
  if (IsForGpus(plan)) j["tf32"] = plan.tf32();
  for (size_t i = 0; i < Count(plan.steps()); ++i) {
    const fb::Step& step = *plan.steps()->Get(i);
    nlohmann::ordered_json s = {{"op", Text(step.op())},         {"name", Text(step.name())},
                                {"kernel", Text(plan.kernels()->Get(step.kernel())->name())},
                                {"tasks", step.tasks()},         {"serial", step.serial()},
                                {"macs", step.macs()},           {"bytes", step.bytes()},
                                {"bindings", nlohmann::ordered_json::array()}};
    if (IsForGpus(plan)) {
      s["grid"] = step.grid();
      s["block"] = plan.kernels()->Get(step.kernel())->block();
    }
    for (size_t k = 0; k < Count(step.bindings()); ++k) s["bindings"].push_back(Describe(*step.bindings()->Get(k)));
    j["steps"].push_back(std::move(s));
  }
  return j;
}

}  // namespace

absl::StatusOr<std::string> ArtifactText(const Artifact& artifact, const ArtifactTextOptions& options) {
  std::string result, *text = &result;
  std::set<std::string> targets;
  bool found = false;
  const fb::Metadata& metadata = artifact.metadata();
  const uint32_t version = metadata.mge_version();
  absl::StrAppendFormat(text, "%s   %s, format %d, compiler %s\n", artifact.name(), Bytes(artifact.file_size()), kFormatVersion,
               Text(metadata.compiler_version()));
  absl::StrAppendFormat(text, "  from %s (MegEngine %d.%d.%d, %d operators, XXH3 %016x)\n", Text(metadata.source_name()),
               version / 100000, version / 100 % 1000, version % 100, metadata.operators(), metadata.source_hash());
  absl::StrAppendFormat(text, "  constants %s, user info %s\n", Bytes(artifact.constants_size()), Bytes(Count(metadata.user_info())));
  for (size_t i = 0; i < metadata.programs()->size(); ++i) {
    const fb::Program& program = *metadata.programs()->Get(i);
    absl::StrAppendFormat(text, "program %d", i);
    if (program.batch() > 0) absl::StrAppendFormat(text, ", for any batch N, in parts of %d", program.batch());
    *text += "\n";
    for (size_t j = 0; j < Count(program.inputs()); ++j) AppendTensor(text, "input", *program.inputs()->Get(j));
    for (size_t j = 0; j + program.internal_outputs() < Count(program.outputs()); ++j) AppendTensor(text, "output", *program.outputs()->Get(j));
    for (const fb::Plan* plan : *program.plans()) {
      const std::string target = Text(plan->target());
      targets.insert(target);
      if (!options.target.empty() && options.target != target) continue;
      found = true;
      AppendPlan(text, artifact, *plan, options);
    }
  }
  if (!found && !options.target.empty()) {
    return absl::NotFoundError(absl::StrCat(artifact.name(), " holds no code for ", options.target, "; it is for ", absl::StrJoin(targets, ", ")));
  }
  return result;
}

nlohmann::ordered_json ArtifactJson(const Artifact& artifact) {
  const fb::Metadata& metadata = artifact.metadata();
  const uint32_t version = metadata.mge_version();
  nlohmann::ordered_json j = {
      {"file", artifact.name()},
      {"kind", "artifact"},
      {"format", kFormatVersion},
      {"compiler_version", Text(metadata.compiler_version())},
      {"source", Text(metadata.source_name())},
      {"source_hash", absl::StrFormat("%016x", metadata.source_hash())},
      {"mge_version", absl::StrFormat("%d.%d.%d", version / 100000, version / 100 % 1000, version % 100)},
      {"operators", metadata.operators()},
      {"file_bytes", artifact.file_size()},
      {"constant_bytes", artifact.constants_size()},
      {"programs", nlohmann::ordered_json::array()}};
  for (const fb::Program* program : *metadata.programs()) {
    nlohmann::ordered_json p = {{"inputs", nlohmann::ordered_json::array()}, {"outputs", nlohmann::ordered_json::array()}};
    for (size_t i = 0; i < Count(program->inputs()); ++i) p["inputs"].push_back(TensorJson(*program->inputs()->Get(i)));
    for (size_t i = 0; i + program->internal_outputs() < Count(program->outputs()); ++i) p["outputs"].push_back(TensorJson(*program->outputs()->Get(i)));
    if (program->batch() > 0) p["batch_part"] = program->batch();
    for (const fb::Plan* plan : *program->plans()) p["plans"].push_back(PlanJson(artifact, *plan));
    j["programs"].push_back(std::move(p));
  }
  return j;
}

std::string ArtifactDot(const Artifact& artifact) {
  const fb::Program& program = *artifact.metadata().programs()->Get(0);
  const fb::Plan& plan = *program.plans()->Get(0);
  DotGraph dot(artifact.name());
  std::vector<std::string> last;
  auto tensor = [&](const char* side, size_t i, const fb::Tensor& t) {
    const TensorInfo info = DescribeTensor(t);
    const std::string id = absl::StrCat(side, i);
    dot.AddNode(id, absl::StrCat(info.name, "\n", DataTypeName(info.dtype), " ", ShapeToString(info.shape)), "ellipse");
    return id;
  };
  for (size_t i = 0; i < Count(program.inputs()); ++i) last.push_back(tensor("input", i, *program.inputs()->Get(i)));
  for (size_t i = 0; i < Count(plan.steps()); ++i) {
    const fb::Step& step = *plan.steps()->Get(i);
    const std::string id = absl::StrCat("step", i);
    dot.AddNode(id, absl::StrCat(Text(step.op()), "\n", Text(step.name())), "box");
    for (const std::string& from : last) dot.AddEdge(from, id, "");
    last = {id};
  }
  for (size_t i = 0; i + program.internal_outputs() < Count(program.outputs()); ++i) {
    const std::string id = tensor("output", i, *program.outputs()->Get(i));
    for (const std::string& from : last) dot.AddEdge(from, id, "");
  }
  return dot.Finish();
}

}  // namespace mgec
