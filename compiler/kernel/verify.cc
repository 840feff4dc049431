#include "compiler/kernel/verify.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/base/status_macros.h"

namespace mgec::kernel {
namespace {

constexpr int64_t kMaxStackBytes = 64 * 1024;
constexpr int64_t kMaxSharedBytes = 48 * 1024;
constexpr int kWarp = 32, kMaxThreads = 1024;

bool IsIdentifier(const std::string& s) {
  if (s.empty() || std::isdigit(static_cast<unsigned char>(s[0]))) return false;
  for (char c : s) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_') return false;
  }
  return true;
}

// A condition that the architecture alone decides (FromArchitecture).
bool AsksForArchitecture(const Expr& e) {
  return e->op == Op::kLe && e->args[0]->op == Op::kInt && e->args[1]->op == Op::kArchitecture;
}

class Verifier {
 public:
  explicit Verifier(const Kernel& k) : kernel_(k) {}

  absl::Status Run() {
    if (!IsIdentifier(kernel_.name)) return Fail("the name is not an identifier");
    if (!kernel_.task || kernel_.task->type != kIndexType) return Fail("the task variable is missing or no i64");
    if (kernel_.tasks < 0 || kernel_.tasks > UINT32_MAX) return Fail(absl::StrCat(kernel_.tasks, " tasks"));
    for (size_t i = 0; i < kernel_.arguments.size(); ++i) {
      const Buffer& b = kernel_.arguments[i];
      if (!b || b->kind != BufferKind::kArgument || b->argument != static_cast<int>(i)) {
        return Fail(absl::StrCat("argument ", i, " is not the buffer of that number"));
      }
      if (b->size < 0 || b->lanes != 1) return Fail(absl::StrCat("argument ", b->name, " has a bad size"));
      if (b->alignment <= 0 || (b->alignment & (b->alignment - 1)) != 0) {
        return Fail(absl::StrCat("argument ", b->name, " has alignment ", b->alignment));
      }
      buffers_.insert(b.get());
    }
    defined_.insert(kernel_.task.get());
    visible_.push_back(kernel_.task.get());
    if (kernel_.threads < 0 || kernel_.threads > kMaxThreads || kernel_.threads % kWarp != 0) {
      return Fail(absl::StrCat(kernel_.threads, " threads"));
    }
    if ((kernel_.threads > 0) != (kernel_.thread != nullptr)) return Fail("threads without a variable, or the reverse");
    if (kernel_.thread != nullptr) {
      RETURN_IF_ERROR(Define(kernel_.thread));
      if (kernel_.thread->type != kIndexType) return Fail("the thread variable is no i64");
      divergent_.insert(kernel_.thread.get());
    }
    return Statements(kernel_.body);
  }

 private:
  absl::Status Fail(absl::string_view what) const {
    return absl::InternalError(
        absl::StrCat("malformed kernel ", kernel_.name, statement_.empty() ? "" : ", ", statement_, ": ", what));
  }
  absl::Status FailAt(const Expr& e, absl::string_view what) const {
    return Fail(absl::StrCat(what, " in ", Name(e->op), " of type ", Name(e->type)));
  }

  absl::Status Define(const Var& v) {
    if (!v) return Fail("a variable is missing");
    if (!defined_.insert(v.get()).second) return Fail(absl::StrCat("variable ", v->name, " is defined twice"));
    visible_.push_back(v.get());
    return absl::OkStatus();
  }

  absl::Status CheckBuffer(const Buffer& b) {
    if (!b) return Fail("a buffer is missing");
    if (buffers_.count(b.get())) return absl::OkStatus();
    if (b->kind == BufferKind::kArgument) return Fail(absl::StrCat("buffer ", b->name, " is not an argument"));
    if (b->size <= 0 || b->lanes < 1) return Fail(absl::StrCat("buffer ", b->name, " has a bad size"));
    if (b->kind == BufferKind::kStack) {
      stack_bytes_ += b->size * SizeOf(b->scalar);
      if (b->lanes != 1) return Fail(absl::StrCat("stack buffer ", b->name, " has lanes"));
      if (stack_bytes_ > kMaxStackBytes) return Fail("more than 64 KiB of stack");
    }
    if (b->kind == BufferKind::kShared) {
      shared_bytes_ += (b->size * SizeOf(b->scalar) + 15) / 16 * 16;
      if (kernel_.threads == 0) return Fail(absl::StrCat("shared buffer ", b->name, " without threads"));
      if (b->lanes != 1) return Fail(absl::StrCat("shared buffer ", b->name, " has lanes"));
      if (shared_bytes_ > kMaxSharedBytes) return Fail("more than 48 KiB of shared memory");
    }
    buffers_.insert(b.get());
    return absl::OkStatus();
  }

