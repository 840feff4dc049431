#include "tools/tuning/tuner.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>
#include <vector>

#include "compiler/base/status_macros.h"
#include "runtime/cpu.h"
#include "tools/tuning/comparison.h"

namespace mgec::tuning {
namespace {

using schedule::Choice;
using Clock = std::chrono::steady_clock;

constexpr int kFewestPasses = 5;
constexpr int kConfirmations = 3;  // comparisons at the end, for which time is kept
constexpr double kGain = 0.985;  // a ratio that is no accident

using Choices = std::map<std::string, Choice>;  // by node

// One program of one target.
class ProgramTuner {
 public:
  ProgramTuner(absl::string_view mge, CompileOptions options, const Options& tuning, Clock::time_point end, Database& database,
               Report::Target& report)
      : mge_(mge), options_(std::move(options)), tuning_(tuning), end_(end), database_(database), report_(report) {
    options_.report_alternatives = true;
    options_.progress = nullptr;
  }

  absl::Status Run() {
    base_ = database_.ChooserFor(tuning_.cpu, tuning_.threads);
    schedule::Alternatives alternatives;
    ASSIGN_OR_RETURN(TimedNetwork rule, Build({}, &alternatives));
    report_.nodes = static_cast<int>(alternatives.size());
    size_t most = 0;
    for (auto it = alternatives.begin(); it != alternatives.end();) {
      const Measurement* known = database_.Find(tuning_.cpu, report_.name, tuning_.threads, it->first);
      if (known != nullptr && known->complete) {
        ++report_.known;
        it = alternatives.erase(it);
        continue;
      }
      most = std::max(most, it->second.size());
      ++it;
    }
    if (alternatives.empty()) return absl::OkStatus();
    rounds_ = static_cast<int>(most) + kConfirmations;
    for (size_t i = 0; i < most; ++i) {
      if (OutOfTime()) {
        report_.complete = false;
        break;
      }
      Choices choices;
      for (const auto& [node, others] : alternatives) {
        if (i < others.size()) choices[node] = others[i];
      }
      ASSIGN_OR_RETURN(const Ratios ratios, Compare(choices, rule));
      for (const auto& [node, ratio] : ratios) tried_[node].emplace_back(ratio, choices[node]);
    }
    return Confirm(alternatives, rule);
  }

 private:
  using Ratios = std::map<std::string, double>;  // of time, by node

  bool Stopped() const { return tuning_.stop != nullptr && tuning_.stop->load(); }
  bool OutOfTime() const { return Stopped() || (round_ > 0 && Clock::now() + kConfirmations * round_time_ > end_); }

  absl::StatusOr<TimedNetwork> Build(const Choices& choices, schedule::Alternatives* alternatives = nullptr) {
    CompileOptions options = options_;
    options.schedule.choose = [&](const kernel::Target& target, const std::string& node) {
      const Choice known = base_(target, node);
      const auto it = choices.find(node);
      return it == choices.end() ? known : Merged(known, it->second);
    };
    CompileReport report;
    ASSIGN_OR_RETURN(const std::string artifact, Compile(mge_, options, &report));
    if (alternatives != nullptr) *alternatives = report.targets[0].alternatives;
    return TimedNetwork::Load(artifact, report.targets[0].step_keys, tuning_.threads);
  }

  absl::StatusOr<Ratios> Compare(const Choices& choices, TimedNetwork& rule) {
    const double left = std::chrono::duration<double>(end_ - Clock::now()).count();
    if (tuning_.progress) tuning_.progress({report_.name, round_, rounds_, std::max(0.0, left)});
    const Clock::time_point start = Clock::now();
    ASSIGN_OR_RETURN(TimedNetwork other, Build(choices));
    // What is left, shared out among the comparisons to come; compiling has taken some of it.
    const Clock::time_point until =
        start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(left / std::max(1, rounds_ - round_)));
    RunInTurns(rule, other, kFewestPasses, [&] { return Stopped() || Clock::now() >= until; });
    ++round_;
    round_time_ = std::max(round_time_, Clock::now() - start);
    Ratios ratios;
    const std::map<std::string, double> before = rule.NodeSeconds();
    for (const auto& [node, seconds] : other.NodeSeconds()) {
      const auto it = before.find(node);
      if (choices.count(node) != 0 && it != before.end() && it->second > 0) ratios[node] = seconds / it->second;
    }
    last_seconds_ = other.Seconds();
    return ratios;
  }

