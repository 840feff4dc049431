// The interpreter's instructions. Internal to interpreter*.cc.
//
// A kernel is compiled once into instructions over a frame of 8-byte cells; every value has a fixed place there, one
// cell per lane. Integers and bools are kept widened to 64 bits, the 16-bit floats as their bits.
#ifndef MGEC_COMPILER_KERNEL_INTERPRETER_CODE_H_
#define MGEC_COMPILER_KERNEL_INTERPRETER_CODE_H_

#include <cstdint>
#include <string>

#include "compiler/kernel/expr.h"

namespace mgec::kernel::interpreter {

union Cell {
  int64_t i;
  float f;
};

// Memory behind an argument or stack buffer.
struct Memory {
  char* data = nullptr;
  int64_t elements = 0;
  const BufferNode* buffer = nullptr;
};

struct Instruction;
struct Machine {
  Cell* cells;
  std::string error;       // of the instruction that returned false
  bool out_of_bounds = false;
};
using Handler = bool (*)(const Instruction&, Machine&);

struct Instruction {
  Handler run = nullptr;
  int32_t lanes = 1;
  int32_t out = 0, a = 0, b = 0, c = 0;  // places of the result and the arguments; -1: none
  int64_t immediate = 0;
  const Memory* memory = nullptr;
  const int* shuffle = nullptr;
  double (*unary)(double) = nullptr;
  double (*binary)(double, double) = nullptr;
};

// The handler of an operator that works lane by lane on arguments of type `s`; null if there is none.
Handler UnaryHandler(Op op, Scalar s);
Handler BinaryHandler(Op op, Scalar s);
// Wraps 64-bit results to an integer type; null for those that need no wrapping.
Handler WrapHandler(Scalar s);
// What WrapHandler(s) would make of v.
int64_t Wrap(Scalar s, int64_t v);
Handler CastHandler(Scalar from, Scalar to);
Handler BitcastHandler(Scalar from, Scalar to);
Handler FmaHandler();
Handler DotHandler(int group);  // `lanes` sums of `group` products each; without wrapping
Handler SelectHandler(bool scalar_condition);
Handler RampHandler();       // a: base, immediate: stride
Handler BroadcastHandler();  // a: scalar
Handler CopyHandler();       // a: from, lanes cells
Handler ShuffleHandler();    // a: vector, shuffle
Handler HorizontalHandler(Op op, Scalar s);  // lanes of the argument; destroys it
// out: value, a: index, b: mask or -1. `vector_index`: one index per lane.
Handler LoadHandler(Scalar s, bool vector_index);
// a: index, b: mask or -1, c: value.
Handler StoreHandler(Scalar s, bool vector_index);

}  // namespace mgec::kernel::interpreter

#endif  // MGEC_COMPILER_KERNEL_INTERPRETER_CODE_H_
