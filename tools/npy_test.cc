#include "tools/npy.h"

#include <gtest/gtest.h>

#include <random>

namespace mgec {
namespace {

// The bytes that numpy.save writes for numpy.arange(6, dtype='<i2').reshape(2, 3).
std::string FromNumpy(std::string header, char version = 1) {
  header.append(version == 1 ? 118 - header.size() - 1 : 116 - header.size() - 1, ' ');
  header += '\n';
  std::string file = std::string("\x93NUMPY") + version + '\0' + static_cast<char>(header.size()) + '\0';
  if (version == 2) file += std::string(2, '\0');
  file += header;
  for (char i = 0; i < 6; ++i) file += std::string(1, i) + '\0';
  return file;
}

constexpr char kHeader[] = "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }";

TEST(Npy, ReadsBothVersions) {
  for (char version : {1, 2}) {
    const auto array = ParseNpy(FromNumpy(kHeader, version));
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_EQ(array->descr, "<i2");
    EXPECT_EQ(array->shape, (std::vector<uint32_t>{2, 3}));
    EXPECT_EQ(array->item_size(), 2u);
    EXPECT_EQ(array->data, std::string("\0\0\1\0\2\0\3\0\4\0\5\0", 12));
  }
}

TEST(Npy, WritesWhatNumpyWrites) {
  const std::string file = FromNumpy(kHeader);
  EXPECT_EQ(FormatNpy(*ParseNpy(file)), file);
}

TEST(Npy, RoundTripOfEveryRank) {
  for (const std::vector<uint32_t>& shape : std::vector<std::vector<uint32_t>>{{}, {4}, {0, 3}, {2, 1, 2}}) {
    NpyArray array;
    array.descr = "<f4";
    array.shape = shape;
    size_t elements = 1;
    for (uint32_t dim : shape) elements *= dim;
    array.data = std::string(4 * elements, 'x');
    const std::string file = FormatNpy(array);
    EXPECT_EQ((file.size() - array.data.size()) % 64, 0u);
    const auto again = ParseNpy(file);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->shape, shape);
    EXPECT_EQ(again->data, array.data);
  }
}

TEST(Npy, RefusesOtherArrays) {
  for (const char* header : {
           "{'descr': '>i2', 'fortran_order': False, 'shape': (2, 3), }",
           "{'descr': '<c8', 'fortran_order': False, 'shape': (2, 3), }",
           "{'descr': [('a', '<i2')], 'fortran_order': False, 'shape': (2, 3), }",
           "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }",
           "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 4), }",
           "{'descr': '<i2', 'fortran_order': False, 'shape': (2, -3), }",
           "{'descr': '<i2', 'fortran_order': False, 'shape': (4294967295, 4294967295, 4294967295), }",
           "{'descr': '<i2', 'fortran_order': False, }",
           "{'descr': '<i2', 'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }",
           "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), 'x': 1}",
           "[]",
       }) {
    EXPECT_FALSE(ParseNpy(FromNumpy(header)).ok()) << header;
  }
}

TEST(Npy, DamagedFilesAreErrorsOrArrays) {
  const std::string good = FromNumpy(kHeader);
  for (size_t length = 0; length < good.size(); ++length) EXPECT_FALSE(ParseNpy(good.substr(0, length)).ok());
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string bad = good;
    bad[random() % 80] = static_cast<char>(random());
    const auto array = ParseNpy(bad);
    if (array.ok()) {
      EXPECT_EQ(array->data.size(), 12u);
    }
  }
}

TEST(Npy, MissingFile) { EXPECT_EQ(ReadNpy("/no/such.npy").status().code(), absl::StatusCode::kNotFound); }

TEST(Npy, Files) {
  const std::string path = testing::TempDir() + "/a.npy";
  const auto array = ParseNpy(FromNumpy(kHeader));
  ASSERT_TRUE(WriteNpy(path, *array).ok());
  EXPECT_EQ(ReadNpy(path)->data, array->data);
  EXPECT_FALSE(WriteNpy("/no/such/folder/a.npy", *array).ok());
}

}  // namespace
}  // namespace mgec
