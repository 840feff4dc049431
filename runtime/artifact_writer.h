// Lays out an artifact file (see artifact_format.h). The compiler's last step.
//
//   ArtifactWriter writer;
//   uint32_t code = writer.AddCode(image);           // goes into Plan.code_section
//   writer.SetConstants(std::move(packed_weights));
//   std::string file = writer.Finish(metadata);      // FlatBuffer of artifact.fbs
#ifndef MGEC_RUNTIME_ARTIFACT_WRITER_H_
#define MGEC_RUNTIME_ARTIFACT_WRITER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mgec {

// The same calls give the same bytes. Section 0 is the metadata, section 1 the constants, the code images follow.
class ArtifactWriter {
 public:
  // Adds a flat, position-independent code image and returns the index of its section.
  uint32_t AddCode(std::string image);

  // The same for the modules of a plan for GPUs, one after the other.
  uint32_t AddGpuCode(std::string modules);

  // The packed constants; binding offsets count from their start, which is aligned to a page in memory.
  void SetConstants(std::string constants);

  // The finished file. `metadata` is a finished FlatBuffer with its file identifier.
  std::string Finish(std::string_view metadata) const;

 private:
  std::string constants_;
  struct Image {
    bool gpu;
    std::string bytes;
  };
  std::vector<Image> images_;
};

// Writes `header_checksum` and the checksums of all sections of `file`, which is otherwise complete. For tools and tests
// that change an artifact on purpose.
void UpdateChecksums(std::string* file);

}  // namespace mgec

#endif  // MGEC_RUNTIME_ARTIFACT_WRITER_H_
