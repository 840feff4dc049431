// Runs a compiled model on .npy files and measures it:
//   bazel run //tools:run -- model.mgec --input data=x.npy --output-dir out --threads 2 --iterations 100 --profile
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/artifact.h"
#include "runtime/cuda/device.h"
#include "runtime/network.h"
#include "tools/arguments.h"
#include "tools/npy.h"

ABSL_FLAG(std::vector<std::string>, input, {}, "NAME=FILE.npy; may be repeated. Inputs without one get random values.");
ABSL_FLAG(std::string, output_dir, "", "Folder for the outputs, one NAME.npy each; made if it does not exist.");
ABSL_FLAG(int, threads, 1, "Number of threads.");
ABSL_FLAG(int, gpu, -1, "The number of the NVIDIA GPU to run on; -1 for the CPU. Times are those of a pass with its copies.");
ABSL_FLAG(bool, cuda_graph, true, "With --gpu: hand a pass to the GPU as one CUDA graph.");
ABSL_FLAG(int, iterations, 1, "Number of measured passes.");
ABSL_FLAG(int, warmup, 0, "Number of passes before those.");
ABSL_FLAG(bool, private_constants, false, "Copy the weights to huge pages instead of sharing them with other processes.");
ABSL_FLAG(bool, profile, false, "Print the time of every step.");

namespace mgec {
namespace {

absl::Status ToAbsl(const Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(status.message());
}

// NumPy's name for the elements of a tensor, or null if it has none.
const char* Descr(DataType dtype) {
  switch (dtype) {
    case DataType::kFloat32:
      return "<f4";
    case DataType::kFloat16:
      return "<f2";
    case DataType::kInt8:
    case DataType::kQuantizedS8:
      return "|i1";
    case DataType::kUint8:
    case DataType::kQuantized8Asymm:
      return "|u1";
    case DataType::kInt16:
    case DataType::kQuantizedS16:
      return "<i2";
    case DataType::kUint16:
    case DataType::kBFloat16:  // its bits
      return "<u2";
    case DataType::kInt32:
    case DataType::kQuantizedS32:
      return "<i4";
    case DataType::kBool:
      return "|b1";
    case DataType::kQuantizedS4:
    case DataType::kQuantized4Asymm:
      return nullptr;
  }
  return nullptr;
}

// 32 random bits at a time (Knuth's MMIX generator): good enough for inputs, and quick beside a network's first pass.
class Random {
 public:
  uint32_t operator()() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state_ >> 32);
  }

 private:
  uint64_t state_ = 1;
};

// The same values in every run: floats in [-1, 1), small integers, zeros and ones for bool.
void FillRandom(const TensorInfo& info, uint8_t* data) {
  Random random;
  if (info.dtype == DataType::kFloat32) {
    float* values = reinterpret_cast<float*>(data);
    for (size_t i = 0; i < info.bytes / sizeof(float); ++i) values[i] = static_cast<float>(random() >> 8) * 0x1p-23f - 1.0f;
  } else if (BitsPerElement(info.dtype) == 16) {
    uint16_t* values = reinterpret_cast<uint16_t*>(data);
    // As a float16, 0x3800 + x is in [0.5, 1).
    const uint16_t base = info.dtype == DataType::kFloat16 ? 0x3800 : 0;
    for (size_t i = 0; i < info.bytes / 2; ++i) values[i] = base + random() % 0x400;
  } else if (BitsPerElement(info.dtype) == 32) {
    int32_t* values = reinterpret_cast<int32_t*>(data);
    for (size_t i = 0; i < info.bytes / 4; ++i) values[i] = static_cast<int32_t>(random() % 100);
  } else {
    const uint32_t range = info.dtype == DataType::kBool ? 2 : 128;
    for (size_t i = 0; i < info.bytes; ++i) data[i] = static_cast<uint8_t>(random() % range);
  }
}

struct InputFile {
  std::string path;
  NpyArray array;
};

