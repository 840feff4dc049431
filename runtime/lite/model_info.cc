#include "runtime/lite/model_info.h"

#define RAPIDJSON_ASSERT(condition) static_cast<void>(condition)  // kinds are checked before values are taken
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

namespace mgec {
namespace {

using Json = rapidjson::Value;

// No recursion, which a file could make as deep as it likes.
constexpr unsigned kParseFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;

struct Registry {
  std::mutex mutex;
  std::map<std::string, InfoParser> parsers;
};

// Never destroyed: threads may still load models when the process ends.
Registry& GetRegistry() {
  static Registry* const registry = [] {
    auto* built_in = new Registry;
    built_in->parsers["LITE_default"] = ParseJsonInfo;
    return built_in;
  }();
  return *registry;
}

// Writing does use recursion.
constexpr size_t kMaxDepth = 100;

// An upper bound of how deep the lists and objects of a JSON text are nested.
size_t Depth(const char* text, size_t size) {
  size_t depth = 0, most = 0;
  bool quoted = false;
  for (size_t i = 0; i < size; ++i) {
    if (quoted) {
      if (text[i] == '\\') {
        ++i;  // what is escaped does not end the text
      } else if (text[i] == '"') {
        quoted = false;
      }
    } else if (text[i] == '"') {
      quoted = true;
    } else if (text[i] == '[' || text[i] == '{') {
      most = std::max(most, ++depth);
    } else if ((text[i] == ']' || text[i] == '}') && depth > 0) {
      --depth;
    }
  }
  return most;
}

Status Bad(const std::string& what) {
  return Status(StatusCode::kDataLoss, "the information in the packed model is wrong: " + what);
}

// Looks up `key` in an object; the functions return whether it is there, and note an error if it is of another kind.
class Reader {
 public:
  const Json* Find(const Json& object, const char* key) {
    const auto found = object.FindMember(key);
    return found == object.MemberEnd() ? nullptr : &found->value;
  }
  const Json* Object(const Json& object, const char* key) {
    const Json* found = Find(object, key);
    return found == nullptr || found->IsObject() ? found : Note(key, "must be an object");
  }
  const Json* Array(const Json& object, const char* key) {
    const Json* found = Find(object, key);
    return found == nullptr || found->IsArray() ? found : Note(key, "must be a list");
  }
  bool Text(const Json& object, const char* key, std::string* value) {
    const Json* found = Find(object, key);
    if (found != nullptr && !found->IsString()) found = Note(key, "must be a text");
    if (found != nullptr) value->assign(found->GetString(), found->GetStringLength());
    return found != nullptr;
  }

  // Booleans may also be written as numbers, and numbers as booleans.
  template <typename T>
  void Number(const Json& object, const char* key, int64_t low, int64_t high, T* value) {
    const Json* found = Find(object, key);
    if (found == nullptr) return;
    int64_t number;
    if (found->IsBool()) {
      number = found->GetBool();
    } else if (found->IsInt64()) {
      number = found->GetInt64();
    } else {
      Note(key, found->IsNumber() ? "must be a whole number in range" : "must be a number");
      return;
    }
    if (number < low || number > high) {
      Note(key, "is out of range");
    } else {
      *value = static_cast<T>(number);
    }
  }

  // Keeps the first error; returns null.
  const Json* Note(const std::string& key, const char* what) {
    if (status.ok()) status = Bad("\"" + key + "\" " + what);
    return nullptr;
  }