  // Whether threads of one task may find different values.
  bool Diverges(const Expr& e) const {
    bool found = false;
    Visit(e, [&](const Expr& n) {
      found = found || n->op == Op::kLoad || n->op == Op::kLoadMatrices || (n->op == Op::kVar && divergent_.count(n->var.get()) != 0);
    });
    return found;
  }
  absl::Status CheckTogether(absl::string_view what) const {
    if (kernel_.threads == 0) return Fail(absl::StrCat(what, " without threads"));
    return divergent_depth_ > 0 ? Fail(absl::StrCat(what, " where threads may differ")) : absl::OkStatus();
  }

  absl::Status CheckAccess(const Buffer& b, const Expr& index, Type value, const Expr& mask) {
    RETURN_IF_ERROR(CheckBuffer(b));
    if (value.scalar != b->scalar) return Fail(absl::StrCat("access to ", b->name, " as ", Name(value)));
    if (!index || index->type.scalar != Scalar::kInt64) return Fail(absl::StrCat("index of ", b->name, " is no i64"));
    if (b->kind == BufferKind::kRegister) {
      int64_t i;
      if (!IsConst(index, &i) || i < 0 || i >= b->size) {
        return Fail(absl::StrCat("register number of ", b->name, " is not a constant below ", b->size));
      }
      if (value.lanes != b->lanes || mask) return Fail(absl::StrCat("partial access to a register of ", b->name));
      return absl::OkStatus();
    }
    if (index->type.lanes != 1 && index->type.lanes != value.lanes) {
      return Fail(absl::StrCat("index of ", b->name, " has ", index->type.lanes, " lanes for ", value.lanes));
    }
    if (mask && mask->type != Type(Scalar::kBool, value.lanes)) return Fail(absl::StrCat("mask on ", b->name));
    return absl::OkStatus();
  }

  absl::Status CheckExpr(const Expr& e) {
    if (!e) return Fail("an expression is missing");
    if (!checked_.insert(e.get()).second) return absl::OkStatus();
    for (const Expr& a : e->args) {
      RETURN_IF_ERROR(CheckExpr(a));
    }
    if (e->type.lanes < 1) return FailAt(e, "no lanes");
    return CheckNode(e);
  }

  absl::Status CheckNode(const Expr& e);
  absl::Status CheckArithmetic(const Expr& e);

  absl::Status Statements(const std::vector<Stmt>& stmts) {
    const size_t scope = visible_.size();
    for (const Stmt& s : stmts) {
      if (!s) return Fail("a statement is missing");
      checked_.clear();
      RETURN_IF_ERROR(Statement(*s));
    }
    visible_.resize(scope);
    return absl::OkStatus();
  }
  absl::Status Statement(const StmtNode& s);
  absl::Status Nested(const std::vector<Stmt>& stmts, bool diverges) {
    divergent_depth_ += diverges ? 1 : 0;
    absl::Status status = Statements(stmts);
    divergent_depth_ -= diverges ? 1 : 0;
    return status;
  }

