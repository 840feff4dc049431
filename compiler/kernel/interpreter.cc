#include "compiler/kernel/interpreter.h"

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/base/status_macros.h"
#include "compiler/kernel/interpreter_code.h"
#include "compiler/kernel/reference_math.h"
#include "compiler/kernel/verify.h"

namespace mgec::kernel {
namespace interpreter {
namespace {

// A run of instructions, then perhaps a loop or a branch.
struct Step {
  enum class Kind { kPlain, kFor, kIf } kind = Kind::kPlain;
  std::vector<Instruction> code;
  int begin = 0, end = 0, var = 0, cond = 0;  // places in the frame
  int64_t stride = 1;
  std::vector<Step> body, otherwise;
};

// A kernel as instructions. Owns the memory of stack buffers, so one thread at a time runs it.
class Program {
 public:
  Program(const Kernel& k, absl::Span<const BufferView> arguments) : kernel_(k) {
    for (size_t i = 0; i < k.arguments.size(); ++i) {
      const Buffer& b = k.arguments[i];
      auto memory = std::make_unique<Memory>();
      memory->data = static_cast<char*>(arguments[i].data);
      memory->elements = std::min(b->size, arguments[i].bytes / SizeOf(b->scalar));
      memory->buffer = b.get();
      memories_[b.get()] = std::move(memory);
    }
    task_ = Allocate(1);
    vars_[k.task.get()] = task_;
    Compile(k.body, steps_);
  }

  absl::Status Run(int64_t task_begin, int64_t task_end) {
    Machine m{cells_.data(), {}, false};
    for (int64_t task = task_begin; task < task_end; ++task) {
      m.cells[task_].i = task;
      Forget(m);
      if (Run(steps_, m)) continue;
      const std::string message = absl::StrCat("kernel ", kernel_.name, ", task ", task, ": ", m.error);
      return m.out_of_bounds ? absl::OutOfRangeError(message) : absl::InvalidArgumentError(message);
    }
    return absl::OkStatus();
  }

 private:
  using Memo = std::unordered_map<const ExprNode*, int>;

  // Makes results that depend on what an earlier task left behind conspicuous.
  void Forget(Machine& m) {
    for (const auto& [first, count] : registers_) {
      for (int i = 0; i < count; ++i) m.cells[first + i].i = 0x7fc0dead;  // a NaN as a float
    }
    for (auto& stack : stacks_) std::fill(stack.begin(), stack.end(), static_cast<char>(0xcd));
  }

  static bool Run(const std::vector<Step>& steps, Machine& m) {
    for (const Step& s : steps) {
      for (const Instruction& n : s.code) {
        if (!n.run(n, m)) return false;
      }
      if (s.kind == Step::Kind::kFor) {
        const int64_t end = m.cells[s.end].i;
        for (int64_t i = m.cells[s.begin].i; i < end; i += s.stride) {
          m.cells[s.var].i = i;
          if (!Run(s.body, m)) return false;
        }
      } else if (s.kind == Step::Kind::kIf) {
        if (!Run(m.cells[s.cond].i ? s.body : s.otherwise, m)) return false;
      }
    }
    return true;
  }

  int Allocate(int lanes) {
    const size_t at = cells_.size();
    cells_.resize(at + static_cast<size_t>(lanes));
    return static_cast<int>(at);
  }

  // Appends an instruction for `lanes` lanes with a new place for its result.
  Instruction& Emit(Handler run, int lanes, int out_lanes) {
    Instruction n;
    n.run = run;
    n.lanes = lanes;
    n.out = Allocate(out_lanes);
    code_->push_back(n);
    return code_->back();
  }

  // Cuts 64-bit results down to their type, in place.
  void EmitWrap(Scalar s, int lanes, int place) {
    Handler wrap = WrapHandler(s);
    if (!wrap) return;
    Instruction& n = Emit(wrap, lanes, 0);
    n.a = n.out = place;
  }

  const Memory* MemoryOf(const Buffer& b) {
    std::unique_ptr<Memory>& memory = memories_[b.get()];
    if (!memory) {
      stacks_.emplace_back(static_cast<size_t>(b->size * SizeOf(b->scalar)));
      memory = std::make_unique<Memory>();
      memory->data = stacks_.back().data();
      memory->elements = b->size;
      memory->buffer = b.get();
    }
    return memory.get();
  }

  int RegisterPlace(const Buffer& b, int64_t i) {
    auto it = register_places_.find(b.get());
    if (it == register_places_.end()) {
      const int cells = static_cast<int>(b->size) * b->lanes;
      it = register_places_.emplace(b.get(), Allocate(cells)).first;
      registers_.emplace_back(it->second, cells);
    }
    return it->second + static_cast<int>(i) * b->lanes;
  }

