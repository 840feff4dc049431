/* Enumerations of the interface of MegEngine Lite. The numbers are part of the interface. */
#ifndef LITE_COMMON_ENUM_C_H_
#define LITE_COMMON_ENUM_C_H_

/* Messages below the level that is set are not logged. */
typedef enum {
  DEBUG = 0,
  INFO = 1,
  WARN = 2,
  ERROR = 3,
} LiteLogLevel;

/* What LITE_get_last_error_code() returns. */
typedef enum {
  OK = 0,
  LITE_INTERNAL_ERROR = 1, /* the text of LITE_get_last_error() says what is wrong */
  LITE_UNKNOWN_ERROR = 2,
} ErrorCode;

/* What runs a model; there is one. */
typedef enum {
  LITE_DEFAULT = 0,
} LiteBackend;

/* Where a tensor lives or a network runs: the CPU, which LITE_DEVICE_DEFAULT is, too, or an NVIDIA GPU, which needs NVIDIA's
 * driver. The others are errors where they are used. */
typedef enum {
  LITE_CPU = 0,
  LITE_CUDA = 1,
  LITE_ATLAS = 3,
  LITE_NPU = 4,
  LITE_CAMBRICON = 5,
  LITE_DEVICE_DEFAULT = 7,
} LiteDeviceType;

/* Element types. Quantized inputs and outputs of a network appear as integers of their size, booleans as LITE_UINT8. */
typedef enum {
  LITE_FLOAT = 0, /* 32 bits */
  LITE_HALF = 1,  /* IEEE binary16 */
  LITE_INT = 2,   /* 32 bits */
  LITE_INT16 = 3,
  LITE_INT8 = 4,
  LITE_UINT8 = 5,
  LITE_UINT = 6, /* 32 bits */
  LITE_UINT16 = 7,
  LITE_INT64 = 8,
} LiteDataType;

/* On which side of a network to look for a name. */
typedef enum {
  LITE_IO = 0, /* inputs first, then outputs */
  LITE_INPUT = 1,
  LITE_OUTPUT = 2,
} LiteTensorPhase;

/* Whether an input or output carries values or only its shape. Values are computed anyway. */
typedef enum {
  LITE_IO_VALUE = 0,
  LITE_IO_SHAPE = 1,
} LiteIOType;

/* How MegEngine chooses kernels at run time; may be combined with |. Compiled models have chosen already. */
typedef enum {
  LITE_ALGO_HEURISTIC = 1 << 0,
  LITE_ALGO_PROFILE = 1 << 1,
  LITE_ALGO_REPRODUCIBLE = 1 << 2,
  LITE_ALGO_OPTIMIZED = 1 << 3,
} LiteAlgoSelectStrategy;

/* Which OpenCL caches may be reused; there is no OpenCL here. */
typedef enum {
  LITE_NOT_COMPAT = 0,
  LITE_SERIES_COMPAT = 1,
  LITE_VENDOR_COMPAT = 2,
  LITE_CACHE_COMPAT_LEVEL_CNT = 3
} LiteOpenCLCacheCompatLevel;

#endif /* LITE_COMMON_ENUM_C_H_ */
