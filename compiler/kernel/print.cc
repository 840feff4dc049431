// Text of expressions and kernels: one printer, two sets of names.
#include <cstdio>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/kernel/stmt.h"

namespace mgec::kernel {

const char* Name(Op op) {
  switch (op) {
    case Op::kInt: return "int";
    case Op::kFloat: return "float";
    case Op::kVar: return "var";
    case Op::kRead: return "read";
    case Op::kLoad: return "load";
    case Op::kReduce: return "reduce";
    case Op::kNeg: return "neg";
    case Op::kAbs: return "abs";
    case Op::kSign: return "sign";
    case Op::kNot: return "not";
    case Op::kFloor: return "floor";
    case Op::kCeil: return "ceil";
    case Op::kTrunc: return "trunc";
    case Op::kRound: return "round";
    case Op::kRoundEven: return "round_even";
    case Op::kRoundTf32: return "round_tf32";
    case Op::kSqrt: return "sqrt";
    case Op::kRsqrt: return "rsqrt";
    case Op::kExp: return "exp";
    case Op::kExpm1: return "expm1";
    case Op::kLog: return "log";
    case Op::kLog1p: return "log1p";
    case Op::kSin: return "sin";
    case Op::kCos: return "cos";
    case Op::kTan: return "tan";
    case Op::kAsin: return "asin";
    case Op::kAcos: return "acos";
    case Op::kAtan: return "atan";
    case Op::kSinh: return "sinh";
    case Op::kCosh: return "cosh";
    case Op::kTanh: return "tanh";
    case Op::kAsinh: return "asinh";
    case Op::kAcosh: return "acosh";
    case Op::kAtanh: return "atanh";
    case Op::kErf: return "erf";
    case Op::kErfc: return "erfc";
    case Op::kErfInv: return "erfinv";
    case Op::kErfcInv: return "erfcinv";
    case Op::kSigmoid: return "sigmoid";
    case Op::kIsNan: return "isnan";
    case Op::kIsInf: return "isinf";
    case Op::kCast: return "cast";
    case Op::kBitcast: return "bitcast";
    case Op::kBroadcast: return "broadcast";
    case Op::kAdd: return "add";
    case Op::kSub: return "sub";
    case Op::kMul: return "mul";
    case Op::kDiv: return "div";
    case Op::kMod: return "mod";
    case Op::kFloorDiv: return "floordiv";
    case Op::kFloorMod: return "floormod";
    case Op::kMin: return "min";
    case Op::kMax: return "max";
    case Op::kPow: return "pow";
    case Op::kAtan2: return "atan2";
    case Op::kAnd: return "and";
    case Op::kOr: return "or";
    case Op::kXor: return "xor";
    case Op::kShl: return "shl";
    case Op::kShr: return "shr";
    case Op::kLt: return "lt";
    case Op::kLe: return "le";
    case Op::kEq: return "eq";
    case Op::kNe: return "ne";
    case Op::kFma: return "fma";
    case Op::kDot2: return "dot2";
    case Op::kDot4: return "dot4";
    case Op::kSelect: return "select";
    case Op::kRamp: return "ramp";
    case Op::kSlice: return "slice";
    case Op::kConcat: return "concat";
    case Op::kShuffle: return "shuffle";
    case Op::kReduceAdd: return "reduce_add";
    case Op::kReduceMax: return "reduce_max";
    case Op::kReduceMin: return "reduce_min";
    case Op::kWarpXor: return "warp_xor";
    case Op::kMma: return "mma";
    case Op::kLoadMatrices: return "load_matrices";
    case Op::kArchitecture: return "architecture";
  }
  return "?";
}

namespace {

const char* Name(Combiner c) {
  switch (c) {
    case Combiner::kSum: return "sum";
    case Combiner::kProduct: return "product";
    case Combiner::kMin: return "min";
    case Combiner::kMax: return "max";
  }
  return "?";
}

// How people write it; null where a function call reads better.
const char* Infix(Op op) {
  switch (op) {
    case Op::kAdd: return " + ";
    case Op::kSub: return " - ";
    case Op::kMul: return " * ";
    case Op::kDiv: return " / ";
    case Op::kMod: return " % ";
    case Op::kFloorDiv: return " // ";
    case Op::kFloorMod: return " mod ";
    case Op::kAnd: return " & ";
    case Op::kOr: return " | ";
    case Op::kXor: return " ^ ";
    case Op::kShl: return " << ";
    case Op::kShr: return " >> ";
    case Op::kLt: return " < ";
    case Op::kLe: return " <= ";
    case Op::kEq: return " == ";
    case Op::kNe: return " != ";
    default: return nullptr;
  }
}

// For people. Names are the programmer's; two variables of one name get a number each. What is written out more than once, and
// is long, stands before what uses it, as %0 = ...: the text is as large as the graph of expressions.
class Printer {
 public:
  // The definitions of what the expressions, which are printed next, share. `begin` and `end` go around each.
  std::string Shared(const std::vector<Expr>& roots, const std::string& begin, const std::string& end) {
    shared_.clear();
    std::unordered_map<const ExprNode*, int> uses, sizes;
    std::vector<Expr> order;  // operands first
    for (const Expr& e : roots) CountUses(e, uses, order);
    std::string out;
    for (const Expr& e : order) {
      int& size = sizes[e.get()] = 1;
      for (const Expr& a : e->args) size += shared_.count(a.get()) != 0 ? 1 : sizes.at(a.get());
      if (uses.at(e.get()) == 1 || size <= kLargestRepeated) continue;
      std::string name = absl::StrCat("%", shared_count_++);
      absl::StrAppend(&out, begin, name, " = ", Print(e), end);
      shared_.emplace(e.get(), std::move(name));
    }
    return out;
  }

