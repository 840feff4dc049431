"""Enumerations. The numbers are those of MegEngine Lite."""
from ctypes import *  # noqa: F401,F403
from enum import IntEnum

import numpy as np  # noqa: F401


class LiteBackend(IntEnum):
    """What runs the model; there is one."""

    LITE_DEFAULT = 0


class LiteDeviceType(IntEnum):
    """Where a tensor lives or a network runs."""

    LITE_CPU = 0
    LITE_CUDA = 1
    LITE_ATLAS = 3
    LITE_NPU = 4
    LITE_CAMBRICON = 5
    LITE_DEVICE_DEFAULT = 7


class LiteDataType(IntEnum):
    """Element types."""

    LITE_FLOAT = 0
    LITE_HALF = 1
    LITE_INT = 2
    LITE_INT16 = 3
    LITE_INT8 = 4
    LITE_UINT8 = 5
    LITE_UINT16 = 6


class LiteTensorPhase(IntEnum):
    """On which side of the network to look for a name."""

    LITE_IO = 0
    LITE_INPUT = 1
    LITE_OUTPUT = 2


class LiteIOType(IntEnum):
    """Whether an input or output carries values or only its shape."""

    LITE_IO_VALUE = 0
    LITE_IO_SHAPE = 1


class LiteAlgoSelectStrategy(IntEnum):
    """How MegEngine chooses kernels; here they were chosen when the model was compiled."""

    LITE_ALGO_HEURISTIC = 1
    LITE_ALGO_PROFILE = 2
    LITE_ALGO_REPRODUCIBLE = 4
    LITE_ALGO_OPTIMIZED = 8


class LiteLogLevel(IntEnum):
    """Severity of log messages."""

    DEBUG = 0
    INFO = 1
    WARN = 2
    ERROR = 3
