#include "compiler/mge/import.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "compiler/mge/dynamic_rules.h"
#include "compiler/mge/importer.h"
#include "compiler/mge/support.h"

namespace mgec::mge {
namespace {

// One import of one model.
class ModelImporter {
 public:
  ModelImporter(const Model& model, const ImportOptions& options)
      : model_(model),
        options_(options),
        shapes_(graph_),
        values_(model.variables.size()),
        known_(model.variables.size()),
        used_(model.variables.size()) {
    for (const Operator& op : model.operators) {
      for (int variable : op.inputs) used_[variable] = true;
    }
    for (const auto& output : model.outputs) used_[output.variable] = true;
  }

  absl::StatusOr<graph::Graph> Run(std::vector<UnsupportedItem>* unsupported) {
    RETURN_IF_ERROR(CheckOptions());
    for (const Operator& op : model_.operators) ImportOperator(op);
    AddOutputs();
    AddSizes();
    if (unsupported != nullptr) *unsupported = items_;
    if (!items_.empty()) {
      return absl::UnimplementedError(absl::StrCat("needs ", items_.size(),
                                                   items_.size() == 1 ? " thing that is" : " things that are",
                                                   " not supported\n", FormatUnsupported(items_)));
    }
    if (!error_.ok()) return error_;
    return std::move(graph_);
  }

 private:
  absl::Status CheckOptions() const {
    std::set<absl::string_view> names;
    for (const Operator& op : model_.operators) {
      if (op.info != nullptr && op.type == "Host2DeviceCopy") names.insert(op.tensors[0].name);
    }
    for (const auto& [name, shape] : options_.input_shapes) {
      if (names.count(name) == 0) return absl::InvalidArgumentError(absl::StrCat("there is no input \"", name, "\""));
      if (shape.empty() || shape.size() > kMaxRank) {
        return absl::InvalidArgumentError(
            absl::StrCat("input \"", name, "\" cannot have ", shape.size(), " dimensions"));
      }
      for (int64_t extent : shape) {
        if (extent < 1) return absl::InvalidArgumentError(absl::StrCat("input \"", name, "\" cannot be empty"));
      }
    }
    return absl::OkStatus();
  }

  void ImportOperator(const Operator& op) {
    const OperatorImporter* importer = op.info == nullptr ? nullptr : AllImporters().Find(op.type);
    if (importer == nullptr) return Refuse(op, Unsupported(WhyUnknown(op)));
    if (importer->check != nullptr) {
      if (const absl::Status s = importer->check(op); !s.ok()) return Refuse(op, s);
    }
    Values inputs;
    for (int variable : op.inputs) {
      if (values_[variable] == nullptr) return ReportMissingOutput(variable);
      inputs.push_back(values_[variable]);
    }
    ImportContext context(op, options_, graph_, shapes_, conditions_, NameOf(op), inputs);
    context.set_used(used_);
    const absl::StatusOr<Values> outputs = ImportWith(*importer, context);
    if (!outputs.ok()) return Refuse(op, Classify(op, inputs, outputs.status()));
    if (const absl::Status s = conditions_.Follow(op); !s.ok()) return Refuse(op, Classify(op, {}, s));
    for (size_t i = 0; i < outputs->size() && static_cast<int>(i) < op.num_outputs; ++i) {
      values_[op.first_output + i] = (*outputs)[i];
    }
    for (int i = 0; i < op.num_outputs; ++i) known_[op.first_output + i] = true;
    CheckOutputType(op);
  }

  absl::StatusOr<Values> ImportWith(const OperatorImporter& importer, ImportContext& context) {
    const bool dynamic = std::any_of(context.inputs().begin(), context.inputs().end(),
                                     [&](const Value* v) { return shapes_.IsDynamic(v); });
    if (dynamic && importer.import_dynamic == nullptr) {
      return Unsupported("operands whose size depends on values", "operands of fixed size");
    }
    if (dynamic) return importer.import_dynamic(context);
    absl::StatusOr<Values> outputs = importer.import(context);
    // An operand that decides a size may be computed.
    if (NeedsComputedOperand(outputs.status()) && importer.import_dynamic != nullptr) {
      return importer.import_dynamic(context);
    }
    return outputs;
  }

