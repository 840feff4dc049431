#include "compiler/mge/dynamic_shapes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "compiler/base/status_macros.h"
#include "compiler/mge/importer.h"
#include "compiler/ops/evaluate.h"

namespace mgec::mge {
namespace {

using graph::DTypeKind;
using graph::Node;

constexpr int64_t kMaxNumbers = 64;
constexpr int kMaxDepth = 256;

Number Unknown() {
  return {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max(), std::nullopt};
}

Number Constant(double v) {
  Number n{v, v, std::nullopt};
  if (v == std::floor(v)) n.extent = Extent(static_cast<int64_t>(v));
  return n;
}

std::vector<Number> OfConstant(const Node& n) {
  const TensorType& type = n.output()->type;
  std::vector<Number> numbers(graph::NumElements(type.shape), Unknown());
  if (type.dtype.kind == DTypeKind::kFloat32) {
    for (size_t i = 0; i < numbers.size(); ++i) {
      float v;
      std::memcpy(&v, n.data->data() + 4 * i, 4);
      if (std::abs(v) < 0x1p31f) numbers[i] = Constant(v);
    }
    return numbers;
  }
  const auto ints = ops::EvaluateInts(n.output());
  for (size_t i = 0; ints.ok() && i < numbers.size(); ++i) numbers[i] = Constant(static_cast<double>((*ints)[i]));
  return numbers;
}

}  // namespace

Extent operator*(const Extent& a, const Extent& b) {
  Extent product(a.factor * b.factor);
  product.counts = a.counts;
  product.counts.insert(product.counts.end(), b.counts.begin(), b.counts.end());
  std::sort(product.counts.begin(), product.counts.end());
  if (product.factor == 0) product.counts.clear();
  return product;
}

std::optional<Extent> Divide(const Extent& a, const Extent& b) {
  if (b.factor == 0 || a.factor % b.factor != 0) return std::nullopt;
  Extent quotient(a.factor / b.factor);
  quotient.counts = a.counts;
  for (graph::Value* count : b.counts) {
    const auto it = std::find(quotient.counts.begin(), quotient.counts.end(), count);
    if (it == quotient.counts.end()) return std::nullopt;
    quotient.counts.erase(it);
  }
  return quotient;
}

bool ComputedAlike(const Value* a, const Value* b) {
  constexpr size_t kMostPairs = 4096;  // beyond, they count as different
  std::vector<std::pair<const Value*, const Value*>> open = {{a, b}};
  std::set<std::pair<const Value*, const Value*>> seen;
  while (!open.empty()) {
    const auto [x, y] = open.back();
    open.pop_back();
    if (x == y || !seen.emplace(x, y).second) continue;
    const Node &m = *x->producer, &n = *y->producer;
    if (seen.size() > kMostPairs || x->index != y->index || x->type != y->type || m.op != n.op || m.op == "input" ||
        !(m.attributes == n.attributes) || m.inputs.size() != n.inputs.size()) {
      return false;
    }
    if (m.op == "constant" && *m.data != *n.data) return false;
    for (size_t i = 0; i < m.inputs.size(); ++i) open.emplace_back(m.inputs[i], n.inputs[i]);
  }
  return true;
}

Extents DynamicShapes::Of(const Value* v) const {
  if (const auto it = extents_.find(v); it != extents_.end()) return it->second;
  Extents extents;
  for (int64_t n : v->type.shape) extents.emplace_back(n);
  return extents;
}

void DynamicShapes::Set(Value* v, const Extents& extents) {
  const bool fixed = std::all_of(extents.begin(), extents.end(), [](const Extent& e) { return e.fixed(); });
  if (!fixed) extents_[v] = extents;
}

Extent DynamicShapes::Count(Value* count, int64_t most) {
  Value* known = nullptr;
  if (const auto it = alias_.find(count); it != alias_.end()) known = it->second;
  for (size_t i = 0; known == nullptr && i < counts_.size(); ++i) {
    if (ComputedAlike(counts_[i].first, count)) known = counts_[i].first;
  }
  if (known == nullptr) {
    known = count;
    counts_.emplace_back(count, most);
  }
  alias_[count] = known;
  numbers_.erase(count);
  Extent e;
  e.counts.push_back(known);
  return e;
}

int64_t DynamicShapes::Most(const Extent& e) const {
  int64_t most = e.factor;
  for (const Value* count : e.counts) {
    const auto it = std::find_if(counts_.begin(), counts_.end(), [&](const auto& c) { return c.first == count; });
    most = std::min(most * it->second, int64_t{1} << 31);
  }
  return most;
}

Shape DynamicShapes::Most(const Extents& extents) const {
  Shape shape;
  for (const Extent& e : extents) shape.push_back(Most(e));
  return shape;
}

absl::StatusOr<Value*> DynamicShapes::AsValue(const Extent& e) {
  if (e.fixed()) return graph_.AddInts({e.factor});
  Value* product = nullptr;
  for (Value* count : e.counts) {
    if (product == nullptr) {
      product = count;
    } else {
      ASSIGN_OR_RETURN(product, graph_.Add("mul", {product, count}));
    }
  }
  if (e.factor == 1) return product;
  return graph_.Add("mul", {product, graph_.AddInts({e.factor})});
}

std::vector<Number> DynamicShapes::NumbersOf(const Value* v, int depth) {
  if (graph::NumElements(v->type.shape) > kMaxNumbers) return {};
  if (const auto it = alias_.find(v); it != alias_.end()) {
    Extent e;
    e.counts.push_back(it->second);
    return {{0, static_cast<double>(Most(e)), e}};
  }
  if (const auto it = numbers_.find(v); it != numbers_.end()) return it->second;
  std::vector<Number> numbers;
  if (depth < kMaxDepth) numbers = Compute(v, depth + 1);
  if (numbers.empty()) numbers.assign(graph::NumElements(v->type.shape), Unknown());
  return numbers_[v] = numbers;
}

// Empty where nothing is known.
std::vector<Number> DynamicShapes::Compute(const Value* v, int depth) {
  const Node& n = *v->producer;
  const size_t count = static_cast<size_t>(graph::NumElements(v->type.shape));
  const DTypeKind kind = v->type.dtype.kind;
  if (n.op == "constant") return OfConstant(n);
  if (n.inputs.empty()) return {};  // an input of the network
  if (n.op == "nms_keep" && v->index == 1) {
    return std::vector<Number>(count, {0, static_cast<double>(n.attributes.Int("max_output")), std::nullopt});
  }
  std::vector<std::vector<Number>> in;
  for (const Value* x : n.inputs) in.push_back(NumbersOf(x, depth));
  const bool small = std::all_of(in.begin(), in.end(), [](const auto& x) { return !x.empty(); });
  if (!small || (kind != DTypeKind::kInt32 && kind != DTypeKind::kFloat32)) return {};
  if (n.op == "reshape" || n.op == "identity") return in[0];
  if (n.op == "broadcast" && (in[0].size() == 1 || in[0].size() == count)) {
    return in[0].size() == count ? in[0] : std::vector<Number>(count, in[0][0]);
  }
  if (n.op == "cast") {
    for (Number& x : in[0]) {
      if (kind == DTypeKind::kInt32) x = {std::trunc(x.least), std::trunc(x.most), x.extent};
      if (x.constant()) x = Constant(x.least);
    }
    return in[0];
  }
  const bool vectors = !v->type.shape.empty() && v->type.shape.size() == 1 && n.inputs[0]->type.shape.size() == 1;
  if (n.op == "concat" && vectors) {
    std::vector<Number> joined;
    for (const auto& x : in) joined.insert(joined.end(), x.begin(), x.end());
    return joined;
  }
  if (n.op == "slice" && vectors) {
    const int64_t begin = n.attributes.Ints("begin")[0], step = n.attributes.Ints("step")[0];
    std::vector<Number> part;
    for (size_t i = 0; i < count; ++i) part.push_back(in[0][begin + static_cast<int64_t>(i) * step]);
    return part;
  }
  if (n.op == "gather" && n.inputs[0]->type.shape.size() == 1) {
    std::vector<Number> picked;
    for (const Number& at : in[1]) {
      const int64_t i = static_cast<int64_t>(at.least) + (at.least < 0 ? static_cast<int64_t>(in[0].size()) : 0);
      if (!at.constant() || i < 0 || i >= static_cast<int64_t>(in[0].size())) return {};
      picked.push_back(in[0][i]);
    }
    return picked;
  }
  if (n.op == "reduce" && count == 1 && n.attributes.String("mode") == "product" && vectors) {
    Number product = Constant(1);
    for (const Number& x : in[0]) product = Combine("mul", product, x);
    return {product};
  }
  if (n.op == "floor" || n.op == "ceil" || n.op == "round") {
    for (Number& x : in[0]) x = {std::floor(x.least), std::ceil(x.most), x.extent};
    return in[0];
  }
  static const std::set<std::string> kBinary = {"add", "sub", "mul", "min", "max", "floor_div", "true_div"};
  if (kBinary.count(n.op) == 0) return {};
  std::vector<Number> result;
  for (size_t i = 0; i < count; ++i) {
    const auto pick = [&](const std::vector<Number>& x) -> const Number* {
      return x.size() == 1 ? &x[0] : x.size() == count ? &x[i] : nullptr;
    };
    const Number *a = pick(in[0]), *b = pick(in[1]);
    if (a == nullptr || b == nullptr) return {};
    result.push_back(Combine(n.op, *a, *b));
  }
  return result;
}

Number DynamicShapes::Combine(const std::string& op, const Number& a, const Number& b) const {
  Number y = Unknown();
  const auto corners = [&](auto f) {
    const double c[4] = {f(a.least, b.least), f(a.least, b.most), f(a.most, b.least), f(a.most, b.most)};
    y.least = *std::min_element(c, c + 4);
    y.most = *std::max_element(c, c + 4);
  };
  const bool both = a.extent.has_value() && b.extent.has_value();
  if (op == "add" || op == "sub") {
    const double sign = op == "add" ? 1 : -1;
    corners([&](double p, double q) { return p + sign * q; });
    if (both && a.extent->counts == b.extent->counts) {
      y.extent = Extent(a.extent->factor + static_cast<int64_t>(sign) * b.extent->factor);
      if (y.extent->factor != 0) y.extent->counts = a.extent->counts;
    } else if (b.constant() && b.least == 0) {
      y.extent = a.extent;
    } else if (op == "add" && a.constant() && a.least == 0) {
      y.extent = b.extent;
    }
  } else if (op == "mul") {
    corners([](double p, double q) { return p * q; });
    if (both) y.extent = *a.extent * *b.extent;
  } else if (op == "min" || op == "max") {
    const bool min = op == "min";
    corners([&](double p, double q) { return min ? std::min(p, q) : std::max(p, q); });
    if (min ? a.most <= b.least : a.least >= b.most) y.extent = a.extent;
    else if (min ? b.most <= a.least : b.least >= a.most) y.extent = b.extent;
  } else if (b.least > 0) {  // quotients
    corners([](double p, double q) { return p / q; });
    if (both) y.extent = Divide(*a.extent, *b.extent);
    if (op == "floor_div") {
      y.least = std::floor(y.least);
      y.most = std::floor(y.most);
    }
  }
  // Sums and products of int32 wrap around beyond.
  if (y.least < std::numeric_limits<int32_t>::min() || y.most > std::numeric_limits<int32_t>::max()) return Unknown();
  return y;
}

absl::StatusOr<Value*> DynamicShapes::Element(Value* v, int64_t k) {
  const int64_t n = graph::NumElements(v->type.shape);
  Value* y = v;
  if (v->type.shape != Shape{n}) {
    ASSIGN_OR_RETURN(y, graph_.Add("reshape", {y}, {{"shape", Shape{n}}}));
  }
  if (n > 1) {
    ASSIGN_OR_RETURN(y, graph_.Add("slice", {y}, {{"begin", Shape{k}}, {"end", Shape{k + 1}}, {"step", Shape{1}}}));
  }
  if (y->type.dtype.kind == DTypeKind::kInt32) return y;
  return graph_.Add("cast", {y}, {{"dtype", std::string("i32")}});
}

absl::StatusOr<Extent> DynamicShapes::ExtentAt(Value* v, int64_t k) {
  const std::vector<Number> numbers = NumbersOf(v);
  if (numbers.empty()) return absl::InvalidArgumentError("a list of more than 64 sizes");
  const Number& n = numbers[k];
  if (n.extent.has_value()) return *n.extent;
  constexpr double kMost = 1 << 30;
  if (n.most > kMost) return Unsupported("a size that depends on values and has no known bound");
  ASSIGN_OR_RETURN(Value * count, Element(v, k));
  if (n.least < 0) {
    ASSIGN_OR_RETURN(count, graph_.Add("max", {count, graph_.AddInts({0})}));
  }
  return Count(count, static_cast<int64_t>(std::max(n.most, 0.0)));
}

}  // namespace mgec::mge
