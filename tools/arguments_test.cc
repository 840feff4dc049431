#include "tools/arguments.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/flags/flag.h"

ABSL_FLAG(int, test_number, 0, "A number.");
ABSL_FLAG(double, test_seconds, 0, "May be given without a value.");
ABSL_FLAG(std::string, o, "", "A short one.");
ABSL_FLAG(std::vector<std::string>, test_shape, {}, "May be repeated.");

namespace mgec {
namespace {

Arguments Parse(std::vector<std::string> words) {
  words.insert(words.begin(), "tool");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return ParseArguments(static_cast<int>(argv.size()), argv.data(), {"test_shape"}, {{"test_seconds", "60"}});
}

TEST(ParseArguments, DashesAndUnderscoresAreTheSame) {
  Parse({"--test-number=3"});
  EXPECT_EQ(absl::GetFlag(FLAGS_test_number), 3);
  Parse({"--test_number", "4"});
  EXPECT_EQ(absl::GetFlag(FLAGS_test_number), 4);
}

TEST(ParseArguments, RepeatedFlagsAndPositionals) {
  const Arguments arguments =
      Parse({"model-a.mge", "--test-shape", "x=1x3", "-o", "out-1", "--test_shape=y=2,3", "second"});
  EXPECT_EQ(arguments.positional, (std::vector<std::string>{"model-a.mge", "second"}));
  EXPECT_EQ(arguments.repeated.at("test_shape"), (std::vector<std::string>{"x=1x3", "y=2,3"}));
  EXPECT_EQ(absl::GetFlag(FLAGS_o), "out-1");
}

TEST(ParseArguments, FlagsMayHaveAValueOfTheirOwn) {
  EXPECT_EQ(Parse({"--test-seconds", "model.mge"}).positional, std::vector<std::string>{"model.mge"});
  EXPECT_EQ(absl::GetFlag(FLAGS_test_seconds), 60);
  Parse({"--test-seconds=2.5"});
  EXPECT_EQ(absl::GetFlag(FLAGS_test_seconds), 2.5);
}

TEST(ParseArguments, NothingIsAFlagAfterTwoDashes) {
  const Arguments arguments = Parse({"--", "--test-shape"});
  EXPECT_EQ(arguments.positional, (std::vector<std::string>{"--test-shape"}));
}

TEST(ParseArguments, MissingValueEndsTheProcess) {
  EXPECT_EXIT(Parse({"--test-shape"}), testing::ExitedWithCode(1), "--test_shape needs a value");
}

TEST(ResolvePath, IsRelativeToTheUsersFolder) {
  setenv("BUILD_WORKING_DIRECTORY", "/home/user", 1);
  EXPECT_EQ(ResolvePath("a/b"), "/home/user/a/b");
  EXPECT_EQ(ResolvePath("/a/b"), "/a/b");
  EXPECT_EQ(ResolvePath(""), "");
  setenv("MGEC_WORKING_DIRECTORY", "/home/elsewhere", 1);
  EXPECT_EQ(ResolvePath("model.mge"), "/home/elsewhere/model.mge");
  unsetenv("MGEC_WORKING_DIRECTORY");
  unsetenv("BUILD_WORKING_DIRECTORY");
  EXPECT_EQ(ResolvePath("a/b"), "a/b");
}

}  // namespace
}  // namespace mgec
