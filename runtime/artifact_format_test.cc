#include "runtime/artifact_format.h"

#include <gtest/gtest.h>

#include "runtime/artifact_generated.h"

namespace mgec {
namespace {

TEST(ArtifactFormat, SectionsCanBeMappedFromTheFile) {
  EXPECT_EQ(kSectionAlignment % 4096, 0u);
  EXPECT_EQ(kSectionAlignment % kBufferAlignment, 0u);
}

TEST(ArtifactFormat, MetadataRoundTrip) {
  flatbuffers::FlatBufferBuilder builder;
  auto metadata = fb::CreateMetadataDirect(builder, "compiler 1.0", "model.mge", 42);
  fb::FinishMetadataBuffer(builder, metadata);
  flatbuffers::Verifier verifier(builder.GetBufferPointer(), builder.GetSize());
  ASSERT_TRUE(fb::VerifyMetadataBuffer(verifier));
  EXPECT_EQ(fb::GetMetadata(builder.GetBufferPointer())->source_hash(), 42u);
}

}  // namespace
}  // namespace mgec
