/* Tensors. Part of the C interface of MegEngine Lite.
 *
 *   LiteTensorDesc desc = default_desc;
 *   desc.layout.ndim = 2;
 *   desc.layout.shapes[0] = 3;
 *   desc.layout.shapes[1] = 4;
 *   LiteTensor tensor;
 *   if (LITE_make_tensor(desc, &tensor) != 0) puts(LITE_get_last_error());
 *   void* memory;
 *   LITE_get_tensor_memory(tensor, &memory);
 *   ...
 *   LITE_destroy_tensor(tensor);
 *
 * Every function returns 0 on success and -1 on error; LITE_get_last_error() (global_c.h) then has the text. Null
 * pointers, bad numbers and handles of destroyed objects are errors. Handles are numbers, not addresses, and are never
 * given twice. Any thread may call any function; two threads must not change one tensor at the same time. */
#ifndef LITE_TENSOR_C_H_
#define LITE_TENSOR_C_H_

#include <stddef.h>
#include <stdint.h>

#include "common_enum_c.h"
#include "macro.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LAYOUT_MAX_DIM (7)

/* Shape and element type. Tensors have at most 6 dimensions; ndim 0 is an empty tensor, without memory. */
typedef struct LiteLayout {
  size_t shapes[LAYOUT_MAX_DIM];
  size_t ndim;
  LiteDataType data_type;
} LiteLayout;

/* No dimensions, LITE_FLOAT. */
extern LITE_API const LiteLayout default_layout;

/* What to make. With LITE_CUDA the memory is on GPU number `device_id` (-1: the first), or, if pinned, the CPU's and quick to
 * copy from and to that GPU. On LITE_CPU the flag and the number are kept and mean nothing.
 *
 * Of a tensor on a GPU, memory is an address for that GPU. Functions that touch it wait for all that the GPU does. */
typedef struct LiteTensorDesc {
  int is_pinned_host;
  LiteLayout layout;
  LiteDeviceType device_type;
  int device_id;
} LiteTensorDesc;

/* An empty tensor of LITE_FLOAT in CPU memory. */
extern LITE_API const LiteTensorDesc default_desc;

typedef void* LiteTensor;

/* Makes a tensor. Its memory comes when it is first needed and is zero. */
LITE_API int LITE_make_tensor(const LiteTensorDesc tensor_describe, LiteTensor* tensor);

/* Gives a tensor back. Memory that other tensors share stays. No effect on the tensors of a network. */
LITE_API int LITE_destroy_tensor(LiteTensor tensor);

/* Gives the tensor another shape and type. Keeps memory and contents if they are large enough; else the tensor gets new
 * memory. */
LITE_API int LITE_set_tensor_layout(LiteTensor tensor, const LiteLayout layout);

/* Makes the tensor use `data_length_in_byte` bytes of the caller's memory, at least as many as the layout needs. The
 * memory stays the caller's and must outlive its use. Aligned to the element size. A tensor on a GPU takes memory of that GPU
 * only. */
LITE_API int LITE_reset_tensor_memory(LiteTensor tensor, void* prepared_data, size_t data_length_in_byte);

/* The same with another layout; `prepared_data` has as many bytes as that needs. */
LITE_API int LITE_reset_tensor(LiteTensor tensor, const LiteLayout layout, void* prepared_data);

/* Another shape with as many elements, in `size` numbers, one of which may be -1: it follows from the others. */
LITE_API int LITE_tensor_reshape(LiteTensor tensor, const int* shape, int size);

/* A new tensor that is a view of a part: start[i], start[i] + step[i], ... before end[i] in each of the first `size`
 * dimensions. A null `step` means 1. Numbers below zero, cast to size_t, count from the end. The memory lives as long as one
 * of the tensors does. */
LITE_API int LITE_tensor_slice(const LiteTensor tensor, const size_t* start, const size_t* end, const size_t* step,
                               size_t size, LiteTensor* slice_tensor);

/* Sets all elements to zero; of a slice, only its own. */
LITE_API int LITE_tensor_fill_zero(LiteTensor tensor);

/* Copies shape and contents; into a slice with gaps contents only, the shapes being equal. The types must be equal unless
 * the destination is empty. */
LITE_API int LITE_tensor_copy(LiteTensor dst_tensor, const LiteTensor src_tensor);

/* Makes the destination a second tensor over the source's memory. */
LITE_API int LITE_tensor_share_memory_with(LiteTensor dst_tensor, const LiteTensor src_tensor);

/* The address of the first element; valid until the tensor gets other memory or, with the memory's last owner, goes. */
LITE_API int LITE_get_tensor_memory(const LiteTensor tensor, void** data);

/* The address of the element at `index`, with a number for each of the first `size` dimensions. */
LITE_API int LITE_get_tensor_memory_with_index(const LiteTensor tensor, const size_t* index, size_t size, void** data);

/* Bytes of all elements together. */
LITE_API int LITE_get_tensor_total_size_in_byte(const LiteTensor tensor, size_t* size);

LITE_API int LITE_get_tensor_layout(const LiteTensor tensor, LiteLayout* layout);

LITE_API int LITE_get_tensor_device_type(const LiteTensor tensor, LiteDeviceType* device_type);

LITE_API int LITE_get_tensor_device_id(const LiteTensor tensor, int* device_id);

LITE_API int LITE_is_pinned_host(const LiteTensor tensor, int* is_pinned_host);

/* Whether the elements lie next to each other in memory, in order. */
LITE_API int LITE_is_memory_continue(const LiteTensor tensor, int* is_continue);

/* A new tensor with the contents of `nr_tensor` tensors one after the other along dimension `dim`; their types, and their
 * shapes but for that dimension, must be equal. LITE_DEVICE_DEFAULT and -1 take the first tensor's device. */
LITE_API int LITE_tensor_concat(LiteTensor* tensors, int nr_tensor, int dim, LiteDeviceType dst_device, int device_id,
                                LiteTensor* result_tensor);

#ifdef __cplusplus
}
#endif

#endif /* LITE_TENSOR_C_H_ */