  std::string Print(const Expr& e, bool parentheses = false) {
    if (const auto it = shared_.find(e.get()); it != shared_.end()) return it->second;
    switch (e->op) {
      case Op::kInt:
        if (e->type.scalar == Scalar::kBool) return e->int_value ? "true" : "false";
        return e->type == kIndexType ? absl::StrCat(e->int_value)
                                     : absl::StrCat(e->int_value, kernel::Name(e->type.scalar));
      case Op::kFloat: {
        std::string s = absl::StrCat(static_cast<float>(e->float_value));
        if (s.find_first_of(".en") == std::string::npos) s += ".0";
        return s;
      }
      case Op::kVar: return NameOf(*e->var);
      case Op::kRead: return absl::StrCat("t", e->tensor, "[", List(e->args), "]");
      case Op::kLoad: {
        std::string s = absl::StrCat(e->buffer->name, "[", Print(e->args[0]), "]");
        if (e->type.lanes > 1 && e->args[0]->type.lanes == 1 && e->buffer->kind != BufferKind::kRegister) {
          absl::StrAppend(&s, " x", e->type.lanes);
        }
        if (e->args.size() > 1) absl::StrAppend(&s, " where ", Print(e->args[1], true));
        return parentheses && s.back() != ']' ? absl::StrCat("(", s, ")") : s;
      }
      case Op::kReduce: {
        std::string axes = absl::StrJoin(e->reduce_axes, ", ", [&](std::string* out, const ReduceAxis& a) {
          absl::StrAppend(out, NameOf(*a.var), " < ", a.extent);
        });
        return absl::StrCat(Name(e->combiner), "(", axes, ": ", Print(e->args[0]), ")");
      }
      case Op::kNeg: return absl::StrCat("-", Print(e->args[0], true));
      case Op::kNot: return absl::StrCat("!", Print(e->args[0], true));
      case Op::kCast: return absl::StrCat(kernel::Name(e->type.scalar), "(", List(e->args), ")");
      case Op::kBitcast: return absl::StrCat("bitcast ", kernel::Name(e->type.scalar), "(", List(e->args), ")");
      case Op::kBroadcast: return absl::StrCat("broadcast", e->type.lanes, "(", List(e->args), ")");
      case Op::kRamp: return absl::StrCat("ramp", e->type.lanes, "(", List(e->args), ", ", e->int_value, ")");
      case Op::kSlice:
        return absl::StrCat("slice(", List(e->args), ", ", e->int_value, " x", e->type.lanes, ")");
      case Op::kWarpXor: return absl::StrCat("warp_xor(", List(e->args), ", ", e->int_value, ")");
      case Op::kLoadMatrices: return absl::StrCat("load_matrices(", e->buffer->name, ", ", List(e->args), ")");
      case Op::kShuffle: return absl::StrCat("shuffle(", List(e->args), ", {", absl::StrJoin(e->shuffle, ","), "})");
      default: break;
    }
    if (const char* infix = Infix(e->op)) {
      std::string s = Print(e->args[0], true);  // names are given in reading order
      absl::StrAppend(&s, infix);
      s += Print(e->args[1], true);
      return parentheses ? absl::StrCat("(", s, ")") : s;
    }
    return absl::StrCat(kernel::Name(e->op), "(", List(e->args), ")");
  }

