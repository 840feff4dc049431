// The layout of an artifact file, shared by compiler and runtime. All integers little-endian.
//
//   offset 0   FileHeader (64 bytes)
//   offset 64  SectionEntry[section_count] (40 bytes each)
//   then       sections, each at a multiple of kSectionAlignment, zero padding between, in the order of the table
//
// Every byte of the file is covered: `header_checksum` covers the header (with that field as zero) and the table, each
// entry's `checksum` covers its section, and padding must be zero. Checksums are XXH3-64.
#ifndef MGEC_RUNTIME_ARTIFACT_FORMAT_H_
#define MGEC_RUNTIME_ARTIFACT_FORMAT_H_

#include <cstdint>

namespace mgec {

inline constexpr char kMagic[4] = {'M', 'G', 'E', 'C'};
// 2: outputs may have dynamic dimensions.
inline constexpr uint32_t kFormatVersion = 2;
inline constexpr uint64_t kSectionAlignment = 4096;
inline constexpr uint32_t kMaxSections = 256;
// Alignment of the arena, of the constants section and, inside it, of each constant.
inline constexpr uint64_t kBufferAlignment = 64;

enum class SectionKind : uint32_t {
  kMetadata = 1,   // FlatBuffer of artifact.fbs; exactly one
  kConstants = 2,  // packed weights and tables; at most one
  kCode = 3,       // a flat, position-independent code image; one per target
  kGpuCode = 4,    // cubins and PTX of a plan for GPUs, one after the other, each at a multiple of 64 bytes
};

struct FileHeader {
  char magic[4];
  uint32_t format_version;
  uint64_t file_size;
  uint32_t section_count;
  uint32_t reserved0;
  uint64_t header_checksum;
  uint8_t reserved1[32];  // zero
};
static_assert(sizeof(FileHeader) == 64, "part of the file format");

struct SectionEntry {
  uint32_t kind;  // SectionKind
  uint32_t reserved;
  uint64_t offset;
  uint64_t size;
  uint64_t checksum;
  uint64_t reserved1;
};
static_assert(sizeof(SectionEntry) == 40, "part of the file format");

}  // namespace mgec

#endif  // MGEC_RUNTIME_ARTIFACT_FORMAT_H_
