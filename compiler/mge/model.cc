#include "compiler/mge/model.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace mgec::mge {

const char* ToString(Container container) {
  switch (container) {
    case Container::kV1Old:
      return "v1 (MGBS)";
    case Container::kV1:
      return "v1";
    case Container::kV2:
      return "v2";
  }
  return "?";
}

std::string Describe(const Operator& op) {
  std::string text = absl::StrCat("operator ", op.index);
  if (!op.type.empty()) absl::StrAppend(&text, " (", absl::Utf8SafeCHexEscape(op.type));
  if (!op.type.empty() && !op.name.empty()) absl::StrAppend(&text, " \"", absl::Utf8SafeCHexEscape(op.name), "\"");
  if (!op.type.empty()) text += ")";
  return text;
}

std::string VersionText(uint32_t mge_version) {
  return absl::StrCat(mge_version / 100000, ".", mge_version / 100 % 1000, ".", mge_version % 100);
}

}  // namespace mgec::mge
