// Models made by hand, and graphs as text, for the tests of the importers.
//
//   TestModel m;
//   const int x = m.Input("x", {2, 6});
//   m.Output(m.Op("ReshapeV1", {x, m.Ints({3, 4})},
//                 [](auto& b) { return fbs::param::CreateOptionalAxisV1(b, 7); }));
//   EXPECT_EQ(m.Text(), "reshape shape=[3,4] -> f32[3,4]\n");
#ifndef MGEC_COMPILER_MGE_TEST_MODEL_H_
#define MGEC_COMPILER_MGE_TEST_MODEL_H_

#include <algorithm>
#include <cstring>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/graph/graph.h"
#include "compiler/mge/import.h"
#include "compiler/mge/model.h"
#include "flatbuffers/flatbuffers.h"

namespace mgec::mge {

// Each node but inputs and constants on a line: the operator, its attributes, the types of its outputs.
inline std::string GraphText(const graph::Graph& g) {
  std::string text;
  for (const auto& node : g.nodes()) {
    if (node->op == "input" || node->op == "constant") continue;
    text += node->op;
    for (const auto& [name, value] : node->attributes.map()) {
      absl::StrAppend(&text, " ", name, "=");
      if (const auto* i = std::get_if<int64_t>(&value)) absl::StrAppend(&text, *i);
      if (const auto* d = std::get_if<double>(&value)) absl::StrAppend(&text, *d);
      if (const auto* s = std::get_if<std::string>(&value)) absl::StrAppend(&text, *s);
      if (const auto* v = std::get_if<std::vector<int64_t>>(&value)) {
        absl::StrAppend(&text, "[", absl::StrJoin(*v, ","), "]");
      }
    }
    text += " ->";
    for (const auto& output : node->outputs) absl::StrAppend(&text, " ", graph::ToString(output->type));
    text += "\n";
  }
  return text;
}

class TestModel {
 public:
  TestModel() { model_.mge_version = 101300; }

  // These return variables.
  int Input(const char* name, std::vector<int64_t> shape, fbs::DTypeEnum type = fbs::DTypeEnum::Float32) {
    return AddTensor("Host2DeviceCopy", {name, std::move(shape), {type}, {}, {}});
  }

  int Ints(const std::vector<int32_t>& values) {
    return Constant({static_cast<int64_t>(values.size())}, fbs::DTypeEnum::Int32, values);
  }

  int Floats(std::vector<int64_t> shape, const std::vector<float>& values) {
    return Constant(std::move(shape), fbs::DTypeEnum::Float32, values);
  }

  // Zeros.
  int Weight(std::vector<int64_t> shape) {
    int64_t count = 1;
    for (int64_t extent : shape) count *= extent;
    return Constant(std::move(shape), fbs::DTypeEnum::Float32, std::vector<float>(count));
  }

  template <typename T>
  int Constant(std::vector<int64_t> shape, fbs::DTypeEnum type, const std::vector<T>& values) {
    data_.emplace_back(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
    return AddTensor("ImmutableTensor", {"", std::move(shape), {type}, {}, data_.back()});
  }

  // An operator by its class name, with a parameter that `make` adds to a builder. Returns its first output.
  template <typename Make>
  int Op(absl::string_view class_name, std::vector<int> inputs, Make make, int outputs = 1) {
    builders_.emplace_back();
    const auto offset = make(builders_.back());
    builders_.back().Finish(offset);
    return AddOperator(class_name, std::move(inputs), outputs,
                       flatbuffers::GetRoot<flatbuffers::Table>(builders_.back().GetBufferPointer()));
  }

  int Op(absl::string_view class_name, std::vector<int> inputs, int outputs = 1) {
    return Op(class_name, std::move(inputs), [](auto& b) { return fbs::param::CreateEmpty(b); }, outputs);
  }

  void Output(int variable) { model_.outputs.push_back({variable, {}}); }

  Model& model() { return model_; }

  absl::StatusOr<graph::Graph> Import(const ImportOptions& options = {}) const {
    return mge::Import(model_, options);
  }

  // The imported graph, or the message of the error.
  std::string Text(const ImportOptions& options = {}) const {
    const absl::StatusOr<graph::Graph> g = Import(options);
    return g.ok() ? GraphText(*g) : std::string(g.status().message());
  }

 private:
  int AddOperator(absl::string_view class_name, std::vector<int> inputs, int outputs, const void* param) {
    Operator op;
    op.index = static_cast<int>(model_.operators.size());
    const auto all = AllOperators();
    const auto it =
        std::find_if(all.begin(), all.end(), [&](const OperatorInfo& info) { return info.class_name == class_name; });
    op.info = it == all.end() ? nullptr : &*it;
    op.type = StripVersion(class_name);
    op.inputs = std::move(inputs);
    op.first_output = static_cast<int>(model_.variables.size());
    op.num_outputs = outputs;
    op.param = param;
    op.param_type = op.info == nullptr ? fbs::OperatorParam::NONE : op.info->param;
    model_.variables.resize(model_.variables.size() + outputs, Variable{{}, op.index});
    model_.operators.push_back(std::move(op));
    return model_.operators.back().first_output;
  }

  int AddTensor(absl::string_view class_name, Tensor tensor) {
    const int variable = AddOperator(class_name, {}, 1, nullptr);
    model_.operators.back().tensors.push_back(std::move(tensor));
    return variable;
  }

  Model model_;
  // Lists: what the model refers to must not move.
  std::list<flatbuffers::FlatBufferBuilder> builders_;
  std::list<std::string> data_;
};

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_TEST_MODEL_H_
