#include "compiler/mge/support.h"

#include <algorithm>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "compiler/mge/importer.h"
#include "flatbuffers/minireflect.h"

namespace mgec::mge {
namespace {

struct Family {
  const char* title;
  void (*add)(Registry&);
};

constexpr Family kFamilies[] = {
    {"Inputs, constants, identities", RegisterData},
    {"Elementwise arithmetic", RegisterElemwise},
    {"Quantization, type conversion", RegisterQuantize},
    {"Convolution", RegisterConv},
    {"Convolution of volumes", RegisterConv3d},
    {"Windows, local convolution, correlation", RegisterWindows},
    {"Pooling", RegisterPool},
    {"Images", RegisterImage},
    {"Frequencies of images", RegisterDct},
    {"Resizing", RegisterResize},
    {"Regions of interest", RegisterRoi},
    {"Normalization", RegisterNorm},
    {"Reduction", RegisterReduce},
    {"Linear algebra", RegisterLinalg},
    {"Shape and movement", RegisterShape},
    {"Indexing", RegisterIndex},
    {"Writing at indices", RegisterScatter},
    {"Sorting, running sums, suppression", RegisterScan},
    {"Layouts", RegisterRelayout},
    {"Recurrent networks", RegisterRecurrent},
    {"Attention", RegisterAttention},
    {"Random numbers", RegisterRandom},
    {"Sizes that depend on values", RegisterSelect},
    {"Conditions", RegisterCond},
};

// "is for training": the reason that documents give.
const char* WhyNot(absl::string_view type) {
  if (absl::StrContains(type, "Backward") || absl::EndsWith(type, "Grad")) return "is for training";
  if (absl::EndsWith(type, "RuntimeOpr") || type == "NvOf") return "holds code for a device of another kind";
  if (type == "CustomOpNode" || type == "ExternCOprRunner") return "is code of the user's own";
  if (type == "AddUpdate") return "changes a weight, which is for training";
  if (type == "Sleep") return "computes nothing: it is for tests of MegEngine";
  return "";
}

}  // namespace

const Registry& AllImporters() {
  static const Registry* const registry = [] {
    auto* r = new Registry();
    for (const Family& family : kFamilies) family.add(*r);
    // What these add to operators of all families: operands whose size depends on values.
    RegisterDynamic(*r);
    RegisterDynamicIndex(*r);
    RegisterDynamicWrite(*r);
    return r;
  }();
  return *registry;
}

std::vector<OperatorFamily> SupportedOperators() {
  std::vector<OperatorFamily> families;
  for (const Family& family : kFamilies) {
    Registry r;
    family.add(r);
    families.push_back({family.title, r.Names()});
  }
  return families;
}

std::vector<UnsupportedOperator> UnsupportedOperators() {
  std::set<std::string> names;
  for (const OperatorInfo& info : AllOperators()) {
    if (!IsSupported(info.type())) names.insert(std::string(info.type()));
  }
  std::vector<UnsupportedOperator> result;
  for (const std::string& name : names) result.push_back({name, WhyNot(name)});
  return result;
}

bool IsSupported(absl::string_view type) { return AllImporters().Find(type) != nullptr; }

std::string WhyUnknown(const Operator& op) {
  if (op.info == nullptr) return "operator that MegEngine does not have";
  if (op.type == "CustomOpNode" || op.type == "ExternCOprRunner") {
    return op.blobs.empty() ? "operator" : absl::StrCat("\"", absl::Utf8SafeCHexEscape(op.blobs[0]), "\"");
  }
  const absl::string_view why = WhyNot(op.type);
  return why.empty() ? "operator" : absl::StrCat("operator, which ", why);
}

std::string ParameterText(const Operator& op) {
  if (op.param == nullptr || op.param_type == fbs::OperatorParam::NONE) return "";
  const flatbuffers::TypeTable* types = fbs::OperatorParamTypeTable();
  const size_t index = static_cast<size_t>(op.param_type);
  if (index >= types->num_elems || types->type_codes[index].sequence_ref < 0) return "";
  flatbuffers::ToStringVisitor visitor(" ");
  flatbuffers::IterateObject(static_cast<const uint8_t*>(op.param),
                             types->type_refs[types->type_codes[index].sequence_ref](), &visitor);
  std::string text = visitor.s;  // "{ pad_h: 1, pad_w: 1 }"
  while (!text.empty() && (text.front() == '{' || text.front() == ' ')) text.erase(0, 1);
  while (!text.empty() && (text.back() == '}' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace mgec::mge
