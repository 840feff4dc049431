#include "runtime/lite/reports.h"

#include <sys/stat.h>

#include <cerrno>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <vector>

namespace mgec {
namespace {

// A text file that is written whole or reported.
class File {
 public:
  File(const std::string& path, const char* what) : path_(path), what_(what), file_(std::fopen(path.c_str(), "wb")) {
    failed_ = file_ == nullptr ? errno : 0;
  }
  ~File() {
    if (file_ != nullptr) std::fclose(file_);
  }

  __attribute__((format(printf, 2, 3))) void Print(const char* format, ...) {
    if (file_ == nullptr) return;
    va_list arguments;
    va_start(arguments, format);
    if (std::vfprintf(file_, format, arguments) < 0) Note();
    va_end(arguments);
  }

  void Write(const void* data, size_t size) {
    if (file_ != nullptr && size > 0 && std::fwrite(data, 1, size, file_) != size) Note();
  }

  Status Close() {
    if (file_ != nullptr && std::fclose(file_) != 0) Note();
    file_ = nullptr;
    if (failed_ == 0) return Status();
    return Status(StatusCode::kInvalidArgument,
                  Format("cannot write %s to %s: %s", what_, path_.c_str(), std::strerror(failed_)));
  }

 private:
  void Note() {
    if (failed_ == 0) failed_ = errno != 0 ? errno : EIO;
  }

  std::string path_;
  const char* what_;
  FILE* file_;
  int failed_;
};

// As a JSON string, with its quotes.
std::string Quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      result += Format("\\u%04x", static_cast<unsigned>(c));
    } else {
      result += c;
    }
  }
  return result + "\"";
}

double HalfToDouble(uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const double fraction = bits & 1023;
  double value;
  if (exponent == 0) {
    value = std::ldexp(fraction, -24);
  } else if (exponent == 31) {
    value = fraction == 0 ? INFINITY : NAN;
  } else {
    value = std::ldexp(1024 + fraction, exponent - 25);
  }
  return bits & 0x8000 ? -value : value;
}

template <typename T>
T Load(const uint8_t* data) {
  T value;
  std::memcpy(&value, data, sizeof(value));
  return value;
}

double ValueAt(const uint8_t* data, LiteDataType dtype) {
  switch (dtype) {
    case LITE_FLOAT:
      return Load<float>(data);
    case LITE_HALF:
      return HalfToDouble(Load<uint16_t>(data));
    case LITE_INT:
      return Load<int32_t>(data);
    case LITE_UINT:
      return Load<uint32_t>(data);
    case LITE_INT16:
      return Load<int16_t>(data);
    case LITE_UINT16:
      return Load<uint16_t>(data);
    case LITE_INT8:
      return Load<int8_t>(data);
    case LITE_UINT8:
      return *data;
    case LITE_INT64:
      return static_cast<double>(Load<int64_t>(data));
  }
  return 0;
}

Status Contents(TensorImpl& tensor, std::vector<uint8_t>* bytes) {
  bytes->resize(tensor.bytes());
  return tensor.CopyTo(bytes->data());
}

Status PrintLine(File& file, size_t number, const Port& port) {
  std::vector<uint8_t> bytes;
  MGEC_RETURN_IF_ERROR(Contents(*port.tensor, &bytes));
  const size_t size = ElementSize(port.tensor->dtype());
  const size_t count = bytes.size() / size;
  file.Print("var%zu produced: name=%s layout={", number, port.io.name.c_str());
  for (size_t i = 0; i < port.tensor->shape().size(); ++i) file.Print("%s%zu", i ? "," : "", port.tensor->shape()[i]);
  file.Print("} val: [");
  double least = INFINITY, most = -INFINITY, sum = 0, squares = 0;
  for (size_t i = 0; i < count; ++i) {
    const double value = ValueAt(bytes.data() + i * size, port.tensor->dtype());
    if (i < 8) file.Print("%s%g", i ? "," : "", value);
    least = std::fmin(least, value);
    most = std::fmax(most, value);
    sum += value;
    squares += value * value;
  }
  file.Print(count > 8 ? "...]" : "]");
  if (count > 0) {
    const double n = static_cast<double>(count), mean = sum / n;
    file.Print("min=%g max=%g mean=%g l2=%g sd=%g", least, most, mean, std::sqrt(squares / n),
               std::sqrt(std::fmax(squares / n - mean * mean, 0)));
  }
  file.Print("\n");
  return Status();
}

}  // namespace

