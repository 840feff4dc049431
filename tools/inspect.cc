// Prints what is in a compiled model:
//   bazel run //tools:inspect -- model.mgec --steps
// With --code-dir, also writes the code images, for `objdump -D -b binary -m i386:x86-64 -M intel FILE`.
#include <sys/stat.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/artifact.h"
#include "tools/arguments.h"

ABSL_FLAG(bool, steps, false, "List the steps of every plan, and where each kernel is in the code image.");
ABSL_FLAG(bool, bindings, false, "With the memory of every argument.");
ABSL_FLAG(std::string, code_dir, "", "Folder for the code images, one TARGET.bin each; made if it does not exist.");

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

void PrintTensor(const char* side, const fb::Tensor& tensor) {
  const TensorInfo info = DescribeTensor(tensor);
  std::string shape = ShapeToString(info.shape);
  if (tensor.batch_rows() > 0) {
    const std::string rows = tensor.batch_rows() == 1 ? "N" : absl::StrCat(tensor.batch_rows(), "N");
    shape.replace(1, shape.find_first_of(",]") - 1, rows);
  }
  absl::PrintF("  %-7s %-16s %s %s", side, info.name, DataTypeName(info.dtype), shape);
  if (info.dtype >= DataType::kQuantizedS8) absl::PrintF(" scale %g zero point %d", info.scale, info.zero_point);
  for (size_t i = 0; i < Count(tensor.dynamic()); ++i) {
    absl::PrintF("%s %d", i == 0 ? ", at most: the values decide dimension" : " and", tensor.dynamic()->Get(i)->axis());
  }
  absl::PrintF("\n");
}

void PrintSteps(const fb::Plan& plan, bool bindings) {
  for (size_t i = 0; i < Count(plan.steps()); ++i) {
    const fb::Step& step = *plan.steps()->Get(i);
    const fb::Kernel& kernel = *plan.kernels()->Get(step.kernel());
    absl::PrintF("    %4d  %-24s %s  (%s at 0x%x, %d tasks%s)\n", i, Text(step.op()), Text(step.name()),
                 Text(kernel.name()), kernel.code_offset(), step.tasks(), step.serial() ? ", serial" : "");
    for (size_t j = 0; bindings && j < Count(step.bindings()); ++j) {
      absl::PrintF("            %s\n", Describe(*step.bindings()->Get(j)));
    }
  }
}

void PrintPlan(const Artifact& artifact, const fb::Plan& plan) {
  uint64_t macs = 0;
  for (size_t i = 0; i < Count(plan.steps()); ++i) macs += plan.steps()->Get(i)->macs();
  absl::PrintF("  plan %s: %d steps, %d kernels, code %s, arena %s (lower bound %s), %.1f M multiply-adds\n",
               Text(plan.target()), Count(plan.steps()), Count(plan.kernels()),
               Bytes(artifact.layout().sections[plan.code_section()].size), Bytes(plan.arena_size()),
               Bytes(plan.arena_lower_bound()), macs * 1e-6);
  const bool bindings = absl::GetFlag(FLAGS_bindings);
  if (bindings || absl::GetFlag(FLAGS_steps)) PrintSteps(plan, bindings);
}

void Print(const Artifact& artifact) {
  const fb::Metadata& metadata = artifact.metadata();
  const uint32_t version = metadata.mge_version();
  absl::PrintF("%s   %s, format %d, compiler %s\n", artifact.name(), Bytes(artifact.file_size()), kFormatVersion,
               Text(metadata.compiler_version()));
  absl::PrintF("  from %s (MegEngine %d.%d.%d, %d operators, XXH3 %016x)\n", Text(metadata.source_name()),
               version / 100000, version / 100 % 1000, version % 100, metadata.operators(), metadata.source_hash());
  absl::PrintF("  constants %s, user info %s\n", Bytes(artifact.constants_size()), Bytes(Count(metadata.user_info())));
  for (size_t i = 0; i < metadata.programs()->size(); ++i) {
    const fb::Program& program = *metadata.programs()->Get(i);
    absl::PrintF("program %d", i);
    if (program.batch() > 0) absl::PrintF(", for any batch N, in parts of %d", program.batch());
    absl::PrintF("\n");
    for (size_t j = 0; j < Count(program.inputs()); ++j) PrintTensor("input", *program.inputs()->Get(j));
    for (size_t j = 0; j + program.internal_outputs() < Count(program.outputs()); ++j) PrintTensor("output", *program.outputs()->Get(j));
    for (const fb::Plan* plan : *program.plans()) PrintPlan(artifact, *plan);
  }
}

absl::Status WriteCode(const Artifact& artifact, const std::string& folder) {
  const std::string path = ResolvePath(folder);
  mkdir(path.c_str(), 0777);  // where this fails, writing does, and says so
  // Programs share code images, or have one of the same target each.
  for (size_t i = 0; i < artifact.metadata().programs()->size(); ++i) {
    for (const fb::Plan* plan : *artifact.metadata().programs()->Get(i)->plans()) {
      const std::string name = absl::StrCat(Text(plan->target()), i == 0 ? "" : absl::StrCat(".", i), ".bin");
      const SectionEntry& section = artifact.layout().sections[plan->code_section()];
      std::ofstream file(path + "/" + name, std::ios::binary);
      file.write(reinterpret_cast<const char*>(artifact.file() + section.offset),
                 static_cast<std::streamsize>(section.size));
      if (!file.flush()) return absl::UnavailableError(absl::StrCat("failed to write ", folder, "/", name));
      absl::PrintF("wrote %s/%s\n", folder, name);
    }
  }
  return absl::OkStatus();
}

absl::Status Main(const Arguments& arguments) {
  if (arguments.positional.size() != 1) {
    return absl::InvalidArgumentError("give one artifact: inspect MODEL.mgec [flags]; see --help");
  }
  Result<std::shared_ptr<const Artifact>> artifact = Artifact::Open(ResolvePath(arguments.positional[0]));
  if (!artifact.ok()) return absl::InvalidArgumentError(artifact.status().message());
  Print(*artifact.value());
  const std::string folder = absl::GetFlag(FLAGS_code_dir);
  return folder.empty() ? absl::OkStatus() : WriteCode(*artifact.value(), folder);
}

}  // namespace
}  // namespace mgec

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Prints what is in a compiled model.\n"
                               "inspect MODEL.mgec [--steps] [--bindings] [--code-dir DIR]");
  const absl::Status status = mgec::Main(mgec::ParseArguments(argc, argv));
  if (!status.ok()) {
    std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
