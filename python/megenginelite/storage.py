"""What a tensor is made of: element type, shape and strides over a part of a shared buffer."""
import numpy as np

from .runtime_binding import Buffer, copy_elements, zero_elements
from .layout import MAX_TENSOR_DIM, lite_dtype_2_numpy, numpy_dtype_2_lite
from .struct import LiteDataType


def contiguous_strides(shape):
    """Strides of a dense, row-major tensor, in elements."""
    strides, step = [], 1
    for dim in reversed(shape):
        strides.append(step)
        step *= dim
    return strides[::-1]


class TensorData:
    """The state behind one or more LiteTensor handles.

    Memory is allocated when it is first needed. `buffer` may be shared with other TensorData; `capacity` is the number of
    its bytes, from `offset` on, that this one may use.
    """

    def __init__(self, shape=(), dtype=LiteDataType.LITE_FLOAT):
        self.dtype = LiteDataType(dtype)
        self.shape = tuple(shape)
        self.strides = contiguous_strides(self.shape)
        self.buffer = None
        self.offset = 0
        self.capacity = 0
        self.shared = False  # memory that the user gave
        self.readonly = False  # such memory, and it must not be written
        self.fixed = False  # part of another tensor: copy_from() may not move it elsewhere
        self.device_id = 0
        self.device_type = 0
        self.is_pinned_host = False
        self.gpu = -1  # the GPU whose memory it gets, or memory pinned for it; -1: the CPU's

    def use_gpu(self, gpu, pinned):
        """From now on new memory is the GPU's, or the CPU's and pinned for it."""
        self.gpu, self.is_pinned_host = gpu, pinned

    @property
    def on_host(self):
        """Whether the CPU may touch the memory."""
        return self.buffer.on_host if self.buffer is not None else self.gpu < 0 or self.is_pinned_host

    @property
    def itemsize(self):
        return np.dtype(lite_dtype_2_numpy(self.dtype)).itemsize

    @property
    def elements(self):
        return int(np.prod(self.shape, dtype=np.int64)) if self.shape else 0

    @property
    def nbytes(self):
        return self.elements * self.itemsize

    @property
    def contiguous(self):
        """Whether the elements lie next to each other in memory, in order."""
        step = 1
        for dim, stride in zip(reversed(self.shape), reversed(self.strides)):
            if dim == 0:
                return True
            if dim != 1 and stride != step:
                return False
            step *= dim
        return True

    @property
    def address(self):
        """Where the first element is; allocates the memory if there is none yet."""
        self.ensure_memory()
        return self.buffer.address + self.offset

    def ensure_memory(self):
        if self.buffer is None:
            self.use_new_memory(self.nbytes)

    def use_new_memory(self, nbytes):
        if self.gpu < 0:
            buffer = Buffer.allocate(nbytes)
        else:
            buffer = Buffer.allocate_gpu(nbytes, self.gpu, self.is_pinned_host)
        self.use_memory(buffer, 0, nbytes, shared=False)

    def use_memory(self, buffer, offset, capacity, shared, readonly=False):
        self.buffer, self.offset, self.capacity = buffer, offset, capacity
        self.shared, self.readonly = shared, readonly
        self.fixed = False

    def set_layout(self, shape, dtype):
        """Becomes a dense tensor of this shape and type. Keeps memory and contents if they are large enough."""
        shape = tuple(shape)
        if len(shape) > MAX_TENSOR_DIM:
            raise RuntimeError("clayout ndim is to large: %d, at most %d" % (len(shape), MAX_TENSOR_DIM))
        dtype = LiteDataType(dtype)
        was_contiguous = self.contiguous
        self.shape, self.dtype, self.strides = shape, dtype, contiguous_strides(shape)
        if self.buffer is not None and (not was_contiguous or self.nbytes > self.capacity):
            self.buffer = None
            self.shared = self.readonly = self.fixed = False

    def assign(self, other):
        """Becomes an alias of `other`."""
        other.ensure_memory()
        self.shape, self.dtype, self.strides = other.shape, other.dtype, list(other.strides)
        self.use_memory(other.buffer, other.offset, other.capacity, other.shared, other.readonly)
        self.is_pinned_host = other.is_pinned_host
        if self.gpu != other.gpu:
            self.gpu, self.device_type, self.device_id = other.gpu, other.device_type, other.device_id

    def array(self):
        """A NumPy array over the elements, which keeps the memory alive. Writable unless the memory is not.

        RuntimeError for memory of a GPU.
        """
        self.ensure_memory()
        if not self.buffer.on_host:
            raise RuntimeError("the tensor's memory is on gpu%d: to_numpy() copies it" % self.buffer.gpu)
        numpy_dtype = np.dtype(lite_dtype_2_numpy(self.dtype))
        if self.elements == 0:
            return np.empty(self.shape if self.shape else (0,), numpy_dtype)
        strides = [stride * numpy_dtype.itemsize for stride in self.strides]
        array = self.buffer.view(self.offset, numpy_dtype, list(self.shape), strides)
        if self.readonly:
            array.flags.writeable = False
        return array

    def overlaps(self, other):
        """Whether it has an element in common with a TensorData over the same buffer; on GPUs whether their ranges meet."""
        if self.on_host:
            return np.shares_memory(self.array(), other.array())
        if self.elements == 0 or other.elements == 0:
            return False
        (begin, end), (other_begin, other_end) = self.extent(), other.extent()
        return begin < other_end and other_begin < end

    def extent(self):
        """The first byte of the buffer that belongs to an element, and the one after the last."""
        reach = [(dim - 1) * stride * self.itemsize for dim, stride in zip(self.shape, self.strides)]
        low, high = sum(r for r in reach if r < 0), sum(r for r in reach if r > 0)
        return self.offset + low, self.offset + high + self.itemsize

    def _check_writable(self):
        """As NumPy does for memory of the CPU."""
        if self.readonly:
            raise ValueError("assignment destination is read-only")

    def copied(self):
        """A NumPy array with a copy of the elements, wherever they are."""
        if self.on_host:
            return np.array(self.array(), order="C")
        array = np.empty(self.shape, lite_dtype_2_numpy(self.dtype))
        _over(array).copy_from(self)
        return array

    def copy_from(self, other):
        """Copies the elements of a TensorData of the same shape and type, wherever both are."""
        if self.on_host and other.on_host:
            self.array()[...] = other.array()
            return
        self._check_writable()
        self.ensure_memory()
        other.ensure_memory()
        if self.elements > 0:
            copy_elements(
                self.buffer, self.offset, self.strides, other.buffer, other.offset, other.strides, self.shape, self.itemsize
            )

    def copy_array(self, array):
        """Copies the elements of a NumPy array of the same shape and type."""
        if self.on_host:
            self.array()[...] = array
        else:
            self.copy_from(_over(np.ascontiguousarray(array)))

    def zero(self):
        """Sets every element to zero."""
        if self.on_host:
            self.array()[...] = 0
            return
        self._check_writable()
        self.ensure_memory()
        if self.elements > 0:
            zero_elements(self.buffer, self.offset, self.strides, self.shape, self.itemsize)

    def front(self, count):
        """A TensorData over the first `count` elements of this one, which is contiguous."""
        self.ensure_memory()
        part = TensorData((count,), self.dtype)
        part.use_memory(self.buffer, self.offset, count * self.itemsize, self.shared, self.readonly)
        return part

    def sliced(self, start, end, step):
        """A TensorData over a part of this one, by the rules of Python's slices for the leading dimensions."""
        self.ensure_memory()
        part = TensorData((), self.dtype)
        shape, strides, first = list(self.shape), list(self.strides), 0
        for i, (begin, stop, stride) in enumerate(zip(start, end, step)):
            indices = range(*slice(begin, stop, stride).indices(self.shape[i]))
            shape[i] = len(indices)
            first += indices.start * self.strides[i] if len(indices) else 0
            strides[i] = self.strides[i] * stride
        part.shape, part.strides = tuple(shape), strides
        part.use_memory(self.buffer, self.offset + first * self.itemsize, part.nbytes, self.shared, self.readonly)
        part.fixed = True
        part.device_id, part.device_type, part.gpu = self.device_id, self.device_type, self.gpu
        part.is_pinned_host = self.is_pinned_host and self.gpu >= 0
        return part


def _over(array):
    """A TensorData over the memory of a contiguous NumPy array."""
    data = TensorData(array.shape, numpy_dtype_2_lite(array.dtype))
    data.use_memory(Buffer.wrap(array.ctypes.data, array.nbytes, array), 0, array.nbytes, shared=True)
    return data