  std::string NameOf(const VarNode& v) {
    auto it = names_.find(&v);
    if (it != names_.end()) return it->second;
    const int seen = uses_[v.name]++;
    return names_[&v] = seen == 0 ? v.name : absl::StrCat(v.name, ".", seen);
  }

  void Print(const std::vector<Stmt>& stmts, int indent, std::string* out) {
    for (const Stmt& s : stmts) Print(*s, indent, out);
  }

  void Print(const StmtNode& s, int indent, std::string* out) {
    if (s.kind == StmtKind::kBlock) return Print(s.stmts, indent, out);
    const std::string margin(static_cast<size_t>(indent) * 2, ' ');
    std::vector<Expr> roots;
    for (const Expr& e : {s.begin, s.end, s.cond, s.index, s.value, s.mask}) {
      if (e != nullptr) roots.push_back(e);
    }
    absl::StrAppend(out, Shared(roots, margin, "\n"), margin);
    switch (s.kind) {
      case StmtKind::kBlock: break;
      case StmtKind::kFor:
        absl::StrAppend(out, "for ", NameOf(*s.var), " in [");
        absl::StrAppend(out, Print(s.begin), ", ");
        absl::StrAppend(out, Print(s.end), ") step ", s.step, ":\n");
        Print(s.stmts, indent + 1, out);
        break;
      case StmtKind::kLet:
        absl::StrAppend(out, "let ", NameOf(*s.var), " = ");
        absl::StrAppend(out, Print(s.value), "\n");
        break;
      case StmtKind::kStore:
        absl::StrAppend(out, s.buffer->name, "[", Print(s.index), "] = ");
        absl::StrAppend(out, Print(s.value));
        if (s.mask) absl::StrAppend(out, " where ", Print(s.mask, true));
        out->push_back('\n');
        break;
      case StmtKind::kIf:
        absl::StrAppend(out, "if ", Print(s.cond), ":\n");
        Print(s.stmts, indent + 1, out);
        if (!s.otherwise.empty()) {
          absl::StrAppend(out, margin, "else:\n");
          Print(s.otherwise, indent + 1, out);
        }
        break;
      case StmtKind::kPrefetch:
        absl::StrAppend(out, s.near ? "prefetch " : "prefetch far ", s.buffer->name, "[", Print(s.index), "]\n");
        break;
      case StmtKind::kBarrier: out->append("barrier\n"); break;
      case StmtKind::kCopyAsync:
        absl::StrAppend(out, "copy ", s.buffer->name, "[", Print(s.index), "] = ");
        absl::StrAppend(out, Print(s.value));
        if (s.mask) absl::StrAppend(out, " where ", Print(s.mask, true));
        out->push_back('\n');
        break;
      case StmtKind::kCommitCopies: out->append("commit copies\n"); break;
      case StmtKind::kWaitCopies: absl::StrAppend(out, "wait for copies but ", s.pending, "\n"); break;
    }
  }

