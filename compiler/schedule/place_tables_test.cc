#include "compiler/schedule/place_tables.h"

#include <numeric>

#include "compiler/kernel/interpreter.h"
#include "compiler/kernel/lower.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using kernel::Cast;
using kernel::Combiner;
using kernel::Definition;
using kernel::Expr;
using kernel::Float;
using kernel::Int;
using kernel::Op;
using kernel::Scalar;
using kernel::Type;
using Indices = std::vector<Expr>;

const Type kF32(Scalar::kFloat32);

// The last stage's result, with all stages run one after the other on memory for floats, integers and bools alike.
std::vector<float> Evaluate(const Definition& d, const std::vector<std::vector<float>>& inputs) {
  std::vector<std::vector<float>> tensors = inputs;
  for (size_t s = 0; s < d.stages().size(); ++s) {
    const std::vector<int64_t>& shape = d.stages()[s].info.shape;
    tensors.emplace_back(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<int64_t>()), -77.0f);
    std::vector<kernel::BufferView> views;
    for (size_t t = 0; t < tensors.size(); ++t) {
      const int bytes = SizeOf(d.info(static_cast<int>(t)).scalar);
      views.push_back({tensors[t].data(), static_cast<int64_t>(tensors[t].size()) * bytes});
    }
    const kernel::Kernel k = kernel::LowerNaive(d, static_cast<int>(s), "k");
    const absl::Status status = kernel::Interpret(k, views, 0, k.tasks);
    EXPECT_TRUE(status.ok()) << status << "\n" << ToString(k);
  }
  return tensors.back();
}

// y[n, c, h, w] = x[n, c, place of h, w] * weight of h
Definition Resized(int64_t channels) {
  Definition d({{Scalar::kFloat32, {2, channels, 5, 6}}});
  d.AddStage({2, channels, 9, 6}, Scalar::kFloat32, [&](const Indices& i) {
    const Expr place = (Cast(kF32, i[2]) + Float(0.5)) / Float(1.8) - Float(0.5);
    const Expr floor = Unary(Op::kFloor, place);
    const Expr row = Min(Max(Cast(kernel::kIndexType, floor), Int(0)), Int(4));
    return d.At(0, {i[0], i[1], row, i[3]}) * (place - floor);
  });
  return d;
}

std::vector<float> Numbers(int64_t n) {
  std::vector<float> v(n);
  for (int64_t i = 0; i < n; ++i) v[i] = static_cast<float>((i * 37) % 101) / 7;
  return v;
}

TEST(PlaceTablesTest, PlacesAndWeightsGetTables) {
  const Definition d = Resized(16);
  const DefinitionWithTables t = WithPlaceTables(d, 1, 32);
  ASSERT_EQ(t.definition.stages().size(), 3u);
  EXPECT_EQ(t.tables, 2u);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(t.definition.stages()[i].info.shape, (std::vector<int64_t>{9}));
  EXPECT_EQ(t.definition.stages()[0].info.scalar, Scalar::kInt32) << "indices take 4 bytes";
  EXPECT_EQ(t.definition.outputs(), (std::vector<int>{3}));
  const std::vector<float> x = Numbers(2 * 16 * 5 * 6);
  EXPECT_EQ(Evaluate(t.definition, {x}), Evaluate(d, {x}));
}

TEST(PlaceTablesTest, TablesBecomeInputs) {
  const DefinitionWithTables t = WithPlaceTables(Resized(16), -1, 64);
  ASSERT_EQ(t.tables, 2u);
  const Definition d = TablesAsInputs(t);
  EXPECT_EQ(d.num_inputs(), 3);
  EXPECT_EQ(d.stages().size(), 1u);
  EXPECT_EQ(d.outputs(), (std::vector<int>{3}));
  EXPECT_EQ(d.info(1).shape, (std::vector<int64_t>{9}));
}

TEST(PlaceTablesTest, NotForFewUses) {
  EXPECT_EQ(WithPlaceTables(Resized(2), 1, 32).definition.stages().size(), 1u);
}

TEST(PlaceTablesTest, AxesOfReductionsAreDimensions) {
  // y[k, c] = sum over r of x[c, place of (k, r)], where that is inside
  Definition d({{Scalar::kFloat32, {64, 50}}, {Scalar::kFloat32, {3}}});
  d.AddStage({3, 64}, Scalar::kFloat32, [&](const Indices& i) {
    return d.Reduce(Combiner::kSum, {4}, [&](const Indices& r) {
      const Expr place = d.At(1, {i[0]}) * Float(2) + Cast(kF32, r[0]) * Float(3.25) - Float(1);
      const Expr at = Cast(kernel::kIndexType, Min(Max(Unary(Op::kFloor, place), Float(-9)), Float(99)));
      const Expr inside = And(And(at >= int64_t{0}, at < Int(50)), place < Float(40));
      return Select(inside, d.At(0, {i[1], Min(Max(at, Int(0)), Int(49))}), Float(0));
    });
  });
  const DefinitionWithTables t = WithPlaceTables(d, 1, 32);
  EXPECT_EQ(t.tables, 2u);
  for (size_t s = 0; s < t.tables; ++s) EXPECT_EQ(t.definition.stages()[s].info.shape, (std::vector<int64_t>{3, 4}));
  const std::vector<float> x = Numbers(64 * 50), places = {1, 17, 9};
  EXPECT_EQ(Evaluate(t.definition, {x, places}), Evaluate(d, {x, places}));
}

TEST(PlaceTablesTest, KeepsWhatDependsOnChannels) {
  Definition d({{Scalar::kFloat32, {64, 50}}, {Scalar::kFloat32, {64}}});
  d.AddStage({3, 64}, Scalar::kFloat32, [&](const Indices& i) {
    const Expr place = Unary(Op::kFloor, d.At(1, {i[1]}) * Float(2) + Cast(kF32, i[0]) * Float(3.25) - Float(1));
    return d.At(0, {i[1], Cast(kernel::kIndexType, Min(Max(place, Float(0)), Float(49)))});
  });
  EXPECT_EQ(WithPlaceTables(d, 1, 32).definition.stages().size(), 1u);
}

}  // namespace
}  // namespace mgec::schedule
