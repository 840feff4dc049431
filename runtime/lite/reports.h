// Files that a network writes for people and tools: where its time and memory go, what its inputs and outputs hold.
#ifndef MGEC_RUNTIME_LITE_REPORTS_H_
#define MGEC_RUNTIME_LITE_REPORTS_H_

#include <string>

#include "runtime/lite/network_edge.h"
#include "runtime/status.h"

namespace mgec {

// The last profiled pass as trace events, for chrome://tracing and ui.perfetto.dev, beside averages over all passes in
// MegEngine's layout ("profiler" and "graph_exec"). Names are the model's.
Status WriteProfile(const std::string& path, Network& network);

// One line for every input and output: its number, name, shape, first values and statistics.
Status WriteTextDump(const std::string& path, const NetworkEdge& edge);

// One file of raw bytes for every input and output, named by its number: inputs first.
Status WriteBinaryDump(const std::string& folder, const NetworkEdge& edge);

// static_memory.json: bytes of weights, code, intermediate results, inputs and outputs. Makes the folder.
Status WriteMemoryInfo(const std::string& folder, NetworkEdge& edge);

}  // namespace mgec

#endif  // MGEC_RUNTIME_LITE_REPORTS_H_
