"""Tensors in memory of the CPU or of a GPU."""
import ctypes
from ctypes import *  # noqa: F401,F403

import numpy as np

from . import dlpack
from .runtime_binding import Buffer, open_gpu, synchronize_gpu
from .layout import (  # noqa: F401
    MAX_DIM,
    LiteLayout,
    ctype_to_lite_dtypes,
    lite_dtype_2_numpy,
    numpy_dtype_2_lite,
)
from .storage import TensorData
from .struct import *  # noqa: F401,F403
from .struct import LiteDataType, LiteDeviceType

_EMPTY_MEMORY = "Tensor layout is not valid when get memory ptr."


def check_device(device_type):
    """The LiteDeviceType of a number; RuntimeError unless tensors can live there."""
    try:
        device_type = LiteDeviceType(device_type)
    except ValueError:
        raise RuntimeError("lite unsupported compnode type: enum value: %s." % (device_type,)) from None
    if device_type not in (LiteDeviceType.LITE_CPU, LiteDeviceType.LITE_CUDA, LiteDeviceType.LITE_DEVICE_DEFAULT):
        raise RuntimeError("%s is not supported: this build runs on LITE_CPU and LITE_CUDA" % device_type.name)
    return device_type


def gpu_of(device_type, device_id):
    """The number of the GPU that a device is, or -1 for the CPU. RuntimeError if there is no such GPU, saying why."""
    if device_type != LiteDeviceType.LITE_CUDA:
        return -1
    gpu = max(device_id, 0)
    open_gpu(gpu)
    return gpu


def _address_of(data):
    """The address that an int, c_void_p, pointer, ctypes array or bytes stands for."""
    if isinstance(data, np.ndarray):
        return data.ctypes.data
    if isinstance(data, (int, np.integer)) and not isinstance(data, bool):
        address = int(data)
    elif isinstance(data, (bytes, ctypes.c_void_p, ctypes.Array, ctypes._Pointer)):
        address = ctypes.cast(data, ctypes.c_void_p).value
    elif data is None:
        address = None
    else:
        raise ctypes.ArgumentError("expected an address, a c_void_p or a ctypes array, not %s" % type(data).__name__)
    if not address:
        raise RuntimeError("prepared_data pass to LITE c_api is null")
    return address


