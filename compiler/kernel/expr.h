// Expressions of tensor programs: immutable, shared, side-effect free.
//
// Two levels use the same nodes. An operator's *definition* (tensor_expr.h) reads tensors by multi-dimensional index
// (kRead) and may hold reductions (kReduce). A *scheduled kernel* (stmt.h) reads flat buffers (kLoad) and knows vectors;
// kRead and kReduce do not occur in it.
//
//   Expr x = Load(buffer, i * 8 + 3, /*lanes=*/8);       // eight consecutive floats
//   Expr y = Max(x * Broadcast(scale, 8) + b, Float(0)); // scalars meet vectors by broadcasting
#ifndef MGEC_COMPILER_KERNEL_EXPR_H_
#define MGEC_COMPILER_KERNEL_EXPR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "compiler/kernel/type.h"

namespace mgec::kernel {

enum class Op : uint8_t {
  // Leaves.
  kInt,    // integer or bool constant `int_value`
  kFloat,  // float32 constant `float_value`
  kVar,    // a loop variable or a let-bound value: `var`
  // Memory.
  kRead,  // definition level: element `args` (one index per dimension) of input tensor number `tensor`
  kLoad,  // `buffer` at element offset args[0]. Scalar index with type.lanes > 1: consecutive elements. Vector index:
          // gather. args[1], if present, is a bool mask of the same lanes: lanes that are off are not touched, give 0.
  kReduce,  // definition level: combine args[0] over `reduce_axes` with `combiner`, starting from its neutral element
  // Unary: args[0].
  kNeg, kAbs, kSign, kNot,
  kFloor, kCeil, kTrunc,
  kRound,      // half away from zero
  kRoundEven,  // half to even
  kRoundTf32,  // float32, to the nearest number of 11 significant bits, half away from zero: TF32. For GPUs only
  kSqrt, kRsqrt, kExp, kExpm1, kLog, kLog1p, kSin, kCos, kTan, kAsin, kAcos, kAtan, kSinh, kCosh, kTanh, kAsinh, kAcosh,
  kAtanh, kErf, kErfc, kErfInv, kErfcInv, kSigmoid,
  kIsNan, kIsInf,  // bool
  kCast,       // to `type`: float to int truncates toward zero (saturating), int to int wraps, to bool is != 0.
               // int_value is 1 where the argument is known to be a number of `type` (see ExactCast).
  kBitcast,    // same size
  kBroadcast,  // scalar to type.lanes
  // Binary: args[0], args[1] of equal type.
  kAdd, kSub, kMul,
  kDiv,  // integers truncate toward zero (C); division by zero is the program's fault except for floats
  kMod,  // remainder with the sign of the dividend (C, fmod)
  kFloorDiv, kFloorMod,  // integers: floor division and its remainder (sign of the divisor)
  kMin,  // a < b ? a : b   (so the second operand where either is NaN)
  kMax,  // a > b ? a : b
  kPow, kAtan2,
  kAnd, kOr, kXor,  // bits for integers, logic for bool
  kShl, kShr,       // arithmetic for signed types
  kLt, kLe, kEq, kNe,  // bool of the same lanes; ordered compare, except kNe which is true for NaN
  // Ternary.
  kFma,     // args[0] * args[1] + args[2], rounded once; float32 only
  kDot2,    // int32 x L: args[2] + the sums of adjacent pairs of products of args[0] and args[1], int16 x 2L each
  kDot4,    // the same with groups of four, args[0] uint8 x 4L and args[1] int8 x 4L. Both wrap; nothing saturates.
  kSelect,  // args[0] (bool, scalar or the lanes of type) ? args[1] : args[2]. Only the chosen side is evaluated at
            // definition level; in scheduled kernels both sides are evaluated, so their loads must be in bounds.
  // Vectors.
  kRamp,     // args[0] + {0, 1, .., lanes-1} * int_value; scalar integer args[0]
  kSlice,    // type.lanes lanes of args[0] from lane int_value
  kConcat,   // lanes of args[0] followed by those of args[1]
  kShuffle,  // lanes `shuffle` of args[0]
  kReduceAdd, kReduceMax, kReduceMin,  // horizontal: vector to scalar; kReduceAdd in pairwise (tree) order
  // Threads (kernels that have them: stmt.h).
  kWarpXor,  // what args[0] is in the thread of the same warp (32 threads) whose number differs in the bits int_value. Only
             // as the value of a let, which all threads of the warp reach.
  kMma,      // args[2] + A B, by tensor cores, of matrices that the threads of a warp hold together: A has 16 x 8 words, B 8 x 8,
             // the result 16 x 8 numbers. A word is an int32 that holds neighbours along the sum, the first in its lowest bits:
             // where the result is int32 four int8, and sums wrap; where it is float32 two float16, whose products are exact and
             // whose sums are rounded to float32 in an order of the hardware's. A word may also be one float32 of which the tensor
             // cores see 11 significant bits (kRoundTf32), likewise. Thread 4g + t of the warp has
             //   args[0]: word t of rows g and g + 8 of A, then word t + 4 of both
             //   args[1]: words t and t + 4 of column g of B
             //   args[2] and the result: columns 2t and 2t + 1 of row g, then both of row g + 8.
             // Only as kWarpXor.
  kLoadMatrices,  // four matrices for kMma of shared memory `buffer`, each of eight rows of 16 bytes: row r of matrix m is what begins
                  // with element args[0] of thread 8m + r, a multiple of 16 bytes. Where elements are words, lane m of thread 4g + t
                  // is word t of row g of matrix m. Where they are float16, a matrix is turned: the word has number g of rows 2t and
                  // 2t + 1, the former in its lower bits. Only as kWarpXor.
  kArchitecture,  // int32: what GPUs the code is made for, 80 for sm_80. A constant to the compiler of the printed code, so that
                  // what is in a branch on it need not exist for others.
};

enum class Combiner : uint8_t { kSum, kProduct, kMin, kMax };

struct ExprNode;
using Expr = std::shared_ptr<const ExprNode>;

// A named value, identified by address. Loop variables are kInt64 scalars; let-bound variables have any type.
struct VarNode {
  std::string name;
  Type type;
};
using Var = std::shared_ptr<const VarNode>;

// Memory that a kernel touches.
enum class BufferKind : uint8_t {
  kArgument,  // pointer from the kernel context
  kRegister,  // `size` values of `lanes` lanes that never live in memory: indices are compile-time constants
  kStack,     // scratch on the kernel's stack, 64-byte aligned, `size` elements; at most 64 KiB. Always in memory, as opposed
              // to registers.
  kShared,    // what the threads of a task share, 16-byte aligned, `size` elements; at most 48 KiB. See kBarrier.
};
struct BufferNode {
  std::string name;
  BufferKind kind = BufferKind::kArgument;
  Scalar scalar = Scalar::kFloat32;
  int lanes = 1;     // of one register; 1 for other kinds
  int64_t size = 0;  // elements (registers: number of registers). Arguments: what the kernel may touch.
  int argument = -1; // kArgument: position in KernelContext::buffers
  int alignment = 4; // bytes, guaranteed for element 0
};
using Buffer = std::shared_ptr<const BufferNode>;

struct ReduceAxis {
  Var var;
  int64_t extent;
};

struct ExprNode {
  Op op;
  Type type;
  int64_t int_value = 0;
  double float_value = 0;
  Var var;
  int tensor = -1;
  Buffer buffer;
  Combiner combiner = Combiner::kSum;
  std::vector<ReduceAxis> reduce_axes;
  std::vector<int> shuffle;
  std::vector<Expr> args;
};

// --- Construction. All check types with assertions: a mismatch is a bug of the compiler, never of its input. ---
Expr Int(int64_t v, Type t = kIndexType);
Expr Float(double v, int lanes = 1);
Expr Bool(bool v);
Var MakeVar(std::string name, Type t = kIndexType);
Expr Use(const Var& v);
Expr Read(int tensor, Scalar type, std::vector<Expr> indices);
Expr Load(Buffer b, Expr index, int lanes = 1, Expr mask = nullptr);
Expr Reg(const Buffer& b, int64_t i);  // a register's value
Expr Reduce(Combiner c, std::vector<ReduceAxis> axes, Expr body);
Expr Unary(Op op, Expr a);
Expr Binary(Op op, Expr a, Expr b);  // broadcasts a scalar operand to the other's lanes
Expr Select(Expr cond, Expr a, Expr b);
Expr Fma(Expr a, Expr b, Expr c);
// kDot2 for int16, kDot4 for uint8 with int8: c plus the dot products of each lane's group of a and b.
Expr Dot(Expr a, Expr b, Expr c);
Expr Cast(Type t, Expr a);
// A cast to an integer type that is known to lose nothing: another cast of it starts from `a` again.
Expr ExactCast(Type t, Expr a);
Expr Bitcast(Type t, Expr a);
Expr Broadcast(Expr a, int lanes);
Expr Ramp(Expr base, int64_t stride, int lanes);
Expr Slice(Expr a, int first, int lanes);
Expr ConcatLanes(Expr a, Expr b);
Expr Shuffle(Expr a, std::vector<int> lanes);
Expr HorizontalReduce(Op op, Expr a);
Expr WarpXor(Expr a, int bits);  // bits in [1, 31]
Expr Mma(Expr a, Expr b, Expr c);  // int32 x 4, int32 x 2, and int32 or float32 x 4; or all float32
Expr LoadMatrices(Buffer shared, Expr row);  // of int32, float32 or float16; row is kIndexType
Expr FromArchitecture(int least);  // whether code is made for GPUs of this architecture or a later one
Expr Min(Expr a, Expr b);
Expr Max(Expr a, Expr b);
Expr FloorDiv(Expr a, Expr b);
Expr FloorMod(Expr a, Expr b);
Expr And(Expr a, Expr b);
Expr Or(Expr a, Expr b);

Buffer ArgumentBuffer(std::string name, Scalar scalar, int64_t size, int argument, int alignment);
Buffer RegisterBuffer(std::string name, Scalar scalar, int lanes, int64_t count);
Buffer StackBuffer(std::string name, Scalar scalar, int64_t size);
Buffer SharedBuffer(std::string name, Scalar scalar, int64_t size);

Expr operator+(Expr a, Expr b);
Expr operator-(Expr a, Expr b);
Expr operator*(Expr a, Expr b);
Expr operator/(Expr a, Expr b);
Expr operator<(Expr a, Expr b);
Expr operator<=(Expr a, Expr b);
Expr operator>(Expr a, Expr b);
Expr operator>=(Expr a, Expr b);
Expr operator+(Expr a, int64_t b);
Expr operator-(Expr a, int64_t b);
Expr operator*(Expr a, int64_t b);
Expr operator<(Expr a, int64_t b);
Expr operator>=(Expr a, int64_t b);

// --- Traversal. ---
// True and the value where e is an integer constant.
bool IsConst(const Expr& e, int64_t* value = nullptr);
// True for `v` itself and, along a dimension of extent 1, for the constant 0.
bool IsIndexAlong(const Expr& e, const Var& v, int64_t extent);
// The elements of a kReduce's box.
int64_t Points(const Expr& reduce);
// A copy of `e` with other arguments (and, for kLoad etc., everything else kept).
Expr WithArgs(const Expr& e, std::vector<Expr> args);
// Rebuilds `e` bottom-up; `f` sees each node after its arguments and returns its replacement (or the node itself).
// Shared nodes are visited once.
Expr Rewrite(const Expr& e, const std::function<Expr(const Expr&)>& f);
// Replaces nodes: `f` sees each before its arguments, and what it returns, if not null, takes the node's place. Shared nodes are
// visited once.
Expr Replace(const Expr& e, const std::function<Expr(const Expr&)>& f);
// Replaces variables.
Expr Substitute(const Expr& e, const std::unordered_map<const VarNode*, Expr>& values);
// Calls f on every node once, arguments first.
void Visit(const Expr& e, const std::function<void(const Expr&)>& f);
std::string ToString(const Expr& e);
// The operator's name in prints: "add", "exp", ...
const char* Name(Op op);

}  // namespace mgec::kernel

#endif  // MGEC_COMPILER_KERNEL_EXPR_H_
