#include "compiler/schedule/choice.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace mgec::schedule {
namespace {

struct Field {
  const char* name;
  int Choice::*value;
};

constexpr Field kFields[] = {
    {"winograd", &Choice::winograd}, {"group_tiles", &Choice::group_tiles}, {"tile_height", &Choice::tile_height},
    {"split_pixels", &Choice::split_pixels}, {"chunk", &Choice::chunk}, {"prefetch", &Choice::prefetch},
    {"tasks", &Choice::tasks}, {"registers", &Choice::registers}, {"unroll", &Choice::unroll},
};

}  // namespace

bool Choice::operator==(const Choice& o) const {
  for (const Field& f : kFields) {
    if (this->*f.value != o.*f.value) return false;
  }
  return true;
}

Choice Decided(int Choice::*decision, int64_t value) {
  Choice c;
  c.*decision = static_cast<int>(value);
  return c;
}

std::string ToString(const Choice& choice) {
  std::string text;
  for (const Field& f : kFields) {
    if (choice.*f.value != Choice::kRule) absl::StrAppend(&text, text.empty() ? "" : " ", f.name, "=", choice.*f.value);
  }
  return text;
}

absl::StatusOr<Choice> ParseChoice(absl::string_view text) {
  Choice choice;
  for (absl::string_view item : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(item, absl::MaxSplits('=', 1));
    int value = 0;
    bool known = absl::SimpleAtoi(parts.second, &value) && value >= 0 && value <= (1 << 20);
    if (known) {
      known = false;
      for (const Field& f : kFields) {
        if (parts.first != f.name) continue;
        choice.*f.value = value;
        known = true;
      }
    }
    if (!known) return absl::InvalidArgumentError(absl::StrCat("'", item, "' is no decision of a schedule"));
  }
  return choice;
}

Choice Merged(Choice base, const Choice& wishes) {
  for (const Field& f : kFields) {
    if (wishes.*f.value != Choice::kRule) base.*f.value = wishes.*f.value;
  }
  return base;
}

}  // namespace mgec::schedule
