#include "tools/tuning/session.h"

#include <csignal>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "compiler/base/status_macros.h"
#include "tools/cpu_name.h"
#include "tools/tuning/database.h"

namespace mgec::tuning {
namespace {

std::atomic<bool> interrupted;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

// While it lives, the first SIGINT only sets `interrupted`. One at a time.
class InterruptGuard {
 public:
  InterruptGuard() {
    interrupted = false;
    struct sigaction action = {};
    action.sa_handler = [](int) { interrupted = true; };
    action.sa_flags = SA_RESETHAND | SA_RESTART;
    sigaction(SIGINT, &action, &before_);
  }
  ~InterruptGuard() { sigaction(SIGINT, &before_, nullptr); }

 private:
  struct sigaction before_;
};

void ShowProgress(const Progress& p) {
  absl::FPrintF(stderr, "\r\033[K  tuning %s: %d of at most %d comparisons, %.0f s left; Ctrl-C ends it and keeps the results ",
                p.target, p.round, p.rounds, p.seconds_left);
}

}  // namespace

absl::Status Apply(absl::string_view mge, const Request& request, CompileOptions* options, Report* report) {
  Database database;
  if (!request.database.empty()) {
    ASSIGN_OR_RETURN(database, Database::Read(request.database));
  }
  const std::string cpu = CpuModel();
  if (request.seconds > 0) {
    Options tuning;
    tuning.seconds = request.seconds;
    tuning.threads = request.threads;
    tuning.cpu = cpu;
    tuning.stop = &interrupted;
    if (request.terminal) tuning.progress = ShowProgress;
    if (!request.database.empty()) tuning.recorded = [&] { return database.Save(request.database); };
    const InterruptGuard guard;
    const absl::Status status = Tune(mge, *options, tuning, database, *report);
    if (request.terminal) absl::FPrintF(stderr, "\r\033[K");
    RETURN_IF_ERROR(status);
  }
  if (database.size() > 0) options->schedule.choose = database.ChooserFor(cpu, request.threads);
  return absl::OkStatus();
}

std::string ToText(const Report& report) {
  std::string text;
  for (const Report::Target& t : report.targets) {
    if (!t.runs_here) {
      absl::StrAppend(&text, "  tuning ", t.name, ": this CPU cannot run it; what the database has is used\n");
      continue;
    }
    absl::StrAppendFormat(&text, "  tuning %s: %d kinds of nodes, %d known before, %d with a better schedule now", t.name, t.nodes,
                          t.known, t.better);
    if (t.rule_seconds > 0) {
      absl::StrAppendFormat(&text, ", a pass %.3f -> %.3f ms", t.rule_seconds * 1e3, t.tuned_seconds * 1e3);
    }
    absl::StrAppend(&text, t.complete ? "\n" : "; not all was tried, more seconds go on from here\n");
  }
  return text;
}

}  // namespace mgec::tuning