  // All that were found, together: what is not faster now goes back to the rule.
  absl::Status ConfirmAll(std::map<std::string, Measurement>& found, TimedNetwork& rule) {
    Choices choices;
    for (const auto& [node, m] : found) {
      if (!(m.choice == Choice())) choices[node] = m.choice;
    }
    if (!choices.empty()) {
      ASSIGN_OR_RETURN(const Ratios ratios, Compare(choices, rule));
      for (const auto& [node, ratio] : ratios) {
        Measurement& m = found[node];
        if (ratio <= kGain) {
          m.ratio = ratio;
          m.choice = Merged(KnownChoice(node), m.choice);
        } else {
          m.ratio = 1;
          m.choice = Choice();
        }
      }
    }
    if (round_ == 0) return absl::OkStatus();  // stopped before anything ran
    report_.rule_seconds = rule.Seconds();
    report_.tuned_seconds = choices.empty() ? rule.Seconds() : last_seconds_;
    return absl::OkStatus();
  }

  // Tries for each node its best choice, and all of its good ones together, and records what is faster than the rule again.
  absl::Status Confirm(const schedule::Alternatives& alternatives, TimedNetwork& rule) {
    Choices best, joined;
    for (auto& [node, tried] : tried_) {
      std::stable_sort(tried.begin(), tried.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      if (tried.empty() || tried[0].first > kGain) continue;
      best[node] = tried[0].second;
      Choice all = tried[0].second;
      for (const auto& [ratio, choice] : tried) {
        if (ratio <= kGain) all = Merged(choice, all);
      }
      joined[node] = all;
    }
    std::map<std::string, Measurement> found;
    for (const auto& [node, others] : alternatives) {
      const auto it = tried_.find(node);
      found[node].complete = it != tried_.end() && it->second.size() == others.size();
    }
    for (const Choices& choices : {joined, best}) {
      if (choices.empty() || (&choices != &joined && choices == joined)) continue;
      ASSIGN_OR_RETURN(const Ratios ratios, Compare(choices, rule));
      for (const auto& [node, ratio] : ratios) {
        Measurement& m = found[node];
        if (ratio > kGain || ratio >= m.ratio) continue;
        m.ratio = ratio;
        m.choice = choices.at(node);
      }
    }
    RETURN_IF_ERROR(ConfirmAll(found, rule));
    for (const auto& [node, m] : found) {
      report_.better += m.choice == Choice() ? 0 : 1;
      database_.Record(tuning_.cpu, report_.name, tuning_.threads, node, m);
    }
    return absl::OkStatus();
  }

  Choice KnownChoice(const std::string& node) const {
    kernel::Target target;
    target.name = report_.name;
    return base_(target, node);
  }

  const absl::string_view mge_;
  CompileOptions options_;
  const Options& tuning_;
  const Clock::time_point end_;
  Database& database_;
  Report::Target& report_;
  schedule::Chooser base_;
  std::map<std::string, std::vector<std::pair<double, Choice>>> tried_;
  int round_ = 0, rounds_ = 0;
  Clock::duration round_time_{};
  double last_seconds_ = 0;
};

// The sets of input shapes that are compiled, with sizes in the place of a batch of any size.
std::vector<std::map<std::string, graph::Shape>> FixedShapes(const CompileOptions& options) {
  std::vector<std::map<std::string, graph::Shape>> result;
  for (const auto& shapes : options.input_shapes) {
    for (int64_t batch : kBatchParts) {
      std::map<std::string, graph::Shape> fixed = shapes;
      bool any = false;
      for (auto& [name, shape] : fixed) {
        if (shape.empty() || shape[0] != kAnyBatch) continue;
        shape[0] = batch;
        any = true;
      }
      result.push_back(std::move(fixed));
      if (!any) break;
    }
  }
  return result;
}

}  // namespace

absl::Status Tune(absl::string_view mge, const CompileOptions& options, const Options& tuning, Database& database, Report& report) {
  const Clock::time_point start = Clock::now();
  const auto all_shapes = FixedShapes(options);
  CompileOptions first = options;
  first.input_shapes = {all_shapes[0]};
  ASSIGN_OR_RETURN(const std::vector<kernel::Target> targets, TargetsOf(mge, first));
  std::vector<kernel::Target> measurable;
  for (const kernel::Target& target : targets) {
    if (TargetEnabled(target.name)) {
      measurable.push_back(target);
      continue;
    }
    report.targets.emplace_back();
    report.targets.back().name = target.name;
    report.targets.back().runs_here = false;
  }
  const size_t programs = measurable.size() * all_shapes.size();
  size_t done = 0;
  for (const kernel::Target& target : measurable) {
    for (const auto& shapes : all_shapes) {
      if (tuning.stop != nullptr && tuning.stop->load()) break;
      CompileOptions one = options;
      one.targets = {target};
      one.input_shapes = {shapes};
      const double share = tuning.seconds * static_cast<double>(++done) / static_cast<double>(programs);
      report.targets.emplace_back();
      report.targets.back().name = target.name;
      const Clock::time_point end = start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(share));
      RETURN_IF_ERROR(ProgramTuner(mge, one, tuning, end, database, report.targets.back()).Run());
      if (tuning.recorded) RETURN_IF_ERROR(tuning.recorded());
    }
  }
  return absl::OkStatus();
}

}  // namespace mgec::tuning
