#include "runtime/testing/test_artifact.h"

#include <cstring>
#include <utility>

#include "runtime/artifact_writer.h"

namespace mgec {
namespace {

// for (; begin < end; ++begin) buffers[2][begin] = buffers[0][begin] + buffers[1][begin];
constexpr unsigned char kAdd[] = {
    0x48, 0x8b, 0x07,                    //   mov   rax, [rdi]
    0x48, 0x8b, 0x08,                    //   mov   rcx, [rax]
    0x48, 0x8b, 0x78, 0x08,              //   mov   rdi, [rax + 8]
    0x4c, 0x8b, 0x40, 0x10,              //   mov   r8, [rax + 16]
    0x89, 0xf0,                          //   mov   eax, esi
    0x48, 0xc1, 0xe0, 0x02,              //   shl   rax, 2
    0x39, 0xd6,                          // l: cmp  esi, edx
    0x73, 0x18,                          //   jae   e
    0xf3, 0x0f, 0x10, 0x04, 0x01,        //   movss xmm0, [rcx + rax]
    0xf3, 0x0f, 0x58, 0x04, 0x07,        //   addss xmm0, [rdi + rax]
    0xff, 0xc6,                          //   inc   esi
    0xf3, 0x41, 0x0f, 0x11, 0x04, 0x00,  //   movss [r8 + rax], xmm0
    0x48, 0x83, 0xc0, 0x04,              //   add   rax, 4
    0xeb, 0xe4,                          //   jmp   l
    0xc3,                                // e: ret
};

// for (; begin < end; ++begin) buffers[2][begin] = buffers[0][begin] * buffers[1][0];
constexpr unsigned char kScale[] = {
    0x48, 0x8b, 0x07,                    //   mov   rax, [rdi]
    0x48, 0x8b, 0x08,                    //   mov   rcx, [rax]
    0x48, 0x8b, 0x78, 0x08,              //   mov   rdi, [rax + 8]
    0x4c, 0x8b, 0x40, 0x10,              //   mov   r8, [rax + 16]
    0x89, 0xf0,                          //   mov   eax, esi
    0x48, 0xc1, 0xe0, 0x02,              //   shl   rax, 2
    0x39, 0xd6,                          // l: cmp  esi, edx
    0x73, 0x17,                          //   jae   e
    0xf3, 0x0f, 0x10, 0x04, 0x01,        //   movss xmm0, [rcx + rax]
    0xf3, 0x0f, 0x59, 0x07,              //   mulss xmm0, [rdi]
    0xff, 0xc6,                          //   inc   esi
    0xf3, 0x41, 0x0f, 0x11, 0x04, 0x00,  //   movss [r8 + rax], xmm0
    0x48, 0x83, 0xc0, 0x04,              //   add   rax, 4
    0xeb, 0xe5,                          //   jmp   l
    0xc3,                                // e: ret
};

constexpr float kFactors[] = {1.0f, 0.5f};

using Builder = flatbuffers::FlatBufferBuilder;

fb::Binding Bind(fb::BufferSpace space, uint32_t index, uint64_t offset, uint64_t size) {
  return fb::Binding(space, index, offset, size);
}

std::vector<flatbuffers::Offset<fb::Tensor>> Tensors(Builder& builder, const std::vector<std::string>& names,
                                                     const Shape& shape, uint8_t dtype, uint32_t batch_rows) {
  std::vector<flatbuffers::Offset<fb::Tensor>> tensors;
  for (const std::string& name : names) {
    tensors.push_back(fb::CreateTensorDirect(builder, name.c_str(), static_cast<fb::DataType>(dtype), &shape, 0, 0,
                                             nullptr, batch_rows));
  }
  return tensors;
}

flatbuffers::Offset<fb::Plan> MakePlan(Builder& builder, const TestArtifactOptions& options, const std::string& target,
                                       uint32_t code_section, const Shape& shape) {  // of the outputs
  uint32_t elements = 1;
  for (uint32_t dim : shape) elements *= dim;
  const uint64_t bytes = elements * sizeof(float);
  const fb::Binding first = Bind(fb::BufferSpace::Input, 0, 0, bytes);
  const fb::Binding second = Bind(fb::BufferSpace::Input, static_cast<uint32_t>(options.inputs.size()) - 1, 0, bytes);
  const fb::Binding middle = Bind(static_cast<fb::BufferSpace>(options.space), options.extra_binding_index,
                                  64 + options.extra_binding_offset, bytes + options.extra_binding_size);
  const fb::Binding one = Bind(fb::BufferSpace::Constant, 0, 0, sizeof(float));
  const fb::Binding half = Bind(fb::BufferSpace::Constant, 0, sizeof(float), sizeof(float));
  const auto output = [&](uint32_t index) { return Bind(fb::BufferSpace::Output, index, 0, bytes); };
  const uint32_t last = static_cast<uint32_t>(options.outputs.size()) - 1;

  std::vector<flatbuffers::Offset<fb::Step>> steps;
  const auto add_step = [&](uint32_t kernel, std::vector<fb::Binding> bindings, const char* name, const char* op) {
    steps.push_back(fb::CreateStepDirect(builder, kernel, &bindings, elements, /*serial=*/false, name, op, elements,
                                         3 * bytes));
  };
  for (int i = 0; i < options.repeats; ++i) {
    add_step(0, {first, second, middle}, "sum", "add");
    if (last > 0) add_step(1, {middle, one, output(0)}, "sum", "copy");
    add_step(1 + options.extra_kernel_index, {middle, half, output(last)}, "scaled", "mul");
  }
  std::vector<flatbuffers::Offset<fb::Kernel>> kernels = {
      fb::CreateKernelDirect(builder, "add_f32", 0 + options.extra_code_offset),
      fb::CreateKernelDirect(builder, "scale_f32", 64)};
  return fb::CreatePlanDirect(builder, target.c_str(), code_section + options.extra_code_section, &kernels, &steps,
                              /*arena_size=*/64 + bytes, /*arena_lower_bound=*/bytes);
}

}  // namespace

std::string MakeTestArtifact(const TestArtifactOptions& options) {
  ArtifactWriter writer;
  std::string constants(64, '\0');
  std::memcpy(constants.data(), kFactors, sizeof(kFactors));
  writer.SetConstants(std::move(constants));
  std::string image(128, '\xcc');
  std::memcpy(image.data(), kAdd, sizeof(kAdd));
  std::memcpy(image.data() + 64, kScale, sizeof(kScale));

  std::vector<uint32_t> code;
  for (size_t i = 0; i < options.targets.size(); ++i) code.push_back(writer.AddCode(image));

  Builder builder;
  std::vector<flatbuffers::Offset<fb::Program>> programs;
  for (size_t number = 0; number < options.shapes.size(); ++number) {
    const Shape& shape = options.shapes[number];
    const uint32_t batch = number < options.batches.size() ? options.batches[number] : 0;
    const uint32_t rows = batch > 0 ? options.batch_rows : 0;
    const Shape output_shape = options.classes == 0 ? shape : Shape{shape[0], options.classes};
    std::vector<flatbuffers::Offset<fb::Plan>> plans;
    for (size_t i = 0; i < options.targets.size(); ++i) {
      plans.push_back(MakePlan(builder, options, options.targets[i], code[i], output_shape));
    }
    const auto inputs = Tensors(builder, options.inputs, shape, options.dtype, rows);
    auto outputs = Tensors(builder, options.outputs, output_shape, options.dtype, rows);
    if (!options.dynamic.empty()) {
      outputs[0] = fb::CreateTensorDirect(builder, options.outputs[0].c_str(), static_cast<fb::DataType>(options.dtype),
                                          &output_shape, 0, 0, &options.dynamic);
    }
    const Shape one = {1};
    for (uint32_t i = 0; i < options.internal_outputs && i < outputs.size(); ++i) {
      const size_t k = outputs.size() - 1 - i;
      outputs[k] = fb::CreateTensorDirect(builder, options.outputs[k].c_str(), fb::DataType::Int32, &one);
    }
    programs.push_back(fb::CreateProgramDirect(builder, &inputs, &outputs, &plans, options.internal_outputs, batch,
                                                /*batch_group=*/batch > 0 ? 1 : 0));
  }
  fb::FinishMetadataBuffer(builder, fb::CreateMetadataDirect(builder, "test", "test.mge", 0, 101300, 2, nullptr,
                                                             &programs));
  return writer.Finish({reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()});
}

}  // namespace mgec
