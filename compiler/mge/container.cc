#include "compiler/mge/container.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "compiler/mge/decode.h"
#include "compiler/mge/readers.h"
#include "runtime/lite/packed_model_generated.h"

namespace mgec::mge {
namespace {

constexpr absl::string_view kLitePackage = "packed_model";
constexpr absl::string_view kTestCases = "mgbtest0";

// What a file is that is certainly not a graph of MegEngine.
absl::Status NotAModel(absl::string_view bytes) {
  struct Kind {
    absl::string_view start;
    absl::string_view what;
  };
  static constexpr Kind kKinds[] = {
      {"\x80", "it is a Python pickle, such as megengine.save writes; dump the traced network instead"},
      {"mgb0001", "it is a model of the closed-source predecessor of MegEngine"},
      {"mgb0000a", "it is a model of the closed-source predecessor of MegEngine"},
      {"MGEC", "it is a compiled model already"},
      {"PK\x03\x04", "it is a zip file"},
      {"\x1f\x8b", "it is compressed with gzip"},
      {"\x7f" "ELF", "it is an ELF file"},
  };
  if (bytes.empty()) return absl::InvalidArgumentError("not a MegEngine model: the file is empty");
  for (const Kind& kind : kKinds) {
    if (absl::StartsWith(bytes, kind.start)) {
      return absl::InvalidArgumentError(absl::StrCat("not a MegEngine model: ", kind.what));
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("not a MegEngine model: it begins with \"", absl::CHexEscape(bytes.substr(0, 12)), "\""));
}

absl::Status ReadGraph(absl::string_view bytes, Model& model) {
  const absl::string_view magic = bytes.substr(0, 4);
  if (magic == "MGBC" || magic == "MGBS") return internal::ReadV1(bytes, model);
  if (bytes.size() >= 12 && bytes.substr(8, 4) == "mgv2") return internal::ReadV2(bytes, model);
  return NotAModel(bytes);
}

// The graph inside of a MegEngine Lite package.
absl::StatusOr<absl::string_view> Unpack(absl::string_view bytes, Model& model) {
  namespace lite = ::mgec::packed;
  bytes = internal::Aligned(bytes.substr(kLitePackage.size()), model.storage);
  if (bytes.size() >= FLATBUFFERS_MAX_BUFFER_SIZE) return absl::DataLossError("the package is larger than 2 GiB");
  flatbuffers::Verifier verifier = internal::MakeVerifier(bytes);
  if (!lite::VerifyPackModelBuffer(verifier)) return absl::DataLossError("the MegEngine Lite package is damaged");
  const auto* models = lite::GetPackModel(bytes.data())->models();
  if (internal::Size(models) != 1 || internal::IsNull(models, 0)) {
    return absl::DataLossError(
        absl::StrCat("the MegEngine Lite package holds ", internal::Size(models), " models, needs 1"));
  }
  const lite::Model& packed = *models->Get(0);
  if (packed.header() == nullptr || packed.data() == nullptr) {
    return absl::DataLossError("the MegEngine Lite package has no header or no model");
  }
  const auto is_plain = [](absl::string_view method) { return method.empty() || method == "NONE"; };
  const absl::string_view method = internal::View(packed.header()->model_decryption_method());
  if (!is_plain(method)) {
    return absl::UnimplementedError(
        absl::StrCat("the model is encrypted (", absl::Utf8SafeCHexEscape(method), "); decrypt it first"));
  }
  model.lite_name = internal::View(packed.header()->name());
  if (packed.info() != nullptr && is_plain(internal::View(packed.header()->info_decryption_method()))) {
    model.lite_info = internal::View(packed.info()->data());
  }
  return internal::View(packed.data()->data());
}

}  // namespace

absl::StatusOr<Model> ReadModel(absl::string_view bytes) {
  Model model;
  if (absl::StartsWith(bytes, kLitePackage)) {
    const absl::StatusOr<absl::string_view> inner = Unpack(bytes, model);
    if (!inner.ok()) return inner.status();
    bytes = *inner;
  }
  // The number of test cases follows, then the graph of the model, then a graph of values for each test case.
  if (absl::StartsWith(bytes, kTestCases)) bytes = bytes.substr(std::min<size_t>(bytes.size(), 12));
  if (absl::Status s = ReadGraph(bytes, model); !s.ok()) return s;
  return model;
}

}  // namespace mgec::mge
