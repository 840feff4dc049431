// Functions, loops and statements.
#include <algorithm>
#include <cassert>

#include "compiler/codegen/llvm/emitter.h"
#include "llvm/IR/Attributes.h"
#include "llvm/IR/MDBuilder.h"

namespace mgec::codegen {

using kernel::Expr;
using kernel::IsConst;
using kernel::Kernel;
using kernel::Stmt;
using kernel::StmtKind;
using kernel::StmtNode;
using kernel::Var;

llvm::Function* KernelEmitter::Emit(const Kernel& k) {
  llvm::Type* i32 = b_.getInt32Ty();
  auto* type = llvm::FunctionType::get(b_.getVoidTy(), {b_.getPtrTy(), i32, i32}, false);
  function_ = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, k.name, module_);
  // Hidden: code and data of an image refer to each other without a table of addresses.
  function_->setVisibility(llvm::GlobalValue::HiddenVisibility);
  function_->setDSOLocal(true);
  function_->setDoesNotThrow();
  function_->addFnAttr("no-builtins");
  // These win over the target machine's own, so they must be there. "min-legal-vector-width" must not: it would split
  // 512-bit vectors.
  function_->addFnAttr("target-cpu", target_.cpu);
  function_->addFnAttr("target-features", target_.features);
  entry_ = llvm::BasicBlock::Create(module_.getContext(), "entry", function_);
  b_.SetInsertPoint(entry_);

  llvm::Value* table = b_.CreateLoad(b_.getPtrTy(), function_->getArg(0), "buffers");
  for (const kernel::Buffer& buffer : k.arguments) {
    llvm::Value* slot = b_.CreateConstGEP1_64(b_.getPtrTy(), table, buffer->argument);
    bases_[buffer.get()] = b_.CreateLoad(b_.getPtrTy(), slot, buffer->name);
  }
  llvm::Value* begin = b_.CreateZExt(function_->getArg(1), b_.getInt64Ty(), "begin");
  llvm::Value* end = b_.CreateZExt(function_->getArg(2), b_.getInt64Ty(), "end");
  EmitLoop(begin, end, 1, k.task, /*non_negative=*/true, /*iterations=*/0, [&] {
    // A kernel of one task has constant addresses.
    if (k.tasks == 1) Bind(k.task, b_.getInt64(0), 0, true);
    EmitStatements(k.body);
  });
  b_.CreateRetVoid();
  return function_;
}

void KernelEmitter::Bind(const Var& var, llvm::Value* value, int depth, bool non_negative) {
  bindings_[var.get()] = {value, depth, non_negative};
}

llvm::Value* KernelEmitter::Hoisted(int depth, const std::function<llvm::Value*()>& f) {
  if (depth >= this->depth()) return f();
  llvm::IRBuilderBase::InsertPointGuard guard(b_);
  b_.SetInsertPoint(preheaders_[depth]);
  // What the current statement has computed need not dominate the place in front of the loop.
  Memo saved;
  saved.swap(memo_);
  llvm::Value* result = f();
  memo_.swap(saved);
  return result;
}

void KernelEmitter::EmitLoop(llvm::Value* begin, llvm::Value* end, int64_t step, const Var& var, bool non_negative,
                             int64_t iterations, const std::function<void()>& body) {
  llvm::LLVMContext& context = module_.getContext();
  auto* loop = llvm::BasicBlock::Create(context, var->name, function_);
  auto* exit = llvm::BasicBlock::Create(context, var->name + ".end");
  if (iterations == 0) {
    auto* preheader = llvm::BasicBlock::Create(context, var->name + ".begin", function_, loop);
    b_.CreateCondBr(b_.CreateICmpSLT(begin, end), preheader, exit);
    b_.SetInsertPoint(preheader);
  }
  llvm::BasicBlock* preheader = b_.GetInsertBlock();
  preheaders_.push_back(b_.CreateBr(loop));
  b_.SetInsertPoint(loop);
  llvm::PHINode* phi = b_.CreatePHI(b_.getInt64Ty(), 2, var->name);
  phi->addIncoming(begin, preheader);
  Bind(var, phi, depth(), non_negative);
  body();
  llvm::Value* next = b_.CreateNSWAdd(phi, b_.getInt64(step));
  phi->addIncoming(next, b_.GetInsertBlock());
  // Registers are allocated by what is known of how often each block runs.
  llvm::MDNode* weights = nullptr;
  if (iterations > 0) {
    const auto again = static_cast<uint32_t>(std::clamp<int64_t>(iterations - 1, 1, 1 << 20));
    weights = llvm::MDBuilder(context).createBranchWeights(again, 1);
  }
  b_.CreateCondBr(b_.CreateICmpSLT(next, end), loop, exit, weights);
  preheaders_.pop_back();
  exit->insertInto(function_);
  b_.SetInsertPoint(exit);
}

void KernelEmitter::EmitStatements(const std::vector<Stmt>& stmts) {
  for (const Stmt& s : stmts) {
    memo_.clear();
    EmitStatement(*s);
  }
  memo_.clear();
}

void KernelEmitter::EmitStatement(const StmtNode& s) {
  switch (s.kind) {
    case StmtKind::kBlock: EmitStatements(s.stmts); return;
    case StmtKind::kFor: EmitFor(s); return;
    case StmtKind::kLet: {
      llvm::Value* value = EmitExpr(s.value);
      Bind(s.var, value, depth(), NonNegative(s.value));
      return;
    }
    case StmtKind::kStore: EmitStore(s); return;
    case StmtKind::kIf: EmitIf(s); return;
    case StmtKind::kPrefetch: EmitPrefetch(s); return;
    case StmtKind::kBarrier:  // only with threads
    case StmtKind::kCopyAsync:
    case StmtKind::kCommitCopies:
    case StmtKind::kWaitCopies: break;
  }
}

void KernelEmitter::EmitFor(const StmtNode& s) {
  int64_t begin = 0, end = 0;
  const bool constant = IsConst(s.begin, &begin) && IsConst(s.end, &end);
  if (constant && begin >= end) return;
  llvm::Value* first = EmitExpr(s.begin);
  llvm::Value* last = EmitExpr(s.end);
  const int64_t iterations = constant ? (end - begin + s.step - 1) / s.step : 0;
  EmitLoop(first, last, s.step, s.var, NonNegative(s.begin), iterations, [&] { EmitStatements(s.stmts); });
}

void KernelEmitter::EmitIf(const StmtNode& s) {
  llvm::LLVMContext& context = module_.getContext();
  llvm::Value* cond = EmitExpr(s.cond);
  auto* yes = llvm::BasicBlock::Create(context, "then", function_);
  auto* no = s.otherwise.empty() ? nullptr : llvm::BasicBlock::Create(context, "else");
  auto* join = llvm::BasicBlock::Create(context, "endif");
  b_.CreateCondBr(cond, yes, no ? no : join);
  b_.SetInsertPoint(yes);
  EmitStatements(s.stmts);
  b_.CreateBr(join);
  if (no) {
    no->insertInto(function_);
    b_.SetInsertPoint(no);
    EmitStatements(s.otherwise);
    b_.CreateBr(join);
  }
  join->insertInto(function_);
  b_.SetInsertPoint(join);
}

}  // namespace mgec::codegen
