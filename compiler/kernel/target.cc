#include "compiler/kernel/target.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace mgec::kernel {
namespace {

// `features` only repeats what the code generator relies on; LLVM's CPU name already implies it. Without FMA and F16C
// in force LLVM would silently emit calls to a C library that an image does not have.
Target X86V3() {
  Target t;
  t.name = "x86-64-v3";
  t.triple = "x86_64-unknown-linux-gnu";
  t.cpu = "x86-64-v3";
  t.features = "+avx2,+fma,+f16c,+bmi,+bmi2";
  t.vector_lanes = 8;
  t.vector_registers = 16;
  t.chains = 2;
  t.broadcast_folds = false;
  t.dot_group = 2;
  return t;
}

Target X86V4() {
  Target t;
  t.name = "x86-64-v4";
  t.triple = "x86_64-unknown-linux-gnu";
  t.cpu = "x86-64-v4";
  t.features = "+avx2,+fma,+f16c,+bmi,+bmi2,+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl";
  t.vector_lanes = 16;
  t.vector_registers = 32;
  t.chains = 4;
  t.broadcast_folds = true;
  t.dot_group = 2;
  t.has_avx512 = true;
  return t;
}

// Ice Lake, Zen 4 and later; AVX-512 alone does not imply it (Skylake).
Target X86V4Vnni() {
  Target t = X86V4();
  t.name = "x86-64-v4-vnni";
  t.features += ",+avx512vnni";
  t.dot_group = 4;
  t.has_vnni = true;
  return t;
}

}  // namespace

std::vector<Target> AllTargets() { return {X86V4Vnni(), X86V4(), X86V3()}; }

std::vector<Target> DefaultTargets(bool integer_contractions) {
  if (integer_contractions) return AllTargets();
  return {X86V4(), X86V3()};
}

absl::StatusOr<Target> FindTarget(absl::string_view name) {
  std::vector<std::string> known;
  for (Target& t : AllTargets()) {
    if (t.name == name) return std::move(t);
    known.push_back(t.name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown target '", name, "'; known targets: ", absl::StrJoin(known, ", ")));
}

}  // namespace mgec::kernel