  // The type that the file demands must be the one that came out: MegEngine can accumulate or convert differently.
  void CheckOutputType(const Operator& op) {
    if (!op.output_dtype.has_value() || op.num_outputs == 0) return;
    const absl::StatusOr<graph::DType> wanted = ToGraphDType(*op.output_dtype);
    const Value* value = values_[op.first_output];
    if (value == nullptr || (wanted.ok() && *wanted == value->type.dtype)) return;
    Refuse(op, Unsupported(absl::StrCat("output of type ", fbs::EnumNameDTypeEnum(op.output_dtype->type))));
    for (int i = 0; i < op.num_outputs; ++i) values_[op.first_output + i] = nullptr;
  }

  // The operators of the graph say InvalidArgument both for operands that can never be right and for types that they do
  // not support yet. The first is likelier for the common types, the second for all others.
  static absl::Status Classify(const Operator& op, const Values& inputs, const absl::Status& status) {
    if (!absl::IsInvalidArgument(status)) return status;
    for (const Value* input : inputs) {
      const graph::DType& dtype = input->type.dtype;
      if (IsQuantized(dtype)) return Unsupported("operands of type quantized", "float32, float16");
      if (!IsFloating(dtype) && dtype.kind != graph::DTypeKind::kInt32 && dtype.kind != graph::DTypeKind::kBool) {
        return Unsupported(absl::StrCat("operands of type ", graph::ToString(dtype)));
      }
    }
    return absl::InvalidArgumentError(absl::StrCat(Describe(op), ": ", status.message()));
  }

  // A value that is unknown because its operator was refused has been reported already. One that its importer does not
  // make (such as the saved mean of a normalization) has not.
  void ReportMissingOutput(int variable) {
    if (!known_[variable]) return;
    known_[variable] = false;
    const Operator& producer = model_.operators[model_.variables[variable].producer];
    Refuse(producer, Unsupported(absl::StrCat("use of output ", variable - producer.first_output)));
  }

  void Refuse(const Operator& op, const absl::Status& status) {
    if (!absl::IsUnimplemented(status)) {
      error_.Update(status);
      return;
    }
    const std::string type = absl::Utf8SafeCHexEscape(op.type);
    const auto it = std::find_if(items_.begin(), items_.end(), [&](const UnsupportedItem& item) {
      return item.op == type && item.detail == status.message();
    });
    UnsupportedItem& item = it != items_.end() ? *it : items_.emplace_back();
    item.op = type;
    item.detail = std::string(status.message());
    item.supported = SupportedInstead(status);
    ++item.count;
    item.nodes.push_back(NameOf(op));
  }

  // The operator's own name, or that of its result, or its number.
  std::string NameOf(const Operator& op) const {
    if (!op.name.empty()) return absl::Utf8SafeCHexEscape(op.name);
    for (int i = op.num_outputs; i-- > 0;) {
      const absl::string_view name = model_.variables[op.first_output + i].name;
      if (!name.empty()) return absl::Utf8SafeCHexEscape(name);
    }
    return absl::StrCat("#", op.index);
  }

