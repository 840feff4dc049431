// Usage: make_random_model TARGETS FILE. Writes an artifact whose outputs are random numbers of two streams, plus its input.
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "compiler/compile.h"
#include "compiler/kernel/target.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  mgec::graph::Graph g;
  mgec::graph::Value* x = g.AddInput("x", {mgec::graph::DTypeKind::kFloat32, {1}});
  mgec::graph::Value* state = *g.Add("random_state", {});
  int64_t stream = 1;
  for (const char* name : {"first", "second"}) {
    mgec::graph::Value* drawn =
        *g.Add("random_uniform", {state}, {{"shape", std::vector<int64_t>{1000}}, {"stream", stream++}});
    g.AddOutput(*g.Add("add", {drawn, x}), name);
  }
  mgec::CompileOptions options;
  const auto targets = mgec::kernel::ParseTargets(argv[1]);
  if (targets.ok()) options.targets = *targets;
  const auto artifact = mgec::CompileGraph(std::move(g), options);
  if (!targets.ok() || !artifact.ok()) {
    std::fprintf(stderr, "%s\n", std::string((targets.ok() ? artifact.status() : targets.status()).message()).c_str());
    return 1;
  }
  std::ofstream(argv[2], std::ios::binary) << *artifact;
  return 0;
}
