#include "runtime/artifact_writer.h"

#include <cstring>
#include <utility>

#include "runtime/artifact_format.h"
#include "runtime/checksum.h"

namespace mgec {
namespace {

constexpr uint32_t kFirstCodeSection = 2;

struct Section {
  SectionKind kind;
  std::string_view bytes;
};

}  // namespace

uint32_t ArtifactWriter::AddCode(std::string image) {
  images_.push_back({false, std::move(image)});
  return kFirstCodeSection + static_cast<uint32_t>(images_.size()) - 1;
}

uint32_t ArtifactWriter::AddGpuCode(std::string modules) {
  images_.push_back({true, std::move(modules)});
  return kFirstCodeSection + static_cast<uint32_t>(images_.size()) - 1;
}

void ArtifactWriter::SetConstants(std::string constants) { constants_ = std::move(constants); }

std::string ArtifactWriter::Finish(std::string_view metadata) const {
  std::vector<Section> sections = {{SectionKind::kMetadata, metadata}, {SectionKind::kConstants, constants_}};
  for (const Image& image : images_) sections.push_back({image.gpu ? SectionKind::kGpuCode : SectionKind::kCode, image.bytes});

  std::vector<SectionEntry> table;
  uint64_t end = sizeof(FileHeader) + sections.size() * sizeof(SectionEntry);
  for (const Section& section : sections) {
    SectionEntry entry = {};
    entry.kind = static_cast<uint32_t>(section.kind);
    entry.offset = (end + kSectionAlignment - 1) / kSectionAlignment * kSectionAlignment;
    entry.size = section.bytes.size();
    table.push_back(entry);
    end = entry.offset + entry.size;
  }

  FileHeader header = {};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.format_version = kFormatVersion;
  header.file_size = end;
  header.section_count = static_cast<uint32_t>(sections.size());

  std::string file(end, '\0');
  std::memcpy(file.data(), &header, sizeof(header));
  std::memcpy(file.data() + sizeof(header), table.data(), table.size() * sizeof(SectionEntry));
  for (size_t i = 0; i < sections.size(); ++i) {
    if (!sections[i].bytes.empty()) {
      std::memcpy(file.data() + table[i].offset, sections[i].bytes.data(), sections[i].bytes.size());
    }
  }
  UpdateChecksums(&file);
  return file;
}

void UpdateChecksums(std::string* file) {
  FileHeader header;
  std::memcpy(&header, file->data(), sizeof(header));
  for (uint32_t i = 0; i < header.section_count; ++i) {
    char* place = file->data() + sizeof(FileHeader) + i * sizeof(SectionEntry);
    SectionEntry entry;
    std::memcpy(&entry, place, sizeof(entry));
    entry.checksum = Checksum(file->data() + entry.offset, entry.size);
    std::memcpy(place, &entry, sizeof(entry));
  }
  header.header_checksum = HeaderChecksum(file->data(), header.section_count);
  std::memcpy(file->data(), &header, sizeof(header));
}

}  // namespace mgec