  Status status;
};

template <typename T>
struct Named {
  const char* name;
  T value;
};

template <typename T, size_t n>
void Lookup(Reader& reader, const Json& object, const char* key, const Named<T> (&names)[n], T* value) {
  std::string text;
  if (!reader.Text(object, key, &text)) return;
  for (const Named<T>& entry : names) {
    if (text == entry.name) {
      *value = entry.value;
      return;
    }
  }
  reader.Note(key, ("is \"" + text + "\", which is not known").c_str());
}

constexpr Named<LiteDeviceType> kDevices[] = {
    {"CPU", LITE_CPU}, {"CUDA", LITE_CUDA}, {"ATLAS", LITE_ATLAS}, {"CAMBRICON", LITE_CAMBRICON}, {"NPU", LITE_NPU}};
constexpr Named<LiteIOType> kIoTypes[] = {{"value", LITE_IO_VALUE}, {"shape", LITE_IO_SHAPE}};
constexpr Named<LiteDataType> kDataTypes[] = {{"float32", LITE_FLOAT}, {"float16", LITE_HALF}, {"int32", LITE_INT},
                                              {"int16", LITE_INT16},   {"int8", LITE_INT8},    {"uint8", LITE_UINT8}};
constexpr Named<int LiteOptions::*> kOptions[] = {
    {"weight_preprocess", &LiteOptions::weight_preprocess},
    {"fuse_preprocess", &LiteOptions::fuse_preprocess},
    {"fake_next_exec", &LiteOptions::fake_next_exec},
    {"var_sanity_check_first_run", &LiteOptions::var_sanity_check_first_run},
    {"const_shape", &LiteOptions::const_shape},
    {"force_dynamic_alloc", &LiteOptions::force_dynamic_alloc},
    {"force_output_dynamic_alloc", &LiteOptions::force_output_dynamic_alloc},
    {"no_profiling_on_shape_change", &LiteOptions::no_profiling_on_shape_change},
    {"jit_level", &LiteOptions::jit_level},
    {"comp_node_seq_record_level", &LiteOptions::comp_node_seq_record_level},
    {"graph_opt_level", &LiteOptions::graph_opt_level},
    {"async_exec_level", &LiteOptions::async_exec_level},
};

void ReadIo(Reader& reader, const Json& object, const char* key, std::vector<IoConfig>* items) {
  const Json* list = reader.Array(object, key);
  if (list == nullptr) return;
  for (const Json& entry : list->GetArray()) {
    std::string name;
    if (!entry.IsObject() || !reader.Text(entry, "name", &name)) {
      reader.Note(key, "must be objects with a \"name\"");
      return;
    }
    IoConfig* item = nullptr;
    for (IoConfig& candidate : *items) {
      if (candidate.name == name) item = &candidate;
    }
    if (item == nullptr) {
      items->emplace_back();
      item = &items->back();
      item->name = name;
    }
    reader.Number(entry, "is_host", 0, 1, &item->is_host);
    Lookup(reader, entry, "io_type", kIoTypes, &item->io_type);
    Lookup(reader, entry, "dtype", kDataTypes, &item->layout.data_type);
    if (const Json* shape = reader.Object(entry, "shape")) {
      size_t ndim = 0;
      for (const char* dim : {"dim0", "dim1", "dim2", "dim3"}) {
        if (reader.Find(*shape, dim) == nullptr) break;
        reader.Number(*shape, dim, 1, INT32_MAX, &item->layout.shapes[ndim++]);
      }
      item->layout.ndim = ndim;
    }
  }
}

}  // namespace

Status RegisterInfoParser(const std::string& name, InfoParser parser) {
  if (!parser) return Status(StatusCode::kInvalidArgument, "The parse function is null.");
  Registry& registry = GetRegistry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  if (registry.parsers.count(name) != 0) {
    return Status(StatusCode::kInvalidArgument, Format("The parse function %s is already registered.", name.c_str()));
  }
  registry.parsers[name] = std::move(parser);
  return Status();
}

Status ParseInfo(const std::string& parser, const void* info, size_t size, const std::string& model_name,
                 ModelSettings* settings) {
  InfoParser function;  // a copy, so that the user's function runs without the lock
  {
    Registry& registry = GetRegistry();
    const std::lock_guard<std::mutex> lock(registry.mutex);
    const auto found = registry.parsers.find(parser);
    if (found == registry.parsers.end()) {
      return Status(StatusCode::kNotFound,
                    Format("can't find model info parse function %s. Register it before loading the model.",
                           parser.c_str()));
    }
    function = found->second;
  }
  ModelSettings changed = *settings;
  MGEC_RETURN_IF_ERROR(function(info, size, model_name, &changed));
  *settings = std::move(changed);
  return Status();
}

Status ParseJsonInfo(const void* info, size_t size, const std::string& model_name, ModelSettings* settings) {
  const char* text = static_cast<const char*>(info);
  // Ciphers of whole blocks leave zeros behind the text.
  while (size > 0 && text[size - 1] == '\0') --size;
  if (Depth(text, size) > kMaxDepth) return Bad("it is nested too deep");
  rapidjson::Document json;
  json.Parse<kParseFlags>(text, size);
  if (json.HasParseError() || !json.IsObject()) return Bad("it is not a JSON object");
  Reader reader;
  bool valid = false;
  if (reader.Find(json, "valid") == nullptr) return Bad("it has no \"valid\"");
  reader.Number(json, "valid", 0, 1, &valid);
  if (!valid || !reader.status.ok()) return reader.status;
  std::string name;
  if (reader.Text(json, "name", &name) && name != model_name) {
    return Bad(Format("infomation of model name is not match, packed model is %s, but json info get %s.",
                      model_name.c_str(), name.c_str()));
  }
  NetworkConfig& config = settings->config;
  reader.Number(json, "has_compression", 0, 1, &config.has_compression);
  if (const Json* device = reader.Object(json, "device")) {
    Lookup(reader, *device, "type", kDevices, &config.device_type);
    reader.Number(*device, "device_id", INT32_MIN, INT32_MAX, &settings->device_id);
    reader.Number(*device, "number_threads", 0, 256, &settings->threads);
    reader.Number(*device, "enable_inplace_model", 0, 1, &settings->inplace);
    reader.Number(*device, "use_tensorrt", 0, 1, &settings->use_tensorrt);
  }
  if (const Json* options = reader.Object(json, "options")) {
    for (const auto& option : kOptions) {
      reader.Number(*options, option.name, INT32_MIN, INT32_MAX, &(config.options.*option.value));
    }
  }
  if (const Json* io = reader.Object(json, "IO")) {
    ReadIo(reader, *io, "inputs", &settings->io.inputs);
    ReadIo(reader, *io, "outputs", &settings->io.outputs);
  }
  if (const Json* extra = reader.Find(json, "extra_info")) {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    extra->Accept(writer);
    settings->extra_info.assign(buffer.GetString(), buffer.GetSize());
  }
  return reader.status;
}

}  // namespace mgec
