#include "compiler/schedule/testing/run_program.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "compiler/base/status_macros.h"
#include "compiler/codegen/cuda/testing/run_emulated.h"
#include "compiler/codegen/llvm/codegen.h"
#include "compiler/codegen/llvm/testing/run_image.h"
#include "compiler/kernel/interpreter.h"
#include "compiler/schedule/testing/run_steps.h"

namespace mgec::schedule {
absl::StatusOr<RunnableProgram> RunnableProgram::Make(const graph::Graph& g, const kernel::Target& target,
                                                      const Options& options, Alternatives* alternatives) {
  RunnableProgram result;
  ASSIGN_OR_RETURN(plan::Program program, ScheduleGraph(g, target, options, alternatives));
  plan::ConstantPool pool;
  ASSIGN_OR_RETURN(result.program_, std::move(program).Finish(pool));
  result.constants_ = pool.bytes();
  for (const graph::GraphOutput& o : g.outputs()) result.output_bytes_.push_back(graph::ByteSize(o.value->type));
  return result;
}

absl::StatusOr<std::vector<std::string>> RunnableProgram::Interpret(const std::vector<std::string>& inputs) const {
  return RunSteps(program_, constants_, output_bytes_, inputs, [&](const auto& step, const auto& pointers) -> absl::Status {
    std::vector<kernel::BufferView> views;
    for (size_t i = 0; i < pointers.size(); ++i) views.push_back({pointers[i], step.bindings[i].bytes});
    const kernel::Kernel k = KernelOf(program_, step);
    for (int64_t task = step.tasks; task-- > 0;) RETURN_IF_ERROR(kernel::Interpret(k, views, task, task + 1));
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<std::string>> RunnableProgram::RunNatively(const std::vector<std::string>& inputs,
                                                                      const kernel::Target& target) const {
  ASSIGN_OR_RETURN(codegen::CodeImage image, codegen::Generate(program_.kernels, target, codegen::Options()));
  ASSIGN_OR_RETURN(codegen::MappedImage code, codegen::MappedImage::Map(image));
  return RunSteps(program_, constants_, output_bytes_, inputs, [&](const auto& step, const auto& pointers) -> absl::Status {
    const std::vector<void*> arguments(pointers.begin(), pointers.end());
    for (int64_t task = step.tasks; task-- > 0;) {
      code.Run(step.kernel, arguments, static_cast<uint32_t>(task), static_cast<uint32_t>(task + 1));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<std::vector<std::string>>> RunnableProgram::Emulate(const std::vector<std::string>& inputs) const {
  using codegen::cuda::EmulatedKernels;
  ASSIGN_OR_RETURN(const EmulatedKernels emulated, EmulatedKernels::Compile(program_.kernels));
  auto emulate = [&](const plan::PlannedStep& step, const std::vector<char*>& pointers, int order, int architecture) {
    return emulated.Run(step.kernel, std::vector<void*>(pointers.begin(), pointers.end()), step.tasks, order, architecture);
  };
  const bool differ = std::any_of(program_.kernels.begin(), program_.kernels.end(), [](const kernel::Kernel& k) {
    return absl::StrContains(Fingerprint(k), kernel::Name(kernel::Op::kArchitecture));
  });
  std::vector<std::vector<std::string>> all;
  for (int architecture : EmulatedKernels::kArchitectures) {
    if (!differ && !all.empty()) break;
    // What only some architectures do is tried in all orders; what is left to the others is what most kernels do.
    const int orders = all.empty() ? EmulatedKernels::kOrders : 1;
    for (int order = 0; order < orders; ++order) {
      ASSIGN_OR_RETURN(std::vector<std::string> outputs,
                       RunSteps(program_, constants_, output_bytes_, inputs, [&](const auto& step, const auto& pointers) {
                         return emulate(step, pointers, order, architecture);
                       }));
      if (order == 0) all.push_back(std::move(outputs));
      else if (outputs != all.back()) return absl::InternalError(absl::StrCat("results depend on the order of threads: ", order));
    }
  }
  RETURN_IF_ERROR(
      RunSteps(program_, constants_, output_bytes_, inputs, [&](const auto& step, const auto& pointers) -> absl::Status {
        const kernel::Kernel k = KernelOf(program_, step);
        if (k.threads > 0) return emulate(step, pointers, 0, EmulatedKernels::kArchitectures[0]);
        std::vector<kernel::BufferView> views;
        for (size_t i = 0; i < pointers.size(); ++i) views.push_back({pointers[i], step.bindings[i].bytes});
        return kernel::Interpret(k, views, 0, step.tasks);
      }).status());
  return all;
}

std::vector<std::string> RunnableProgram::Ops() const {
  std::vector<std::string> ops;
  for (const plan::PlannedStep& s : program_.steps) ops.push_back(s.info.op);
  return ops;
}

}  // namespace mgec::schedule