class LiteTensor:
    """A tensor. Slices and shared tensors are views of the same memory, which lives as long as one of them does.

    With the device LITE_CUDA the memory is on GPU number `device_id`, or, if `is_pinned_host`, the CPU's and pinned, so that
    the GPU copies from and to it quickly. Methods that touch memory on a GPU wait for all that the GPU does.
    """

    def __init__(
        self,
        layout=None,
        device_type=LiteDeviceType.LITE_CPU,
        device_id=0,
        is_pinned_host=False,
        shapes=None,
        dtype=None,
        physic_construct=True,
    ):
        if layout is None:
            layout = LiteLayout(shapes, dtype) if shapes is not None else LiteLayout()
        elif not isinstance(layout, LiteLayout):
            raise TypeError("layout must be a LiteLayout, not %s" % type(layout).__name__)
        if device_id < -1:
            raise RuntimeError("device id %d is out of range" % device_id)
        self._layout = layout
        self._data = TensorData()
        self._data.device_type = check_device(device_type)
        self._data.device_id = device_id
        self._data.use_gpu(gpu_of(self._data.device_type, device_id), bool(is_pinned_host))
        self._data.set_layout(layout.shapes, layout.data_type)

    @classmethod
    def _of(cls, data):
        """A handle on existing state."""
        tensor = cls()
        tensor._data = data
        tensor.update()
        return tensor

    # Properties.

    @property
    def layout(self):
        """Shape and element type. Set a LiteLayout, or a list to change the shape only."""
        self.update()
        return self._layout

    @layout.setter
    def layout(self, layout):
        if isinstance(layout, LiteLayout):
            self._data.set_layout(layout.shapes, layout.data_type)
            self._layout = layout
        elif isinstance(layout, (list, tuple)):
            self._data.set_layout(LiteLayout(list(layout)).shapes, self._data.dtype)
        else:
            raise TypeError("layout must be a LiteLayout or a list, not %s" % type(layout).__name__)
        self.update()

    @property
    def is_pinned_host(self):
        """Whether the memory was asked to be pinned."""
        return self._data.is_pinned_host

    @property
    def device_type(self):
        """A LiteDeviceType."""
        return LiteDeviceType(self._data.device_type)

    @property
    def device_id(self):
        """The number given when the tensor was made."""
        return self._data.device_id

    @property
    def is_continue(self):
        """Whether the elements lie next to each other in memory."""
        return self._data.contiguous

    @property
    def nbytes(self):
        """Number of elements times their size."""
        return self._data.nbytes

    def update(self):
        """Brings `layout` up to date with the tensor."""
        self._layout.shapes = self._data.shape
        self._layout.data_type = self._data.dtype

    # Changing shape and contents.

    def fill_zero(self):
        """Sets every element to zero."""
        if not self._data.shape:
            raise RuntimeError("fill_zero can't apply on a tensor with empty layout.")
        self._data.zero()

    def reshape(self, shape):
        """Changes the shape without touching memory; one dimension may be -1."""
        data = self._data
        if not data.shape:
            raise RuntimeError("The tensor to be reshape is empty.")
        shape = [_dimension(dim) for dim in shape]
        if len(shape) >= MAX_DIM:
            raise RuntimeError("The ndim of reshape input is too large.")
        if not data.contiguous:
            raise RuntimeError("reshape needs a continue tensor: copy the slice with copy_from first.")
        known = int(np.prod([dim for dim in shape if dim != -1], dtype=np.int64))
        if shape.count(-1) == 1 and known > 0:
            shape[shape.index(-1)] = data.elements // known
        valid = all(dim > 0 for dim in shape) and int(np.prod(shape, dtype=np.int64)) == data.elements
        if not valid:
            raise RuntimeError("The reshape inputs invalid.")
        data.set_layout(shape or [1], data.dtype)
        self.update()

    def slice(self, start, end, step=None):
        """A view of a part, as tensor[start[0]:end[0]:step[0], ...] would be for NumPy."""
        start, end = list(start), list(end)
        step = list(step) if step else [1] * len(start)
        assert len(start) == len(end), "slice with different length of start and end."
        assert len(start) == len(step), "slice with different length of start and step."
        if not self._data.shape or len(start) > len(self._data.shape):
            raise RuntimeError("The start and end must be the same size and less than layout ndim.")
        if 0 in step:
            raise RuntimeError("The step of slice must not be zero.")
        return LiteTensor._of(self._data.sliced(start, end, step))

    def set_data_by_copy(self, data, data_length=0, layout=None):
        """Copies a flat list, a NumPy array (its shape and type become the tensor's) or memory at an address."""
        assert self.is_continue, "set_data_by_copy can only apply in continue tensor."
        if layout is not None:
            self.layout = layout
        if type(data) is list:
            self._copy_list(data)
        elif type(data) is np.ndarray:
            assert data.flags["C_CONTIGUOUS"], (
                "input numpy is not continuous, please call input = np.ascontiguousarray(input) before call "
                "set_data_by_copy"
            )
            if data.ndim == 0:
                raise RuntimeError("a 0-dimensional array has no layout; reshape it to [1]")
            self._data.set_layout(data.shape, numpy_dtype_2_lite(data.dtype))
            self._data.copy_array(data.view(lite_dtype_2_numpy(self._data.dtype)))
        else:
            assert data_length == self.nbytes or layout is not None, (
                "when input data is ctypes, the length of input data or layout must set"
            )
            self._copy_bytes(data, data_length or self.nbytes)
        self.update()

    def _copy_list(self, values):
        numpy_dtype = np.dtype(lite_dtype_2_numpy(self._data.dtype))
        assert len(values) * numpy_dtype.itemsize <= self.nbytes, (
            "the length of input data to set to the tensor is too large."
        )
        if numpy_dtype.kind == "f":
            array = np.array([_number(value, float) for value in values], numpy_dtype)
        else:
            # Out of range values wrap around, as in C.
            array = np.array([_number(value, int) & 0xFFFFFFFF for value in values], np.uint32).astype(numpy_dtype)
        self._data.front(len(array)).copy_array(array)

    def _copy_bytes(self, data, length):
        if length > self.nbytes:
            raise RuntimeError("%d bytes do not fit in a tensor of %d bytes" % (length, self.nbytes))
        if isinstance(data, bytes) and len(data) < length:
            raise RuntimeError("the input has %d bytes, not %d" % (len(data), length))
        if isinstance(data, ctypes.Array) and ctypes.sizeof(data) < length:
            raise RuntimeError("the input has %d bytes, not %d" % (ctypes.sizeof(data), length))
        if self._data.readonly:
            raise RuntimeError("the tensor shares memory that is read-only")
        address = _address_of(data)
        if self._data.on_host:
            ctypes.memmove(self._data.address, address, length)
            return
        source = TensorData((length,), LiteDataType.LITE_UINT8)
        source.use_memory(Buffer.wrap(address, length, data), 0, length, shared=True)
        target = TensorData((length,), LiteDataType.LITE_UINT8)
        target.use_memory(self._data.buffer, self._data.offset, length, shared=True)
        target.copy_from(source)

    def set_data_by_share(self, data, length=0, layout=None):
        """Uses the memory of a NumPy array, which is kept alive, or memory at an address, which is the caller's concern.

        Other objects with DLPack's methods, such as PyTorch's tensors, count as arrays. A tensor on a GPU shares memory of that
        GPU only: at an address, of an object with __cuda_array_interface__, or with DLPack's methods.
        """
        if not self._data.on_host:
            self._share_on_gpu(data, length, layout)
            return
        if not isinstance(data, np.ndarray) and hasattr(data, "__dlpack__"):
            data = np.from_dlpack(data)
        if isinstance(data, np.ndarray):
            assert self.is_continue, "set_data_by_share can only apply in continue tensor."
            assert data.flags["C_CONTIGUOUS"], (
                "input numpy is not continuous, please call input = np.ascontiguousarray(input) before call "
                "set_data_by_share"
            )
        address, owner = _address_of(data), data if isinstance(data, np.ndarray) else None
        if layout is not None:
            self.layout = layout
        if owner is not None:
            if self.nbytes != data.nbytes:
                self._share_shape_of(data)
            size = data.nbytes
        else:
            if isinstance(data, (bytes, ctypes.Array)):
                owner = data
            size = self.nbytes
        assert length == 0 or length == self.nbytes, "the data length is not match."
        if not self._data.shape:
            raise RuntimeError(_EMPTY_MEMORY)
        self._data.set_layout(self._data.shape, self._data.dtype)
        readonly = isinstance(data, bytes) or (isinstance(data, np.ndarray) and not data.flags["WRITEABLE"])
        self._data.use_memory(Buffer.wrap(address, size, owner), 0, size, shared=True, readonly=readonly)
        self._shared_data = data
        self.update()

    def _share_on_gpu(self, data, length, layout):
        if isinstance(data, np.ndarray):
            raise RuntimeError("set_data_by_share can only apply in cpu tensor or pinned tensor.")
        if layout is not None:
            self.layout = layout
        if not isinstance(data, (int, np.integer, ctypes.c_void_p)):
            from .interop import from_cuda_array_interface, from_dlpack  # which need this module

            other = from_dlpack(data) if hasattr(data, "__dlpack__") else from_cuda_array_interface(data)
            if not other.is_continue:
                raise RuntimeError("set_data_by_share takes continue memory only: copy it first")
            if self._data.shape and self.nbytes == other.nbytes:
                other.layout = LiteLayout(self._data.shape, self._data.dtype)
            self.share_memory_with(other)
            return
        assert length == 0 or length == self.nbytes, "the data length is not match."
        if not self._data.shape:
            raise RuntimeError(_EMPTY_MEMORY)
        size = self.nbytes
        self._data.use_memory(Buffer.wrap_gpu(_address_of(data), size, self._data.gpu, None), 0, size, shared=True)
        self.update()

    def _share_shape_of(self, array):
        """Takes the shape of an array of another size; an empty tensor also takes its type."""
        data = self._data
        dtype = data.dtype if data.shape else numpy_dtype_2_lite(array.dtype)
        if np.dtype(lite_dtype_2_numpy(dtype)).itemsize != array.itemsize:
            raise RuntimeError(
                "the array is %s but the tensor %s; give set_data_by_share a layout"
                % (array.dtype, np.dtype(lite_dtype_2_numpy(dtype)))
            )
        # The old memory is let go of anyway: do not reallocate it.
        data.buffer = None
        data.set_layout(array.shape, dtype)

    # Between tensors.

    def copy_from(self, src_tensor):
        """Copies shape and contents of another tensor; into a strided slice, contents only."""
        assert isinstance(src_tensor, LiteTensor)
        src, dst = src_tensor._data, self._data
        if not src.shape:
            raise RuntimeError("can not copy from a tensor with empty layout.")
        if dst.shape and dst.dtype != src.dtype:
            raise RuntimeError("attempt to access dtype %s as %s" % (dst.dtype.name, src.dtype.name))
        if src.buffer is not None and src.buffer is dst.buffer and src.overlaps(dst):
            raise RuntimeError("cound not perform copy between overlapped tensors")
        if dst.contiguous:
            if dst.fixed and src.nbytes > dst.capacity:
                raise RuntimeError("can not grow a tensor that does not allow realloc")
            fixed = dst.fixed
            dst.set_layout(src.shape, src.dtype)
            dst.fixed = fixed
        elif dst.shape != src.shape:
            raise RuntimeError("shape differs in copy_from_fixlayout: %s and %s" % (dst.shape, src.shape))
        dst.copy_from(src)
        if dst.gpu < 0:
            dst.is_pinned_host = False
        self.update()

    def share_memory_with(self, src_tensor):
        """Becomes a second tensor over the memory of `src_tensor`, with its layout."""
        assert isinstance(src_tensor, LiteTensor)
        if not src_tensor._data.shape:
            raise RuntimeError("To be shared tensor with empty layout.")
        self._data.assign(src_tensor._data)
        self.update()

    # Out of the tensor.

    def get_ctypes_memory(self):
        """The address of the first element as a c_void_p; it is valid while the tensor lives and keeps its memory.

        An address for the GPU, if the tensor is there.
        """
        if not self._data.shape:
            raise RuntimeError(_EMPTY_MEMORY)
        return ctypes.c_void_p(self._data.address)

    def get_data_by_share(self):
        """A NumPy array over the tensor's memory, which it keeps alive. RuntimeError for a tensor on a GPU."""
        if not self._data.shape:
            raise RuntimeError(_EMPTY_MEMORY)
        return self._data.array()

    def to_numpy(self):
        """A NumPy array with a copy of the contents, which may be on a GPU."""
        return self._data.copied()

    # What other libraries look for.

    def __array__(self, dtype=None, copy=None):
        """np.asarray(tensor): the memory itself; a copy if another dtype, copy=True or a tensor on a GPU asks for one.

        ValueError if copy=False and only a copy would do.
        """
        if not self._data.on_host:
            if copy is False:
                raise ValueError("the tensor is on gpu%d: an array needs a copy" % self._data.gpu)
            array = self.to_numpy()
            return array if dtype is None else array.astype(dtype, copy=False)
        array = self.get_data_by_share()
        if dtype is not None and np.dtype(dtype) != array.dtype:
            if copy is False:
                raise ValueError("the tensor is %s: as %s it needs a copy" % (array.dtype, np.dtype(dtype)))
            return array.astype(dtype)
        return array.copy() if copy else array

    def __buffer__(self, flags):
        """memoryview(tensor) over the memory itself (from Python 3.12 on; before, memoryview(np.asarray(tensor)))."""
        return memoryview(self.get_data_by_share())

    def __dlpack__(self, **options):
        """A DLPack capsule over the memory itself, for np.from_dlpack(tensor), torch.from_dlpack(tensor), ...

        The options are those of NumPy's arrays, which also decide about read-only memory: a BufferError before NumPy 2.1. Of a
        tensor on a GPU the contents are there when this returns, for every stream.
        """
        data = self._data
        if data.on_host:
            return self.get_data_by_share().__dlpack__(**options)
        if not data.shape:
            raise BufferError(_EMPTY_MEMORY)
        if options.get("dl_device") not in (None, self.__dlpack_device__()):
            raise BufferError("the tensor is on gpu%d: copy it to another device first" % data.gpu)
        if options.get("copy"):
            copy = LiteTensor(device_type=LiteDeviceType.LITE_CUDA, device_id=data.gpu)
            copy.copy_from(self)
            data = copy._data
        address = data.address
        synchronize_gpu(data.gpu)
        dtype = lite_dtype_2_numpy(data.dtype)
        return dlpack.export(address, data.gpu, data.shape, data.strides, dtype, data.buffer)

    def __dlpack_device__(self):
        """(kDLCPU, 0), or (kDLCUDA, number of the GPU)."""
        return (dlpack.KDLCPU, 0) if self._data.on_host else (dlpack.KDLCUDA, self._data.gpu)

    @property
    def __cuda_array_interface__(self):
        """Of a tensor on a GPU: where its memory is, for libraries of Python that use GPUs (version 3 of the interface)."""
        data = self._data
        if data.on_host or not data.shape:
            raise AttributeError("only tensors on a GPU have __cuda_array_interface__")
        dtype = np.dtype(lite_dtype_2_numpy(data.dtype))
        address = data.address
        synchronize_gpu(data.gpu)
        return {
            "shape": tuple(data.shape),
            "typestr": dtype.str,
            "data": (address, False),
            "strides": None if data.contiguous else tuple(stride * dtype.itemsize for stride in data.strides),
            "stream": None,
            "version": 3,
        }

    def __repr__(self):
        self.update()
        return repr(
            {
                "layout": self._layout,
                "device_type": self.device_type,
                "device_id": int(self.device_id),
                "is_pinned_host": self.is_pinned_host,
            }
        )