  int Compile(const Expr& e);
  int CompileNode(const Expr& e);
  void Compile(const std::vector<Stmt>& stmts, std::vector<Step>& out);
  void Compile(const StmtNode& s, std::vector<Step>& out);
  void CompileStore(const StmtNode& s);

  const Kernel& kernel_;
  std::vector<Cell> cells_;
  int task_ = 0;
  std::vector<Step> steps_;
  std::vector<Instruction>* code_ = nullptr;  // where instructions go
  Memo memo_;                                 // of the current statement
  std::unordered_map<const VarNode*, int> vars_;
  std::unordered_map<const BufferNode*, std::unique_ptr<Memory>> memories_;
  std::vector<std::vector<char>> stacks_;
  std::unordered_map<const BufferNode*, int> register_places_;
  std::vector<std::pair<int, int>> registers_;  // first cell and number of cells
};

int Program::Compile(const Expr& e) {
  if (e->op == Op::kVar) return vars_.at(e->var.get());
  auto it = memo_.find(e.get());
  if (it != memo_.end()) return it->second;
  const int place = CompileNode(e);
  memo_.emplace(e.get(), place);
  return place;
}

int Program::CompileNode(const Expr& e) {
  const int lanes = e->type.lanes;
  switch (e->op) {
    case Op::kInt:
    case Op::kFloat: {
      const int place = Allocate(1);
      if (e->op == Op::kInt) cells_[static_cast<size_t>(place)].i = Wrap(e->type.scalar, e->int_value);
      else cells_[static_cast<size_t>(place)].f = static_cast<float>(e->float_value);
      return place;
    }
    case Op::kLoad: {
      if (e->buffer->kind == BufferKind::kRegister) return RegisterPlace(e->buffer, e->args[0]->int_value);
      const int index = Compile(e->args[0]);
      const int mask = e->args.size() > 1 ? Compile(e->args[1]) : -1;
      Instruction& n = Emit(LoadHandler(e->buffer->scalar, e->args[0]->type.lanes > 1), lanes, lanes);
      n.a = index;
      n.b = mask;
      n.memory = MemoryOf(e->buffer);
      return n.out;
    }
    default: break;
  }
  int args[3] = {-1, -1, -1};
  for (size_t i = 0; i < e->args.size(); ++i) args[i] = Compile(e->args[i]);
  const Type from = e->args[0]->type;
  auto emit = [&](Handler run) -> Instruction& {
    Instruction& n = Emit(run, lanes, lanes);
    n.a = args[0];
    n.b = args[1];
    n.c = args[2];
    return n;
  };
  switch (e->op) {
    case Op::kCast: {
      Instruction& n = emit(CastHandler(from.scalar, e->type.scalar));
      n.immediate = static_cast<int64_t>(e->type.scalar);
      return n.out;
    }
    case Op::kBitcast: return emit(BitcastHandler(from.scalar, e->type.scalar)).out;
    case Op::kBroadcast: return emit(BroadcastHandler()).out;
    case Op::kFma: return emit(FmaHandler()).out;
    case Op::kDot2:
    case Op::kDot4: {
      const int out = emit(DotHandler(e->op == Op::kDot2 ? 2 : 4)).out;
      EmitWrap(Scalar::kInt32, lanes, out);
      return out;
    }
    case Op::kSelect: return emit(SelectHandler(from.lanes == 1)).out;
    case Op::kRamp: {
      Instruction& n = emit(RampHandler());
      n.immediate = e->int_value;
      const int out = n.out;
      EmitWrap(e->type.scalar, lanes, out);
      return out;
    }
    case Op::kSlice: {
      Instruction& n = emit(CopyHandler());
      n.a += static_cast<int>(e->int_value);
      return n.out;
    }
    case Op::kConcat: {
      Instruction& first = emit(CopyHandler());
      const int out = first.out;
      first.lanes = from.lanes;
      Instruction& second = Emit(CopyHandler(), e->args[1]->type.lanes, 0);
      second.a = args[1];
      second.out = out + from.lanes;
      return out;
    }
    case Op::kShuffle: {
      Instruction& n = emit(ShuffleHandler());
      n.shuffle = e->shuffle.data();
      return n.out;
    }
    case Op::kReduceAdd:
    case Op::kReduceMax:
    case Op::kReduceMin: {
      Instruction& copy = Emit(CopyHandler(), from.lanes, from.lanes);
      copy.a = args[0];
      const int scratch = copy.out;
      Instruction& n = Emit(HorizontalHandler(e->op, e->type.scalar), from.lanes, 1);
      n.a = scratch;
      const int out = n.out;
      EmitWrap(e->type.scalar, 1, out);
      return out;
    }
    default: break;
  }
  const bool unary = e->args.size() == 1;
  Instruction& n = emit(unary ? UnaryHandler(e->op, from.scalar) : BinaryHandler(e->op, from.scalar));
  n.unary = ReferenceUnary(e->op);
  n.binary = ReferenceBinary(e->op);
  const int out = n.out;
  EmitWrap(e->type.scalar, lanes, out);
  return out;
}

void Program::CompileStore(const StmtNode& s) {
  const int lanes = s.value->type.lanes;
  const int value = Compile(s.value);
  if (s.buffer->kind == BufferKind::kRegister) {
    Instruction& n = Emit(CopyHandler(), lanes, 0);
    n.a = value;
    n.out = RegisterPlace(s.buffer, s.index->int_value);
    return;
  }
  const int index = Compile(s.index);
  const int mask = s.mask ? Compile(s.mask) : -1;
  Instruction& n = Emit(StoreHandler(s.buffer->scalar, s.index->type.lanes > 1), lanes, 0);
  n.a = index;
  n.b = mask;
  n.c = value;
  n.memory = MemoryOf(s.buffer);
}

void Program::Compile(const std::vector<Stmt>& stmts, std::vector<Step>& out) {
  out.emplace_back();
  for (const Stmt& s : stmts) {
    memo_.clear();
    // A loop or a branch before this statement ended its step; nested statements moved the place for code.
    if (out.back().kind != Step::Kind::kPlain) out.emplace_back();
    code_ = &out.back().code;
    Compile(*s, out);
  }
}

void Program::Compile(const StmtNode& s, std::vector<Step>& out) {
  switch (s.kind) {
    case StmtKind::kBlock:
      for (const Stmt& inner : s.stmts) {
        memo_.clear();
        if (out.back().kind != Step::Kind::kPlain) out.emplace_back();
        code_ = &out.back().code;
        Compile(*inner, out);
      }
      return;
    case StmtKind::kLet: {
      int place = Compile(s.value);
      if (s.value->op == Op::kLoad && s.value->buffer->kind == BufferKind::kRegister) {
        // A load from a register is the register itself, which may change while the variable lives.
        Instruction& n = Emit(CopyHandler(), s.value->type.lanes, s.value->type.lanes);
        n.a = place;
        place = n.out;
      }
      vars_[s.var.get()] = place;
      return;
    }
    case StmtKind::kStore: return CompileStore(s);
    case StmtKind::kPrefetch:
    case StmtKind::kBarrier:  // this and what follows only with threads
    case StmtKind::kCopyAsync:
    case StmtKind::kCommitCopies:
    case StmtKind::kWaitCopies: return;
    case StmtKind::kFor: {
      const int begin = Compile(s.begin), end = Compile(s.end), var = Allocate(1);
      vars_[s.var.get()] = var;
      Step& step = out.back();
      step.kind = Step::Kind::kFor;
      step.begin = begin;
      step.end = end;
      step.var = var;
      step.stride = s.step;
      return Compile(s.stmts, step.body);
    }
    case StmtKind::kIf: {
      const int cond = Compile(s.cond);
      Step& step = out.back();
      step.kind = Step::Kind::kIf;
      step.cond = cond;
      Compile(s.stmts, step.body);
      return Compile(s.otherwise, step.otherwise);
    }
  }
}

}  // namespace
}  // namespace interpreter

absl::Status Interpret(const Kernel& k, absl::Span<const BufferView> arguments, int64_t task_begin, int64_t task_end) {
  RETURN_IF_ERROR(Verify(k));
  if (k.threads > 0) return absl::UnimplementedError(absl::StrCat("kernel ", k.name, " has threads"));
  if (arguments.size() != k.arguments.size()) {
    return absl::InvalidArgumentError(absl::StrCat("kernel ", k.name, " takes ", k.arguments.size(),
                                                   " buffers, not ", arguments.size()));
  }
  if (task_begin < 0 || task_end > k.tasks) {
    return absl::InvalidArgumentError(absl::StrCat("kernel ", k.name, " has ", k.tasks, " tasks; [", task_begin, ", ",
                                                   task_end, ") is not among them"));
  }
  return interpreter::Program(k, arguments).Run(task_begin, task_end);
}

}  // namespace mgec::kernel
