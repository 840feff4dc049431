#include "runtime/artifact_writer.h"

#include <gtest/gtest.h>

#include <cstring>

#include "runtime/artifact_format.h"
#include "runtime/testing/test_artifact.h"

namespace mgec {
namespace {

SectionEntry Entry(const std::string& file, size_t index) {
  SectionEntry entry;
  std::memcpy(&entry, file.data() + sizeof(FileHeader) + index * sizeof(entry), sizeof(entry));
  return entry;
}

TEST(ArtifactWriter, LaysOutSections) {
  ArtifactWriter writer;
  EXPECT_EQ(writer.AddCode("code one"), 2u);
  EXPECT_EQ(writer.AddCode("code two"), 3u);
  writer.SetConstants(std::string(5000, 'c'));
  const std::string file = writer.Finish("metadata");
  const struct {
    SectionKind kind;
    uint64_t offset;
    std::string bytes;
  } wanted[] = {{SectionKind::kMetadata, 4096, "metadata"},
                {SectionKind::kConstants, 8192, std::string(5000, 'c')},
                {SectionKind::kCode, 16384, "code one"},
                {SectionKind::kCode, 20480, "code two"}};
  for (size_t i = 0; i < 4; ++i) {
    const SectionEntry entry = Entry(file, i);
    EXPECT_EQ(entry.kind, static_cast<uint32_t>(wanted[i].kind));
    EXPECT_EQ(entry.offset, wanted[i].offset);
    EXPECT_EQ(file.substr(entry.offset, entry.size), wanted[i].bytes);
  }
  EXPECT_EQ(file.size(), 20480u + 8u);
}

TEST(ArtifactWriter, SameInputSameBytes) { EXPECT_EQ(MakeTestArtifact(), MakeTestArtifact()); }

TEST(ArtifactWriter, ChecksumsCanBeRenewed) {
  std::string file = MakeTestArtifact();
  const std::string before = file;
  UpdateChecksums(&file);
  EXPECT_EQ(file, before);
  file.back() ^= 1;
  UpdateChecksums(&file);
  EXPECT_NE(Entry(file, 2).checksum, Entry(before, 2).checksum);
}

}  // namespace
}  // namespace mgec
