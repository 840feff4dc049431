// Addresses, loads, stores and prefetches.
#include <algorithm>
#include <cassert>

#include "compiler/codegen/llvm/emitter.h"
#include "llvm/IR/Intrinsics.h"

namespace mgec::codegen {

using kernel::Binary;
using kernel::Buffer;
using kernel::BufferKind;
using kernel::Expr;
using kernel::ExprNode;
using kernel::Int;
using kernel::Op;
using kernel::Scalar;
using kernel::SizeOf;
using kernel::StmtNode;
using kernel::Type;

llvm::AllocaInst* KernelEmitter::EntryAlloca(llvm::Type* type, llvm::Align alignment) {
  llvm::IRBuilder<> b(entry_, entry_->begin());
  llvm::AllocaInst* slot = b.CreateAlloca(type);
  slot->setAlignment(alignment);
  return slot;
}

llvm::Value* KernelEmitter::Base(const Buffer& buffer) {
  llvm::Value*& base = bases_[buffer.get()];
  if (!base) {
    assert(buffer->kind == BufferKind::kStack);
    llvm::Type* type = llvm::ArrayType::get(MemoryType(Type(buffer->scalar)), static_cast<uint64_t>(buffer->size));
    base = EntryAlloca(type, llvm::Align(64));
  }
  return base;
}

// One stack slot per register, which the pass that builds SSA form turns into values.
llvm::AllocaInst* KernelEmitter::Register(const Buffer& buffer, int64_t i) {
  std::vector<llvm::AllocaInst*>& slots = registers_[buffer.get()];
  slots.resize(static_cast<size_t>(buffer->size));
  llvm::AllocaInst*& slot = slots[static_cast<size_t>(i)];
  if (!slot) {
    llvm::Type* type = IrType(Type(buffer->scalar, buffer->lanes));
    slot = EntryAlloca(type, module_.getDataLayout().getPrefTypeAlign(type));
  }
  return slot;
}

llvm::Value* KernelEmitter::Scratch(Scalar s, bool zero) {
  llvm::Value*& slot = scratch_[static_cast<int>(s) * 2 + zero];
  if (!slot) {
    llvm::Type* type = MemoryType(Type(s));
    llvm::AllocaInst* alloca = EntryAlloca(type, llvm::Align(8));
    if (zero) llvm::IRBuilder<>(alloca->getNextNode()).CreateStore(llvm::Constant::getNullValue(type), alloca);
    slot = alloca;
  }
  return slot;
}

llvm::Value* KernelEmitter::FromMemory(Scalar s, llvm::Value* v) {
  return s == Scalar::kBool ? b_.CreateICmpNE(v, llvm::Constant::getNullValue(v->getType())) : v;
}

llvm::Value* KernelEmitter::ToMemory(Scalar s, llvm::Value* v) {
  return s == Scalar::kBool ? b_.CreateZExt(v, v->getType()->getWithNewBitWidth(8)) : v;
}

llvm::Value* KernelEmitter::EmitAddress(const Buffer& buffer, const LinearIndex& index) {
  llvm::Type* element = MemoryType(Type(buffer->scalar));
  // Outer terms first: each group is added in front of the loop in which its last variable is born.
  std::vector<std::pair<int, const LinearTerm*>> terms;
  for (const LinearTerm& t : index.terms) terms.emplace_back(DepthOf(t.expr), &t);
  std::stable_sort(terms.begin(), terms.end(), [](const auto& a, const auto& b) { return a.first < b.first; });

  llvm::Value* pointer = Base(buffer);
  for (size_t i = 0; i < terms.size();) {
    const int at = terms[i].first;
    pointer = Hoisted(at, [&]() -> llvm::Value* {
      llvm::Value* sum = nullptr;
      for (; i < terms.size() && terms[i].first == at; ++i) {
        llvm::Value* term = EmitExpr(terms[i].second->expr);
        if (terms[i].second->scale != 1) term = b_.CreateNSWMul(term, b_.getInt64(terms[i].second->scale));
        sum = sum ? b_.CreateNSWAdd(sum, term) : term;
      }
      // Not inbounds: with the constant still to come, the sum may point outside of the buffer.
      return b_.CreateGEP(element, pointer, sum);
    });
  }
  if (index.constant != 0) pointer = b_.CreateConstGEP1_64(element, pointer, static_cast<uint64_t>(index.constant));
  return pointer;
}

Expr KernelEmitter::LaneOf(const Expr& e, int lane) {
  switch (e->op) {
    case Op::kRamp: return e->args[0] + e->int_value * lane;
    case Op::kBroadcast: return e->args[0];
    case Op::kConcat: {
      const int first = e->args[0]->type.lanes;
      return lane < first ? LaneOf(e->args[0], lane) : LaneOf(e->args[1], lane - first);
    }
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kDiv:
    case Op::kMod:
    case Op::kFloorDiv:
    case Op::kFloorMod:
    case Op::kMin:
    case Op::kMax: return Binary(e->op, LaneOf(e->args[0], lane), LaneOf(e->args[1], lane));
    case Op::kCast: {  // of indices in 32 bits, those of a table are loaded one by one
      const Expr& from = e->args[0];
      if (from->type.scalar != Scalar::kInt32 || from->op != Op::kLoad) break;
      if (from->args.size() != 1 || from->args[0]->type.lanes != 1 || from->buffer->kind == BufferKind::kRegister) break;
      return kernel::Cast(e->type.WithLanes(1), kernel::Load(from->buffer, from->args[0] + int64_t{lane}));
    }
    default: break;
  }
  if (e->type.lanes == 1) return e;
  kernel::Var var = kernel::MakeVar("lane", e->type.WithLanes(1));
  Bind(var, b_.CreateExtractElement(EmitExpr(e), static_cast<uint64_t>(lane)), depth(), NonNegative(e));
  lane_variables_.push_back(var);
  return kernel::Use(var);
}

std::vector<LinearIndex> KernelEmitter::LanesOf(const Expr& index) {
  std::vector<LinearIndex> lanes;
  for (int l = 0; l < index->type.lanes; ++l) lanes.push_back(Linearize(LaneOf(index, l)));
  return lanes;
}

namespace {

bool Consecutive(const std::vector<LinearIndex>& lanes) {
  for (size_t l = 1; l < lanes.size(); ++l) {
    const int64_t expected = lanes[0].constant + static_cast<int64_t>(l);
    if (!SameTerms(lanes[0], lanes[l]) || lanes[l].constant != expected) return false;
  }
  return true;
}

bool AllEqual(const std::vector<LinearIndex>& lanes) {
  for (size_t l = 1; l < lanes.size(); ++l) {
    if (!SameTerms(lanes[0], lanes[l]) || lanes[l].constant != lanes[0].constant) return false;
  }
  return true;
}

}  // namespace

llvm::Value* KernelEmitter::LoadVector(const Buffer& buffer, const LinearIndex& index, int lanes, llvm::Value* mask) {
  llvm::Value* pointer = EmitAddress(buffer, index);
  // Of an element: AVX and later take any address at the same speed, so a better bound would buy nothing.
  const llvm::Align alignment(SizeOf(buffer->scalar));
  llvm::Type* type = MemoryType(Type(buffer->scalar, lanes));
  if (!mask) return b_.CreateAlignedLoad(type, pointer, alignment);
  if (lanes == 1) {
    pointer = b_.CreateSelect(mask, pointer, Scratch(buffer->scalar, /*zero=*/true));
    return b_.CreateAlignedLoad(type, pointer, alignment);
  }
  return b_.CreateMaskedLoad(type, pointer, alignment, mask, llvm::Constant::getNullValue(type));
}

namespace {

// A sum of what is the same in all lanes and of one vector in 32 bits; false where the index is none.
bool SplitIndex(const Expr& index, Expr* same, Expr* different) {
  if (index->op == Op::kAdd) return SplitIndex(index->args[0], same, different) && SplitIndex(index->args[1], same, different);
  if (index->op == Op::kBroadcast) {
    *same = *same + index->args[0];
    return true;
  }
  if (index->op != Op::kCast || index->args[0]->type.scalar != Scalar::kInt32 || *different != nullptr) return false;
  *different = index;
  return true;
}

}  // namespace

llvm::Value* KernelEmitter::EmitGather(const ExprNode& e) {
  if (!target_.has_avx512 || SizeOf(e.buffer->scalar) != 4) return nullptr;
  Expr same = Int(0), different;
  if (!SplitIndex(e.args[0], &same, &different) || different == nullptr) return nullptr;
  llvm::Value* base = EmitAddress(e.buffer, Linearize(same));
  llvm::Type* element = MemoryType(Type(e.buffer->scalar));
  // The hardware extends 32-bit indices by itself.
  llvm::Value* index = b_.CreateSExt(EmitExpr(different->args[0]), IrType(different->type));
  llvm::Value* pointers = b_.CreateGEP(element, base, index);
  return b_.CreateMaskedGather(IrType(e.type), pointers, llvm::Align(4));
}

llvm::Value* KernelEmitter::EmitLoad(const ExprNode& e) {
  const Buffer& buffer = e.buffer;
  if (buffer->kind == BufferKind::kRegister) {
    llvm::AllocaInst* slot = Register(buffer, e.args[0]->int_value);
    return b_.CreateLoad(slot->getAllocatedType(), slot);
  }
  llvm::Value* mask = e.args.size() > 1 ? EmitExpr(e.args[1]) : nullptr;
  const int lanes = e.type.lanes;
  if (e.args[0]->type.lanes == 1) {
    return FromMemory(buffer->scalar, LoadVector(buffer, Linearize(e.args[0]), lanes, mask));
  }
  if (llvm::Value* gathered = mask ? nullptr : EmitGather(e)) return gathered;
  const std::vector<LinearIndex> indices = LanesOf(e.args[0]);
  if (Consecutive(indices)) return FromMemory(buffer->scalar, LoadVector(buffer, indices[0], lanes, mask));
  if (!mask && AllEqual(indices)) {
    return FromMemory(buffer->scalar, Splat(LoadVector(buffer, indices[0], 1, nullptr), lanes));
  }
  // A gather, lane by lane: AVX2's instruction is no faster on the CPUs that have nothing newer.
  llvm::Value* result = llvm::PoisonValue::get(MemoryType(e.type));
  for (int l = 0; l < lanes; ++l) {
    llvm::Value* bit = mask ? b_.CreateExtractElement(mask, static_cast<uint64_t>(l)) : nullptr;
    llvm::Value* lane = LoadVector(buffer, indices[static_cast<size_t>(l)], 1, bit);
    result = b_.CreateInsertElement(result, lane, static_cast<uint64_t>(l));
  }
  return FromMemory(buffer->scalar, result);
}

void KernelEmitter::StoreVector(const Buffer& buffer, const LinearIndex& index, llvm::Value* value, int lanes,
                                llvm::Value* mask) {
  llvm::Value* pointer = EmitAddress(buffer, index);
  const llvm::Align alignment(SizeOf(buffer->scalar));
  // What a schedule puts on the stack is to be memory, whatever LLVM thinks of keeping it in registers.
  const bool to_stack = buffer->kind == BufferKind::kStack;
  if (!mask) {
    b_.CreateAlignedStore(value, pointer, alignment, to_stack);
  } else if (lanes == 1) {
    pointer = b_.CreateSelect(mask, pointer, Scratch(buffer->scalar, /*zero=*/false));
    b_.CreateAlignedStore(value, pointer, alignment);
  } else {
    b_.CreateMaskedStore(value, pointer, alignment, mask);
  }
}

void KernelEmitter::EmitStore(const StmtNode& s) {
  const Buffer& buffer = s.buffer;
  llvm::Value* value = EmitExpr(s.value);
  if (buffer->kind == BufferKind::kRegister) {
    b_.CreateStore(value, Register(buffer, s.index->int_value));
    return;
  }
  value = ToMemory(buffer->scalar, value);
  llvm::Value* mask = s.mask ? EmitExpr(s.mask) : nullptr;
  const int lanes = s.value->type.lanes;
  if (s.index->type.lanes == 1) return StoreVector(buffer, Linearize(s.index), value, lanes, mask);
  const std::vector<LinearIndex> indices = LanesOf(s.index);
  if (Consecutive(indices)) return StoreVector(buffer, indices[0], value, lanes, mask);
  for (int l = 0; l < lanes; ++l) {
    llvm::Value* bit = mask ? b_.CreateExtractElement(mask, static_cast<uint64_t>(l)) : nullptr;
    llvm::Value* lane = b_.CreateExtractElement(value, static_cast<uint64_t>(l));
    StoreVector(buffer, indices[static_cast<size_t>(l)], lane, 1, bit);
  }
}

void KernelEmitter::EmitPrefetch(const StmtNode& s) {
  llvm::Value* pointer = EmitAddress(s.buffer, Linearize(s.index));
  // To be read; 3 is the first level of the cache, 2 the second; data.
  b_.CreateIntrinsic(llvm::Intrinsic::prefetch, {b_.getPtrTy()},
                     {pointer, b_.getInt32(0), b_.getInt32(s.near ? 3 : 2), b_.getInt32(1)});
}

}  // namespace mgec::codegen
