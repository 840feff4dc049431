#include "compiler/schedule/cuda/plain_factor.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "compiler/kernel/simplify.h"

namespace mgec::schedule {
namespace {

using kernel::Expr;
using kernel::Op;
using kernel::Scalar;
using kernel::Var;

bool IsZero(const Expr& e) {
  if (e->op == Op::kCast) return IsZero(e->args[0]);
  if (e->op == Op::kFloat) return e->float_value == 0 && !std::signbit(e->float_value);  // the bits are what is copied
  return e->op == Op::kInt && e->int_value == 0;
}

// What memory holds of an element.
Scalar MemoryOf(WordKind kind, Scalar value) {
  switch (kind) {
    case WordKind::kFloat16: return Scalar::kFloat16;
    case WordKind::kInt8: return Scalar::kInt8;
    default: return value;
  }
}

// An index as a row-major number of some variables, the last of a list, and a rest that does not depend on them.
struct Run {
  int64_t extent = 1;  // of those variables together
  kernel::Linear rest;
};

// The longest run of a factor along the last of `vars`, of the given extents, which is in memory or in padding as a whole.
Run RunAlong(const PlainFactor& plain, const std::vector<Var>& vars, const std::vector<int64_t>& extents) {
  Run run{1, kernel::LinearOf(plain.load->args[0])};
  for (size_t i = vars.size(); i-- > 0;) {
    if (extents[i] == 1) continue;
    if (plain.inside != nullptr && kernel::DependsOn(plain.inside, vars[i])) return run;
    int64_t stride = 0;
    kernel::Linear rest;
    rest.constant = run.rest.constant;
    for (const auto& term : run.rest.terms) {
      if (term.first->op == Op::kVar && term.first->var == vars[i]) stride += term.second;
      else if (kernel::DependsOn(term.first, vars[i])) return run;
      else rest.terms.push_back(term);
    }
    if (stride != run.extent) return run;
    run.extent *= extents[i];
    run.rest = std::move(rest);
  }
  return run;
}

void AddConditions(const Expr& e, std::vector<Expr>* all) {
  if (e->op != Op::kAnd) return all->push_back(e);
  for (const Expr& a : e->args) AddConditions(a, all);
}

// `index` where all of `conditions` hold, which keep what is read in memory: without keeping it there again.
Expr WithoutClamps(const Expr& index, const std::vector<Expr>& conditions) {
  auto holds = [&](Op op, const Expr& a, const Expr& b) {
    return std::any_of(conditions.begin(), conditions.end(), [&](const Expr& c) {
      return c->op == op && kernel::Equal(c->args[0], a) && kernel::Equal(c->args[1], b);
    });
  };
  return kernel::Rewrite(index, [&](const Expr& n) {
    int64_t bound;
    if ((n->op != Op::kMax && n->op != Op::kMin) || !IsConst(n->args[1], &bound)) return n;
    const Expr& x = n->args[0];
    const bool needless = n->op == Op::kMax ? holds(Op::kLe, n->args[1], x) : holds(Op::kLt, x, kernel::Int(bound + 1));
    return needless ? x : n;
  });
}

bool IsMultiple(const kernel::Linear& l, int64_t n) {
  if (l.constant % n != 0) return false;
  return std::all_of(l.terms.begin(), l.terms.end(), [&](const auto& term) { return term.second % n == 0; });
}

}  // namespace

namespace {

std::optional<PlainFactor> TakeApart(const Expr& value, WordKind kind) {
  if (value->op == Op::kSelect) {
    const bool first = IsZero(value->args[1]);
    if (!first && !IsZero(value->args[2])) return std::nullopt;
    std::optional<PlainFactor> rest = TakeApart(value->args[first ? 2 : 1], kind);
    if (!rest) return std::nullopt;
    const Expr here = first ? kernel::Unary(Op::kNot, value->args[0]) : value->args[0];
    rest->inside = rest->inside == nullptr ? here : And(here, rest->inside);
    return rest;
  }
  const Scalar memory = MemoryOf(kind, value->type.scalar);
  if (value->op == Op::kCast && value->args[0]->type.scalar == memory && memory != value->type.scalar) {
    return TakeApart(value->args[0], kind);
  }
  const bool plain = value->op == Op::kLoad && value->args.size() == 1 && value->type == kernel::Type(memory) &&
                     value->buffer->kind == kernel::BufferKind::kArgument;
  if (!plain) return std::nullopt;
  return PlainFactor{value, nullptr};
}

}  // namespace

std::optional<PlainFactor> AsPlainFactor(const Expr& value, WordKind kind) {
  std::optional<PlainFactor> plain = TakeApart(value, kind);
  if (!plain || plain->inside == nullptr) return plain;
  std::vector<Expr> conditions;
  AddConditions(plain->inside, &conditions);
  plain->load = Load(plain->load->buffer, WithoutClamps(plain->load->args[0], conditions));
  return plain;
}

int WordsAtATime(const GpuStage& stage, const Product& product, const Factor& factor, const PlainFactor& plain, bool along_sum) {
  const int elements = ElementsOf(product.words);
  if (!along_sum && product.words == WordKind::kInt8) return 0;
  std::vector<Var> vars;
  std::vector<int64_t> extents;
  if (along_sum) {
    for (const kernel::ReduceAxis& axis : product.sum->reduce_axes) {
      vars.push_back(axis.var);
      extents.push_back(axis.extent);
    }
  } else {
    for (size_t dim : factor.dims) {
      vars.push_back(stage.vars[dim]);
      extents.push_back(stage.extents[dim]);
    }
  }
  const Run run = RunAlong(plain, vars, extents);
  for (int words : {4, 2, 1}) {
    const int64_t n = int64_t{words} * elements;
    if (n == 1) return 1;  // wherever it lies
    if (run.extent % n != 0 || n * SizeOf(plain.load->type.scalar) > plain.load->buffer->alignment) continue;
    if (IsMultiple(run.rest, n)) return words;
  }
  return 0;
}

}  // namespace mgec::schedule
