// Proves that the bytes of an artifact file are sound before anything in them is believed.
#ifndef MGEC_RUNTIME_ARTIFACT_VERIFY_H_
#define MGEC_RUNTIME_ARTIFACT_VERIFY_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/artifact_format.h"
#include "runtime/artifact_generated.h"
#include "runtime/status.h"

namespace mgec {

// Where things are in a verified file. Points into the file.
struct ArtifactLayout {
  std::vector<SectionEntry> sections;
  const fb::Metadata* metadata = nullptr;
  uint64_t constants_offset = 0;
  uint64_t constants_size = 0;
};

// Checks every byte of `file`: header and section table, padding, checksums, the FlatBuffer, and that every number in it
// is in range: element types, shapes, section, kernel, input and output indices, and that every kernel argument lies
// inside the memory it names. After success the runtime may index and add without further checks, and kernels that keep
// to the sizes in their bindings touch nothing else. `file` is aligned to 8 bytes. Never aborts, whatever the bytes are.
Result<ArtifactLayout> VerifyArtifact(const uint8_t* file, size_t size);

// The part of it that looks at the metadata. `metadata` has passed the FlatBuffers verifier.
Status VerifyMetadata(const fb::Metadata& metadata, const ArtifactLayout& layout);

// The number of elements of a FlatBuffers vector that may be absent.
template <typename Vector>
size_t Count(const Vector* vector) {
  return vector == nullptr ? 0 : vector->size();
}

}  // namespace mgec

#endif  // MGEC_RUNTIME_ARTIFACT_VERIFY_H_