// One per input of the network; an empty path where none was given.
absl::Status ReadInputs(const Network& network, const std::vector<std::string>& flags, std::vector<InputFile>* files) {
  files->resize(network.input_count());
  for (const std::string& flag : flags) {
    const size_t equals = flag.rfind('=');
    if (equals == std::string::npos) return absl::InvalidArgumentError(absl::StrCat("--input ", flag, ": not NAME=FILE"));
    const std::string name = flag.substr(0, equals);
    const int index = network.FindInput(name);
    if (index < 0) {
      std::string names;
      for (size_t i = 0; i < network.input_count(); ++i) absl::StrAppend(&names, i ? ", " : "", network.input(i).name);
      return absl::NotFoundError(absl::StrCat("the model has no input ", name, "; it has: ", names));
    }
    InputFile& file = (*files)[index];
    file.path = flag.substr(equals + 1);
    absl::StatusOr<NpyArray> array = ReadNpy(ResolvePath(file.path));
    if (!array.ok()) return array.status();
    file.array = *std::move(array);
    const char* descr = Descr(network.input(index).dtype);
    if (descr == nullptr || file.array.descr != descr) {
      return absl::InvalidArgumentError(absl::StrCat(file.path, " holds ", file.array.descr, ", but input ", name,
                                                     " is ", DataTypeName(network.input(index).dtype), " (",
                                                     descr == nullptr ? "no type of NumPy" : descr, ")"));
    }
    // NumPy's 0-dimensional arrays and MegEngine's scalars of shape [1] are the same thing.
    if (file.array.shape.empty() && network.input(index).shape == Shape{1}) file.array.shape = {1};
  }
  return absl::OkStatus();
}

absl::Status SetInputs(const std::vector<InputFile>& files, Network* network) {
  std::vector<Shape> shapes;
  for (size_t i = 0; i < files.size(); ++i) {
    shapes.push_back(files[i].path.empty() ? network->input(i).shape : files[i].array.shape);
  }
  const Status selected = network->SelectShapes(shapes);
  if (!selected.ok()) return ToAbsl(selected);
  for (size_t i = 0; i < files.size(); ++i) {
    if (files[i].path.empty()) {
      FillRandom(network->input(i), network->input_data(i));
    } else {
      std::memcpy(network->input_data(i), files[i].array.data.data(), network->input(i).bytes);
    }
  }
  return absl::OkStatus();
}

// A file name made of a tensor's name.
std::string FileName(std::string name) {
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
    if (!plain) c = '_';
  }
  return name + ".npy";
}

absl::Status WriteOutputs(const Network& network, const std::string& folder) {
  const std::string path = ResolvePath(folder);
  mkdir(path.c_str(), 0777);  // where this fails, writing does, and says so
  std::vector<std::string> used;
  for (size_t i = 0; i < network.output_count(); ++i) {
    const TensorInfo& info = network.output(i);
    NpyArray array;
    const char* descr = Descr(info.dtype);
    array.descr = descr == nullptr ? "|u1" : descr;
    array.shape = info.shape;
    if (descr == nullptr) array.shape = {static_cast<uint32_t>(info.bytes)};  // 4-bit elements in pairs
    array.data.assign(reinterpret_cast<const char*>(network.output_data(i)), info.bytes);
    std::string file = FileName(info.name);
    if (std::find(used.begin(), used.end(), file) != used.end()) file = absl::StrCat(i, "_", file);
    used.push_back(file);
    const absl::Status written = WriteNpy(path + "/" + file, array);
    if (!written.ok()) return written;
    absl::PrintF("wrote %s/%s\n", folder, file);
  }
  return absl::OkStatus();
}

// Shapes that a forward pass has found.
void PrintFoundShapes(const Network& network) {
  for (size_t i = 0; i < network.output_count(); ++i) {
    const TensorInfo& info = network.output(i);
    if (info.shape == network.largest_output(i).shape) continue;
    absl::PrintF("  %-7s %-16s %s %s\n", "output", info.name, DataTypeName(info.dtype), ShapeToString(info.shape));
  }
}

void PrintNetwork(const Network& network, const std::vector<InputFile>& files) {
  const auto& metadata = network.artifact()->metadata();
  const auto text = [](const flatbuffers::String* s) { return s == nullptr ? std::string("?") : s->str(); };
  absl::PrintF("%s   from %s, compiler %s, %s, %d thread%s\n", network.artifact()->name(), text(metadata.source_name()),
               text(metadata.compiler_version()), network.target(), network.threads(),
               network.threads() == 1 ? "" : "s");
  const auto print = [](const char* side, const TensorInfo& info, const std::string& from) {
    absl::PrintF("  %-7s %-16s %s %s%s\n", side, info.name, DataTypeName(info.dtype), ShapeToString(info.shape), from);
  };
  for (size_t i = 0; i < network.input_count(); ++i) {
    print("input", network.input(i), files[i].path.empty() ? "   random values" : "   " + files[i].path);
  }
  for (size_t i = 0; i < network.output_count(); ++i) {
    const auto* program = metadata.programs()->Get(network.program());
    const bool dynamic = Count(program->outputs()->Get(i)->dynamic()) != 0;
    print("output", network.largest_output(i), dynamic ? "   at most: the size depends on values" : "");
  }
  absl::PrintF("  constants %.2f MB, arena %.2f MB\n", network.artifact()->constants_size() * 1e-6,
               network.arena_size() * 1e-6);
}

