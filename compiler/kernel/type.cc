#include "compiler/kernel/type.h"

namespace mgec::kernel {

int SizeOf(Scalar s) {
  switch (s) {
    case Scalar::kBool:
    case Scalar::kInt8:
    case Scalar::kUint8: return 1;
    case Scalar::kInt16:
    case Scalar::kUint16:
    case Scalar::kFloat16:
    case Scalar::kBFloat16: return 2;
    case Scalar::kInt32:
    case Scalar::kFloat32: return 4;
    case Scalar::kInt64: return 8;
  }
  return 0;
}

bool IsFloat(Scalar s) { return s == Scalar::kFloat32 || IsHalf(s); }

bool IsHalf(Scalar s) { return s == Scalar::kFloat16 || s == Scalar::kBFloat16; }

bool IsSigned(Scalar s) {
  return !(s == Scalar::kBool || s == Scalar::kUint8 || s == Scalar::kUint16);
}

std::string Name(Scalar s) {
  switch (s) {
    case Scalar::kBool: return "bool";
    case Scalar::kInt8: return "i8";
    case Scalar::kUint8: return "u8";
    case Scalar::kInt16: return "i16";
    case Scalar::kUint16: return "u16";
    case Scalar::kInt32: return "i32";
    case Scalar::kInt64: return "i64";
    case Scalar::kFloat16: return "f16";
    case Scalar::kBFloat16: return "bf16";
    case Scalar::kFloat32: return "f32";
  }
  return "?";
}

std::string Name(Type t) { return t.lanes == 1 ? Name(t.scalar) : Name(t.scalar) + "x" + std::to_string(t.lanes); }

}  // namespace mgec::kernel
