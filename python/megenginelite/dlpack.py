"""DLPack (https://dmlc.github.io/dlpack) for memory of GPUs: NumPy does the CPU's.

A capsule "dltensor" holds a structure with a function that whoever takes it over calls when done; the name becomes
"used_dltensor" then.
"""
import ctypes

import numpy as np

KDLCPU, KDLCUDA = 1, 2
_NAME, _USED_NAME = b"dltensor", b"used_dltensor"
_CODES = {"i": 0, "u": 1, "f": 2, "b": 6}
_KINDS = {code: kind for kind, code in _CODES.items()}


class _Tensor(ctypes.Structure):  # DLTensor
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


_Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Managed(ctypes.Structure):  # DLManagedTensor
    _fields_ = [("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", _Deleter)]


_api = ctypes.pythonapi
_Destructor = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, _Destructor)(("PyCapsule_New", _api))
_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_IsValid", _api))
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_GetPointer", _api))
_set_name = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_SetName", _api))

_exported = {}  # what others hold, by the address of its structure


@_Deleter
def _release(address, exported=_exported):
    exported.pop(address, None)


@_Destructor
def _destroy(capsule, exported=_exported, is_valid=_is_valid, pointer=_pointer, name=_NAME):
    """Of a capsule that nobody has taken over."""
    if is_valid(capsule, name):
        exported.pop(pointer(capsule, name), None)


for _function in _release, _destroy:  # others may call them when this module has gone already
    _api.Py_IncRef(ctypes.py_object(_function))


def export(address, gpu, shape, strides, dtype, owner):
    """A capsule over memory of a GPU, which `owner` keeps. Strides in elements."""
    dtype = np.dtype(dtype)
    dims, steps = (ctypes.c_int64 * len(shape))(*shape), (ctypes.c_int64 * len(shape))(*strides)
    tensor = _Tensor(address, KDLCUDA, gpu, len(shape), _CODES[dtype.kind], 8 * dtype.itemsize, 1, dims, steps, 0)
    managed = _Managed(tensor, None, _release)
    place = ctypes.addressof(managed)
    _exported[place] = (managed, dims, steps, owner)
    return _new(place, _NAME, _destroy)


class Imported:
    """The contents of a capsule: address, gpu, shape, strides in elements, dtype. Gives them back when it goes."""

    def __init__(self, capsule):
        self._managed = None
        if not _is_valid(id(capsule), _NAME):
            raise BufferError("this is no DLPack capsule, or somebody has taken it over")
        managed = _Managed.from_address(_pointer(id(capsule), _NAME))
        tensor = managed.tensor
        if tensor.device_type != KDLCUDA or tensor.lanes != 1 or tensor.code not in _KINDS:
            raise BufferError("only dense types on NVIDIA GPUs can be imported")
        _set_name(id(capsule), _USED_NAME)
        self._managed = managed
        self.gpu = tensor.device_id
        self.address = tensor.data + tensor.byte_offset if tensor.data else 0
        self.dtype = np.dtype("%s%d" % (_KINDS[tensor.code] if tensor.code != 6 else "u", tensor.bits // 8))
        self.shape = tensor.shape[: tensor.ndim]
        self.strides = tensor.strides[: tensor.ndim] if tensor.strides else None

    def __del__(self):
        managed, self._managed = self._managed, None
        if managed is not None and managed.deleter:
            managed.deleter(ctypes.addressof(managed))
