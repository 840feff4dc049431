// Prints what is in a model or a compiled model:
//   bazel run //tools:inspect -- model.mge --operators
//   bazel run //tools:inspect -- model.mgec --steps
// With --code-dir, also writes the code images, for `objdump -D -b binary -m i386:x86-64 -M intel FILE`.
#include <sys/stat.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/usage.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "compiler/mge/container.h"
#include "runtime/artifact.h"
#include "tools/arguments.h"
#include "tools/files.h"
#include "tools/inspect_artifact.h"
#include "tools/inspect_model.h"

ABSL_FLAG(std::string, format, "text", "text; json, everything but code and constants; or dot, a graph for Graphviz.");
ABSL_FLAG(bool, operators, false, "Of a model: list every operator.");
ABSL_FLAG(bool, steps, false, "Of an artifact: list the steps of every plan, and where each kernel is in the code image.");
ABSL_FLAG(bool, bindings, false, "Of an artifact: with the memory of every argument.");
ABSL_FLAG(std::string, target, "", "Of an artifact: the plans for this target only. cuda: with what each kernel is predicted to take on --gpu or, without that, on a100 and h100.");
ABSL_FLAG(std::string, gpu, "", "Of an artifact for CUDA: predict the time on this GPU (t4, a100, h100) from its published speeds and, with --steps, from the registers and memory that its cubins need.");
ABSL_FLAG(std::string, code_dir, "", "Of an artifact: folder for the code images, one TARGET.bin each; made if it does not "
                                     "exist.");

namespace mgec {
namespace {

std::string Text(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

std::string Name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

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
      std::fprintf(stderr, "wrote %s/%s\n", folder.c_str(), name.c_str());
    }
  }
  return absl::OkStatus();
}

std::string Indented(const nlohmann::ordered_json& j) {
  // Names in files need not be UTF-8.
  return j.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

absl::StatusOr<std::string> DescribeArtifact(const std::string& path, const std::string& format) {
  Result<std::shared_ptr<const Artifact>> artifact = Artifact::Open(path);
  if (!artifact.ok()) return absl::InvalidArgumentError(artifact.status().message());
  const std::string folder = absl::GetFlag(FLAGS_code_dir);
  if (!folder.empty()) {
    const absl::Status written = WriteCode(*artifact.value(), folder);
    if (!written.ok()) return written;
  }
  if (format == "json") return Indented(ArtifactJson(*artifact.value()));
  if (format == "dot") return ArtifactDot(*artifact.value());
  ArtifactTextOptions options;
  options.bindings = absl::GetFlag(FLAGS_bindings);
  options.target = absl::GetFlag(FLAGS_target);
  options.steps = absl::GetFlag(FLAGS_steps) || options.target == "cuda";
  std::vector<std::string> gpus;
  if (const std::string gpu = absl::GetFlag(FLAGS_gpu); !gpu.empty()) gpus = {gpu};
  else if (options.target == "cuda") gpus = {"a100", "h100"};
  for (const std::string& name : gpus) {
    const absl::StatusOr<Gpu> gpu = FindGpu(name);
    if (!gpu.ok()) return gpu.status();
    options.gpus.push_back(*gpu);
  }
  return ArtifactText(*artifact.value(), options);
}

absl::StatusOr<std::string> DescribeModel(const std::string& path, const std::string& bytes, const std::string& format) {
  const absl::StatusOr<mge::Model> model = mge::ReadModel(bytes);
  if (!model.ok()) {
    return absl::Status(model.status().code(), absl::StrCat(Name(path), ": ", model.status().message()));
  }
  if (format == "json") return Indented(ModelJson(*model, Name(path)));
  if (format == "dot") return ModelDot(*model, Name(path));
  return ModelText(*model, Name(path), absl::GetFlag(FLAGS_operators));
}

absl::Status Main(const Arguments& arguments) {
  if (arguments.positional.size() != 1) {
    return absl::InvalidArgumentError("give one model or artifact: inspect FILE [flags]; see --help");
  }
  const std::string format = absl::GetFlag(FLAGS_format);
  if (format != "text" && format != "json" && format != "dot") {
    return absl::InvalidArgumentError(absl::StrCat("--format=", format, ": want text, json or dot"));
  }
  const std::string path = ResolvePath(arguments.positional[0]);
  const absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return bytes.status();
  const absl::StatusOr<std::string> text =
      absl::StartsWith(*bytes, "MGEC") ? DescribeArtifact(path, format) : DescribeModel(path, *bytes, format);
  if (!text.ok()) return text.status();
  std::fwrite(text->data(), 1, text->size(), stdout);
  return absl::OkStatus();
}

}  // namespace
}  // namespace mgec

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Prints what is in a model (.mge) or a compiled model (.mgec).\n"
                               "inspect FILE [--format=text|json|dot] [--operators] [--steps] [--bindings] "
                               "[--target=cuda] [--gpu=a100] "
                               "[--code-dir DIR]");
  const absl::Status status = mgec::Main(mgec::ParseArguments(argc, argv));
  if (!status.ok()) {
    std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
