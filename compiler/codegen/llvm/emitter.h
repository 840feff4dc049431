// One kernel to one LLVM function. Internal to this folder; codegen.h is the interface.
//
// The emitter keeps the order of statements and, within one, evaluates arguments left to right: schedules rely on it to
// keep register pressure within the machine (see codegen.cc for the passes that are left out for the same reason). Only
// address arithmetic moves: each part of an address is computed in front of the outermost loop that it does not depend
// on.
#ifndef MGEC_COMPILER_CODEGEN_LLVM_EMITTER_H_
#define MGEC_COMPILER_CODEGEN_LLVM_EMITTER_H_

#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "compiler/codegen/llvm/index.h"
#include "compiler/kernel/stmt.h"
#include "compiler/kernel/target.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

namespace mgec::codegen {

// Whether e is a constant, in all lanes.
bool IsFloatConstant(kernel::Expr e, double* v);

// min(max(value, lowest), highest) of a float32, with constants.
struct FloatClamp {
  kernel::Expr value;
  double lowest, highest;
};
std::optional<FloatClamp> FloatClampOf(const kernel::Expr& e);

class KernelEmitter {
 public:
  KernelEmitter(llvm::Module& module, const kernel::Target& target)
      : module_(module), target_(target), b_(module.getContext()) {}

  // Adds the function of a verified kernel to the module and returns it.
  llvm::Function* Emit(const kernel::Kernel& k);

 private:
  struct Binding {
    llvm::Value* value;
    int depth;  // number of loops around the definition, the task loop included
    bool non_negative;
  };
  using Memo = std::unordered_map<kernel::Expr, llvm::Value*>;  // by address; keeps the keys alive

  // emit_stmt.cc
  void EmitTaskLoop(const kernel::Kernel& k, llvm::Value* begin, llvm::Value* end);
  // `iterations`: 0 where their number is not known, and may be none.
  void EmitLoop(llvm::Value* begin, llvm::Value* end, int64_t step, const kernel::Var& var, bool non_negative,
                int64_t iterations, const std::function<void()>& body);
  void EmitStatements(const std::vector<kernel::Stmt>& stmts);
  void EmitStatement(const kernel::StmtNode& s);
  void EmitFor(const kernel::StmtNode& s);
  void EmitIf(const kernel::StmtNode& s);

  // emit_expr.cc
  llvm::Value* EmitExpr(const kernel::Expr& e);
  llvm::Value* EmitNode(const kernel::ExprNode& e);
  llvm::Value* EmitUnary(const kernel::ExprNode& e);
  llvm::Value* EmitBinary(const kernel::ExprNode& e);
  llvm::Value* EmitFloorDivMod(const kernel::ExprNode& e, llvm::Value* a, llvm::Value* b);
  llvm::Value* EmitCompare(kernel::Op op, kernel::Scalar s, llvm::Value* a, llvm::Value* b);
  llvm::Value* EmitMinMax(bool min, kernel::Scalar s, llvm::Value* a, llvm::Value* b);
  // A comparison of a ramp with a broadcast of 64-bit integers in 32-bit lanes, which costs a quarter of the
  // instructions; null where the expression is no such comparison.
  llvm::Value* EmitRampCompare(const kernel::ExprNode& e);
  llvm::Value* EmitHorizontal(const kernel::ExprNode& e);

  // emit_dot.cc
  llvm::Value* EmitDot(kernel::Op op, llvm::Value* x, llvm::Value* y, llvm::Value* sum);
  // A shuffle that repeats a short vector as a whole: one broadcast of a wider integer; null for other shuffles.
  llvm::Value* EmitRepeat(const kernel::ExprNode& e, llvm::Value* v);

  bool NonNegative(const kernel::Expr& e) const;

  // emit_pack.cc
  // A conversion of clamped floats to 8- or 16-bit integers; null for others, and where the target has no fast instructions.
  llvm::Value* EmitSaturated(const kernel::ExprNode& e);

