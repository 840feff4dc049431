"""Collecting single samples into a batch."""
import threading
import warnings
from ctypes import *  # noqa: F401,F403

import numpy as np

from .struct import *  # noqa: F401,F403
from .struct import LiteDataType, LiteDeviceType
from .tensor import *  # noqa: F401,F403
from .tensor import LiteLayout, LiteTensor, lite_dtype_2_numpy


class TensorBatchCollector:
    """Collects arrays or tensors of shape `shape[1:]` into one tensor of shape `shape`.

    Methods may be called from several threads.

    Unlike in MegEngine Lite, the device is the CPU if none is named.
    """

    def __init__(
        self,
        shape,
        dtype=LiteDataType.LITE_INT8,
        device_type=LiteDeviceType.LITE_CPU,
        device_id=0,
        is_pinned_host=False,
        tensor=None,
    ):
        self._mutex = threading.Lock()
        self.dev_type = device_type
        self.dev_id = device_id
        self.is_pinned_host = is_pinned_host
        self.shape = shape
        if tensor is not None:
            assert list(shape) == tensor.layout.shapes, "The tensor set to TensorBatchCollector is not right."
            self._tensor = tensor
            self.dtype = tensor.layout.data_type
            self.dev_type = tensor.device_type
            self.dev_id = tensor.device_id
        else:
            layout = LiteLayout(shape, dtype)
            self.dtype = layout.data_type
            self._tensor = LiteTensor(layout, device_type, device_id, is_pinned_host)
        self._free_list = list(range(self.shape[0]))

    def collect(self, array):
        """Copies a NumPy array or LiteTensor to the next free place; returns its index, or -1 if there is none."""
        array = self._checked(array)
        with self._mutex:
            index = self._next_free()
        if index == -1:
            warnings.warn("all batch has been collected, please call free before collect again.")
            return -1
        self._place(index)._data.copy_array(array[None])
        return index

    def collect_id(self, array, batch_id):
        """Copies to place `batch_id`."""
        array, place = self._checked(array), self._place(batch_id)
        with self._mutex:
            if batch_id in self._free_list:
                self._free_list.remove(batch_id)
            else:
                warnings.warn("batch %s has been collected, please call free before collected it again." % batch_id)
        place._data.copy_array(array[None])

    def collect_by_ctypes(self, data, length):
        """Copies `length` bytes at an address to the next free place; returns -1 if there is none."""
        with self._mutex:
            index = self._next_free()
        if index == -1:
            return -1
        part = self._place(index)
        part.set_data_by_copy(data, length, LiteLayout([1] + list(self.shape[1:]), LiteDataType(self.dtype)))

    def free(self, indexes):
        """Gives places back."""
        with self._mutex:
            for index in indexes:
                if index in self._free_list:
                    warnings.warn("batch id %s has not collected before free it." % index)
                else:
                    self._free_list.append(index)

    def get_tensor_at(self, batch_id):
        """The tensor of one place, with a batch dimension of 1."""
        assert batch_id < self.shape[0], "batch id %s is out of range" % batch_id
        if batch_id in self._free_list:
            warnings.warn("batch %s has not been collected" % batch_id)
        return self._place(batch_id)

    def get(self):
        """The whole tensor."""
        return self._tensor

    def to_numpy(self):
        """A copy of the whole tensor."""
        return self._tensor.to_numpy()

    def _next_free(self):
        return self._free_list.pop(0) if self._free_list else -1

    def _place(self, index):
        assert 0 <= index < self.shape[0], "batch id %s is out of range" % index
        return self._tensor.slice([index], [index + 1])

    def _checked(self, array):
        """`array` as a NumPy array; AssertionError unless it fits in one place."""
        if isinstance(array, LiteTensor):
            array = array._data.array() if array._data.on_host else array.to_numpy()
        assert isinstance(array, np.ndarray)
        assert list(array.shape) == list(self.shape[1:])
        assert array.dtype == np.dtype(lite_dtype_2_numpy(LiteDataType(self.dtype)))
        return array