def _dimension(dim):
    if isinstance(dim, (int, np.integer)):
        return int(dim)
    raise TypeError("a dimension must be an int, not %s" % type(dim).__name__)


def _number(value, kind):
    """`value` as an int or float; a float where an int is wanted is an error, as are lists."""
    if kind is int and isinstance(value, (float, np.floating)):
        raise TypeError("int expected instead of %s instance" % type(value).__name__)
    if not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError("must be a real number, not %s" % type(value).__name__)
    return kind(value)


def LiteTensorConcat(tensors, dim, device_type=LiteDeviceType.LITE_DEVICE_DEFAULT, device_id=-1):
    """A new tensor with the contents of `tensors` one after the other along dimension `dim`."""
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError("LiteTensorConcat needs at least one tensor.")
    assert all(isinstance(tensor, LiteTensor) for tensor in tensors), "LiteTensorConcat takes LiteTensors only."
    check_device(device_type)
    first = tensors[0]._data
    if not 0 <= dim < len(first.shape):
        raise RuntimeError("the dim %d in concat is out of range for %d dimensions" % (dim, len(first.shape)))
    for tensor in tensors:
        data = tensor._data
        same_shape = len(data.shape) == len(first.shape) and all(
            i == dim or a == b for i, (a, b) in enumerate(zip(data.shape, first.shape))
        )
        if data.dtype != first.dtype or not same_shape:
            raise RuntimeError("the dtype and shape of all tensors in concat must be the same except in dim %d" % dim)
    shape = list(first.shape)
    shape[dim] = sum(tensor._data.shape[dim] for tensor in tensors)
    same_device = device_type == LiteDeviceType.LITE_DEVICE_DEFAULT
    result = LiteTensor(
        LiteLayout(shape, LiteDataType(first.dtype)),
        first.device_type if same_device else device_type,
        first.device_id if device_id == -1 else device_id,
    )
    result._data.ensure_memory()
    begin = [0] * (dim + 1)
    for tensor in tensors:
        end = shape[: dim + 1]
        end[dim] = begin[dim] + tensor._data.shape[dim]
        result._data.sliced(begin, end, [1] * (dim + 1)).copy_from(tensor._data)
        begin[dim] = end[dim]
    return result
