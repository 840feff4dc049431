// What measurements found to be the fastest schedules, in a file that compilations of any model use.
//
// A file is one JSON object: {"mgec_tuning": 1, "entries": [{"cpu": .., "target": .., "threads": .., "node": .., "choice": ..,
// "ratio": .., "complete": ..}, ..]}, an entry a line.
#ifndef MGEC_TOOLS_TUNING_DATABASE_H_
#define MGEC_TOOLS_TUNING_DATABASE_H_

#include <map>
#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "compiler/schedule/choice.h"

namespace mgec::tuning {

// Of one node (schedule/node_key.h) on one kind of machine.
struct Measurement {
  schedule::Choice choice;
  double ratio = 1;      // time with this choice / time by the schedules' own rules
  bool complete = true;  // all alternatives were tried
};

// Not thread-safe, except that const methods may run at the same time.
class Database {
 public:
  // What the file holds; nothing if there is no such file. DataLoss or InvalidArgument, naming the file and the place, for
  // what is no such file.
  static absl::StatusOr<Database> Read(const std::string& path);

  // Writes the file so that others see the old or the new one, whole. What other processes have added to it since Read() stays.
  absl::Status Save(const std::string& path) const;

  // Of machines with that CPU, and the number of threads that a network runs on. Null if there is none.
  const Measurement* Find(const std::string& cpu, const std::string& target, int threads, const std::string& node) const;
  void Record(const std::string& cpu, const std::string& target, int threads, const std::string& node, const Measurement& m);

  // For CompileOptions::schedule: what is known of this CPU with that many threads; failing that, of this CPU with another
  // number, and then of any CPU. Holds a copy.
  schedule::Chooser ChooserFor(const std::string& cpu, int threads) const;

  size_t size() const { return entries_.size(); }

 private:
  using Key = std::tuple<std::string, std::string, std::string, int>;  // target, node, cpu, threads
  static absl::StatusOr<Database> Parse(absl::string_view text, const std::string& path);
  std::string ToText() const;

  std::map<Key, Measurement> entries_;
};

}  // namespace mgec::tuning

#endif  // MGEC_TOOLS_TUNING_DATABASE_H_
