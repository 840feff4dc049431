// Models as MegEngine Lite stores them: plain, encrypted as a whole, or packed with information on how to run them.
#ifndef MGEC_RUNTIME_LITE_PACKED_MODEL_H_
#define MGEC_RUNTIME_LITE_PACKED_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/status.h"

namespace mgec {

// What a file holds. Views of the file where nothing was decrypted, so the file must outlive it.
struct UnpackedModel {
  const uint8_t* model = nullptr;  // a compiled artifact, or a model of MegEngine
  size_t model_size = 0;
  bool packed = false;
  std::string name;                // of a packed model
  std::string info_parser;         // which function reads `info`, "LITE_default" for JSON
  std::vector<uint8_t> info;       // may be empty

  std::vector<uint8_t> decrypted;  // what `model` points to where it was decrypted

  bool is_artifact() const;
};

// Whether the bytes are a packed model.
bool IsPackedModel(const uint8_t* data, size_t size);

// Decrypts and unpacks. `cryption` names the decryption of a file that is not packed; empty for none. The methods inside of
// a packed model are its own. Errors: an unknown method, a wrong key, a damaged package.
Status Unpack(const uint8_t* data, size_t size, const std::string& cryption, UnpackedModel* model);

}  // namespace mgec

#endif  // MGEC_RUNTIME_LITE_PACKED_MODEL_H_
