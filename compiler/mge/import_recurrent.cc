// Recurrent networks: LSTM and RNN over a sequence, and their cells. A sequence is unrolled: the inputs of all steps are
// multiplied at once, the hidden state step by step.
#include "compiler/mge/flat_parameters.h"
#include "compiler/mge/importer.h"

namespace mgec::mge {
namespace {

// Steps beyond this make graphs that take too long to compile.
constexpr int64_t kMaxSteps = 4096;

// [begin, end) along one axis.
absl::StatusOr<Value*> Slice(ImportContext& c, Value* x, size_t axis, int64_t begin, int64_t end) {
  Shape b(x->type.shape.size(), 0), e = x->type.shape, step(x->type.shape.size(), 1);
  b[axis] = begin;
  e[axis] = end;
  return c.Add("slice", {x}, {{"begin", b}, {"end", e}, {"step", step}});
}

absl::StatusOr<Value*> MatMulTransposed(ImportContext& c, Value* x, Value* w) {
  return c.Add("matmul", {x, w}, {{"transpose_b", int64_t{1}}});
}

// The parameters of one layer in one direction. Null biases where there are none.
struct Weights {
  Value* ih;  // [gates * hidden, inputs]
  Value* hh;  // [gates * hidden, hidden]
  Value* bias_ih = nullptr;  // [1, gates * hidden]
  Value* bias_hh = nullptr;
};

absl::StatusOr<Weights> TakeWeights(FlatParameters& flat, int64_t rows, int64_t inputs, int64_t hidden, bool bias) {
  Weights w;
  ASSIGN_OR_RETURN(w.ih, flat.Take(rows, inputs));
  ASSIGN_OR_RETURN(w.hh, flat.Take(rows, hidden));
  if (bias) {
    ASSIGN_OR_RETURN(w.bias_ih, flat.Take(1, rows));
    ASSIGN_OR_RETURN(w.bias_hh, flat.Take(1, rows));
  }
  return w;
}

struct State {
  Value* h;
  Value* c = nullptr;  // LSTM only
};

// i, f, g, o from the sum of both products; the new state.
absl::StatusOr<State> LstmStep(ImportContext& c, Value* gates, const State& s) {
  const int64_t hidden = gates->type.shape[1] / 4;
  Value* gate[4];
  for (int k = 0; k < 4; ++k) {
    ASSIGN_OR_RETURN(gate[k], Slice(c, gates, 1, k * hidden, (k + 1) * hidden));
    ASSIGN_OR_RETURN(gate[k], c.Add(k == 2 ? "tanh" : "sigmoid", {gate[k]}));
  }
  State next;
  ASSIGN_OR_RETURN(Value * kept, c.Add("mul", {gate[1], s.c}));
  ASSIGN_OR_RETURN(Value * added, c.Add("mul", {gate[0], gate[2]}));
  ASSIGN_OR_RETURN(next.c, c.Add("add", {kept, added}));
  ASSIGN_OR_RETURN(Value * squashed, c.Add("tanh", {next.c}));
  ASSIGN_OR_RETURN(next.h, c.Add("mul", {gate[3], squashed}));
  return next;
}

absl::StatusOr<std::string> Nonlinearity(param::RNNCellNonlineMode mode) {
  switch (mode) {
    case param::RNNCellNonlineMode::IDENTITY: return std::string("identity");
    case param::RNNCellNonlineMode::RELU: return std::string("relu");
    case param::RNNCellNonlineMode::TANH: return std::string("tanh");
  }
  return Unsupported(absl::StrCat("nonlineMode=", static_cast<int>(mode)), "IDENTITY, RELU, TANH");
}

// What LSTM and RNN have in common.
struct Sequence {
  int64_t layers, hidden;
  bool bidirectional, bias;
  int gates;                  // 4 for LSTM, 1 for RNN
  std::string nonlinearity;   // RNN
};

// Steps of one layer in one direction over inputs [T, N, I]; the outputs of each step in the order of time.
absl::StatusOr<Values> RunDirection(ImportContext& c, const Sequence& q, const Weights& w, Value* x, bool backward,
                                    State* state) {
  const int64_t steps = x->type.shape[0], n = x->type.shape[1];
  ASSIGN_OR_RETURN(Value * rows, c.Reshape(x, {steps * n, x->type.shape[2]}));
  ASSIGN_OR_RETURN(Value * products, MatMulTransposed(c, rows, w.ih));
  for (Value* bias : {w.bias_ih, w.bias_hh}) {
    if (bias == nullptr) continue;
    ASSIGN_OR_RETURN(products, c.Add("add", {products, bias}));
  }
  Values outputs(steps);
  for (int64_t k = 0; k < steps; ++k) {
    const int64_t t = backward ? steps - 1 - k : k;
    ASSIGN_OR_RETURN(Value * from_input, Slice(c, products, 0, t * n, (t + 1) * n));
    ASSIGN_OR_RETURN(Value * from_state, MatMulTransposed(c, state->h, w.hh));
    ASSIGN_OR_RETURN(Value * sum, c.Add("add", {from_state, from_input}));
    if (q.gates == 4) {
      ASSIGN_OR_RETURN(*state, LstmStep(c, sum, *state));
    } else {
      ASSIGN_OR_RETURN(state->h, c.Add(q.nonlinearity, {sum}));
    }
    ASSIGN_OR_RETURN(outputs[t], c.Reshape(state->h, {1, n, q.hidden}));
  }
  return outputs;
}

absl::StatusOr<Value*> ConcatAlong(ImportContext& c, Values parts, int64_t axis) {
  if (parts.size() == 1) return parts[0];
  return c.Add("concat", std::move(parts), {{"axis", axis}});
}

// Outputs: the sequence [T, N, D * H], the last h and, for LSTM, the last c, each [layers * D, N, H].
absl::StatusOr<Values> RunSequence(ImportContext& c, const Sequence& q) {
  const bool lstm = q.gates == 4;
  Value* x = c.input(0);
  Value* flat = c.input(lstm ? 3 : 2);
  RETURN_IF_ERROR(c.RequireFloat(0));
  const int64_t directions = q.bidirectional ? 2 : 1;
  if (x->type.shape.size() != 3 || x->type.shape[0] < 1 || x->type.shape[1] < 1) {
    return absl::InvalidArgumentError(absl::StrCat("the input has shape ", graph::ToString(x->type.shape)));
  }
  if (x->type.shape[0] > kMaxSteps || q.layers > 64) {
    return Unsupported(absl::StrCat(x->type.shape[0], " steps of ", q.layers, " layers"), "up to 4096 steps of 64 layers");
  }
  const int64_t n = x->type.shape[1];
  for (int i = 1; i <= (lstm ? 2 : 1); ++i) {
    if (c.shape(i) != Shape{q.layers * directions, n, q.hidden}) {
      return absl::InvalidArgumentError(absl::StrCat("the initial state has shape ", graph::ToString(c.shape(i))));
    }
  }
  FlatParameters weights(c, flat);
  Values last_h, last_c;
  for (int64_t layer = 0; layer < q.layers; ++layer) {
    std::vector<Values> outputs;
    for (int64_t d = 0; d < directions; ++d) {
      ASSIGN_OR_RETURN(Weights w, TakeWeights(weights, q.gates * q.hidden, x->type.shape[2], q.hidden, q.bias));
      const int64_t index = layer * directions + d;
      State state;
      ASSIGN_OR_RETURN(state.h, Slice(c, c.input(1), 0, index, index + 1));
      ASSIGN_OR_RETURN(state.h, c.Reshape(state.h, {n, q.hidden}));
      if (lstm) {
        ASSIGN_OR_RETURN(state.c, Slice(c, c.input(2), 0, index, index + 1));
        ASSIGN_OR_RETURN(state.c, c.Reshape(state.c, {n, q.hidden}));
      }
      ASSIGN_OR_RETURN(Values steps, RunDirection(c, q, w, x, d == 1, &state));
      outputs.push_back(std::move(steps));
      ASSIGN_OR_RETURN(Value * h, c.Reshape(state.h, {1, n, q.hidden}));
      last_h.push_back(h);
      if (lstm) {
        ASSIGN_OR_RETURN(Value * cell, c.Reshape(state.c, {1, n, q.hidden}));
        last_c.push_back(cell);
      }
    }
    Values sequences;
    for (Values& steps : outputs) {
      ASSIGN_OR_RETURN(Value * sequence, ConcatAlong(c, std::move(steps), 0));
      sequences.push_back(sequence);
    }
    ASSIGN_OR_RETURN(x, ConcatAlong(c, std::move(sequences), 2));
  }
  RETURN_IF_ERROR(weights.Finish());
  Values results = {x};
  ASSIGN_OR_RETURN(Value * h, ConcatAlong(c, std::move(last_h), 0));
  results.push_back(h);
  if (lstm) {
    ASSIGN_OR_RETURN(Value * cell, ConcatAlong(c, std::move(last_c), 0));
    results.push_back(cell);
  }
  results.push_back(nullptr);  // what training would need
  return results;
}

// proj_size is not looked at: as in MegEngine, the state has hidden_size elements whatever it says.
absl::StatusOr<Values> ImportLstm(ImportContext& c) {
  const auto& p = c.Param<param::LSTM>();
  return RunSequence(c, {p.num_layers(), p.hidden_size(), p.bidirectional(), p.bias(), 4, ""});
}

absl::StatusOr<Values> ImportRnn(ImportContext& c) {
  const auto& p = c.Param<param::RNN>();
  ASSIGN_OR_RETURN(std::string f, Nonlinearity(p.nonline_mode()));
  return RunSequence(c, {p.num_layers(), p.hidden_size(), p.bidirectional(), p.bias(), 1, f});
}

// x W_ih' + b_ih + h W_hh' + b_hh for operands (x, W_ih, b_ih, h, W_hh, b_hh, ..).
absl::StatusOr<Value*> CellSum(ImportContext& c) {
  RETURN_IF_ERROR(c.RequireFloat(0));
  ASSIGN_OR_RETURN(Value * sum, MatMulTransposed(c, c.input(0), c.input(1)));
  ASSIGN_OR_RETURN(Value * state, MatMulTransposed(c, c.input(3), c.input(4)));
  ASSIGN_OR_RETURN(sum, c.Add("add", {sum, state}));
  for (int i : {2, 5}) {
    ASSIGN_OR_RETURN(Value * bias, c.Reshape(c.input(i), {1, graph::NumElements(c.shape(i))}));
    ASSIGN_OR_RETURN(sum, c.Add("add", {sum, bias}));
  }
  return sum;
}

absl::StatusOr<Values> ImportLstmCell(ImportContext& c) {
  ASSIGN_OR_RETURN(Value * gates, CellSum(c));
  if (gates->type.shape[1] % 4 != 0) return absl::InvalidArgumentError("the weights do not hold four gates");
  ASSIGN_OR_RETURN(State next, LstmStep(c, gates, {c.input(3), c.input(6)}));
  // MegEngine gives the gates one after the other, each for the whole batch.
  const Shape shape = gates->type.shape;
  ASSIGN_OR_RETURN(Value * each, c.Reshape(gates, {shape[0], 4, shape[1] / 4}));
  ASSIGN_OR_RETURN(each, c.Transpose(each, {1, 0, 2}));
  ASSIGN_OR_RETURN(each, c.Reshape(each, shape));
  return Values{next.h, next.c, each};
}

absl::StatusOr<Value*> ImportRnnCell(ImportContext& c) {
  ASSIGN_OR_RETURN(std::string f, Nonlinearity(c.Param<param::RNNCell>().nonline_mode()));
  ASSIGN_OR_RETURN(Value * sum, CellSum(c));
  return c.Add(f, {sum});
}

}  // namespace

void RegisterRecurrent(Registry& r) {
  r.AddMany("LSTMCellForward", ImportLstmCell);
  r.AddMany("LSTMForward", ImportLstm);
  r.Add("RNNCellForward", ImportRnnCell);
  r.AddMany("RNNForward", ImportRnn);
}

}  // namespace mgec::mge
