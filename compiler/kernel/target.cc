#include "compiler/kernel/target.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

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
  t.has_avx2 = true;
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
  t.has_avx2 = true;
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

// Any 64-bit Arm CPU: NEON with fused multiply-add and conversions of float16 belongs to the architecture.
Target AArch64() {
  Target t;
  t.name = "aarch64";
  t.triple = "aarch64-unknown-linux-gnu";
  t.cpu = "generic";
  t.features = "+neon";
  t.vector_lanes = 4;
  t.vector_registers = 32;
  t.chains = 4;
  t.broadcast_folds = true;  // multiplications take one lane of a register
  t.dot_group = 2;
  return t;
}

// Cortex-A55 and A75, Neoverse N1, and later.
Target AArch64DotProd() {
  Target t = AArch64();
  t.name = "aarch64-dotprod";
  t.features += ",+dotprod";
  t.dot_group = 4;
  t.has_dotprod = true;
  return t;
}

}  // namespace

std::vector<Target> X86Targets() { return {X86V4Vnni(), X86V4(), X86V3()}; }

std::vector<Target> AllTargets() { return {X86V4Vnni(), X86V4(), X86V3(), AArch64DotProd(), AArch64()}; }

std::vector<Target> DefaultTargets(bool integer_contractions) {
  if (integer_contractions) return X86Targets();
  return {X86V4(), X86V3()};
}

Target CudaTarget(std::vector<int> architectures) {
  Target t;
  t.name = "cuda";
  t.cuda = true;
  t.architectures = std::move(architectures);
  return t;
}

absl::StatusOr<Target> FindTarget(absl::string_view name) {
  absl::string_view architectures = name;
  if (absl::ConsumePrefix(&architectures, "cuda") && (architectures.empty() || absl::ConsumePrefix(&architectures, ":"))) {
    Target t = CudaTarget();
    for (absl::string_view text : absl::StrSplit(architectures, ',', absl::SkipEmpty())) {
      int a;
      if (!absl::ConsumePrefix(&text, "sm_") || !absl::SimpleAtoi(text, &a) || a <= 0) {
        return absl::InvalidArgumentError(absl::StrCat("target '", name, "': want cuda:sm_80, for example"));
      }
      t.architectures.push_back(a);
    }
    return t;
  }
  std::vector<std::string> known;
  for (Target& t : AllTargets()) {
    if (t.name == name) return std::move(t);
    known.push_back(t.name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown target '", name, "'; known targets: ", absl::StrJoin(known, ", "), ", cuda"));
}

absl::StatusOr<std::vector<Target>> ParseTargets(absl::string_view names) {
  std::vector<std::string> joined;
  for (absl::string_view name : absl::StrSplit(names, ',', absl::SkipEmpty())) {
    if (absl::StartsWith(name, "sm_") && !joined.empty() && absl::StartsWith(joined.back(), "cuda:")) {
      absl::StrAppend(&joined.back(), ",", name);
    } else {
      joined.emplace_back(name);
    }
  }
  std::vector<Target> targets;
  for (const std::string& name : joined) {
    absl::StatusOr<Target> t = FindTarget(name);
    if (!t.ok()) return t.status();
    targets.push_back(*std::move(t));
  }
  return targets;
}

}  // namespace mgec::kernel
