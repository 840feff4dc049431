// One large use of every operator of the graph IR, for measurements.
#ifndef MGEC_TOOLS_BENCH_OPERATOR_CASES_H_
#define MGEC_TOOLS_BENCH_OPERATOR_CASES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"

namespace mgec::bench {

// An operand: "f32[1,64,128,128]", an input of the network, filled with random numbers: floats and quantized numbers of
// both signs, other integers in [low, high]. With "const " in front, a constant.
struct Operand {
  std::string type;
  double low = -1, high = 1;
};

struct OperatorCase {
  std::string op;
  std::string variant;  // what tells cases of one operator apart
  std::vector<Operand> operands;
  graph::Attributes attributes = {};
  // Why this takes more than three times the machine's limit, where it does. Printed beside the measurement.
  std::string reason = {};

  std::string name() const { return variant.empty() ? op : op + " " + variant; }
};

// Every registered operator has at least one case, of at least 1 MiB of operands and results.
const std::vector<OperatorCase>& OperatorCases();

// The graph of one node, its results as outputs. Inputs are called "x0", "x1", ..
absl::StatusOr<graph::Graph> BuildGraph(const OperatorCase& c);
// Random contents of an operand; the same on every call.
absl::StatusOr<std::string> RandomData(const Operand& operand);

}  // namespace mgec::bench

#endif  // MGEC_TOOLS_BENCH_OPERATOR_CASES_H_