 private:
  static constexpr int kLargestRepeated = 16;  // expressions, of what is written out each time

  static void CountUses(const Expr& e, std::unordered_map<const ExprNode*, int>& uses, std::vector<Expr>& order) {
    if (uses[e.get()]++ > 0) return;
    for (const Expr& a : e->args) CountUses(a, uses, order);
    order.push_back(e);
  }

  std::string List(const std::vector<Expr>& list) {
    return absl::StrJoin(list, ", ", [&](std::string* out, const Expr& e) { out->append(Print(e)); });
  }

  std::unordered_map<const ExprNode*, std::string> shared_;
  int shared_count_ = 0;
  std::unordered_map<const VarNode*, std::string> names_;
  std::unordered_map<std::string, int> uses_;
};

// For machines. Every distinct expression is written once and then referred to by number, so the text is as large as
// the graph of expressions even where the tree would be exponential.
class Canonical {
 public:
  std::string Run(const Kernel& k) {
    absl::StrAppend(&out_, "args ", k.arguments.size(), k.tasks == 1 ? " one task\n" : "\n");
    if (k.threads > 0) absl::StrAppend(&out_, k.threads, " threads v", Number(*k.thread), "\n");
    if (k.few_at_a_time) absl::StrAppend(&out_, "few at a time\n");
    if (k.task_bound() > Kernel::kFewTasks) out_.append("many tasks\n");
    for (const Buffer& b : k.arguments) absl::StrAppend(&out_, Describe(*b), "\n");
    Number(*k.task);
    Print(k.body);
    return std::move(out_);
  }

 private:
  static std::string Describe(const BufferNode& b) {
    switch (b.kind) {
      case BufferKind::kArgument:
        return absl::StrCat("a", b.argument, ":", kernel::Name(b.scalar), "@", b.alignment);
      case BufferKind::kRegister: return absl::StrCat("r:", kernel::Name(Type(b.scalar, b.lanes)), "*", b.size);
      case BufferKind::kStack: return absl::StrCat("s:", kernel::Name(b.scalar), "*", b.size);
      case BufferKind::kShared: return absl::StrCat("t:", kernel::Name(b.scalar), "*", b.size);
    }
    return "?";
  }

  int Number(const VarNode& v) { return vars_.emplace(&v, static_cast<int>(vars_.size())).first->second; }

  std::string Refer(const BufferNode& b) {
    if (b.kind == BufferKind::kArgument) return absl::StrCat("a", b.argument);
    auto added = buffers_.emplace(&b, static_cast<int>(buffers_.size()));
    const std::string name = absl::StrCat("b", added.first->second);
    return added.second ? absl::StrCat(name, "(", Describe(b), ")") : name;
  }

  int Define(const Expr& e) {
    auto known = nodes_.find(e);
    if (known != nodes_.end()) return known->second;
    std::string text = absl::StrCat(kernel::Name(e->op), " ", kernel::Name(e->type));
    switch (e->op) {
      case Op::kInt:
      case Op::kRamp:
      case Op::kWarpXor:
      case Op::kSlice: absl::StrAppend(&text, " ", e->int_value); break;
      case Op::kFloat: {
        uint64_t bits;
        std::memcpy(&bits, &e->float_value, sizeof(bits));
        absl::StrAppend(&text, " ", absl::Hex(bits));
        break;
      }
      case Op::kVar: absl::StrAppend(&text, " v", Number(*e->var)); break;
      case Op::kRead: absl::StrAppend(&text, " t", e->tensor); break;
      case Op::kLoad:
      case Op::kLoadMatrices: absl::StrAppend(&text, " ", Refer(*e->buffer)); break;
      case Op::kReduce:
        absl::StrAppend(&text, " ", Name(e->combiner));
        for (const ReduceAxis& a : e->reduce_axes) absl::StrAppend(&text, " v", Number(*a.var), "<", a.extent);
        break;
      case Op::kShuffle: absl::StrAppend(&text, " ", absl::StrJoin(e->shuffle, ",")); break;
      default: break;
    }
    for (const Expr& a : e->args) absl::StrAppend(&text, " %", Define(a));
    auto added = ids_.emplace(text, static_cast<int>(ids_.size()));
    if (added.second) absl::StrAppend(&out_, "%", added.first->second, " ", text, "\n");
    nodes_.emplace(e, added.first->second);
    return added.first->second;
  }

