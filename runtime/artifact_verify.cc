#include "runtime/artifact_verify.h"

#include <cstring>

#include "runtime/checksum.h"

namespace mgec {
namespace {

constexpr const char kRecompile[] = "compile the model again with `bazel run //tools:compile -- MODEL.mge`";

Status Damaged(const std::string& what) {
  return Status(StatusCode::kDataLoss, what + "; the file is damaged: copy it again, or " + kRecompile);
}

bool IsZero(const uint8_t* data, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    if (data[i] != 0) return false;
  }
  return true;
}

const char* SectionName(uint32_t kind) {
  switch (static_cast<SectionKind>(kind)) {
    case SectionKind::kMetadata:
      return "metadata";
    case SectionKind::kConstants:
      return "constants";
    case SectionKind::kCode:
      return "code";
    case SectionKind::kGpuCode:
      return "gpu code";
  }
  return "unknown";
}

Status VerifyHeader(const uint8_t* file, size_t size, FileHeader* header) {
  if (size < sizeof(FileHeader) || std::memcmp(file, kMagic, sizeof(kMagic)) != 0) {
    // MegEngine's own containers (with test cases; v2; v1 in two flavours), which users have at hand and try first.
    const bool mge = size >= 12 && (std::memcmp(file, "mgbtest0", 8) == 0 || std::memcmp(file + 8, "mgv2", 4) == 0 ||
                                    std::memcmp(file, "MGBC", 4) == 0 || std::memcmp(file, "MGBS", 4) == 0);
    if (mge) {
      return Status(StatusCode::kUnsupported,
                    "invalid model format: this is a MegEngine model, not a compiled artifact; compile it first: "
                    "bazel run //tools:compile -- MODEL.mge");
    }
    return Status(StatusCode::kDataLoss, "invalid model format: not a compiled artifact (.mgec)");
  }
  std::memcpy(header, file, sizeof(*header));
  if (header->format_version != kFormatVersion) {
    return Status(StatusCode::kUnsupported,
                  Format("format version %u, but this runtime reads version %u; %s", header->format_version,
                         kFormatVersion, kRecompile));
  }
  if (header->file_size != size) {
    return Damaged(Format("header: the file should have %llu bytes but has %zu",
                          static_cast<unsigned long long>(header->file_size), size));
  }
  if (header->section_count > kMaxSections ||
      sizeof(FileHeader) + header->section_count * sizeof(SectionEntry) > size) {
    return Damaged(Format("header: %u sections", header->section_count));
  }
  if (HeaderChecksum(file, header->section_count) != header->header_checksum) {
    return Damaged("header: the checksum does not match");
  }
  if (header->reserved0 != 0 || !IsZero(header->reserved1, sizeof(header->reserved1))) {
    return Damaged("header: a reserved field is not zero");
  }
  return Status();
}

Status VerifySections(const uint8_t* file, const FileHeader& header, ArtifactLayout* layout) {
  uint64_t end = sizeof(FileHeader) + header.section_count * sizeof(SectionEntry);
  for (uint32_t i = 0; i < header.section_count; ++i) {
    SectionEntry entry;
    std::memcpy(&entry, file + sizeof(FileHeader) + i * sizeof(SectionEntry), sizeof(entry));
    const std::string name = Format("section %u (%s)", i, SectionName(entry.kind));
    const uint64_t start = (end + kSectionAlignment - 1) / kSectionAlignment * kSectionAlignment;
    if (entry.kind < 1 || entry.kind > 4 || entry.reserved != 0 || entry.reserved1 != 0) {
      return Damaged(name + ": bad table entry");
    }
    if (entry.offset != start || start > header.file_size || entry.size > header.file_size - start) {
      return Damaged(name + ": does not lie in the file");
    }
    if (!IsZero(file + end, start - end)) return Damaged(name + ": the padding before it is not zero");
    if (Checksum(file + entry.offset, entry.size) != entry.checksum) {
      return Damaged(name + ": the checksum does not match");
    }
    end = entry.offset + entry.size;
    layout->sections.push_back(entry);
  }
  if (end != header.file_size) return Damaged("bytes after the last section");
  return Status();
}

Status FindMetadata(const uint8_t* file, ArtifactLayout* layout) {
  const SectionEntry* metadata = nullptr;
  const SectionEntry* constants = nullptr;
  for (const SectionEntry& entry : layout->sections) {
    const SectionKind kind = static_cast<SectionKind>(entry.kind);
    if (kind == SectionKind::kCode || kind == SectionKind::kGpuCode) continue;
    const SectionEntry** slot = kind == SectionKind::kMetadata ? &metadata : &constants;
    if (*slot != nullptr) return Damaged(Format("two %s sections", SectionName(entry.kind)));
    *slot = &entry;
  }
  if (metadata == nullptr) return Damaged("no metadata section");
  if (constants != nullptr) {
    layout->constants_offset = constants->offset;
    layout->constants_size = constants->size;
  }
  flatbuffers::Verifier verifier(file + metadata->offset, metadata->size);
  if (metadata->size < 16 || !fb::VerifyMetadataBuffer(verifier)) {
    return Damaged("metadata section: not a valid FlatBuffer");
  }
  layout->metadata = fb::GetMetadata(file + metadata->offset);
  return Status();
}

}  // namespace

Result<ArtifactLayout> VerifyArtifact(const uint8_t* file, size_t size) {
  FileHeader header;
  ArtifactLayout layout;
  MGEC_RETURN_IF_ERROR(VerifyHeader(file, size, &header));
  MGEC_RETURN_IF_ERROR(VerifySections(file, header, &layout));
  MGEC_RETURN_IF_ERROR(FindMetadata(file, &layout));
  MGEC_RETURN_IF_ERROR(VerifyMetadata(*layout.metadata, layout));
  return layout;
}

}  // namespace mgec
