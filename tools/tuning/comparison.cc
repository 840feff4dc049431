#include "tools/tuning/comparison.h"

#include <cstring>
#include <random>

#include "absl/strings/str_cat.h"
#include "tools/fastest_steps.h"

namespace mgec::tuning {
namespace {

// Numbers that are like an image's: neither all zero nor so small that arithmetic on them is slow.
void FillInputs(Network& network) {
  std::mt19937 random(1);
  for (size_t i = 0; i < network.input_count(); ++i) {
    const TensorInfo& info = network.input(i);
    uint8_t* data = network.input_data(i);
    if (info.dtype == DataType::kFloat32) {
      for (size_t at = 0; at + 4 <= info.bytes; at += 4) {
        const float v = static_cast<float>(random() >> 8) / static_cast<float>(1 << 24);
        std::memcpy(data + at, &v, 4);
      }
    }  // other inputs are often indices, for which 0 is always right
  }
}

}  // namespace

absl::StatusOr<TimedNetwork> TimedNetwork::Load(absl::string_view bytes, std::vector<std::string> step_keys, int threads) {
  auto artifact = Artifact::FromBytes(bytes.data(), bytes.size(), "the compiled model");
  if (!artifact.ok()) return absl::InternalError(artifact.status().message());
  NetworkOptions options;
  options.threads = threads;
  auto network = Network::Load(artifact.value(), options);
  if (!network.ok()) return absl::InternalError(network.status().message());
  TimedNetwork timed;
  timed.network_ = std::move(network.value());
  FillInputs(*timed.network_);
  static_cast<void>(timed.network_->Forward());  // cannot fail on a CPU
  timed.network_->EnableProfile(true);
  const size_t steps = timed.network_->Profile().size();
  if (steps != step_keys.size()) {
    return absl::InternalError(absl::StrCat("a program of ", step_keys.size(), " steps runs as ", steps));
  }
  timed.step_keys_ = std::move(step_keys);
  return timed;
}

void TimedNetwork::Pass() {
  static_cast<void>(network_->Forward());
  KeepFastest(network_->Profile(), fastest_);
}

std::map<std::string, double> TimedNetwork::NodeSeconds() const {
  std::map<std::string, double> seconds;
  for (size_t i = 0; i < fastest_.size(); ++i) seconds[step_keys_[i]] += mgec::Seconds(fastest_[i]);
  return seconds;
}

double TimedNetwork::Seconds() const {
  double sum = 0;
  for (const StepInfo& s : fastest_) sum += mgec::Seconds(s);
  return sum;
}

void RunInTurns(TimedNetwork& a, TimedNetwork& b, int least, const std::function<bool()>& enough) {
  for (int i = 0; i < least || !enough(); ++i) {
    a.Pass();
    b.Pass();
  }
}

}  // namespace mgec::tuning
