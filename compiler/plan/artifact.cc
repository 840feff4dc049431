#include "compiler/plan/artifact.h"

#include <algorithm>
#include <utility>

#include "runtime/artifact_format.h"
#include "runtime/artifact_generated.h"
#include "runtime/artifact_writer.h"

namespace mgec::plan {
namespace {

// Both enumerate storage in the same order (compiler/graph/type.h).
fb::DataType DataTypeOf(const graph::DType& d) { return static_cast<fb::DataType>(d.kind); }

// `sizes` as in graph::GraphOutput.
flatbuffers::Offset<fb::Tensor> WriteTensor(flatbuffers::FlatBufferBuilder& b, const std::string& name,
                                            const graph::TensorType& t, int64_t batch_rows,
                                            const std::vector<int>& sizes = {}) {
  std::vector<uint32_t> shape(t.shape.begin(), t.shape.end());
  if (shape.empty()) shape = {1};  // scalars have one dimension, as in MegEngine
  const auto fb_name = b.CreateString(name);
  const auto fb_shape = b.CreateVector(shape);
  std::vector<fb::DynamicDimension> dynamic;
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    if (sizes[axis] >= 0) dynamic.emplace_back(static_cast<uint32_t>(axis), static_cast<uint32_t>(sizes[axis]));
  }
  flatbuffers::Offset<flatbuffers::Vector<const fb::DynamicDimension*>> fb_dynamic;
  if (!dynamic.empty()) fb_dynamic = b.CreateVectorOfStructs(dynamic);
  return fb::CreateTensor(b, fb_name, DataTypeOf(t.dtype), fb_shape, t.dtype.scale, t.dtype.zero_point, fb_dynamic,
                          static_cast<uint32_t>(batch_rows));
}

// Moves the modules into one section.
uint32_t AddModules(ArtifactWriter& writer, GpuCode& gpu, flatbuffers::FlatBufferBuilder& b,
                    std::vector<flatbuffers::Offset<fb::Module>>& modules) {
  std::string section;
  for (GpuModule& m : gpu.modules) {
    section.resize((section.size() + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment);
    modules.push_back(fb::CreateModule(b, static_cast<uint32_t>(m.architecture), m.ptx, section.size(), m.bytes.size(),
                                       static_cast<uint32_t>(m.first_kernel), static_cast<uint32_t>(m.kernel_count)));
    section += m.bytes;
    m.bytes.clear();
  }
  return writer.AddGpuCode(std::move(section));
}

flatbuffers::Offset<fb::Plan> WritePlan(flatbuffers::FlatBufferBuilder& b, TargetProgram& t, ArtifactWriter& writer) {
  const bool gpu = t.target == "cuda";
  std::vector<flatbuffers::Offset<fb::Module>> modules;
  const uint32_t section = gpu ? AddModules(writer, t.gpu, b, modules) : writer.AddCode(std::move(t.code));
  std::vector<flatbuffers::Offset<fb::Kernel>> kernels;
  for (size_t i = 0; i < t.program.kernels.size(); ++i) {
    kernels.push_back(fb::CreateKernel(b, b.CreateString(t.program.kernels[i].name), gpu ? 0 : t.entry_offsets[i],
                                       gpu ? static_cast<uint32_t>(t.gpu.blocks[i]) : 0));
  }
  std::vector<flatbuffers::Offset<fb::Step>> steps;
  for (size_t i = 0; i < t.program.steps.size(); ++i) {
    const PlannedStep& s = t.program.steps[i];
    std::vector<fb::Binding> bindings;
    for (const PlannedStep::Binding& p : s.bindings) {
      bindings.emplace_back(static_cast<fb::BufferSpace>(p.space), static_cast<uint32_t>(p.index),
                            static_cast<uint64_t>(p.offset), static_cast<uint64_t>(p.bytes));
    }
    const auto fb_bindings = b.CreateVectorOfStructs(bindings);
    const kernel::GpuWork work = i < t.gpu.work.size() ? t.gpu.work[i] : kernel::GpuWork();
    const auto name = b.CreateString(s.info.name), op = b.CreateString(s.info.op);
    steps.push_back(fb::CreateStep(b, static_cast<uint32_t>(s.kernel), fb_bindings, static_cast<uint32_t>(s.tasks),
                                   s.serial, name, op, static_cast<uint64_t>(s.info.macs),
                                   static_cast<uint64_t>(s.info.bytes),
                                   gpu ? static_cast<uint32_t>(t.gpu.grids[i]) : 0, static_cast<uint64_t>(work.instructions),
                                   static_cast<uint64_t>(work.accesses), static_cast<uint64_t>(work.products)));
  }
  const auto target = b.CreateString(t.target);
  const auto fb_kernels = b.CreateVector(kernels);
  const auto fb_steps = b.CreateVector(steps);
  flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<fb::Module>>> fb_modules;
  if (gpu) fb_modules = b.CreateVector(modules);
  return fb::CreatePlan(b, target, section, fb_kernels, fb_steps, static_cast<uint64_t>(t.program.arena_bytes),
                        static_cast<uint64_t>(t.program.arena_lower_bound), t.program.random_state_offset >= 0,
                        static_cast<uint64_t>(std::max<int64_t>(t.program.random_state_offset, 0)), fb_modules,
                        t.gpu.tf32);
}

}  // namespace

const char* CompilerVersion() { return "0.1.0"; }

std::string BuildArtifact(const ModelInfo& model, std::vector<ShapeProgram> programs, const ConstantPool& constants) {
  ArtifactWriter writer;
  writer.SetConstants(constants.bytes());
  flatbuffers::FlatBufferBuilder b;
  std::vector<flatbuffers::Offset<fb::Program>> fb_programs;
  for (ShapeProgram& p : programs) {
    std::vector<flatbuffers::Offset<fb::Tensor>> inputs, outputs;
    uint32_t internal = 0;
    const auto rows = [&](const std::vector<int64_t>& all, size_t i) { return p.batch > 0 ? all[i] : 0; };
    for (size_t i = 0; i < p.graph.inputs().size(); ++i) {
      const graph::Node* n = p.graph.inputs()[i];
      inputs.push_back(WriteTensor(b, n->name, n->output()->type, rows(p.input_rows, i)));
    }
    for (size_t i = 0; i < p.graph.outputs().size(); ++i) {
      const graph::GraphOutput& o = p.graph.outputs()[i];
      outputs.push_back(WriteTensor(b, o.name, o.value->type, rows(p.output_rows, i), o.sizes));
      internal += o.internal ? 1 : 0;
    }
    std::vector<flatbuffers::Offset<fb::Plan>> plans;
    for (TargetProgram& t : p.targets) plans.push_back(WritePlan(b, t, writer));
    const auto fb_inputs = b.CreateVector(inputs);
    const auto fb_outputs = b.CreateVector(outputs);
    fb_programs.push_back(fb::CreateProgram(b, fb_inputs, fb_outputs, b.CreateVector(plans), internal,
                                            static_cast<uint32_t>(p.batch), static_cast<uint32_t>(p.batch_group)));
  }
  const auto all_programs = b.CreateVector(fb_programs);
  const auto version = b.CreateString(CompilerVersion()), source = b.CreateString(model.source_name);
  const auto user_info = b.CreateVector(reinterpret_cast<const uint8_t*>(model.user_info.data()), model.user_info.size());
  b.Finish(fb::CreateMetadata(b, version, source, model.source_hash, model.mge_version, model.operators, user_info,
                              all_programs),
           fb::MetadataIdentifier());
  return writer.Finish({reinterpret_cast<const char*>(b.GetBufferPointer()), b.GetSize()});
}

}  // namespace mgec::plan
