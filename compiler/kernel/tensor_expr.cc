#include "compiler/kernel/tensor_expr.h"

#include <cassert>
#include <iterator>
#include <utility>

namespace mgec::kernel {
namespace {

std::vector<Var> IndexVars(const char* prefix, size_t n) {
  std::vector<Var> vars;
  for (size_t i = 0; i < n; ++i) vars.push_back(MakeVar(prefix + std::to_string(i)));
  return vars;
}

std::vector<Expr> Uses(const std::vector<Var>& vars) {
  std::vector<Expr> uses;
  for (const Var& v : vars) uses.push_back(Use(v));
  return uses;
}

}  // namespace

Stage MakeStage(std::vector<int64_t> shape, Scalar scalar, const IndexFunction& body) {
  Stage stage;
  stage.info = {scalar, std::move(shape)};
  stage.vars = IndexVars("i", stage.info.shape.size());
  stage.body = body(Uses(stage.vars));
  assert(stage.body->type == Type(scalar));
  return stage;
}

int Definition::AddStage(std::vector<int64_t> shape, Scalar scalar, const IndexFunction& body) {
  stages_.push_back(MakeStage(std::move(shape), scalar, body));
  return num_inputs() + static_cast<int>(stages_.size()) - 1;
}

int Definition::AddScan(std::vector<int64_t> shape, Scalar scalar, int axis, const ScanFunction& body) {
  const int self = num_inputs() + static_cast<int>(stages_.size());
  const std::vector<Var> vars = IndexVars("i", shape.size());
  stages_.push_back({{scalar, std::move(shape)}, vars, nullptr, axis});
  Expr e = body(Uses(vars), self);
  assert(e->type == Type(scalar));
  stages_.back().body = std::move(e);
  return self;
}

void Definition::InsertStages(int at, std::vector<Stage> stages) {
  const int first = num_inputs() + at, inserted = static_cast<int>(stages.size());
  auto number = [&](int t) { return t < first ? t : t + inserted; };
  for (size_t i = at; i < stages_.size(); ++i) {
    stages_[i].body = Rewrite(stages_[i].body, [&](const Expr& e) {
      return e->op == Op::kRead && e->tensor >= first ? Read(number(e->tensor), e->type.scalar, e->args) : e;
    });
  }
  for (int& t : outputs_) t = number(t);
  stages_.insert(stages_.begin() + at, std::make_move_iterator(stages.begin()), std::make_move_iterator(stages.end()));
}

Expr Definition::At(int t, std::vector<Expr> indices) const {
  assert(indices.size() == info(t).shape.size());
  return Read(t, info(t).scalar, std::move(indices));
}

Expr Definition::AtOr(int t, std::vector<Expr> indices, Expr otherwise) const {
  const std::vector<int64_t>& shape = info(t).shape;
  Expr inside = Bool(true);
  for (size_t i = 0; i < indices.size(); ++i) {
    inside = And(inside, And(indices[i] >= int64_t{0}, indices[i] < shape[i]));
  }
  return Select(inside, At(t, std::move(indices)), std::move(otherwise));
}

Expr Definition::AtBroadcast(int t, const std::vector<Expr>& output_index) const {
  const std::vector<int64_t>& shape = info(t).shape;
  if (shape.size() > output_index.size()) {  // only [1] and other single elements may have more dimensions
    return At(t, std::vector<Expr>(shape.size(), Int(0)));
  }
  std::vector<Expr> index;
  const size_t skipped = output_index.size() - shape.size();
  for (size_t i = 0; i < shape.size(); ++i) index.push_back(shape[i] == 1 ? Int(0) : output_index[skipped + i]);
  return At(t, std::move(index));
}

Expr Definition::Reduce(Combiner c, const std::vector<int64_t>& extents, const IndexFunction& body) const {
  const std::vector<Var> vars = IndexVars("r", extents.size());
  std::vector<ReduceAxis> axes;
  for (size_t i = 0; i < extents.size(); ++i) axes.push_back({vars[i], extents[i]});
  return kernel::Reduce(c, std::move(axes), body(Uses(vars)));
}

std::vector<int> Definition::outputs() const {
  if (!outputs_.empty()) return outputs_;
  return {num_inputs() + static_cast<int>(stages_.size()) - 1};
}

}  // namespace mgec::kernel
