#include "compiler/kernel/stmt.h"

#include <cassert>
#include <utility>

namespace mgec::kernel {

Expr Block::Let(std::string name, Expr value) {
  if (value->op == Op::kVar || value->op == Op::kInt || value->op == Op::kFloat) return value;
  auto s = std::make_shared<StmtNode>();
  s->kind = StmtKind::kLet;
  s->var = MakeVar(std::move(name), value->type);
  s->value = std::move(value);
  Expr use = Use(s->var);
  stmts_.push_back(std::move(s));
  return use;
}

void Block::Store(const Buffer& b, Expr index, Expr value, Expr mask) {
  assert(b->scalar == value->type.scalar);
  auto s = std::make_shared<StmtNode>();
  s->kind = StmtKind::kStore;
  s->buffer = b;
  s->index = std::move(index);
  s->value = std::move(value);
  s->mask = std::move(mask);
  stmts_.push_back(std::move(s));
}

void Block::Set(const Buffer& reg, int64_t i, Expr value) {
  assert(reg->kind == BufferKind::kRegister && i >= 0 && i < reg->size);
  Store(reg, Int(i), Broadcast(std::move(value), reg->lanes));
}

void Block::Prefetch(const Buffer& b, Expr index, bool near) {
  auto s = std::make_shared<StmtNode>();
  s->near = near;
  s->kind = StmtKind::kPrefetch;
  s->buffer = b;
  s->index = std::move(index);
  stmts_.push_back(std::move(s));
}

void Block::For(std::string name, Expr begin, Expr end, int64_t step, const std::function<void(Block&, Expr)>& body) {
  int64_t b, e;
  if (IsConst(begin, &b) && IsConst(end, &e)) {
    if (b >= e) return;
    if (b + step >= e) {  // one trip: no loop
      Block inner;
      body(inner, begin);
      for (Stmt& s : inner.stmts_) stmts_.push_back(std::move(s));
      return;
    }
  }
  auto s = std::make_shared<StmtNode>();
  s->kind = StmtKind::kFor;
  s->var = MakeVar(std::move(name));
  s->begin = std::move(begin);
  s->end = std::move(end);
  s->step = step;
  Block inner;
  body(inner, Use(s->var));
  s->stmts = inner.Take();
  stmts_.push_back(std::move(s));
}

void Block::For(std::string name, int64_t begin, int64_t end, const std::function<void(Block&, Expr)>& body) {
  For(std::move(name), Int(begin), Int(end), 1, body);
}

void Block::If(Expr cond, const std::function<void(Block&)>& then, const std::function<void(Block&)>& otherwise) {
  Block yes, no;
  int64_t v;
  if (IsConst(cond, &v)) {
    Block chosen;
    if (v) then(chosen);
    else if (otherwise) otherwise(chosen);
    for (Stmt& s : chosen.stmts_) stmts_.push_back(std::move(s));
    return;
  }
  then(yes);
  if (otherwise) otherwise(no);
  auto s = std::make_shared<StmtNode>();
  s->kind = StmtKind::kIf;
  s->cond = std::move(cond);
  s->stmts = yes.Take();
  s->otherwise = no.Take();
  stmts_.push_back(std::move(s));
}

void Block::Barrier() {
  auto s = std::make_shared<StmtNode>();
  s->kind = StmtKind::kBarrier;
  stmts_.push_back(std::move(s));
}

void Block::CopyAsync(const Buffer& shared, Expr index, Expr load, Expr mask) {
  assert(shared->kind == BufferKind::kShared && load->op == Op::kLoad);
  auto s = std::make_shared<StmtNode>();
  s->kind = StmtKind::kCopyAsync;
  s->buffer = shared;
  s->index = std::move(index);
  s->value = std::move(load);
  s->mask = std::move(mask);
  stmts_.push_back(std::move(s));
}

void Block::CommitCopies() {
  auto s = std::make_shared<StmtNode>();
  s->kind = StmtKind::kCommitCopies;
  stmts_.push_back(std::move(s));
}

void Block::WaitCopies(int pending) {
  auto s = std::make_shared<StmtNode>();
  s->kind = StmtKind::kWaitCopies;
  s->pending = pending;
  stmts_.push_back(std::move(s));
}

void Block::Append(Stmt s) { stmts_.push_back(std::move(s)); }

std::vector<Stmt> Block::Take() { return std::exchange(stmts_, {}); }

}  // namespace mgec::kernel