  void Print(const std::vector<Stmt>& stmts) {
    for (const Stmt& s : stmts) Print(*s);
  }

  void Print(const StmtNode& s) {
    switch (s.kind) {
      case StmtKind::kBlock: return Print(s.stmts);
      case StmtKind::kFor: {
        const int begin = Define(s.begin), end = Define(s.end);
        absl::StrAppend(&out_, "for v", Number(*s.var), " %", begin, " %", end, " ", s.step, "\n");
        Print(s.stmts);
        out_.append("end\n");
        return;
      }
      case StmtKind::kLet: {
        const int value = Define(s.value);
        absl::StrAppend(&out_, "let v", Number(*s.var), " %", value, "\n");
        return;
      }
      case StmtKind::kStore: {
        const int index = Define(s.index), value = Define(s.value), mask = s.mask ? Define(s.mask) : -1;
        absl::StrAppend(&out_, "store ", Refer(*s.buffer), " %", index, " %", value, " %", mask, "\n");
        return;
      }
      case StmtKind::kIf:
        absl::StrAppend(&out_, "if %", Define(s.cond), "\n");
        Print(s.stmts);
        out_.append("else\n");
        Print(s.otherwise);
        out_.append("end\n");
        return;
      case StmtKind::kPrefetch: {
        const int index = Define(s.index);
        absl::StrAppend(&out_, s.near ? "prefetch " : "prefetch far ", Refer(*s.buffer), " %", index, "\n");
        return;
      }
      case StmtKind::kBarrier: out_.append("barrier\n"); return;
      case StmtKind::kCopyAsync: {
        const int index = Define(s.index), value = Define(s.value), mask = s.mask ? Define(s.mask) : -1;
        absl::StrAppend(&out_, "copy ", Refer(*s.buffer), " %", index, " %", value, " %", mask, "\n");
        return;
      }
      case StmtKind::kCommitCopies: out_.append("commit\n"); return;
      case StmtKind::kWaitCopies: absl::StrAppend(&out_, "wait ", s.pending, "\n"); return;
    }
  }

  std::string out_;
  std::unordered_map<const VarNode*, int> vars_;
  std::unordered_map<const BufferNode*, int> buffers_;
  std::unordered_map<Expr, int> nodes_;  // by address; keeps the addresses alive
  std::unordered_map<std::string, int> ids_;
};

}  // namespace

std::string ToString(const Expr& e) {
  Printer printer;
  std::string out = printer.Shared({e}, "", "; ");
  return out + printer.Print(e);
}

std::string ToString(const Kernel& k) {
  std::string out = absl::StrCat("kernel ", k.name, "(");
  absl::StrAppend(&out, absl::StrJoin(k.arguments, ", ", [](std::string* s, const Buffer& b) {
                    absl::StrAppend(s, b->name, ": ", kernel::Name(b->scalar), "[", b->size, "]");
                  }));
  Printer printer;
  absl::StrAppend(&out, ") for ", printer.NameOf(*k.task), " in [0, ", k.tasks, "):\n");
  if (k.few_at_a_time) absl::StrAppend(&out, "  few at a time\n");
  if (k.threads > 0) absl::StrAppend(&out, "  for all ", printer.NameOf(*k.thread), " in [0, ", k.threads, "):\n");
  printer.Print(k.body, k.threads > 0 ? 2 : 1, &out);
  return out;
}

std::string Fingerprint(const Kernel& k) { return Canonical().Run(k); }

}  // namespace mgec::kernel
