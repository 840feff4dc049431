// Random numbers from a graph to the runtime: they follow the seed and the pass, whatever the target and the threads.
#include <cstring>
#include <set>

#include "compiler/compile.h"
#include "compiler/testing/run_artifact.h"
#include "gtest/gtest.h"

namespace mgec {
namespace {

// A network that gives 1000 random numbers of two streams, plus its input.
std::string CompileNumbers(const kernel::Target& target) {
  graph::Graph g;
  graph::Value* x = g.AddInput("x", {graph::DTypeKind::kFloat32, {1}});
  graph::Value* state = *g.Add("random_state", {});
  std::vector<graph::Value*> drawn;
  for (int64_t stream : {1, 2}) {
    drawn.push_back(*g.Add("random_uniform", {state}, {{"shape", std::vector<int64_t>{1000}}, {"stream", stream}}));
  }
  g.AddOutput(*g.Add("add", {drawn[0], x}), "first");
  g.AddOutput(*g.Add("add", {drawn[1], x}), "second");
  CompileOptions options;
  options.targets = {target};
  const auto artifact = CompileGraph(std::move(g), options);
  EXPECT_TRUE(artifact.ok()) << artifact.status();
  return artifact.ok() ? *artifact : "";
}

std::unique_ptr<Network> Load(const std::string& artifact, int threads) {
  NetworkOptions options;
  options.threads = threads;
  return std::move(Network::Load(Artifact::FromBytes(artifact.data(), artifact.size()).value(), options).value());
}

std::string Draw(Network& network) {
  EXPECT_TRUE(network.Forward().ok());
  std::string bytes;
  for (size_t i = 0; i < 2; ++i) {
    bytes.append(reinterpret_cast<const char*>(network.output_data(i)), network.output(i).bytes);
  }
  return bytes;
}

TEST(RandomNumbersTest, FollowSeedAndPass) {
  std::set<std::string> everywhere;  // what each target and number of threads gives, all passes together
  for (const kernel::Target& target : RunnableTargets()) {
    const std::string artifact = CompileNumbers(target);
    for (int threads : {1, 2}) {
      auto network = Load(artifact, threads);
      const std::string first = Draw(*network), second = Draw(*network);
      EXPECT_NE(first, second);
      EXPECT_NE(first.substr(0, 4000), first.substr(4000)) << "streams differ";
      network->SeedRandom(7);
      const std::string seeded = Draw(*network);
      EXPECT_NE(seeded, first);
      network->SeedRandom(7);
      EXPECT_EQ(Draw(*network), seeded);
      network->SeedRandom(uint64_t{7} << 32);
      EXPECT_NE(Draw(*network), seeded) << "all bits of the seed count";
      network->SeedRandom(0);
      EXPECT_EQ(Draw(*network), first) << "0 is the seed after loading";
      everywhere.insert(first + second + seeded);
    }
  }
  EXPECT_EQ(everywhere.size(), 1u);
}

}  // namespace
}  // namespace mgec
