// The part of NVIDIA's driver API (cuda.h) that the runtime uses, as its documentation has it, so that building needs no CUDA
// toolkit. Names of functions are those of the library's symbols.
#ifndef MGEC_RUNTIME_CUDA_DRIVER_API_H_
#define MGEC_RUNTIME_CUDA_DRIVER_API_H_

#include <cstddef>
#include <cstdint>

namespace mgec::cuda {

using Pointer = unsigned long long;  // CUdeviceptr
using Context = struct ContextObject*;
using Module = struct ModuleObject*;
using Function = struct FunctionObject*;
using StreamHandle = struct StreamObject*;
using EventHandle = struct EventObject*;
using Graph = struct GraphObject*;
using GraphNode = struct GraphNodeObject*;
using GraphExec = struct GraphExecObject*;

// CUresult.
enum Error : int {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNotInitialized = 3,
  kDeinitialized = 4,
  kDeviceUnavailable = 46,
  kNoDevice = 100,
  kInvalidDevice = 101,
  kInvalidImage = 200,
  kInvalidContext = 201,
  kNoBinaryForGpu = 209,
  kEccUncorrectable = 214,
  kInvalidPtx = 218,
  kUnsupportedPtxVersion = 222,
  kInvalidHandle = 400,
  kSymbolNotFound = 500,
  kIllegalAddress = 700,
  kLaunchOutOfResources = 701,
  kLaunchTimeout = 702,
  kPeerAccessAlreadyEnabled = 704,
  kContextIsDestroyed = 709,
  kLaunchFailed = 719,
  kNotSupported = 801,
  kSystemDriverMismatch = 803,
  kUnknown = 999,
};

enum DeviceAttribute : int {
  kComputeCapabilityMajor = 75,
  kComputeCapabilityMinor = 76,
};

// CUmemorytype.
enum MemoryType : int { kHostMemory = 1, kDeviceMemory = 2 };

enum PointerAttribute : int { kPointerMemoryType = 2, kPointerDeviceOrdinal = 9 };

// CUjit_option.
enum JitOption : int { kJitErrorLogBuffer = 5, kJitErrorLogBufferSize = 6 };

constexpr int kMaxDynamicSharedBytes = 8;   // CUfunction_attribute
constexpr unsigned kStreamNonBlocking = 1;  // not ordered with the default stream
constexpr unsigned kEventDefault = 0, kEventDisableTiming = 2;
constexpr unsigned kHostAllocPortable = 1;  // pinned for all contexts

// CUDA_MEMCPY2D.
struct Copy2D {
  size_t source_x = 0, source_y = 0;
  MemoryType source_type = kHostMemory;
  const void* source_host = nullptr;
  Pointer source_device = 0;
  void* source_array = nullptr;
  size_t source_pitch = 0;
  size_t destination_x = 0, destination_y = 0;
  MemoryType destination_type = kHostMemory;
  void* destination_host = nullptr;
  Pointer destination_device = 0;
  void* destination_array = nullptr;
  size_t destination_pitch = 0;
  size_t width = 0, height = 0;
};
static_assert(sizeof(Copy2D) == 128, "CUDA_MEMCPY2D");

// CUDA_MEMCPY3D, and CUDA_MEMCPY3D_PEER, which has contexts where the other has nothing.
struct Copy3D {
  size_t source_x = 0, source_y = 0, source_z = 0, source_lod = 0;
  MemoryType source_type = kHostMemory;
  const void* source_host = nullptr;
  Pointer source_device = 0;
  void* source_array = nullptr;
  Context source_context = nullptr;
  size_t source_pitch = 0, source_height = 0;
  size_t destination_x = 0, destination_y = 0, destination_z = 0, destination_lod = 0;
  MemoryType destination_type = kHostMemory;
  void* destination_host = nullptr;
  Pointer destination_device = 0;
  void* destination_array = nullptr;
  Context destination_context = nullptr;
  size_t destination_pitch = 0, destination_height = 0;
  size_t width = 0, height = 0, depth = 0;
};
static_assert(sizeof(Copy3D) == 200, "CUDA_MEMCPY3D");

// CUDA_KERNEL_NODE_PARAMS (of version 1, which every driver has).
struct KernelNode {
  Function function = nullptr;
  unsigned grid_x = 1, grid_y = 1, grid_z = 1;
  unsigned block_x = 1, block_y = 1, block_z = 1;
  unsigned shared_bytes = 0;
  void** parameters = nullptr;
  void** extra = nullptr;
};
static_assert(sizeof(KernelNode) == 56, "CUDA_KERNEL_NODE_PARAMS");

// X(symbol, parameters) for every function; all return a CUresult.
#define MGEC_CUDA_FUNCTIONS(X)                                                                                       \
  X(cuInit, (unsigned flags))                                                                                        \
  X(cuDriverGetVersion, (int* version))                                                                              \
  X(cuGetErrorName, (::mgec::cuda::Error error, const char** name))                                                  \
  X(cuGetErrorString, (::mgec::cuda::Error error, const char** text))                                                \
  X(cuDeviceGetCount, (int* count))                                                                                  \
  X(cuDeviceGet, (int* device, int ordinal))                                                                         \
  X(cuDeviceGetName, (char* name, int size, int device))                                                             \
  X(cuDeviceGetAttribute, (int* value, int attribute, int device))                                                   \
  X(cuDevicePrimaryCtxRetain, (::mgec::cuda::Context * context, int device))                                         \
  X(cuDevicePrimaryCtxRelease_v2, (int device))                                                                      \
  X(cuCtxPushCurrent_v2, (::mgec::cuda::Context context))                                                            \
  X(cuCtxPopCurrent_v2, (::mgec::cuda::Context * context))                                                           \
  X(cuCtxSynchronize, ())                                                                                            \
  X(cuMemAlloc_v2, (::mgec::cuda::Pointer * memory, size_t size))                                                    \
  X(cuMemFree_v2, (::mgec::cuda::Pointer memory))                                                                    \
  X(cuMemHostAlloc, (void** memory, size_t size, unsigned flags))                                                    \
  X(cuMemFreeHost, (void* memory))                                                                                   \
  X(cuMemcpyHtoD_v2, (::mgec::cuda::Pointer to, const void* from, size_t size))                                      \
  X(cuMemcpyDtoH_v2, (void* to, ::mgec::cuda::Pointer from, size_t size))                                            \
  X(cuMemcpyDtoD_v2, (::mgec::cuda::Pointer to, ::mgec::cuda::Pointer from, size_t size))                            \
  X(cuMemcpy2DUnaligned_v2, (const ::mgec::cuda::Copy2D* copy))                                                      \
  X(cuMemcpy3DPeer, (const ::mgec::cuda::Copy3D* copy))                                                              \
  X(cuDeviceCanAccessPeer, (int* can, int device, int peer))                                                         \
  X(cuCtxEnablePeerAccess, (::mgec::cuda::Context peer, unsigned flags))                                             \
  X(cuMemsetD8_v2, (::mgec::cuda::Pointer memory, unsigned char value, size_t size))                                 \
  X(cuMemsetD2D8_v2, (::mgec::cuda::Pointer memory, size_t pitch, unsigned char value, size_t width, size_t height)) \
  X(cuMemcpyHtoDAsync_v2,                                                                                            \
    (::mgec::cuda::Pointer to, const void* from, size_t size, ::mgec::cuda::StreamHandle stream))                    \
  X(cuMemcpyDtoHAsync_v2, (void* to, ::mgec::cuda::Pointer from, size_t size, ::mgec::cuda::StreamHandle stream))    \
  X(cuMemcpyDtoDAsync_v2, (::mgec::cuda::Pointer to, ::mgec::cuda::Pointer from, size_t size,                        \
                           ::mgec::cuda::StreamHandle stream))                                                       \
  X(cuPointerGetAttribute, (void* value, int attribute, ::mgec::cuda::Pointer memory))                               \
  X(cuStreamCreate, (::mgec::cuda::StreamHandle * stream, unsigned flags))                                           \
  X(cuStreamDestroy_v2, (::mgec::cuda::StreamHandle stream))                                                         \
  X(cuStreamSynchronize, (::mgec::cuda::StreamHandle stream))                                                        \
  X(cuStreamWaitEvent, (::mgec::cuda::StreamHandle stream, ::mgec::cuda::EventHandle event, unsigned flags))         \
  X(cuEventCreate, (::mgec::cuda::EventHandle * event, unsigned flags))                                              \
  X(cuEventDestroy_v2, (::mgec::cuda::EventHandle event))                                                            \
  X(cuEventRecord, (::mgec::cuda::EventHandle event, ::mgec::cuda::StreamHandle stream))                             \
  X(cuEventSynchronize, (::mgec::cuda::EventHandle event))                                                           \
  X(cuEventElapsedTime, (float* ms, ::mgec::cuda::EventHandle begin, ::mgec::cuda::EventHandle end))                 \
  X(cuModuleLoadDataEx,                                                                                              \
    (::mgec::cuda::Module * module, const void* image, unsigned count, int* options, void** values))                 \
  X(cuModuleUnload, (::mgec::cuda::Module module))                                                                   \
  X(cuModuleGetFunction, (::mgec::cuda::Function * function, ::mgec::cuda::Module module, const char* name))         \
  X(cuFuncSetAttribute, (::mgec::cuda::Function function, int attribute, int value))                                 \
  X(cuLaunchKernel, (::mgec::cuda::Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,             \
                     unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,                    \
                     ::mgec::cuda::StreamHandle stream, void** parameters, void** extra))                            \
  X(cuGraphCreate, (::mgec::cuda::Graph * graph, unsigned flags))                                                    \
  X(cuGraphDestroy, (::mgec::cuda::Graph graph))                                                                     \
  X(cuGraphAddKernelNode, (::mgec::cuda::GraphNode * node, ::mgec::cuda::Graph graph,                                \
                           const ::mgec::cuda::GraphNode* after, size_t count, const ::mgec::cuda::KernelNode* kernel)) \
  X(cuGraphAddMemcpyNode,                                                                                            \
    (::mgec::cuda::GraphNode * node, ::mgec::cuda::Graph graph, const ::mgec::cuda::GraphNode* after, size_t count,  \
     const ::mgec::cuda::Copy3D* copy, ::mgec::cuda::Context context))                                               \
  X(cuGraphInstantiateWithFlags,                                                                                     \
    (::mgec::cuda::GraphExec * exec, ::mgec::cuda::Graph graph, unsigned long long flags))                           \
  X(cuGraphLaunch, (::mgec::cuda::GraphExec exec, ::mgec::cuda::StreamHandle stream))                                \
  X(cuGraphExecDestroy, (::mgec::cuda::GraphExec exec))

}  // namespace mgec::cuda

#endif  // MGEC_RUNTIME_CUDA_DRIVER_API_H_
