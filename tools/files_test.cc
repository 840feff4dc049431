#include "tools/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec {
namespace {

namespace fs = std::filesystem;

class FilesTest : public testing::Test {
 protected:
  FilesTest() {
    std::string name = testing::TempDir() + "/files_test.XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~FilesTest() override { fs::remove_all(folder_); }
  std::string At(const char* name) const { return folder_ + "/" + name; }
  int Entries() const { return static_cast<int>(std::distance(fs::directory_iterator(folder_), {})); }

  std::string folder_;
};

TEST_F(FilesTest, ReadsWhatItWrites) {
  std::string bytes(100000, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
  for (const std::string& content : {bytes, std::string()}) {
    ASSERT_TRUE(WriteFileAtomically(At("a"), content).ok());
    const auto read = ReadFile(At("a"));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, content);
  }
  EXPECT_EQ(Entries(), 1);
}

TEST_F(FilesTest, PermissionsAreThoseOfAnyNewFile) {
  ASSERT_TRUE(WriteFileAtomically(At("a"), "x").ok());
  std::ofstream(At("b")) << "x";
  EXPECT_EQ(fs::status(At("a")).permissions(), fs::status(At("b")).permissions());
}

TEST_F(FilesTest, ReadersOfTheOldFileKeepIt) {
  ASSERT_TRUE(WriteFileAtomically(At("a"), "old").ok());
  std::ifstream old(At("a"));
  ASSERT_TRUE(WriteFileAtomically(At("a"), "new").ok());
  std::string content;
  old >> content;
  EXPECT_EQ(content, "old");
  EXPECT_EQ(*ReadFile(At("a")), "new");
}

TEST_F(FilesTest, FailedWritesLeaveEverythingAsItWas) {
  const absl::Status missing = WriteFileAtomically(At("no/such/folder"), "x");
  EXPECT_THAT(std::string(missing.message()), testing::HasSubstr("No such file"));
  fs::create_directory(At("folder"));
  EXPECT_FALSE(WriteFileAtomically(At("folder"), "x").ok());
  EXPECT_EQ(Entries(), 1);
  EXPECT_TRUE(fs::is_directory(At("folder")));
}

TEST_F(FilesTest, DevicesStayDevices) {
  // As /dev/null is, wherever the test may make one; a pipe is there for everybody.
  ASSERT_EQ(mkfifo(At("pipe").c_str(), 0600), 0);
  const int reader = open(At("pipe").c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  EXPECT_TRUE(WriteFileAtomically(At("pipe"), "through").ok());
  char text[8] = {};
  EXPECT_EQ(read(reader, text, sizeof(text)), 7);
  EXPECT_STREQ(text, "through");
  close(reader);
  EXPECT_TRUE(fs::is_fifo(At("pipe")));
  EXPECT_EQ(Entries(), 1);
  fs::create_symlink("/dev/null", At("null"));
  EXPECT_TRUE(WriteFileAtomically(At("null"), "x").ok());
  EXPECT_TRUE(fs::is_symlink(At("null")));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST_F(FilesTest, LinksStayLinks) {
  fs::create_directory(At("folder"));
  ASSERT_TRUE(WriteFileAtomically(At("folder/a"), "old").ok());
  fs::create_symlink("folder/a", At("link"));
  ASSERT_TRUE(WriteFileAtomically(At("link"), "new").ok());
  EXPECT_TRUE(fs::is_symlink(At("link")));
  EXPECT_EQ(*ReadFile(At("folder/a")), "new");
  EXPECT_EQ(Entries(), 2);
}

TEST_F(FilesTest, ReadErrorsNameTheFile) {
  EXPECT_THAT(std::string(ReadFile(At("missing")).status().message()),
              testing::AllOf(testing::HasSubstr(At("missing")), testing::HasSubstr("No such file")));
  EXPECT_THAT(std::string(ReadFile(folder_).status().message()), testing::HasSubstr("is not a file"));
}

TEST_F(FilesTest, DevicesAndPipesAreNotFiles) {
  EXPECT_FALSE(ReadFile("/dev/zero").ok());
  ASSERT_EQ(mkfifo(At("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(ReadFile(At("pipe")).ok());  // and it does not wait for a writer
}

}  // namespace
}  // namespace mgec
