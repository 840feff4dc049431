// Files of testdata/ in tests.
#ifndef MGEC_COMPILER_MGE_TEST_FILES_H_
#define MGEC_COMPILER_MGE_TEST_FILES_H_

#include <fstream>
#include <iterator>
#include <string>

#include "gtest/gtest.h"

namespace mgec::mge {

// `path` is relative to the root of the repository. Fails the test if there is no such file.
inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_TEST_FILES_H_
