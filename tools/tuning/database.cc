#include "tools/tuning/database.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "compiler/base/status_macros.h"
#include "nlohmann/json.hpp"
#include "tools/files.h"

namespace mgec::tuning {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;

// Held while a file is read and replaced. The lock is a file of its own, because the database itself is replaced.
class FileLock {
 public:
  static absl::StatusOr<FileLock> Take(const std::string& path) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return absl::UnavailableError(absl::StrCat("failed to create ", path, ": ", strerror(errno)));
    FileLock lock(fd);
    while (flock(fd, LOCK_EX) != 0) {
      if (errno != EINTR) return absl::UnavailableError(absl::StrCat("failed to lock ", path, ": ", strerror(errno)));
    }
    return lock;
  }
  FileLock(FileLock&& o) : fd_(o.fd_) { o.fd_ = -1; }
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace

absl::StatusOr<Database> Database::Parse(absl::string_view text, const std::string& path) {
  const auto bad = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", what, "; give another --tuning-db, or remove the file to start anew"));
  };
  const Json j = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (j.is_discarded() || !j.is_object() || !j.contains("mgec_tuning")) return bad("is no tuning database");
  if (j["mgec_tuning"] != kVersion) return bad(absl::StrCat("is a tuning database of version ", j["mgec_tuning"].dump(), ", not ", kVersion));
  if (!j.contains("entries") || !j["entries"].is_array()) return bad("has no list of entries");
  Database database;
  size_t number = 0;
  for (const Json& e : j["entries"]) {
    ++number;
    const bool whole = e.is_object() && e.contains("cpu") && e["cpu"].is_string() && e.contains("target") && e["target"].is_string() &&
                       e.contains("threads") && e["threads"].is_number_integer() && e.contains("node") && e["node"].is_string() &&
                       e.contains("choice") && e["choice"].is_string() && e.contains("ratio") && e["ratio"].is_number() &&
                       e.contains("complete") && e["complete"].is_boolean();
    if (!whole) return bad(absl::StrCat("entry ", number, " lacks something, or has it in another type"));
    const absl::StatusOr<schedule::Choice> choice = schedule::ParseChoice(e["choice"].get<std::string>());
    if (!choice.ok()) return bad(absl::StrCat("entry ", number, ": ", choice.status().message()));
    database.Record(e["cpu"], e["target"], e["threads"], e["node"], {*choice, e["ratio"], e["complete"]});
  }
  return database;
}

absl::StatusOr<Database> Database::Read(const std::string& path) {
  if (access(path.c_str(), F_OK) != 0 && errno == ENOENT) return Database();
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return Parse(text, path);
}

std::string Database::ToText() const {
  std::string text = absl::StrCat("{\"mgec_tuning\": ", kVersion, ", \"entries\": [");
  const char* separator = "\n";
  for (const auto& [key, m] : entries_) {
    const auto& [target, node, cpu, threads] = key;
    const Json e = {{"cpu", cpu}, {"target", target}, {"threads", threads}, {"node", node},
                    {"choice", ToString(m.choice)}, {"ratio", m.ratio}, {"complete", m.complete}};
    absl::StrAppend(&text, separator, e.dump(-1, ' ', false, Json::error_handler_t::replace));
    separator = ",\n";
  }
  return text + "\n]}\n";
}

absl::Status Database::Save(const std::string& path) const {
  ASSIGN_OR_RETURN(const FileLock lock, FileLock::Take(path + ".lock"));
  ASSIGN_OR_RETURN(Database all, Read(path));
  for (const auto& [key, m] : entries_) all.entries_[key] = m;
  return WriteFileAtomically(path, all.ToText());
}

const Measurement* Database::Find(const std::string& cpu, const std::string& target, int threads, const std::string& node) const {
  const auto it = entries_.find({target, node, cpu, threads});
  return it == entries_.end() ? nullptr : &it->second;
}

void Database::Record(const std::string& cpu, const std::string& target, int threads, const std::string& node, const Measurement& m) {
  entries_[{target, node, cpu, threads}] = m;
}

schedule::Chooser Database::ChooserFor(const std::string& cpu, int threads) const {
  return [=, entries = entries_](const kernel::Target& target, const std::string& node) -> schedule::Choice {
    if (const auto it = entries.find({target.name, node, cpu, threads}); it != entries.end()) return it->second.choice;
    const Measurement* other = nullptr;
    bool other_is_this_cpu = false;
    for (auto it = entries.lower_bound({target.name, node, "", 0}); it != entries.end(); ++it) {
      if (std::get<0>(it->first) != target.name || std::get<1>(it->first) != node) break;
      const bool this_cpu = std::get<2>(it->first) == cpu;
      if (other == nullptr || (this_cpu && !other_is_this_cpu)) {
        other = &it->second;
        other_is_this_cpu = this_cpu;
      }
    }
    return other == nullptr ? schedule::Choice() : other->choice;
  };
}

}  // namespace mgec::tuning