Status WriteProfile(const std::string& path, Network& network) {
  const std::vector<StepInfo> steps = network.Profile();
  const double passes = static_cast<double>(network.profiled_passes() > 0 ? network.profiled_passes() : 1);
  File file(path, "the profile");
  file.Print("{\n\"displayTimeUnit\": \"ms\",\n\"traceEvents\": [\n");
  file.Print(" {\"ph\": \"M\", \"pid\": 1, \"tid\": 1, \"name\": \"process_name\", \"args\": {\"name\": %s}},\n",
             Quoted(network.artifact()->name()).c_str());
  file.Print(" {\"ph\": \"M\", \"pid\": 1, \"tid\": 1, \"name\": \"thread_name\", \"args\": {\"name\": \"%d threads\"}}",
             network.threads());
  const uint64_t start = steps.empty() ? 0 : steps.front().last_begin_ns;
  for (const StepInfo& step : steps) {
    file.Print(",\n {\"ph\": \"X\", \"pid\": 1, \"tid\": 1, \"cat\": \"operator\", \"name\": %s, \"ts\": %.3f, \"dur\": %.3f, "
               "\"args\": {\"operator\": %s, \"kernel\": %s, \"multiply_adds\": %llu, \"bytes\": %llu}}",
               Quoted(step.name.empty() ? step.op : step.name).c_str(),
               static_cast<double>(step.last_begin_ns - start) * 1e-3, static_cast<double>(step.last_ns) * 1e-3,
               Quoted(step.op).c_str(), Quoted(step.kernel).c_str(), static_cast<unsigned long long>(step.macs),
               static_cast<unsigned long long>(step.bytes));
  }
  file.Print("\n],\n\"profiler\": {\"device\": {}, \"host\": {");
  for (size_t i = 0; i < steps.size(); ++i) {
    file.Print("%s\n \"%zu\": {\"seconds\": %.9f}", i ? "," : "", i, static_cast<double>(steps[i].total_ns) * 1e-9 / passes);
  }
  file.Print("\n}, \"opr_internal_pf\": {}, \"opr_footprint\": {}},\n\"graph_exec\": {\"operator\": {");
  for (size_t i = 0; i < steps.size(); ++i) {
    file.Print("%s\n \"%zu\": {\"name\": %s, \"type\": %s, \"kernel\": %s}", i ? "," : "", i,
               Quoted(steps[i].name).c_str(), Quoted(steps[i].op).c_str(), Quoted(steps[i].kernel).c_str());
  }
  file.Print("\n}, \"var\": {}, \"mem_chunk\": {}, \"comp_seq\": [");
  for (size_t i = 0; i < steps.size(); ++i) file.Print("%s\"%zu\"", i ? ", " : "", i);
  file.Print("]}\n}\n");
  return file.Close();
}

Status WriteTextDump(const std::string& path, const NetworkEdge& edge) {
  File file(path, "the dump");
  size_t number = 0;
  for (const std::vector<Port>* ports : {&edge.inputs(), &edge.outputs()}) {
    for (const Port& port : *ports) MGEC_RETURN_IF_ERROR(PrintLine(file, number++, port));
  }
  return file.Close();
}

Status WriteBinaryDump(const std::string& folder, const NetworkEdge& edge) {
  size_t number = 0;
  for (const std::vector<Port>* ports : {&edge.inputs(), &edge.outputs()}) {
    for (const Port& port : *ports) {
      std::vector<uint8_t> bytes;
      MGEC_RETURN_IF_ERROR(Contents(*port.tensor, &bytes));
      File file(folder + Format("/%06zu", number++), "the dump");
      file.Write(bytes.data(), bytes.size());
      MGEC_RETURN_IF_ERROR(file.Close());
    }
  }
  return Status();
}

Status WriteMemoryInfo(const std::string& folder, NetworkEdge& edge) {
  for (size_t i = 1; i <= folder.size(); ++i) {
    if (i == folder.size() || folder[i] == '/') mkdir(folder.substr(0, i).c_str(), 0777);  // the file's error is enough
  }
  Network& core = edge.core();
  File file(folder + "/static_memory.json", "the use of memory");
  file.Print("{\n\"model\": %s,\n\"target\": %s,\n", Quoted(core.artifact()->name()).c_str(),
             Quoted(core.target()).c_str());
  file.Print("\"weights\": %zu,\n\"arena\": %zu", core.artifact()->constants_size(), core.arena_size());
  size_t total = core.artifact()->constants_size() + core.arena_size();
  for (const std::vector<Port>* ports : {&edge.inputs(), &edge.outputs()}) {
    file.Print(",\n\"%s\": {", ports == &edge.inputs() ? "inputs" : "outputs");
    for (size_t i = 0; i < ports->size(); ++i) {
      file.Print("%s%s: %zu", i ? ", " : "", Quoted((*ports)[i].io.name).c_str(), (*ports)[i].bytes);
      total += (*ports)[i].bytes;
    }
    file.Print("}");
  }
  file.Print(",\n\"total\": %zu\n}\n", total);
  return file.Close();
}

}  // namespace mgec
