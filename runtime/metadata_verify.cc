// VerifyMetadata(): every number of the metadata is in range.
#include <string_view>

#include "runtime/artifact_verify.h"
#include "runtime/data_type.h"

namespace mgec {
namespace {

constexpr uint64_t kMaxArena = uint64_t{1} << 46;

Status Bad(const std::string& where, const char* what) {
  return Status(StatusCode::kDataLoss, Format("metadata section: %s: %s; the artifact was not written correctly: compile "
                                              "the model again with `bazel run //tools:compile -- MODEL.mge`",
                                              where.c_str(), what));
}

using Tensors = flatbuffers::Vector<flatbuffers::Offset<fb::Tensor>>;

// Checks one side of the network's edge and computes the size of each tensor.
Status VerifyTensors(const Tensors* tensors, const std::string& where, std::vector<uint64_t>* sizes) {
  for (size_t i = 0; i < Count(tensors); ++i) {
    const fb::Tensor* tensor = tensors->Get(i);
    const std::string here = Format("%s %zu", where.c_str(), i);
    if (tensor->name()->size() == 0) return Bad(here, "no name");
    for (size_t j = 0; j < i; ++j) {
      if (tensors->Get(j)->name()->string_view() == tensor->name()->string_view()) {
        return Bad(here, "the name is not unique");
      }
    }
    if (static_cast<int>(tensor->dtype()) >= kDataTypeCount) return Bad(here, "unknown element type");
    uint64_t bytes = 0;
    const uint32_t* dims = tensor->shape() == nullptr ? nullptr : tensor->shape()->data();
    if (!TensorBytes(static_cast<DataType>(tensor->dtype()), dims, Count(tensor->shape()), &bytes)) {
      return Bad(here, "impossible shape");
    }
    sizes->push_back(bytes);
  }
  return Status();
}

// Dynamic dimensions refer to internal outputs of type int32[1].
Status VerifyDynamic(const fb::Program& program, const std::string& where) {
  for (size_t i = 0; i < Count(program.inputs()); ++i) {
    if (Count(program.inputs()->Get(i)->dynamic()) != 0) return Bad(where, "an input has a dynamic dimension");
  }
  const size_t count = Count(program.outputs());
  if (program.internal_outputs() > count) return Bad(where, "more internal outputs than outputs");
  const size_t visible = count - program.internal_outputs();
  for (size_t i = 0; i < count; ++i) {
    const fb::Tensor& tensor = *program.outputs()->Get(i);
    const std::string here = Format("%s, output %zu", where.c_str(), i);
    const size_t dims = Count(tensor.dynamic());
    if (dims == 0) continue;
    if (i >= visible) return Bad(here, "an internal output has a dynamic dimension");
    if (BitsPerElement(static_cast<DataType>(tensor.dtype())) < 8) return Bad(here, "dynamic dimensions of packed elements");
    for (size_t j = 0; j < dims; ++j) {
      const fb::DynamicDimension& dim = *tensor.dynamic()->Get(j);
      if (dim.axis() >= Count(tensor.shape())) return Bad(here, "a dynamic dimension does not exist");
      if (dim.output() < visible || dim.output() >= count) return Bad(here, "a size is no internal output");
      const fb::Tensor& size = *program.outputs()->Get(dim.output());
      if (size.dtype() != fb::DataType::Int32 || Count(size.shape()) != 1 || size.shape()->Get(0) != 1) {
        return Bad(here, "a size is no int32[1]");
      }
    }
  }
  return Status();
}

// Tensors with rows for each entry of the batch have that many, of whole bytes.
Status VerifyBatch(const Tensors* tensors, uint32_t batch, const std::string& where, bool* any) {
  for (size_t i = 0; i < Count(tensors); ++i) {
    const fb::Tensor& tensor = *tensors->Get(i);
    const std::string here = Format("%s %zu", where.c_str(), i);
    if (batch > 0 && Count(tensor.dynamic()) != 0) return Bad(here, "a dynamic dimension in a program for any batch");
    if (tensor.batch_rows() == 0) continue;
    *any = true;
    if (Count(tensor.shape()) == 0 || uint64_t{tensor.batch_rows()} * batch != tensor.shape()->Get(0)) {
      return Bad(here, "the rows of its batch do not fit its shape");
    }
    if (BitsPerElement(static_cast<DataType>(tensor.dtype())) < 8) return Bad(here, "a batch of packed elements");
  }
  return Status();
}

// The same tensors for batches of different size.
bool SameExceptBatch(const Tensors* a, const Tensors* b) {
  if (Count(a) != Count(b)) return false;
  for (size_t i = 0; i < Count(a); ++i) {
    const fb::Tensor &p = *a->Get(i), &q = *b->Get(i);
    if (p.batch_rows() != q.batch_rows() || Count(p.shape()) != Count(q.shape())) return false;
    for (size_t k = p.batch_rows() > 0 ? 1 : 0; k < Count(p.shape()); ++k) {
      if (p.shape()->Get(k) != q.shape()->Get(k)) return false;
    }
  }
  return true;
}

// Programs for a batch of any size: falling batches down to 1. The others have nothing of it.
Status VerifyGroup(const fb::Metadata& metadata, size_t i, const std::string& where) {
  const fb::Program& program = *metadata.programs()->Get(i);
  const uint32_t batch = program.batch();
  bool any_input = false, any_output = false;
  MGEC_RETURN_IF_ERROR(VerifyBatch(program.inputs(), batch, where + ", input", &any_input));
  MGEC_RETURN_IF_ERROR(VerifyBatch(program.outputs(), batch, where + ", output", &any_output));
  if (batch == 0) return any_input || any_output ? Bad(where, "rows of a batch without one") : Status();
  if (!any_input) return Bad(where, "no input has a batch");
  if (batch == 1) return Status();
  const fb::Program* next = i + 1 < metadata.programs()->size() ? metadata.programs()->Get(i + 1) : nullptr;
  if (next == nullptr || next->batch_group() != program.batch_group() || next->batch() == 0 || next->batch() >= batch) {
    return Bad(where, "no program for the rest of a batch follows");
  }
  if (!SameExceptBatch(program.inputs(), next->inputs()) || !SameExceptBatch(program.outputs(), next->outputs())) {
    return Bad(where, "it differs from the next one in more than the batch");
  }
  return Status();
}

// Programs differ in shapes only.
bool SameExceptShape(const Tensors* a, const Tensors* b) {
  if (Count(a) != Count(b)) return false;
  for (size_t i = 0; i < Count(a); ++i) {
    if (a->Get(i)->name()->string_view() != b->Get(i)->name()->string_view()) return false;
    if (a->Get(i)->dtype() != b->Get(i)->dtype()) return false;
  }
  return true;
}

struct Spaces {
  uint64_t arena;
  uint64_t constants;
  std::vector<uint64_t> inputs;
  std::vector<uint64_t> outputs;

