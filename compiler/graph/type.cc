#include "compiler/graph/type.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace mgec::graph {
namespace {

struct KindInfo {
  const char* name;
  int bytes;
};

constexpr KindInfo kKinds[] = {
    {"f32", 4}, {"f16", 2}, {"bf16", 2}, {"i8", 1}, {"u8", 1}, {"i16", 2}, {"u16", 2}, {"i32", 4}, {"bool", 1},
    {"qs8", 1}, {"qu8", 1}, {"qs32", 4}, {"qs16", 2}, {"qs4", 1}, {"qu4", 1},
};

const KindInfo& InfoOf(const DType& d) { return kKinds[static_cast<int>(d.kind)]; }

bool HasZeroPoint(const DType& d) {
  return d.kind == DTypeKind::kQuantized8Asymm || d.kind == DTypeKind::kQuantized4Asymm;
}

}  // namespace

bool IsQuantized(const DType& d) { return d.kind >= DTypeKind::kQuantizedS8; }
bool IsFloating(const DType& d) { return d.kind <= DTypeKind::kBFloat16; }

bool IsHalf(const DType& d) { return d.kind == DTypeKind::kFloat16 || d.kind == DTypeKind::kBFloat16; }
int ByteSize(const DType& d) { return InfoOf(d).bytes; }

int64_t NumElements(const Shape& s) {
  int64_t n = 1;
  for (int64_t d : s) n *= d;
  return n;
}

std::vector<int64_t> Strides(const Shape& s) {
  std::vector<int64_t> strides(s.size());
  int64_t n = 1;
  for (size_t i = s.size(); i-- > 0;) {
    strides[i] = n;
    n *= s[i];
  }
  return strides;
}

absl::StatusOr<Shape> BroadcastShapes(const Shape& a, const Shape& b) {
  if (a == Shape{1}) return b;
  if (b == Shape{1}) return a;
  const size_t rank = std::max(a.size(), b.size());
  Shape out(rank);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t x = i < rank - a.size() ? 1 : a[i - (rank - a.size())];
    const int64_t y = i < rank - b.size() ? 1 : b[i - (rank - b.size())];
    if (x != y && x != 1 && y != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("shapes ", ToString(a), " and ", ToString(b), " do not broadcast"));
    }
    out[i] = x == 1 ? y : x;
  }
  return out;
}

int64_t ByteSize(const TensorType& t) { return NumElements(t.shape) * ByteSize(t.dtype); }

std::string ToString(const DType& d) {
  if (!IsQuantized(d)) return InfoOf(d).name;
  if (HasZeroPoint(d)) {
    return absl::StrFormat("%s(%.9g,%d)", InfoOf(d).name, d.scale, d.zero_point);
  }
  return absl::StrFormat("%s(%.9g)", InfoOf(d).name, d.scale);
}

std::string ToString(const Shape& s) { return absl::StrCat("[", absl::StrJoin(s, ","), "]"); }
std::string ToString(const TensorType& t) { return absl::StrCat(ToString(t.dtype), ToString(t.shape)); }

absl::StatusOr<DType> ParseDType(absl::string_view text) {
  const absl::string_view whole = text;
  absl::string_view args;
  const size_t paren = text.find('(');
  if (paren != absl::string_view::npos && absl::EndsWith(text, ")")) {
    args = text.substr(paren + 1, text.size() - paren - 2);
    text = text.substr(0, paren);
  }
  for (size_t i = 0; i < std::size(kKinds); ++i) {
    if (text != kKinds[i].name) continue;
    DType d(static_cast<DTypeKind>(i));
    if (IsQuantized(d) == args.empty()) break;
    if (!args.empty()) {
      const std::vector<absl::string_view> parts = absl::StrSplit(args, ',');
      if (parts.size() != (HasZeroPoint(d) ? 2 : 1)) break;
      if (!absl::SimpleAtof(parts[0], &d.scale) || !std::isfinite(d.scale) || d.scale <= 0) break;
      if (parts.size() > 1 && !absl::SimpleAtoi(parts[1], &d.zero_point)) break;
    }
    return d;
  }
  return absl::InvalidArgumentError(absl::StrCat("'", whole, "' is not a dtype"));
}

}  // namespace mgec::graph
