// Dot products of short groups of integers, the heart of integer contractions.
#include <numeric>

#include "compiler/codegen/llvm/emitter.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/IR/IntrinsicsAArch64.h"
#include "llvm/IR/IntrinsicsX86.h"

namespace mgec::codegen {

using kernel::ExprNode;
using kernel::Op;
using kernel::Scalar;
using kernel::Type;
namespace Intrinsic = llvm::Intrinsic;

namespace {

// Lanes [first, first + count) of a vector.
llvm::Value* Part(llvm::IRBuilder<>& b, llvm::Value* v, int first, int count) {
  std::vector<int> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), first);
  return b.CreateShuffleVector(v, order);
}

// What the machine does with a vector of some width; not_intrinsic where it does nothing.
Intrinsic::ID DotIntrinsic(const kernel::Target& target, Op op, int lanes) {
  if (op == Op::kDot4) {
    if (!target.has_vnni) return Intrinsic::not_intrinsic;
    return lanes == 16  ? Intrinsic::x86_avx512_vpdpbusd_512
           : lanes == 8 ? Intrinsic::x86_avx512_vpdpbusd_256
           : lanes == 4 ? Intrinsic::x86_avx512_vpdpbusd_128
                        : Intrinsic::not_intrinsic;
  }
  if (!target.has_avx2) return Intrinsic::not_intrinsic;
  if (lanes == 16 && target.has_avx512) return Intrinsic::x86_avx512_pmaddw_d_512;
  return lanes == 8 ? Intrinsic::x86_avx2_pmadd_wd : lanes == 4 ? Intrinsic::x86_sse2_pmadd_wd : Intrinsic::not_intrinsic;
}

// sum + x . y for 4 lanes of kDot4 where the machine's bytes are signed: x - 128 is, and 128 y is taken off again. That is the
// same for all x that meet y, and computed once for them.
llvm::Value* SignedDot4(llvm::IRBuilder<>& b, llvm::Value* x, llvm::Value* y, llvm::Value* sum) {
  auto dot = [&](llvm::Value* start, llvm::Value* bytes) {
    return b.CreateIntrinsic(Intrinsic::aarch64_neon_sdot, {sum->getType(), x->getType()}, {start, bytes, y});
  };
  llvm::Value* lowest = llvm::ConstantInt::get(x->getType(), 0x80);
  llvm::Value* taken = dot(llvm::Constant::getNullValue(sum->getType()), lowest);
  return b.CreateSub(dot(sum, b.CreateXor(x, lowest)), taken);
}

}  // namespace

llvm::Value* KernelEmitter::EmitDot(Op op, llvm::Value* x, llvm::Value* y, llvm::Value* sum) {
  const auto* type = llvm::dyn_cast<llvm::FixedVectorType>(sum->getType());
  const int lanes = type ? static_cast<int>(type->getNumElements()) : 1, group = op == Op::kDot2 ? 2 : 4;
  const Intrinsic::ID id = DotIntrinsic(target_, op, lanes);
  if (id != Intrinsic::not_intrinsic && op == Op::kDot2) return b_.CreateAdd(sum, b_.CreateIntrinsic(id, {}, {x, y}));
  if (id != Intrinsic::not_intrinsic) {  // the bytes of each group make up one 32-bit lane
    return b_.CreateIntrinsic(id, {}, {sum, b_.CreateBitCast(x, sum->getType()), b_.CreateBitCast(y, sum->getType())});
  }
  if (op == Op::kDot4 && lanes == 4 && target_.has_dotprod) return SignedDot4(b_, x, y, sum);
  if (lanes > 4 && lanes % 2 == 0) {  // halves, until the machine has a register of that width
    const int half = lanes / 2, n = half * group;
    llvm::Value* low = EmitDot(op, Part(b_, x, 0, n), Part(b_, y, 0, n), Part(b_, sum, 0, half));
    llvm::Value* high = EmitDot(op, Part(b_, x, n, n), Part(b_, y, n, n), Part(b_, sum, half, half));
    std::vector<int> order(static_cast<size_t>(lanes));
    std::iota(order.begin(), order.end(), 0);
    return b_.CreateShuffleVector(low, high, order);
  }
  // Widened, multiplied, and added lane by lane.
  llvm::Type* wide = IrType(Type(Scalar::kInt32, lanes * group));
  llvm::Value* product =
      b_.CreateMul(op == Op::kDot2 ? b_.CreateSExt(x, wide) : b_.CreateZExt(x, wide), b_.CreateSExt(y, wide));
  for (int i = 0; i < group; ++i) {
    if (lanes == 1) {
      sum = b_.CreateAdd(sum, b_.CreateExtractElement(product, static_cast<uint64_t>(i)));
      continue;
    }
    std::vector<int> order;
    for (int l = 0; l < lanes; ++l) order.push_back(l * group + i);
    sum = b_.CreateAdd(sum, b_.CreateShuffleVector(product, order));
  }
  return sum;
}

llvm::Value* KernelEmitter::EmitRepeat(const ExprNode& e, llvm::Value* v) {
  const int period = e.args[0]->type.lanes, bits = 8 * SizeOf(e.type.scalar) * period;
  if (e.type.scalar == Scalar::kBool || (bits != 32 && bits != 64) || e.type.lanes % period != 0) return nullptr;
  for (int l = 0; l < e.type.lanes; ++l) {
    if (e.shuffle[static_cast<size_t>(l)] != l % period) return nullptr;
  }
  llvm::Value* word = b_.CreateBitCast(v, b_.getIntNTy(static_cast<unsigned>(bits)));
  return b_.CreateBitCast(Splat(word, e.type.lanes / period), IrType(e.type));
}

}  // namespace mgec::codegen
