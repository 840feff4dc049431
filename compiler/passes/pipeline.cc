#include "absl/strings/str_cat.h"
#include "compiler/base/status_macros.h"
#include "compiler/passes/passes.h"

namespace mgec::passes {

const std::vector<Pass>& Pipeline() {
  static const auto* pipeline = new std::vector<Pass>{
      {"eliminate-dead-nodes", EliminateDeadNodes},
      {"promote-float16", PromoteFloat16},
      {"canonicalize", Canonicalize},
      {"fold-constants", FoldConstants},
      {"split-grouped-convolutions", SplitGroupedConvolutions},
      {"find-channel-shuffles", FindChannelShuffles},
      {"fold-space-to-depth", FoldSpaceToDepth},
      {"split-max-pooling", SplitMaxPooling},
      {"fold-padding", FoldPadding},
      {"sink-reshapes", SinkReshapes},
      {"fold-scales", FoldScales},
      {"fold-constants", FoldConstants},
      {"eliminate-common-subexpressions", EliminateCommonSubexpressions},
      {"fold-log2-e", FoldLog2E},
      {"eliminate-dead-nodes", EliminateDeadNodes},
      {"fuse-attention", FuseAttention},
      {"fuse", Fuse},
      {"store-float16", StoreFloat16},
      {"eliminate-dead-nodes", EliminateDeadNodes},
  };
  return *pipeline;
}

absl::Status RunPasses(graph::Graph& g, const std::vector<Pass>& passes) {
  RETURN_IF_ERROR(Verify(g));
  for (const Pass& pass : passes) {
    auto changed = pass.run(g);
    absl::Status status = changed.ok() ? Verify(g) : changed.status();
    if (!status.ok()) {
      return absl::Status(status.code(), absl::StrCat("pass ", pass.name, ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace mgec::passes