  // Sizes that depend on values become internal outputs, one for each of them.
  void AddSizes() {
    const size_t count = graph_.outputs().size();
    std::vector<std::pair<Extent, int>> known;
    for (size_t i = 0; i < count; ++i) {
      Value* value = graph_.outputs()[i].value;
      if (!shapes_.IsDynamic(value)) continue;
      const Extents extents = shapes_.Of(value);
      absl::StatusOr<Value*> compact = Compact(graph_, shapes_, value);
      if (!compact.ok()) return error_.Update(compact.status());
      graph_.outputs()[i].value = *compact;
      std::vector<int> sizes(extents.size(), -1);
      for (size_t axis = 0; axis < extents.size(); ++axis) {
        if (extents[axis].fixed()) continue;
        auto it = std::find_if(known.begin(), known.end(), [&](const auto& k) { return k.first == extents[axis]; });
        if (it == known.end()) {
          absl::StatusOr<Value*> size = shapes_.AsValue(extents[axis]);
          if (!size.ok()) return error_.Update(size.status());
          graph_.AddOutput(*size, UniqueName(absl::StrCat(graph_.outputs()[i].name, ".size", axis)));
          graph_.outputs().back().internal = true;
          known.emplace_back(extents[axis], static_cast<int>(graph_.outputs().size()) - 1);
          it = known.end() - 1;
        }
        sizes[axis] = it->second;
      }
      graph_.outputs()[i].sizes = sizes;
    }
  }

  std::string UniqueName(std::string name) const {
    const auto taken = [&] {
      return std::any_of(graph_.outputs().begin(), graph_.outputs().end(),
                         [&](const graph::GraphOutput& o) { return o.name == name; });
    };
    while (taken()) name += "'";
    return name;
  }

  // A file lists a variable as often as the dumped function returns it; under one name that is one output, as in MegEngine
  // Lite.
  void AddOutputs() {
    std::set<std::pair<int, absl::string_view>> added;
    for (size_t i = 0; i < model_.outputs.size(); ++i) {
      const Output& output = model_.outputs[i];
      if (!added.emplace(output.variable, output.name).second) continue;
      Value* value = values_[output.variable];
      if (value == nullptr) {
        ReportMissingOutput(output.variable);
      } else if (conditions_.Of(output.variable) != nullptr) {
        Refuse(model_.operators[model_.variables[output.variable].producer],
               Unsupported("output of the network that exists only on a condition", "outputs that are merged"));
      } else {
        const std::string name = output.name.empty() ? absl::StrCat("unnamed", i) : std::string(output.name);
        if (UniqueName(name) != name) {
          error_.Update(absl::InvalidArgumentError(absl::StrCat("two outputs of the network have the name \"", name, "\"")));
        }
        graph_.AddOutput(value, name);
      }
    }
  }

  const Model& model_;
  const ImportOptions& options_;
  graph::Graph graph_;
  DynamicShapes shapes_;
  Conditions conditions_;
  Values values_;            // of each variable; null where there is none
  std::vector<bool> known_;  // whether the variable's operator was imported
  std::vector<bool> used_;  // by an operator, or as an output
  std::vector<UnsupportedItem> items_;
  absl::Status error_;  // the first that is no Unsupported
};

}  // namespace

std::string FormatUnsupported(const std::vector<UnsupportedItem>& items) {
  constexpr size_t kMaxNames = 2;
  size_t op_width = 0, detail_width = 0;
  for (const UnsupportedItem& item : items) {
    op_width = std::max(op_width, item.op.size());
    detail_width = std::max(detail_width, item.detail.size());
  }
  std::string text;
  for (const UnsupportedItem& item : items) {
    std::string names;
    for (size_t i = 0; i < std::min(kMaxNames, item.nodes.size()); ++i) {
      absl::StrAppend(&names, names.empty() ? "" : ", ", "\"", item.nodes[i], "\"");
    }
    if (item.nodes.size() > kMaxNames) names += ", ..";
    absl::StrAppendFormat(&text, "  %-*s  %-*s  %d use%s  %s", static_cast<int>(op_width), item.op,
                          static_cast<int>(detail_width), item.detail, item.count, item.count == 1 ? " " : "s", names);
    if (!item.supported.empty()) absl::StrAppend(&text, "  supported: ", item.supported);
    text += "\n";
  }
  return text;
}

absl::StatusOr<graph::Graph> Import(const Model& model, const ImportOptions& options,
                                    std::vector<UnsupportedItem>* unsupported) {
  if (unsupported != nullptr) unsupported->clear();
  return ModelImporter(model, options).Run(unsupported);
}

}  // namespace mgec::mge
