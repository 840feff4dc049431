#include "compiler/codegen/cuda/warp_products.h"

namespace mgec::codegen::cuda {

const char* WarpFrom() {
  return R"cuda(template <typename T> DEVICE T warp_from(T v, int lane) { return __shfl_sync(0xffffffffu, v, lane); }
)cuda";
}

const char* WarpProducts() {
  return R"cuda(DEVICE int add_products(int a, int b, int sum) {  // of four int8
#if __CUDA_ARCH__ >= 610
  return __dp4a(a, b, sum);
#else
  for (int i = 0; i < 32; i += 8) sum = wrap_add(sum, static_cast<signed char>(a >> i) * static_cast<signed char>(b >> i));
  return sum;
#endif
}
DEVICE float add_products(int a, int b, float sum) {  // of two float16
  auto half = [](int word, int i) { return half_to_float(static_cast<unsigned short>(word >> i)); };
  return sum + half(a, 0) * half(b, 0) + half(a, 16) * half(b, 16);
}

// A thread has words of its row of A, and of the one eight below, in both halves of the sum, and words of a column of B in both. Its
// results are in those rows and in two columns, whose words others have.
template <typename Four, typename Sum>
DEVICE Four warp_product(int a0, int a1, int a2, int a3, int b0, int b1, Sum c0, Sum c1, Sum c2, Sum c3) {
  const int lane = threadIdx.x % 32, row = lane / 4 * 4, column = lane % 4 * 8;
  for (int word = 0; word < 4; ++word) {
    const int x0 = warp_from(a0, row + word), x1 = warp_from(a1, row + word);
    const int x2 = warp_from(a2, row + word), x3 = warp_from(a3, row + word);
    const int y0 = warp_from(b0, column + word), y1 = warp_from(b1, column + word);
    const int z0 = warp_from(b0, column + 4 + word), z1 = warp_from(b1, column + 4 + word);
    c0 = add_products(x2, y1, add_products(x0, y0, c0));
    c1 = add_products(x2, z1, add_products(x0, z0, c1));
    c2 = add_products(x3, y1, add_products(x1, y0, c2));
    c3 = add_products(x3, z1, add_products(x1, z0, c3));
  }
  return Four{c0, c1, c2, c3};
}

// Threads read what they get of matrices in shared memory where others say that its rows are.
DEVICE int4 four(int a, int b, int c, int d) { return int4{a, b, c, d}; }
DEVICE float4 four(float a, float b, float c, float d) { return float4{a, b, c, d}; }
template <typename Words>
DEVICE auto warp_matrices(Words& words, int place) {
  const int lane = threadIdx.x % 32, row = lane / 4, word = lane % 4;
  return four(words[warp_from(place, row) + word], words[warp_from(place, 8 + row) + word], words[warp_from(place, 16 + row) + word],
              words[warp_from(place, 24 + row) + word]);
}
template <typename Halves>
DEVICE int4 warp_turned(Halves& halves, int place) {
  const int lane = threadIdx.x % 32, number = lane / 4;
  int words[4];
  for (int m = 0; m < 4; ++m) {
    const int row = 8 * m + lane % 4 * 2;
    const unsigned low = halves[warp_from(place, row) + number], high = halves[warp_from(place, row + 1) + number];
    words[m] = static_cast<int>(low | high << 16);
  }
  return int4{words[0], words[1], words[2], words[3]};
}
#undef mma_s8
#undef mma_f16
#define mma_s8 warp_product<int4, int>
#define mma_f16 warp_product<float4, float>
#undef load_matrices
#undef load_turned
#define load_matrices warp_matrices
#define load_turned warp_turned
)cuda";
}

}  // namespace mgec::codegen::cuda
