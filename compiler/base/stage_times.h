// Where time goes: seconds by stage, in the order in which stages first began.
#ifndef MGEC_COMPILER_BASE_STAGE_TIMES_H_
#define MGEC_COMPILER_BASE_STAGE_TIMES_H_

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace mgec {

class StageTimes {
 public:
  // Adds the seconds of its own life to a stage.
  class Scope {
   public:
    Scope(StageTimes& times, const std::string& stage)
        : times_(times), index_(times.Index(stage)), start_(std::chrono::steady_clock::now()) {}
    ~Scope() {
      times_.stages_[index_].second +=
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    StageTimes& times_;
    const size_t index_;
    const std::chrono::steady_clock::time_point start_;
  };

  const std::vector<std::pair<std::string, double>>& stages() const { return stages_; }

 private:
  size_t Index(const std::string& stage) {
    for (size_t i = 0; i < stages_.size(); ++i) {
      if (stages_[i].first == stage) return i;
    }
    stages_.emplace_back(stage, 0.0);
    return stages_.size() - 1;
  }

  std::vector<std::pair<std::string, double>> stages_;
};

}  // namespace mgec

#endif  // MGEC_COMPILER_BASE_STAGE_TIMES_H_
