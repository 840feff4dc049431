// The checksums of artifact files.
#ifndef MGEC_RUNTIME_CHECKSUM_H_
#define MGEC_RUNTIME_CHECKSUM_H_

#include <cstddef>
#include <cstdint>

namespace mgec {

// XXH3-64 with seed 0.
uint64_t Checksum(const void* data, size_t size);

// The value of FileHeader::header_checksum for a file that starts at `file` and has at least the header and
// `section_count` section entries: covers both, with the field itself taken as zero.
uint64_t HeaderChecksum(const void* file, uint32_t section_count);

}  // namespace mgec

#endif  // MGEC_RUNTIME_CHECKSUM_H_
