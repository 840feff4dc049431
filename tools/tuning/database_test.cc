#include "tools/tuning/database.h"

#include <gtest/gtest.h>

#include <string>

#include "tools/files.h"

namespace mgec::tuning {
namespace {

using schedule::Choice;

std::string Path(const std::string& name) { return testing::TempDir() + "/" + name; }

Choice Height(int height) {
  Choice c;
  c.tile_height = height;
  return c;
}

kernel::Target V3() { return *kernel::FindTarget("x86-64-v3"); }

TEST(Database, KeepsWhatWasRecorded) {
  const std::string path = Path("kept.json");
  Database a;
  a.Record("cpu \"1\"", "x86-64-v3", 1, "conv2d f32[1]", {Height(7), 0.5, true});
  a.Record("cpu 2", "x86-64-v3", 2, "conv2d f32[1]", {Choice(), 1, false});
  ASSERT_TRUE(a.Save(path).ok());
  const absl::StatusOr<Database> b = Database::Read(path);
  ASSERT_TRUE(b.ok()) << b.status();
  EXPECT_EQ(b->size(), 2u);
  const Measurement* m = b->Find("cpu \"1\"", "x86-64-v3", 1, "conv2d f32[1]");
  ASSERT_NE(m, nullptr);
  EXPECT_EQ(m->choice, Height(7));
  EXPECT_EQ(m->ratio, 0.5);
  EXPECT_TRUE(m->complete);
  EXPECT_FALSE(b->Find("cpu 2", "x86-64-v3", 2, "conv2d f32[1]")->complete);
  EXPECT_EQ(b->Find("cpu 2", "x86-64-v3", 1, "conv2d f32[1]"), nullptr);
}

TEST(Database, SavingKeepsWhatOthersWrote) {
  const std::string path = Path("shared.json");
  Database a, b;
  a.Record("cpu", "x86-64-v3", 1, "one", {Height(1)});
  b.Record("cpu", "x86-64-v3", 1, "two", {Height(2)});
  ASSERT_TRUE(a.Save(path).ok());
  ASSERT_TRUE(b.Save(path).ok());
  EXPECT_EQ(Database::Read(path)->size(), 2u);
}

TEST(Database, ChoosesTheMostSimilarMachine) {
  Database d;
  d.Record("other", "x86-64-v3", 1, "node", {Height(1)});
  EXPECT_EQ(d.ChooserFor("this", 1)(V3(), "node"), Height(1));
  d.Record("this", "x86-64-v3", 2, "node", {Height(2)});
  EXPECT_EQ(d.ChooserFor("this", 1)(V3(), "node"), Height(2));
  d.Record("this", "x86-64-v3", 1, "node", {Height(3)});
  EXPECT_EQ(d.ChooserFor("this", 1)(V3(), "node"), Height(3));
  EXPECT_EQ(d.ChooserFor("this", 1)(V3(), "another node"), Choice());
  EXPECT_EQ(d.ChooserFor("this", 1)(*kernel::FindTarget("x86-64-v4"), "node"), Choice());
}

TEST(Database, NoFileIsEmpty) {
  EXPECT_EQ(Database::Read(Path("none.json"))->size(), 0u);
}

TEST(Database, RefusesOtherFilesAndLeavesThem) {
  const std::string entry = R"({"cpu": "c", "target": "t", "threads": 1, "node": "n", "choice": "CHOICE", "ratio": 1, "complete": true})";
  const auto with_choice = [&](const std::string& choice) {
    std::string e = entry;
    return "{\"mgec_tuning\": 1, \"entries\": [" + e.replace(e.find("CHOICE"), 6, choice) + "]}";
  };
  const std::pair<std::string, const char*> cases[] = {
      {"", "is no tuning database"},
      {"{\"mgec_tuning\": 1, \"entries\": [", "is no tuning database"},
      {"[1]", "is no tuning database"},
      {"{\"mgec_tuning\": 2, \"entries\": []}", "version 2"},
      {"{\"mgec_tuning\": 1}", "no list of entries"},
      {"{\"mgec_tuning\": 1, \"entries\": [{\"cpu\": 1}]}", "entry 1"},
      {with_choice("speed=3"), "'speed=3' is no decision"},
      {with_choice("unroll=-3"), "'unroll=-3' is no decision"},
      {with_choice("unroll"), "'unroll' is no decision"},
  };
  const std::string path = Path("wrong.json");
  for (const auto& [text, message] : cases) {
    ASSERT_TRUE(WriteFileAtomically(path, text).ok());
    const absl::Status status = Database::Read(path).status();
    EXPECT_FALSE(status.ok()) << text;
    EXPECT_NE(status.message().find(message), absl::string_view::npos) << status;
    EXPECT_NE(status.message().find(path), absl::string_view::npos) << status;
    EXPECT_FALSE(Database().Save(path).ok());
    EXPECT_EQ(*ReadFile(path), text);
  }
}

TEST(Choice, TextsComeBack) {
  Choice c;
  EXPECT_EQ(ToString(c), "");
  c.winograd = 0;
  c.tasks = 64;
  EXPECT_EQ(ToString(c), "winograd=0 tasks=64");
  EXPECT_EQ(*schedule::ParseChoice("winograd=0 tasks=64"), c);
  EXPECT_EQ(ToString(Merged(c, Height(3))), "winograd=0 tile_height=3 tasks=64");
}

}  // namespace
}  // namespace mgec::tuning