  const Kernel& kernel_;
  std::string statement_;  // for messages
  std::unordered_set<const BufferNode*> buffers_;
  std::unordered_set<const VarNode*> defined_;
  std::vector<const VarNode*> visible_;
  std::unordered_set<const ExprNode*> checked_;  // in the current statement
  std::unordered_set<const VarNode*> divergent_;      // variables in which threads may differ
  int divergent_depth_ = 0;                           // loops and branches around that not all threads may run alike
  bool exchange_allowed_ = false;                     // the expression is the value of a let
  int64_t stack_bytes_ = 0, shared_bytes_ = 0;
};

// Operators whose arguments and result have one type.
absl::Status Verifier::CheckArithmetic(const Expr& e) {
  const Op op = e->op;
  const Type type = e->args[0]->type;
  const Scalar s = type.scalar;
  const bool compare = op >= Op::kLt && op <= Op::kNe, test = op == Op::kIsNan || op == Op::kIsInf;
  for (const Expr& a : e->args) {
    if (a->type != type) return FailAt(e, "arguments differ in type");
  }
  if (e->type != (compare || test ? Type(Scalar::kBool, type.lanes) : type)) return FailAt(e, "wrong result type");
  if (IsHalf(s)) return FailAt(e, "arithmetic on a storage type");
  const bool is_float = s == Scalar::kFloat32, is_bool = s == Scalar::kBool;
  switch (op) {
    case Op::kNeg:
    case Op::kAbs:
    case Op::kSign:
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kDiv:
    case Op::kMod:
    case Op::kMin:
    case Op::kMax: return is_bool ? FailAt(e, "arithmetic on bool") : absl::OkStatus();
    case Op::kFloor:
    case Op::kCeil:
    case Op::kTrunc:
    case Op::kRound:
    case Op::kRoundEven: return is_bool ? FailAt(e, "rounding of bool") : absl::OkStatus();
    case Op::kFloorDiv:
    case Op::kFloorMod:
    case Op::kShl:
    case Op::kShr: return is_float || is_bool ? FailAt(e, "not an integer") : absl::OkStatus();
    case Op::kNot:
    case Op::kAnd:
    case Op::kOr:
    case Op::kXor: return is_float ? FailAt(e, "bits of a float") : absl::OkStatus();
    case Op::kLt:
    case Op::kLe:
    case Op::kEq:
    case Op::kNe: return absl::OkStatus();
    default: return is_float ? absl::OkStatus() : FailAt(e, "not a float32");
  }
}

absl::Status Verifier::CheckNode(const Expr& e) {
  auto want = [&](bool ok, absl::string_view what) { return ok ? absl::OkStatus() : FailAt(e, what); };
  const size_t count = e->args.size();
  const Type type = e->type;
  const Type first = count > 0 ? e->args[0]->type : Type();
  switch (e->op) {
    case Op::kInt: return want(count == 0 && !IsFloat(type.scalar) && type.lanes == 1, "bad constant");
    case Op::kFloat: return want(count == 0 && type == Type(Scalar::kFloat32), "bad constant");
    case Op::kVar:
      for (const VarNode* v : visible_) {
        if (v == e->var.get()) return want(v->type == type, "variable of another type");
      }
      return FailAt(e, absl::StrCat("variable ", e->var ? e->var->name : "", " is not defined here"));
    case Op::kRead:
    case Op::kReduce: return FailAt(e, "definition-level operator");
    case Op::kLoad:
      if (count != 1 && count != 2) return FailAt(e, "wrong number of arguments");
      return CheckAccess(e->buffer, e->args[0], type, count == 2 ? e->args[1] : nullptr);
    case Op::kCast: return want(count == 1 && first.lanes == type.lanes, "lanes differ");
    case Op::kBitcast:
      return want(count == 1 && first.lanes == type.lanes && SizeOf(first.scalar) == SizeOf(type.scalar),
                  "sizes differ");
    case Op::kBroadcast: return want(count == 1 && first == type.WithLanes(1), "argument is not the scalar");
    case Op::kFma:
      if (count != 3) return FailAt(e, "wrong number of arguments");
      return CheckArithmetic(e);
    case Op::kDot2:
    case Op::kDot4: {
      if (count != 3) return FailAt(e, "wrong number of arguments");
      const bool pairs = e->op == Op::kDot2;
      const int lanes = type.lanes * (pairs ? 2 : 4);
      return want(type.scalar == Scalar::kInt32 && e->args[2]->type == type &&
                      first == Type(pairs ? Scalar::kInt16 : Scalar::kUint8, lanes) &&
                      e->args[1]->type == Type(pairs ? Scalar::kInt16 : Scalar::kInt8, lanes),
                  "groups of the wrong type");
    }
    case Op::kSelect:
      if (count != 3) return FailAt(e, "wrong number of arguments");
      if (first != Type(Scalar::kBool) && first != Type(Scalar::kBool, type.lanes)) return FailAt(e, "bad condition");
      return want(e->args[1]->type == type && e->args[2]->type == type, "sides differ in type");
    case Op::kRamp:
      return want(count == 1 && first == type.WithLanes(1) && !IsFloat(type.scalar) && type.scalar != Scalar::kBool,
                  "argument is not the integer scalar");
    case Op::kSlice:
      return want(count == 1 && first.scalar == type.scalar && e->int_value >= 0 &&
                      e->int_value + type.lanes <= first.lanes,
                  "lanes out of range");
    case Op::kConcat:
      return want(count == 2 && first.scalar == type.scalar && e->args[1]->type.scalar == type.scalar &&
                      first.lanes + e->args[1]->type.lanes == type.lanes,
                  "lanes do not add up");
    case Op::kShuffle:
      if (count != 1 || first.scalar != type.scalar || static_cast<int>(e->shuffle.size()) != type.lanes) {
        return FailAt(e, "bad shuffle");
      }
      for (int l : e->shuffle) {
        if (l < 0 || l >= first.lanes) return FailAt(e, "lane out of range");
      }
      return absl::OkStatus();
    case Op::kWarpXor:
      if (!exchange_allowed_) return FailAt(e, "not the value of a let");
      RETURN_IF_ERROR(CheckTogether("an exchange"));
      return want(count == 1 && type == first && type.lanes == 1 && SizeOf(type.scalar) == 4 && e->int_value > 0 &&
                      e->int_value < kWarp,
                  "bad exchange");
    case Op::kMma:
      if (!exchange_allowed_) return FailAt(e, "not the value of a let");
      RETURN_IF_ERROR(CheckTogether("a product of matrices"));
      return want(count == 3 && (first == Type(Scalar::kInt32, 4) || (first == Type(Scalar::kFloat32, 4) && type == first)) &&
                      e->args[1]->type == first.WithLanes(2) &&
                      (type == Type(Scalar::kInt32, 4) || type == Type(Scalar::kFloat32, 4)) && e->args[2]->type == type,
                  "matrices of the wrong type");
    case Op::kLoadMatrices:
      if (!exchange_allowed_) return FailAt(e, "not the value of a let");
      RETURN_IF_ERROR(CheckTogether("loading matrices"));
      if (count != 1 || type.lanes != 4 || SizeOf(type.scalar) != 4 || first != kIndexType) return FailAt(e, "matrices of the wrong type");
      RETURN_IF_ERROR(CheckBuffer(e->buffer));
      if (e->buffer->kind != BufferKind::kShared) return FailAt(e, "not of shared memory");
      return want(type.scalar == (e->buffer->scalar == Scalar::kFloat16 ? Scalar::kInt32 : e->buffer->scalar), "matrices of the wrong type");
    case Op::kArchitecture: return want(count == 0 && type == Type(Scalar::kInt32) && kernel_.threads > 0, "bad constant");
    case Op::kReduceAdd:
    case Op::kReduceMax:
    case Op::kReduceMin:
      return want(count == 1 && type == first.WithLanes(1) && type.scalar != Scalar::kBool && !IsHalf(type.scalar),
                  "bad reduction");
    default: break;
  }
  const bool binary = e->op >= Op::kAdd && e->op <= Op::kNe;
  if (count != (binary ? 2u : 1u)) return FailAt(e, "wrong number of arguments");
  return CheckArithmetic(e);
}

absl::Status Verifier::Statement(const StmtNode& s) {
  auto all = [&](std::initializer_list<Expr> exprs) {
    for (const Expr& e : exprs) {
      RETURN_IF_ERROR(CheckExpr(e));
    }
    return absl::OkStatus();
  };
  switch (s.kind) {
    case StmtKind::kBlock: return Statements(s.stmts);
    case StmtKind::kFor: {
      statement_ = absl::StrCat("for ", s.var ? s.var->name : "");
      RETURN_IF_ERROR(all({s.begin, s.end}));
      if (s.begin->type != kIndexType || s.end->type != kIndexType) return Fail("bounds are not i64");
      if (s.step <= 0) return Fail("the step is not positive");
      RETURN_IF_ERROR(Define(s.var));
      if (s.var->type != kIndexType) return Fail("the variable is no i64");
      const bool diverges = Diverges(s.begin) || Diverges(s.end);
      if (diverges) divergent_.insert(s.var.get());
      absl::Status status = Nested(s.stmts, diverges);
      visible_.pop_back();
      return status;
    }
    case StmtKind::kLet:
      statement_ = absl::StrCat("let ", s.var ? s.var->name : "");
      if (s.value && (s.value->op == Op::kWarpXor || s.value->op == Op::kMma || s.value->op == Op::kLoadMatrices)) {
        for (const Expr& a : s.value->args) {
          RETURN_IF_ERROR(CheckExpr(a));
        }
        exchange_allowed_ = true;
      }
      RETURN_IF_ERROR(all({s.value}));
      exchange_allowed_ = false;
      RETURN_IF_ERROR(Define(s.var));
      if (Diverges(s.value)) divergent_.insert(s.var.get());
      if (s.var->type != s.value->type) return Fail("the value has another type");
      return absl::OkStatus();
    case StmtKind::kStore:
      statement_ = absl::StrCat("store to ", s.buffer ? s.buffer->name : "");
      RETURN_IF_ERROR(all({s.index, s.value}));
      if (s.mask) {
        RETURN_IF_ERROR(all({s.mask}));
      }
      return CheckAccess(s.buffer, s.index, s.value->type, s.mask);
    case StmtKind::kIf: {
      statement_ = "if";
      RETURN_IF_ERROR(all({s.cond}));
      if (s.cond->type != Type(Scalar::kBool)) return Fail("the condition is not a bool");
      const bool diverges = Diverges(s.cond);
      if (!AsksForArchitecture(s.cond)) {
        RETURN_IF_ERROR(Nested(s.stmts, diverges));
        return Nested(s.otherwise, diverges);
      }
      // One of the branches does not exist: each counts alone what it shares.
      const std::unordered_set<const BufferNode*> before = buffers_;
      const int64_t bytes_before = shared_bytes_;
      RETURN_IF_ERROR(Nested(s.stmts, false));
      const std::unordered_set<const BufferNode*> first = std::exchange(buffers_, before);
      const int64_t first_bytes = std::exchange(shared_bytes_, bytes_before);
      RETURN_IF_ERROR(Nested(s.otherwise, false));
      buffers_.insert(first.begin(), first.end());
      shared_bytes_ = std::max(shared_bytes_, first_bytes);
      return absl::OkStatus();
    }
    case StmtKind::kPrefetch:
      statement_ = absl::StrCat("prefetch of ", s.buffer ? s.buffer->name : "");
      RETURN_IF_ERROR(all({s.index}));
      if (s.index->type != kIndexType) return Fail("the index is not an i64 scalar");
      RETURN_IF_ERROR(CheckBuffer(s.buffer));
      return s.buffer->kind == BufferKind::kRegister ? Fail("a register has no address") : absl::OkStatus();
    case StmtKind::kBarrier:
      statement_ = "barrier";
      return CheckTogether("a barrier");
    case StmtKind::kCopyAsync: {
      statement_ = absl::StrCat("copy to ", s.buffer ? s.buffer->name : "");
      RETURN_IF_ERROR(all({s.index, s.value}));
      if (s.mask) {
        RETURN_IF_ERROR(all({s.mask}));
        if (s.mask->type != Type(Scalar::kBool)) return Fail("the mask is no bool");
      }
      RETURN_IF_ERROR(CheckBuffer(s.buffer));
      if (s.buffer->kind != BufferKind::kShared || SizeOf(s.buffer->scalar) == 1) return Fail("not to shared memory of words or halves");
      if (s.index->type != kIndexType) return Fail("the index is not an i64 scalar");
      const Buffer& from = s.value->buffer;
      if (s.value->op != Op::kLoad || s.value->args.size() != 1 || from->kind != BufferKind::kArgument ||
          s.value->args[0]->type != kIndexType) {
        return Fail("not a load of neighbours from an argument");
      }
      const int bytes = SizeOf(from->scalar) * s.value->type.lanes;
      if ((bytes != 4 && bytes != 8 && bytes != 16) || from->alignment < bytes) return Fail(absl::StrCat(bytes, " bytes at a time"));
      return absl::OkStatus();
    }
    case StmtKind::kCommitCopies:
      statement_ = "commit";
      return kernel_.threads > 0 ? absl::OkStatus() : Fail("copies without threads");
    case StmtKind::kWaitCopies:
      statement_ = "wait";
      if (s.pending < 0) return Fail("fewer than no groups");
      return kernel_.threads > 0 ? absl::OkStatus() : Fail("copies without threads");
  }
  return Fail("unknown statement");
}

}  // namespace

absl::Status Verify(const Kernel& k) { return Verifier(k).Run(); }

}  // namespace mgec::kernel
