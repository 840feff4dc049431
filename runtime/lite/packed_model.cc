#include "runtime/lite/packed_model.h"

#include <cstring>
#include <utility>

#include "runtime/artifact_format.h"
#include "runtime/lite/cryption.h"
#include "runtime/lite/packed_model_generated.h"

namespace mgec {
namespace {

constexpr char kTag[] = "packed_model";
constexpr size_t kTagSize = sizeof(kTag) - 1;

std::string Text(const flatbuffers::String* text) { return text != nullptr ? text->str() : std::string(); }

bool IsPlain(const std::string& method) { return method.empty() || method == "NONE"; }

Status Damaged(const char* what) {
  return Status(StatusCode::kDataLoss, Format("the packed model is damaged: %s", what));
}

// Ciphers of whole blocks leave zeros behind the plain text; an artifact knows its own size.
size_t SizeWithoutPadding(const std::vector<uint8_t>& plain) {
  FileHeader header;
  if (plain.size() < sizeof(header)) return plain.size();
  std::memcpy(&header, plain.data(), sizeof(header));
  const bool padded = std::memcmp(header.magic, kMagic, sizeof(kMagic)) == 0 && header.file_size < plain.size() &&
                      plain.size() - header.file_size < 16;
  return padded ? header.file_size : plain.size();
}

Status DecryptModel(const std::string& method, const uint8_t* data, size_t size, UnpackedModel* model) {
  Result<std::vector<uint8_t>> plain = Decrypt(method, data, size);
  if (!plain.ok()) return plain.status();
  model->decrypted = std::move(plain.value());
  model->model = model->decrypted.data();
  model->model_size = SizeWithoutPadding(model->decrypted);
  return Status();
}

}  // namespace

bool UnpackedModel::is_artifact() const {
  return model_size >= sizeof(kMagic) && std::memcmp(model, kMagic, sizeof(kMagic)) == 0;
}

bool IsPackedModel(const uint8_t* data, size_t size) {
  return size >= kTagSize && std::memcmp(data, kTag, kTagSize) == 0;
}

Status Unpack(const uint8_t* data, size_t size, const std::string& cryption, UnpackedModel* model) {
  *model = UnpackedModel();
  if (!IsPackedModel(data, size)) {
    if (!cryption.empty()) return DecryptModel(cryption, data, size, model);
    model->model = data;
    model->model_size = size;
    return Status();
  }
  // The table starts at an odd place: 4 bytes are its largest field, so a copy is only needed if it is not even there.
  const uint8_t* table = data + kTagSize;
  const size_t table_size = size - kTagSize;
  std::vector<uint8_t> aligned;
  if (reinterpret_cast<uintptr_t>(table) % 4 != 0) {
    aligned.assign(table, table + table_size);
    table = aligned.data();
  }
  if (table_size >= FLATBUFFERS_MAX_BUFFER_SIZE) return Damaged("it is larger than 2 GiB");
  flatbuffers::Verifier verifier(table, table_size);
  if (!packed::VerifyPackModelBuffer(verifier)) return Damaged("its table is not valid");
  const auto* models = packed::GetPackModel(table)->models();
  if (models == nullptr || models->size() != 1) return Damaged("it must hold one model");
  const packed::Model& entry = *models->Get(0);
  if (entry.header() == nullptr) return Damaged("it has no header");
  if (entry.data() == nullptr || entry.data()->data() == nullptr || entry.data()->data()->size() == 0) {
    return Damaged("it has no model");
  }
  model->packed = true;
  model->name = Text(entry.header()->name());
  model->info_parser = Text(entry.header()->info_parse_method());
  if (entry.info() != nullptr && entry.info()->data() != nullptr) {
    const auto& info = *entry.info()->data();
    const std::string method = Text(entry.header()->info_decryption_method());
    if (IsPlain(method)) {
      model->info.assign(info.begin(), info.end());
    } else {
      Result<std::vector<uint8_t>> plain = Decrypt(method, info.data(), info.size());
      if (!plain.ok()) return plain.status();
      model->info = std::move(plain.value());
    }
  }
  const auto& content = *entry.data()->data();
  const std::string method = Text(entry.header()->model_decryption_method());
  if (!IsPlain(method)) return DecryptModel(method, content.data(), content.size(), model);
  model->model = content.data();
  model->model_size = content.size();
  if (!aligned.empty()) {  // the copy goes: keep the model
    model->decrypted.assign(content.begin(), content.end());
    model->model = model->decrypted.data();
  }
  return Status();
}

}  // namespace mgec