Status RunOnce(Network* network) {
  MGEC_RETURN_IF_ERROR(network->Forward());
  return network->Wait();
}

Status Measure(Network* network, int warmup, int iterations) {
  for (int i = 0; i < warmup; ++i) MGEC_RETURN_IF_ERROR(RunOnce(network));
  std::vector<double> times;
  for (int i = 0; i < iterations; ++i) {
    const auto start = std::chrono::steady_clock::now();
    MGEC_RETURN_IF_ERROR(RunOnce(network));
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  double sum = 0;
  for (double time : times) sum += time;
  absl::PrintF("%d passes: min %.3f ms, median %.3f ms, mean %.3f ms\n", iterations, times.front(),
               times[times.size() / 2], sum / times.size());
  return Status();
}

Status PrintProfile(Network* network, int iterations) {
  network->EnableProfile(true);
  for (int i = 0; i < iterations; ++i) MGEC_RETURN_IF_ERROR(RunOnce(network));
  const std::vector<StepInfo> profile = network->Profile();
  double total = 0;
  for (const StepInfo& step : profile) total += step.total_ns;
  absl::PrintF("%9s %6s %8s %8s  %-24s %s\n", "us", "%", "GMAC/s", "GB/s", "operation", "name (kernel)");
  for (const StepInfo& step : profile) {
    const double ns = static_cast<double>(step.total_ns) / iterations;
    absl::PrintF("%9.2f %6.2f %8.1f %8.1f  %-24s %s (%s)\n", ns * 1e-3, 100 * step.total_ns / total, step.macs / ns,
                 step.bytes / ns, step.op, step.name, step.kernel);
  }
  absl::PrintF("%9.2f %6.2f  %zu steps\n", total / iterations * 1e-3, 100.0, profile.size());
  return Status();
}

absl::Status Main(const Arguments& arguments) {
  if (arguments.positional.size() != 1) {
    return absl::InvalidArgumentError("give one artifact: run MODEL.mgec [flags]; see --help");
  }
  const int iterations = absl::GetFlag(FLAGS_iterations), warmup = absl::GetFlag(FLAGS_warmup);
  if (iterations < 1 || warmup < 0) return absl::InvalidArgumentError("--iterations is at least 1, --warmup at least 0");

  ArtifactOptions artifact_options;
  artifact_options.private_constants = absl::GetFlag(FLAGS_private_constants);
  Result<std::shared_ptr<const Artifact>> artifact =
      Artifact::Open(ResolvePath(arguments.positional[0]), artifact_options);
  if (!artifact.ok()) return ToAbsl(artifact.status());
  NetworkOptions options;
  options.threads = absl::GetFlag(FLAGS_threads);
  if (const int number = absl::GetFlag(FLAGS_gpu); number >= 0) {
    Result<std::shared_ptr<cuda::Device>> gpu = cuda::Device::Open(number);
    if (!gpu.ok()) return ToAbsl(gpu.status());
    options.gpu = std::move(gpu.value());
    options.graph = absl::GetFlag(FLAGS_cuda_graph);
  }
  Result<std::unique_ptr<Network>> loaded = Network::Load(artifact.value(), options);
  if (!loaded.ok()) return ToAbsl(loaded.status());
  Network& network = *loaded.value();

  std::vector<InputFile> files;
  absl::Status status = ReadInputs(network, arguments.repeated.at("input"), &files);
  if (status.ok()) status = SetInputs(files, &network);
  if (!status.ok()) return status;
  PrintNetwork(network, files);
  if (const Status measured = Measure(&network, warmup, iterations); !measured.ok()) return ToAbsl(measured);
  PrintFoundShapes(network);
  if (absl::GetFlag(FLAGS_profile)) {
    if (const Status profiled = PrintProfile(&network, iterations); !profiled.ok()) return ToAbsl(profiled);
  }
  const std::string folder = absl::GetFlag(FLAGS_output_dir);
  return folder.empty() ? absl::OkStatus() : WriteOutputs(network, folder);
}

}  // namespace
}  // namespace mgec

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Runs a compiled model and measures it.\nrun MODEL.mgec [--input NAME=FILE.npy]... "
                               "[--output-dir DIR] [--threads N] [--gpu N] [--iterations N] [--warmup N] [--profile] "
                               "[--private-constants]");
  const absl::Status status = mgec::Main(mgec::ParseArguments(argc, argv, {"input"}));
  if (!status.ok()) {
    std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