  // emit_cast.cc
  llvm::Value* EmitCast(kernel::Type from, kernel::Type to, llvm::Value* v);
  llvm::Value* EmitBitcast(kernel::Type from, kernel::Type to, llvm::Value* v);
  llvm::Value* FloatToInt(kernel::Type to, llvm::Value* v);
  llvm::Value* ToFloat32(kernel::Type from, llvm::Value* v);
  llvm::Value* FromFloat32(kernel::Type to, llvm::Value* v);

  // emit_memory.cc
  llvm::Value* EmitLoad(const kernel::ExprNode& e);
  // A load at 32-bit offsets from one address, where the target has a fast instruction for it; null elsewhere.
  llvm::Value* EmitGather(const kernel::ExprNode& e);
  void EmitStore(const kernel::StmtNode& s);
  void EmitPrefetch(const kernel::StmtNode& s);
  llvm::Value* EmitAddress(const kernel::Buffer& buffer, const LinearIndex& index);
  // The scalar expression that is lane number `lane` of a vector of integers.
  kernel::Expr LaneOf(const kernel::Expr& e, int lane);
  std::vector<LinearIndex> LanesOf(const kernel::Expr& index);
  llvm::Value* Base(const kernel::Buffer& buffer);
  llvm::AllocaInst* Register(const kernel::Buffer& buffer, int64_t i);
  llvm::AllocaInst* EntryAlloca(llvm::Type* type, llvm::Align alignment);
  // Where lanes that a mask turns off read zero from or write to instead.
  llvm::Value* Scratch(kernel::Scalar s, bool zero);
  llvm::Value* LoadVector(const kernel::Buffer& buffer, const LinearIndex& index, int lanes, llvm::Value* mask);
  void StoreVector(const kernel::Buffer& buffer, const LinearIndex& index, llvm::Value* value, int lanes,
                   llvm::Value* mask);
  llvm::Value* FromMemory(kernel::Scalar s, llvm::Value* v);
  llvm::Value* ToMemory(kernel::Scalar s, llvm::Value* v);

  // Runs f with the builder in front of the outermost loop in which values of that depth exist.
  llvm::Value* Hoisted(int depth, const std::function<llvm::Value*()>& f);
  // The number of loops around the place where e can be computed; the current depth for what must not move.
  int DepthOf(const kernel::Expr& e) const;
  int depth() const { return static_cast<int>(preheaders_.size()); }
  void Bind(const kernel::Var& var, llvm::Value* value, int depth, bool non_negative);

  llvm::Type* ElementType(kernel::Scalar s);
  llvm::Type* IrType(kernel::Type t);
  llvm::Type* MemoryType(kernel::Type t);
  llvm::Value* Splat(llvm::Value* scalar, int lanes) {
    return lanes == 1 ? scalar : b_.CreateVectorSplat(lanes, scalar);
  }
  llvm::Constant* FloatConstant(int lanes, double v);
  llvm::Constant* IntConstant(kernel::Type t, int64_t v);

  llvm::Module& module_;
  const kernel::Target& target_;
  llvm::IRBuilder<> b_;
  llvm::Function* function_ = nullptr;
  llvm::BasicBlock* entry_ = nullptr;
  std::unordered_map<const kernel::VarNode*, Binding> bindings_;
  std::unordered_map<const kernel::BufferNode*, llvm::Value*> bases_;
  std::unordered_map<const kernel::BufferNode*, std::vector<llvm::AllocaInst*>> registers_;
  std::unordered_map<int, llvm::Value*> scratch_;
  std::vector<kernel::Var> lane_variables_;  // keeps the keys of their bindings alive
  std::vector<llvm::Instruction*> preheaders_;  // the branch into each open loop, outermost first
  Memo memo_;                                   // values of the current statement
};

}  // namespace mgec::codegen

#endif  // MGEC_COMPILER_CODEGEN_LLVM_EMITTER_H_
