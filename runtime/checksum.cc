#include "runtime/checksum.h"

#include <xxhash.h>

#include <cstring>
#include <string>

#include "runtime/artifact_format.h"

namespace mgec {

uint64_t Checksum(const void* data, size_t size) { return XXH3_64bits(data, size); }

uint64_t HeaderChecksum(const void* file, uint32_t section_count) {
  // At most 64 + 256 * 40 bytes.
  std::string covered(static_cast<const char*>(file), sizeof(FileHeader) + section_count * sizeof(SectionEntry));
  std::memset(covered.data() + offsetof(FileHeader, header_checksum), 0, sizeof(FileHeader::header_checksum));
  return Checksum(covered.data(), covered.size());
}

}  // namespace mgec
