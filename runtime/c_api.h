/* The runtime for programs in C and for foreign function interfaces. libmgec_runtime.so exports these functions only.
 *
 *   char error[256];
 *   mgec_network* network = mgec_load_file("model.mgec", 1, error, sizeof(error));
 *   if (network == NULL) { puts(error); return 1; }
 *   memcpy(mgec_input_data(network, 0), image, mgec_input_info(network, 0).bytes);
 *   mgec_forward(network);
 *   const float* scores = mgec_output_data(network, 0);
 *   mgec_free(network);
 *
 * A network may be used by one thread at a time; different networks are independent. Indices are below the counts; others
 * give NULL or a zeroed mgec_tensor_info. Functions that can fail take `error`, a buffer of `error_size` bytes (may be NULL
 * and 0), where they leave a message that ends with a zero byte and is cut to fit. Functions are only ever added. */
#ifndef MGEC_RUNTIME_C_API_H_
#define MGEC_RUNTIME_C_API_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MGEC_API __attribute__((visibility("default")))

typedef struct mgec_network mgec_network;

/* A dense, row-major tensor. The pointers are valid until the network's shapes change or it is freed. */
typedef struct {
  const char* name;
  const char* dtype; /* "float32", "float16", "int8", "quantized_s8", ... */
  const uint32_t* shape;
  uint32_t ndim;
  float scale; /* of quantized types */
  int32_t zero_point;
  size_t bytes;
} mgec_tensor_info;

/* NULL on error. The bytes are copied. */
MGEC_API mgec_network* mgec_load_file(const char* path, int threads, char* error, size_t error_size);
MGEC_API mgec_network* mgec_load_bytes(const void* data, size_t size, int threads, char* error, size_t error_size);
MGEC_API void mgec_free(mgec_network* network);

MGEC_API size_t mgec_input_count(const mgec_network* network);
MGEC_API size_t mgec_output_count(const mgec_network* network);
MGEC_API mgec_tensor_info mgec_input_info(const mgec_network* network, size_t index);
/* Where the size of an output depends on values, shape and bytes are the largest possible until mgec_forward() has run, and
 * then the actual ones. */
MGEC_API mgec_tensor_info mgec_output_info(const mgec_network* network, size_t index);
/* The bytes that the memory of an output needs: those of its largest shape. */
MGEC_API size_t mgec_output_capacity(const mgec_network* network, size_t index);

/* Selects the program that was compiled for these input shapes: `shapes[i]` has `ndims[i]` numbers, one i per input.
 * 0 on success, else nothing has changed. Pointers got from the functions above and below are no longer valid. */
MGEC_API int mgec_select_shapes(mgec_network* network, const uint32_t* const* shapes, const uint32_t* ndims, char* error,
                                size_t error_size);

/* The memory that mgec_forward() reads and writes. */
MGEC_API void* mgec_input_data(mgec_network* network, size_t index);
MGEC_API void* mgec_output_data(mgec_network* network, size_t index);

/* Makes the network use `size` bytes of the caller's memory instead, which must stay valid. 0 on success. */
MGEC_API int mgec_bind_input(mgec_network* network, size_t index, void* data, size_t size, char* error, size_t error_size);
MGEC_API int mgec_bind_output(mgec_network* network, size_t index, void* data, size_t size, char* error, size_t error_size);

/* Computes the outputs. Cannot fail. */
MGEC_API void mgec_forward(mgec_network* network);

#ifdef __cplusplus
}
#endif

#endif /* MGEC_RUNTIME_C_API_H_ */
