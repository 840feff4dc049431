// Statements, and what surrounds them.
#include <algorithm>
#include <cctype>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/codegen/cuda/kernel_printer.h"
#include "compiler/codegen/cuda/print_kernel.h"

namespace mgec::codegen::cuda {

using kernel::Buffer;
using kernel::BufferKind;
using kernel::Expr;
using kernel::IsConst;
using kernel::Range;
using kernel::Stmt;
using kernel::StmtKind;
using kernel::StmtNode;

namespace {

// What C++, CUDA or the prelude already call something, and names that would be taken for a vector's member.
const char* const kReserved[] = {
    "auto", "bool", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern",
    "false", "float", "for", "goto", "if", "inline", "int", "long", "new", "operator", "register", "return", "short",
    "signed", "sizeof", "static", "struct", "switch", "template", "this", "true", "typedef", "union", "unsigned", "void",
    "volatile", "while", "and", "or", "not", "xor", "tasks", "task", "thread", "min", "max", "abs", "exp", "log", "sin",
    "cos", "tan", "pow", "sqrt", "floor", "ceil", "round", "trunc", "erf", "sigmoid", "round_tf32", "load4", "load_shared4", "store4", "float4",
    "int4", "mma_s8", "mma_f16", "mma_tf32", "load_matrices", "load_turned", "warp_xor", "copy_async", "commit_copies", "wait_copies", "warpSize", "threadIdx", "blockIdx", "blockDim", "gridDim", "y0", "y1", "j0", "j1", "index", "class",
    "delete", "export", "namespace", "private", "public", "protected", "try", "catch", "throw", "using", "virtual"};

// Calls f for every statement, outermost first.
void Walk(const std::vector<Stmt>& stmts, const std::function<void(const StmtNode&)>& f) {
  for (const Stmt& s : stmts) {
    f(*s);
    Walk(s->stmts, f);
    Walk(s->otherwise, f);
  }
}

void ForEachExpr(const StmtNode& s, const std::function<void(const Expr&)>& f) {
  for (const Expr* e : {&s.begin, &s.end, &s.value, &s.index, &s.mask, &s.cond}) {
    if (*e != nullptr) f(*e);
  }
}

}  // namespace

KernelPrinter::KernelPrinter(const kernel::Kernel& k) : kernel_(k) {
  for (const char* name : kReserved) identifiers_.insert(name);
}

std::string KernelPrinter::Identifier(const std::string& wanted) {
  std::string base;
  for (char c : wanted) base += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  if (base.empty() || std::isdigit(static_cast<unsigned char>(base[0]))) base = absl::StrCat("v", base);
  std::string name = base;
  for (int i = 1; !identifiers_.insert(name).second; ++i) name = absl::StrCat(base, "_", i);
  return name;
}

std::string KernelPrinter::NameOf(const Buffer& b) { return buffers_.at(b.get()); }

void KernelPrinter::Line(absl::string_view text) {
  out_.append(static_cast<size_t>(indent_) * 2, ' ');
  absl::StrAppend(&out_, text, "\n");
}

std::string KernelPrinter::Run() {
  const std::string signature = Signature();
  DeclareBuffers();
  Print(kernel_.body);
  return absl::StrCat(signature, out_, "}\n");
}

std::string KernelPrinter::Signature() {
  std::unordered_set<const kernel::BufferNode*> written;
  Walk(kernel_.body, [&](const StmtNode& s) {
    if (s.kind == StmtKind::kStore) written.insert(s.buffer.get());
  });
  std::vector<std::string> parameters;
  for (const Buffer& b : kernel_.arguments) {
    const std::string name = buffers_[b.get()] = Identifier(b->name);
    parameters.push_back(absl::StrCat(written.count(b.get()) ? "" : "const ", MemoryTypeName(b->scalar),
                                      "* __restrict__ ", name));
  }
  parameters.push_back("unsigned int tasks");
  const int threads = LaunchOf(kernel_, 1).block;
  const bool wide = kernel_.task_bound() > INT32_MAX;
  if (wide) wide_.insert(kernel_.task.get());
  ranges_[kernel_.task.get()] = {0, kernel_.task_bound() - 1};
  vars_[kernel_.task.get()] = {{"task", true}};
  const char* type = wide ? "const long long" : "const int";
  if (kernel_.threads > 0) {
    Line(absl::StrCat(type, " task = blockIdx.x;"));
    Line("const int thread = threadIdx.x;");
    ranges_[kernel_.thread.get()] = {0, kernel_.threads - 1};
    vars_[kernel_.thread.get()] = {{"thread", true}};
  } else {
    Line(absl::StrCat(type, " task = ", wide ? "(long long)" : "", "blockIdx.x * ", threads, " + threadIdx.x;"));
    Line("if (task >= tasks) return;");
  }
  // The assembler may spill a few registers to have room for more blocks, but not where one block is said to be enough. With
  // tensor cores few warps keep a processor busy.
  bool few = kernel_.few_at_a_time;
  Walk(kernel_.body, [&](const StmtNode& s) {
    few = few || (s.kind == StmtKind::kLet && s.value->op == kernel::Op::kMma);
  });
  return absl::StrCat("extern \"C\" __global__ void __launch_bounds__(", threads, few ? ", 1" : "", ") ", kernel_.name, "(",
                      absl::StrJoin(parameters, ", "), ") {\n");
}

void KernelPrinter::DeclareBuffers() {
  auto declare = [&](const Buffer& b) {
    if (b == nullptr || !buffers_.emplace(b.get(), "").second) return;
    const std::string name = buffers_[b.get()] = Identifier(b->name);
    if (b->kind == BufferKind::kShared) {
      Line(absl::StrCat("SHARED(", MemoryTypeName(b->scalar), ", ", name, ", ", b->size, ");"));
    } else {
      const bool registers = b->kind == BufferKind::kRegister;
      Line(absl::StrCat(registers ? TypeName(b->scalar) : MemoryTypeName(b->scalar), " ", name, "[", b->size * b->lanes,
                        "];"));
    }
  };
  Walk(kernel_.body, [&](const StmtNode& s) {
    declare(s.buffer);
    ForEachExpr(s, [&](const Expr& e) { Visit(e, [&](const Expr& n) { declare(n->buffer); }); });
  });
}

void KernelPrinter::Begin(const std::vector<Expr>& expressions) {
  uses_.clear();
  memo_.clear();
  bounds_.clear();
  alive_.clear();
  std::unordered_set<const kernel::ExprNode*> seen;
  for (const Expr& e : expressions) {
    if (e == nullptr) continue;
    ++uses_[e.get()];
    Visit(e, [&](const Expr& n) {
      if (!seen.insert(n.get()).second) return;
      for (const Expr& a : n->args) ++uses_[a.get()];
    });
  }
}

void KernelPrinter::Print(const std::vector<Stmt>& stmts) {
  for (const Stmt& s : stmts) Print(*s);
}

void KernelPrinter::Bind(const kernel::Var& v, const Expr& value, kernel::Ranges* bounds) {
  if (v->type != kernel::kIndexType) return;
  const std::optional<Range> r = Bounds(value);
  if (r) (*bounds)[v.get()] = *r;
  if (!Narrow(value)) wide_.insert(v.get());
}

void KernelPrinter::Print(const StmtNode& s) {
  switch (s.kind) {
    case StmtKind::kBlock: return Print(s.stmts);
    case StmtKind::kFor: return PrintFor(s);
    case StmtKind::kStore: return PrintStore(s);
    case StmtKind::kPrefetch: return;  // other threads hide what memory takes
    case StmtKind::kBarrier: return Line("__syncthreads();");
    case StmtKind::kCopyAsync: return PrintCopy(s);
    case StmtKind::kCommitCopies: return Line("commit_copies();");
    case StmtKind::kWaitCopies: return Line(absl::StrCat("wait_copies<", s.pending, ">();"));
    case StmtKind::kLet: {
      Begin({s.value});
      const Lanes lanes = Print(s.value);
      const std::string type = TypeOf(s.value), name = Identifier(s.var->name);
      Bind(s.var, s.value, &ranges_);
      Lanes bound;
      for (size_t l = 0; l < lanes.size(); ++l) {
        const std::string lane = lanes.size() == 1 ? name : Identifier(absl::StrCat(name, "_", l));
        Line(absl::StrCat("const ", type, " ", lane, " = ", lanes[l].text, ";"));
        bound.push_back({lane, true});
      }
      vars_[s.var.get()] = bound;
      return;
    }
    case StmtKind::kIf:
      Begin({s.cond});
      Line(absl::StrCat("if (", Full(s.cond), ") {"));
      ++indent_;
      Print(s.stmts);
      --indent_;
      if (!s.otherwise.empty()) {
        Line("} else {");
        ++indent_;
        Print(s.otherwise);
        --indent_;
      }
      Line("}");
      return;
  }
}

namespace {

// Loops whose steps wait for the block's other threads are long programs: repeated ones take registers and cache, and gain nothing.
bool IsLong(const StmtNode& s) {
  constexpr int64_t kFewSteps = 4;
  int64_t begin, end;
  const bool few = IsConst(s.begin, &begin) && IsConst(s.end, &end) && end - begin <= kFewSteps * s.step;
  bool waits = false;
  Walk(s.stmts, [&](const StmtNode& inner) { waits = waits || inner.kind == StmtKind::kBarrier; });
  return waits && !few;
}

}  // namespace

void KernelPrinter::PrintFor(const StmtNode& s) {
  Begin({s.begin, s.end});
  const std::string begin = Full(s.begin);
  std::string end = Full(s.end);
  const std::optional<Range> first = Bounds(s.begin), last = Bounds(s.end);
  const bool narrow = first && last && first->lo >= INT32_MIN && last->hi + s.step <= INT32_MAX;
  if (!IsConst(s.end) && s.end->op != kernel::Op::kVar) {  // evaluated once
    const std::string name = Identifier("end");
    Line(absl::StrCat("const ", TypeOf(s.end), " ", name, " = ", end, ";"));
    end = name;
  }
  const std::string name = Identifier(s.var->name);
  vars_[s.var.get()] = {{name, true}};
  if (first && last) ranges_[s.var.get()] = {first->lo, std::max(first->lo, last->hi - 1)};
  if (!narrow) wide_.insert(s.var.get());
  if (IsLong(s)) Line("#pragma unroll 1");
  Line(absl::StrCat("for (", narrow ? "int " : "long long ", name, " = ", begin, "; ", name, " < ", end, "; ",
                    s.step == 1 ? absl::StrCat("++", name) : absl::StrCat(name, " += ", s.step), ") {"));
  ++indent_;
  Print(s.stmts);
  --indent_;
  Line("}");
}

void KernelPrinter::PrintCopy(const StmtNode& s) {
  Begin({s.value, s.index, s.mask});
  const Buffer& from = s.value->buffer;
  const std::string index = Full(s.index), source = Scalar(s.value->args[0]), mask = s.mask ? Full(s.mask) : "true";
  Line(absl::StrCat("copy_async<", SizeOf(from->scalar) * s.value->type.lanes, ">(", NameOf(s.buffer), ", ", index, ", ",
                    NameOf(from), " + ", source, ", ", mask, ");"));
}

void KernelPrinter::PrintStore(const StmtNode& s) {
  Begin({s.value, s.index, s.mask});
  const std::string name = NameOf(s.buffer);
  Lanes value = Print(s.value);
  const int lanes = static_cast<int>(value.size());
  if (s.buffer->kind == BufferKind::kRegister) {
    const int64_t first = s.index->int_value * lanes;
    if (lanes > 1) {  // all lanes are computed before the first is replaced
      for (Text& t : value) {
        const std::string lane = Identifier("lane");
        Line(absl::StrCat("const ", TypeOf(s.value), " ", lane, " = ", t.text, ";"));
        t.text = lane;
      }
    }
    for (int l = 0; l < lanes; ++l) Line(absl::StrCat(name, "[", first + l, "] = ", value[l].text, ";"));
    return;
  }
  const bool memory = s.buffer->kind == BufferKind::kArgument || s.buffer->kind == BufferKind::kShared;
  const bool words = s.buffer->scalar == kernel::Scalar::kFloat32 ||
                     (s.buffer->scalar == kernel::Scalar::kInt32 && s.buffer->kind == BufferKind::kShared);
  if (memory && words && lanes % 4 == 0 && s.mask == nullptr && s.index->type.lanes == 1 && s.buffer->alignment % 16 == 0 && Aligned(s.index, 4)) {
    if (lanes > 4) {
      for (Text& t : value) {
        const std::string lane = Identifier("lane");
        Line(absl::StrCat("const ", TypeOf(s.value), " ", lane, " = ", t.text, ";"));
        t.text = lane;
      }
    }
    for (int l = 0; l < lanes; l += 4) {
      Line(absl::StrCat("store4(", name, ", ", IndexLane(s.index, l), ", ", value[l].text, ", ", value[l + 1].text, ", ",
                        value[l + 2].text, ", ", value[l + 3].text, ");"));
    }
    return;
  }
  if (lanes > 1) {
    for (Text& t : value) {
      const std::string lane = Identifier("lane");
      Line(absl::StrCat("const ", TypeOf(s.value), " ", lane, " = ", t.text, ";"));
      t = {lane, true};
    }
  }
  const int bytes = s.mask == nullptr ? BytesAtATime(s.buffer, s.index, lanes) : 0;
  if (bytes > 0) return StoreWords(s, value, bytes);
  for (int l = 0; l < lanes; ++l) {
    const std::string index = IndexLane(s.index, l);
    std::string guard;
    if (s.mask != nullptr) {
      const Text& mask = Print(s.mask)[l];
      guard = absl::StrCat("if (", mask.text, ") ");
    }
    Line(absl::StrCat(guard, name, "[", index, "] = ", value[l].text, ";"));
  }
}

}  // namespace mgec::codegen::cuda
