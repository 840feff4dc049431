// Every number of the metadata that the runtime relies on is checked: one bad artifact per number.
#include <gtest/gtest.h>

#include "runtime/artifact.h"
#include "runtime/testing/test_artifact.h"

namespace mgec {
namespace {

std::string ErrorOf(const TestArtifactOptions& options) {
  const std::string bytes = MakeTestArtifact(options);
  const auto artifact = Artifact::FromBytes(bytes.data(), bytes.size());
  return artifact.ok() ? "" : artifact.status().message();
}

#define EXPECT_ERROR(options, text) \
  EXPECT_NE(ErrorOf(options).find(text), std::string::npos) << "error: " << ErrorOf(options)

TEST(VerifyMetadata, AcceptsAGoodOne) { EXPECT_EQ(ErrorOf({}), ""); }

TEST(VerifyMetadata, BindingsStayInsideTheirMemory) {
  TestArtifactOptions options;
  options.extra_binding_size = 1;
  EXPECT_ERROR(options, "program 0, plan 0 (x86-64-v3), step 0: argument 2 reaches outside its memory");
  options = {};
  options.extra_binding_offset = 4;
  EXPECT_ERROR(options, "reaches outside its memory");
  options = {};
  options.extra_binding_offset = ~uint64_t{0} - 63;  // offset 0 after overflow
  EXPECT_EQ(ErrorOf(options), "");
  options.extra_binding_offset = ~uint64_t{0} - 64;  // the largest number
  EXPECT_ERROR(options, "reaches outside its memory");
  options = {};
  options.extra_binding_size = ~uint64_t{0} - 24 - 32;  // offset + size overflows
  EXPECT_ERROR(options, "reaches outside its memory");
}

TEST(VerifyMetadata, BindingsNameMemoryThatExists) {
  TestArtifactOptions options;
  options.extra_binding_index = 1;  // there is one arena only
  EXPECT_ERROR(options, "argument 2 names no memory");
  options.space = static_cast<uint8_t>(fb::BufferSpace::Output);
  options.extra_binding_index = 2;
  EXPECT_ERROR(options, "argument 2 names no memory");
  options.space = static_cast<uint8_t>(fb::BufferSpace::Input);
  EXPECT_ERROR(options, "argument 2 names no memory");
  options.space = 4;
  options.extra_binding_index = 0;
  EXPECT_ERROR(options, "argument 2 names no memory");
}

TEST(VerifyMetadata, DynamicDimensionsHaveSizes) {
  // Of [1, 1], so that the kernels' bindings fit the size, too.
  TestArtifactOptions options;
  options.shapes = {{1, 1}};
  options.internal_outputs = 1;
  options.dynamic = {fb::DynamicDimension(1, 1)};
  EXPECT_EQ(ErrorOf(options), "");
  options.dynamic = {fb::DynamicDimension(2, 1)};
  EXPECT_ERROR(options, "output 0: a dynamic dimension does not exist");
  options.dynamic = {fb::DynamicDimension(1, 0)};
  EXPECT_ERROR(options, "output 0: a size is no internal output");
  options.dynamic = {fb::DynamicDimension(1, 2)};
  EXPECT_ERROR(options, "output 0: a size is no internal output");
  options.internal_outputs = 3;
  EXPECT_ERROR(options, "more internal outputs than outputs");
  options = {};
  options.dynamic = {fb::DynamicDimension(0, 1)};  // an ordinary output
  EXPECT_ERROR(options, "a size is no internal output");
}

TEST(VerifyMetadata, BatchesOfAnySizeHaveAllTheirParts) {
  TestArtifactOptions options;
  options.shapes = {{4, 3}, {1, 3}};
  options.batches = {4, 1};
  EXPECT_EQ(ErrorOf(options), "");
  options.batches = {4, 0};
  EXPECT_ERROR(options, "no program for the rest of a batch follows");
  options.batches = {0, 4};
  EXPECT_ERROR(options, "the rows of its batch do not fit its shape");
  options.batches = {4, 1};
  options.shapes = {{4, 3}, {1, 2}};
  EXPECT_ERROR(options, "it differs from the next one in more than the batch");
  options.shapes = {{4, 3}, {1, 3}};
  options.batch_rows = 0;
  EXPECT_ERROR(options, "no input has a batch");
  options.batch_rows = 2;
  EXPECT_ERROR(options, "the rows of its batch do not fit its shape");
  options.shapes = {{8, 3}, {2, 3}};
  EXPECT_EQ(ErrorOf(options), "");
  options.dtype = static_cast<uint8_t>(fb::DataType::QuantizedS4);
  EXPECT_ERROR(options, "a batch of packed elements");
}

TEST(VerifyMetadata, CodeLiesInItsSection) {
  TestArtifactOptions options;
  options.extra_code_offset = 128;
  EXPECT_ERROR(options, "its code lies outside the code section");
  options = {};
  options.extra_code_section = 1;
  EXPECT_ERROR(options, "its code section is not one");
  options.extra_code_section = static_cast<uint32_t>(-1);  // the constants
  EXPECT_ERROR(options, "its code section is not one");
}

TEST(VerifyMetadata, KernelsExist) {
  TestArtifactOptions options;
  options.extra_kernel_index = 1;
  EXPECT_ERROR(options, "no such kernel");
}

TEST(VerifyMetadata, TensorsAreSane) {
  TestArtifactOptions options;
  options.dtype = kDataTypeCount;
  EXPECT_ERROR(options, "input 0: unknown element type");
  options = {};
  options.dtype = static_cast<uint8_t>(fb::DataType::Int8);  // too small for the kernels' arguments
  EXPECT_ERROR(options, "reaches outside its memory");
  options = {};
  options.inputs = {"a", "a"};
  EXPECT_ERROR(options, "the name is not unique");
  options.inputs = {"", "a"};
  EXPECT_ERROR(options, "no name");
  options = {};
  options.shapes = {{0xffffffff, 0xffffffff, 0xffffffff}};
  EXPECT_ERROR(options, "impossible shape");
  options.shapes = {{1, 1, 1, 1, 1, 1, 1, 1}};
  EXPECT_ERROR(options, "impossible shape");
}

TEST(VerifyMetadata, ThereIsSomethingToRun) {
  TestArtifactOptions options;
  options.shapes = {};
  EXPECT_ERROR(options, "programs: there are none");
  options = {};
  options.targets = {};
  EXPECT_ERROR(options, "no plans");
}

}  // namespace
}  // namespace mgec
