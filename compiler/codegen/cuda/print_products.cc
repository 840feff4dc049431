// Products of matrices by tensor cores, what they multiply, and dot products.
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/codegen/cuda/kernel_printer.h"

namespace mgec::codegen::cuda {

using kernel::Expr;
using kernel::Op;
using ScalarType = kernel::Scalar;

KernelPrinter::Lanes KernelPrinter::Four(ScalarType s, const std::string& wanted, const std::string& value) {
  const std::string name = Identifier(wanted);
  Line(absl::StrCat("const ", s == ScalarType::kInt32 ? "int4 " : "float4 ", name, " = ", value, ";"));
  Lanes lanes;
  for (const char* member : {".x", ".y", ".z", ".w"}) lanes.push_back({name + member, true});
  return lanes;
}

KernelPrinter::Lanes KernelPrinter::PrintMma(const Expr& e) {
  std::vector<std::string> words;
  for (const Expr& a : e->args) {
    for (const Text& t : Print(a)) words.push_back(t.text);
  }
  const bool integers = e->type.scalar == ScalarType::kInt32;
  const char* multiply = integers ? "mma_s8" : e->args[0]->type.scalar == ScalarType::kInt32 ? "mma_f16" : "mma_tf32";
  return Four(e->type.scalar, "product", absl::StrCat(multiply, "(", absl::StrJoin(words, ", "), ")"));
}

KernelPrinter::Lanes KernelPrinter::PrintLoadMatrices(const Expr& e) {
  const char* load = e->buffer->scalar == ScalarType::kFloat16 ? "load_turned(" : "load_matrices(";
  return Four(e->type.scalar, "matrices", absl::StrCat(load, NameOf(e->buffer), ", ", Full(e->args[0]), ")"));
}

KernelPrinter::Lanes KernelPrinter::PrintDot(const Expr& e) {
  const Lanes a = Print(e->args[0]), b = Print(e->args[1]), c = Print(e->args[2]);
  const int group = e->op == Op::kDot2 ? 2 : 4;
  Lanes sums;
  for (int l = 0; l < e->type.lanes; ++l) {
    std::string sum = c[l].text;
    for (int i = l * group; i < (l + 1) * group; ++i) {
      sum = absl::StrCat("wrap_add(", sum, ", ", Operand(a[i].text, a[i].atom), " * ", Operand(b[i].text, b[i].atom), ")");
    }
    sums.push_back({sum, true});
  }
  return sums;
}

}  // namespace mgec::codegen::cuda
