"""Shapes and element types."""
import ctypes

import numpy as np

from .struct import LiteDataType

MAX_DIM = 7
# Tensors have one dimension less than layouts can describe, as in MegEngine.
MAX_TENSOR_DIM = 6

_LITE_TO_NUMPY = {
    LiteDataType.LITE_FLOAT: np.float32,
    LiteDataType.LITE_HALF: np.float16,
    LiteDataType.LITE_INT: np.int32,
    LiteDataType.LITE_INT16: np.int16,
    LiteDataType.LITE_INT8: np.int8,
    LiteDataType.LITE_UINT8: np.uint8,
    LiteDataType.LITE_UINT16: np.uint16,
}
_NUMPY_TO_LITE = {numpy_type: lite for lite, numpy_type in _LITE_TO_NUMPY.items()}

ctype_to_lite_dtypes = {
    ctypes.c_float: LiteDataType.LITE_FLOAT,
    ctypes.c_int: LiteDataType.LITE_INT,
    ctypes.c_int16: LiteDataType.LITE_INT16,
    ctypes.c_int8: LiteDataType.LITE_INT8,
    ctypes.c_uint8: LiteDataType.LITE_UINT8,
    ctypes.c_uint16: LiteDataType.LITE_UINT16,
    ctypes.c_uint32: LiteDataType.LITE_INT,
}


def lite_dtype_2_numpy(dtype):
    """The NumPy type of a LiteDataType."""
    assert isinstance(dtype, LiteDataType), "input must be LiteDataType when using lite_dtype_2_numpy."
    return _LITE_TO_NUMPY[dtype]


def numpy_dtype_2_lite(dtype):
    """The LiteDataType of a NumPy type or dtype. uint32 counts as int32; KeyError for types that tensors do not have."""
    numpy_type = np.dtype(dtype).type
    if numpy_type is np.uint32:
        return LiteDataType.LITE_INT
    return _NUMPY_TO_LITE[numpy_type]


class LiteLayout(ctypes.Structure):
    """Shape and element type.

    `shape` is a list or tuple; `dtype` a LiteDataType, a NumPy type or dtype, or its name. Without dtype: float32.
    """

    _fields_ = [
        ("_shapes", ctypes.c_size_t * MAX_DIM),
        ("ndim", ctypes.c_size_t),
        ("data_type", ctypes.c_int),
    ]

    def __init__(self, shape=None, dtype=None):
        super().__init__()
        if shape:
            self.shapes = list(shape)
        if not isinstance(dtype, np.dtype) and not dtype:
            self.data_type = LiteDataType.LITE_FLOAT
        elif isinstance(dtype, LiteDataType):
            self.data_type = dtype
        elif isinstance(dtype, str):
            self.data_type = _NUMPY_TO_LITE[np.dtype(dtype).type]
        elif isinstance(dtype, np.dtype):
            self.data_type = numpy_dtype_2_lite(dtype)
        elif isinstance(dtype, type):
            self.data_type = _NUMPY_TO_LITE[dtype]
        else:
            raise RuntimeError("unkonw data type")

    @property
    def dtype(self):
        """The NumPy type."""
        return _LITE_TO_NUMPY[LiteDataType(self.data_type)]

    @property
    def shapes(self):
        """The shape as a list."""
        return list(self._shapes)[: self.ndim]

    @shapes.setter
    def shapes(self, shape):
        shape = list(shape)
        assert len(shape) <= MAX_DIM, "Layout max dim is 7."
        self.ndim = len(shape)
        for i, dim in enumerate(shape):
            self._shapes[i] = dim

    def __eq__(self, other):
        if not isinstance(other, LiteLayout):
            return NotImplemented
        return self.shapes == other.shapes and self.data_type == other.data_type

    __hash__ = None

    def __repr__(self):
        return repr({"shapes": self.shapes, "ndim": self.ndim, "data_type": self.dtype})
