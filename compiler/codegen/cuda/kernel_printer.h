// Prints one kernel. Internal to print_*.cc.
//
// Values of several lanes are printed lane by lane. Indices, 64-bit in kernels, are printed as 32-bit ints wherever their
// bounds are known to fit. Expressions that are used more than once in a statement get a name before it.
#ifndef MGEC_COMPILER_CODEGEN_CUDA_KERNEL_PRINTER_H_
#define MGEC_COMPILER_CODEGEN_CUDA_KERNEL_PRINTER_H_

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "absl/strings/string_view.h"
#include "compiler/kernel/simplify.h"
#include "compiler/kernel/stmt.h"

namespace mgec::codegen::cuda {

class KernelPrinter {
 public:
  explicit KernelPrinter(const kernel::Kernel& k);
  std::string Run();

 private:
  // One lane of a value; `atom`: needs no parentheses as an operand.
  struct Text {
    std::string text;
    bool atom;
  };
  using Lanes = std::vector<Text>;

  // print_stmt.cc
  std::string Signature();
  void DeclareBuffers();
  void Print(const std::vector<kernel::Stmt>& stmts);
  void Print(const kernel::StmtNode& s);
  void PrintFor(const kernel::StmtNode& s);
  void PrintStore(const kernel::StmtNode& s);
  void PrintCopy(const kernel::StmtNode& s);
  void Line(absl::string_view text);
  // Prepares a statement that evaluates these expressions: names what they share.
  void Begin(const std::vector<kernel::Expr>& expressions);
  // A new identifier like `wanted`.
  std::string Identifier(const std::string& wanted);
  std::string NameOf(const kernel::Buffer& b);
  void Bind(const kernel::Var& v, const kernel::Expr& value, kernel::Ranges* bounds);

  // print_words.cc: neighbours in memory, several in an access
  int BytesAtATime(const kernel::Buffer& b, const kernel::Expr& index, int lanes);
  Lanes LoadWords(const kernel::Expr& load, int bytes);
  void StoreWords(const kernel::StmtNode& s, const Lanes& values, int bytes);

  // print_products.cc
  Lanes PrintMma(const kernel::Expr& e);
  Lanes PrintLoadMatrices(const kernel::Expr& e);
  Lanes PrintDot(const kernel::Expr& e);
  // The members of a new variable, like `wanted`, that holds `value`, an int4 or a float4.
  Lanes Four(kernel::Scalar s, const std::string& wanted, const std::string& value);

  // print_expr.cc
  const Lanes& Print(const kernel::Expr& e);
  Lanes PrintNode(const kernel::Expr& e);
  Lanes PrintLoad(const kernel::Expr& e);
  Text PrintUnary(const kernel::ExprNode& e, const Text& x);
  Text PrintBinary(const kernel::Expr& e, const Text& a, const Text& b);
  Text PrintCast(const kernel::Expr& e, const Text& x);
  std::string Scalar(const kernel::Expr& e);  // of one lane, as an operand
  std::string Full(const kernel::Expr& e);    // of one lane, not as an operand
  std::string IndexLane(const kernel::Expr& index, int lane);
  // The value of an int64 expression is known to fit 32 bits.
  bool Narrow(const kernel::Expr& e);
  bool NonNegative(const kernel::Expr& e);
  std::optional<kernel::Range> Bounds(const kernel::Expr& e);
  // Element `index` is a multiple of `elements`.
  bool Aligned(const kernel::Expr& index, int elements);
  std::string TypeOf(const kernel::Expr& e);

  const kernel::Kernel& kernel_;
  std::string out_;
  int indent_ = 1;
  std::unordered_set<std::string> identifiers_;
  std::unordered_map<const kernel::VarNode*, Lanes> vars_;
  std::unordered_set<const kernel::VarNode*> wide_;  // index variables that need 64 bits
  kernel::Ranges ranges_;
  std::unordered_map<const kernel::BufferNode*, std::string> buffers_;
  // Of the current statement.
  std::unordered_map<const kernel::ExprNode*, int> uses_;
  std::unordered_map<const kernel::ExprNode*, Lanes> memo_;
  std::unordered_map<const kernel::ExprNode*, std::optional<kernel::Range>> bounds_;
  std::vector<kernel::Expr> alive_;  // expressions made here, which the maps know by address
};

inline std::string Operand(const std::string& text, bool atom) { return atom ? text : absl::StrCat("(", text, ")"); }

// As elements of memory, and as values.
const char* MemoryTypeName(kernel::Scalar s);
const char* TypeName(kernel::Scalar s);

}  // namespace mgec::codegen::cuda

#endif  // MGEC_COMPILER_CODEGEN_CUDA_KERNEL_PRINTER_H_