  // The size of the memory that the binding names; false if there is none.
  bool SizeOf(const fb::Binding& binding, uint64_t* size) const {
    switch (binding.space()) {
      case fb::BufferSpace::Arena:
        *size = arena;
        return binding.index() == 0;
      case fb::BufferSpace::Constant:
        *size = constants;
        return binding.index() == 0;
      case fb::BufferSpace::Input:
      case fb::BufferSpace::Output: {
        const std::vector<uint64_t>& sizes = binding.space() == fb::BufferSpace::Input ? inputs : outputs;
        if (binding.index() >= sizes.size()) return false;
        *size = sizes[binding.index()];
        return true;
      }
    }
    return false;
  }
};

// For each architecture, and for PTX, the modules hold every kernel once, in order, and lie in the section.
Status VerifyModules(const fb::Plan& plan, uint64_t section_size, const std::string& where) {
  const size_t kernels = Count(plan.kernels());
  uint64_t next = 0;
  for (size_t i = 0; i < Count(plan.modules()); ++i) {
    const fb::Module& m = *plan.modules()->Get(i);
    const std::string here = Format("%s, module %zu", where.c_str(), i);
    if (m.size() == 0 || m.offset() > section_size || m.size() > section_size - m.offset()) {
      return Bad(here, "it lies outside the code section");
    }
    if (i > 0 && next != 0) {
      const fb::Module& before = *plan.modules()->Get(i - 1);
      if (before.architecture() != m.architecture() || before.ptx() != m.ptx()) return Bad(here, "kernels are missing before it");
    }
    if (m.first_kernel() != next || m.kernels() == 0 || m.kernels() > kernels - next) return Bad(here, "wrong kernels");
    next = (next + m.kernels()) % kernels;
  }
  return next != 0 || (kernels > 0 && Count(plan.modules()) == 0) ? Bad(where, "kernels without code") : Status();
}

// Limits of every GPU.
Status VerifyLaunch(const fb::Step& step, const fb::Plan& plan, const std::string& where) {
  constexpr uint32_t kMaxBlock = 1024, kMaxGrid = 0x7fffffff, kMaxShared = 227 * 1024;
  const fb::Kernel& kernel = *plan.kernels()->Get(step.kernel());
  if (kernel.name() == nullptr || kernel.name()->size() == 0) return Bad(where, "its kernel has no name");
  if (kernel.block() == 0 || kernel.block() > kMaxBlock || kernel.shared_bytes() > kMaxShared) {
    return Bad(where, "its kernel needs an impossible block");
  }
  return step.grid() == 0 || step.grid() > kMaxGrid ? Bad(where, "an impossible grid") : Status();
}

Status VerifyStep(const fb::Step& step, const fb::Plan& plan, const Spaces& spaces, const std::string& where) {
  if (step.kernel() >= Count(plan.kernels())) return Bad(where, "no such kernel");
  for (size_t i = 0; i < Count(step.bindings()); ++i) {
    const fb::Binding& binding = *step.bindings()->Get(i);
    uint64_t size = 0;
    if (!spaces.SizeOf(binding, &size)) return Bad(where, Format("argument %zu names no memory", i).c_str());
    if (binding.offset() > size || binding.size() > size - binding.offset()) {
      return Bad(where, Format("argument %zu reaches outside its memory", i).c_str());
    }
  }
  return Status();
}

Status VerifyPlan(const fb::Plan& plan, const ArtifactLayout& layout, Spaces spaces, const std::string& where) {
  const bool gpu = plan.target()->string_view() == "cuda";
  const SectionKind kind = gpu ? SectionKind::kGpuCode : SectionKind::kCode;
  if (plan.code_section() >= layout.sections.size() ||
      layout.sections[plan.code_section()].kind != static_cast<uint32_t>(kind)) {
    return Bad(where, "its code section is not one");
  }
  const uint64_t code_size = layout.sections[plan.code_section()].size;
  if (gpu) MGEC_RETURN_IF_ERROR(VerifyModules(plan, code_size, where));
  if (!gpu && Count(plan.modules()) != 0) return Bad(where, "modules for a GPU");
  for (size_t i = 0; !gpu && i < Count(plan.kernels()); ++i) {
    if (plan.kernels()->Get(i)->code_offset() >= code_size) {
      return Bad(Format("%s, kernel %zu", where.c_str(), i), "its code lies outside the code section");
    }
  }
  if (plan.arena_size() > kMaxArena) return Bad(where, "impossible arena size");
  spaces.arena = plan.arena_size();
  constexpr uint64_t kStateBytes = 16;
  if (plan.random() && (plan.arena_size() < kStateBytes || plan.random_state() > plan.arena_size() - kStateBytes ||
                        plan.random_state() % 8 != 0)) {
    return Bad(where, "its random state lies outside the arena");
  }
  for (size_t i = 0; i < Count(plan.steps()); ++i) {
    const std::string step = Format("%s, step %zu", where.c_str(), i);
    MGEC_RETURN_IF_ERROR(VerifyStep(*plan.steps()->Get(i), plan, spaces, step));
    if (gpu) MGEC_RETURN_IF_ERROR(VerifyLaunch(*plan.steps()->Get(i), plan, step));
  }
  return Status();
}

}  // namespace

Status VerifyMetadata(const fb::Metadata& metadata, const ArtifactLayout& layout) {
  if (Count(metadata.programs()) == 0) return Bad("programs", "there are none");
  const fb::Program& first = *metadata.programs()->Get(0);
  for (size_t i = 0; i < metadata.programs()->size(); ++i) {
    const fb::Program& program = *metadata.programs()->Get(i);
    const std::string where = Format("program %zu", i);
    Spaces spaces = {0, layout.constants_size, {}, {}};
    MGEC_RETURN_IF_ERROR(VerifyTensors(program.inputs(), where + ", input", &spaces.inputs));
    MGEC_RETURN_IF_ERROR(VerifyTensors(program.outputs(), where + ", output", &spaces.outputs));
    MGEC_RETURN_IF_ERROR(VerifyDynamic(program, where));
    if (program.internal_outputs() != first.internal_outputs() ||
        !SameExceptShape(first.inputs(), program.inputs()) || !SameExceptShape(first.outputs(), program.outputs())) {
      return Bad(where, "its inputs or outputs differ from those of program 0 in more than shape");
    }
    if (Count(program.plans()) == 0) return Bad(where, "no plans");
    MGEC_RETURN_IF_ERROR(VerifyGroup(metadata, i, where));
    for (size_t j = 0; j < program.plans()->size(); ++j) {
      const fb::Plan& plan = *program.plans()->Get(j);
      MGEC_RETURN_IF_ERROR(VerifyPlan(plan, layout, spaces, Format("%s, plan %zu (%.32s)", where.c_str(), j,
                                                                   plan.target()->c_str())));
    }
  }
  return Status();
}

}  // namespace mgec
