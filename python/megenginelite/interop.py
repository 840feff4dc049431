"""Tensors over memory of other libraries."""
import ctypes

import numpy as np

from . import dlpack
from .layout import LiteLayout, numpy_dtype_2_lite
from .runtime_binding import Buffer, gpu_count, synchronize_gpu
from .struct import LiteDeviceType
from .tensor import LiteTensor

__all__ = ["from_dlpack"]


def from_dlpack(data):
    """A LiteTensor over the memory of an object with DLPack's methods, in memory of the CPU or of an NVIDIA GPU.

    The object's memory is kept. BufferError for other devices, and for types that tensors cannot hold.
    """
    device, number = data.__dlpack_device__()
    if device != dlpack.KDLCUDA:
        tensor = LiteTensor()
        array = np.from_dlpack(data)
        tensor.set_data_by_share(np.ascontiguousarray(array), layout=_layout(array.shape, array.dtype))
        return tensor
    # What the producer has begun must have ended: after that, also for streams that are not ordered with this one.
    imported = dlpack.Imported(data.__dlpack__(stream=1))  # 1: the default stream
    synchronize_gpu(number)
    return _on_gpu(imported.address, number, imported.shape, imported.strides, imported.dtype, imported)


def from_cuda_array_interface(data):
    """A LiteTensor over the memory of an object of another library that uses GPUs."""
    try:
        interface = data.__cuda_array_interface__
    except AttributeError:
        raise ctypes.ArgumentError("expected an address or memory of a GPU, not %s" % type(data).__name__) from None
    if interface.get("mask") is not None:
        raise BufferError("arrays with a mask cannot be imported")
    dtype = np.dtype(interface["typestr"])
    shape, strides = list(interface["shape"]), interface.get("strides")
    if strides is not None:
        strides = [stride // dtype.itemsize for stride in strides]
    address, readonly = interface["data"]
    if 0 in shape:  # its address says nothing
        return _on_gpu(address, 0, shape, strides, dtype, data)
    for gpu in range(gpu_count()):
        try:
            Buffer.wrap_gpu(address, 1, gpu, None)
        except RuntimeError:
            continue
        synchronize_gpu(gpu)
        return _on_gpu(address, gpu, shape, strides, dtype, data, readonly)
    raise RuntimeError("the memory given is on no GPU")


def _layout(shape, dtype):
    try:
        return LiteLayout(list(shape) or [1], numpy_dtype_2_lite(np.dtype(dtype)))
    except (KeyError, NotImplementedError):
        raise BufferError("tensors cannot hold %s" % np.dtype(dtype)) from None


def _on_gpu(address, gpu, shape, strides, dtype, owner, readonly=False):
    """A LiteTensor over memory of a GPU, which `owner` keeps; strides in elements, or None for a dense one."""
    layout = _layout(shape, dtype)
    tensor = LiteTensor(layout, LiteDeviceType.LITE_CUDA, gpu)
    data = tensor._data
    if strides and len(strides) == len(data.shape):
        data.strides = list(strides)
    if any(stride < 0 for stride in data.strides):
        raise BufferError("strides below zero cannot be imported")
    reach = 1 + sum((dim - 1) * stride for dim, stride in zip(data.shape, data.strides))
    size = reach * data.itemsize if data.elements > 0 else 0
    if size > 0:
        data.use_memory(Buffer.wrap_gpu(address, size, gpu, owner), 0, data.nbytes, shared=True, readonly=bool(readonly))
    return tensor
