"""The runtime, a shared library beside this file, as Python objects. Thin on purpose: behaviour that users see is in the
other modules of the package. Errors become RuntimeError with the runtime's message.

The library knows nothing of Python, so it serves every version of it. ctypes lets other threads run while a function of the
library does; the few that only look something up are called without that, which is faster.
"""
import ctypes
import os

import numpy as np

_PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libmegenginelite.so")
library = ctypes.CDLL(_PATH)
_quick = ctypes.PyDLL(_PATH)

_MAX_DIMS = 8


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("dtype", ctypes.c_char_p),
        ("shape", ctypes.c_uint32 * _MAX_DIMS),
        ("ndim", ctypes.c_uint32),
        ("scale", ctypes.c_float),
        ("zero_point", ctypes.c_int32),
        ("bytes", ctypes.c_uint64),
    ]


def _declare(dll, name, result, *arguments):
    function = getattr(dll, name)
    function.restype, function.argtypes = result, list(arguments)
    return function


_P, _S, _I, _Z, _V = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t, None
_error = _declare(_quick, "mgecpy_error", _S)
_buffer_allocate = _declare(library, "mgecpy_buffer_allocate", _P, _Z)
_buffer_wrap = _declare(_quick, "mgecpy_buffer_wrap", _P, _P, _Z)
_buffer_data = _declare(_quick, "mgecpy_buffer_data", _P, _P)
_buffer_size = _declare(_quick, "mgecpy_buffer_size", _Z, _P)
_buffer_free = _declare(_quick, "mgecpy_buffer_free", _V, _P)
_buffer_free_gpu = _declare(library, "mgecpy_buffer_free", _V, _P)  # waits for the GPU
_buffer_allocate_gpu = _declare(library, "mgecpy_buffer_allocate_gpu", _P, _Z, _I, _I)
_buffer_wrap_gpu = _declare(library, "mgecpy_buffer_wrap_gpu", _P, _P, _Z, _I)
_buffer_on_host = _declare(_quick, "mgecpy_buffer_on_host", _I, _P)
_buffer_gpu = _declare(_quick, "mgecpy_buffer_gpu", _I, _P)
_gpu_count = _declare(library, "mgecpy_gpu_count", _I)
_gpu_open = _declare(library, "mgecpy_gpu_open", _I, _I)
_gpu_synchronize = _declare(library, "mgecpy_gpu_synchronize", _I, _I)
_SHAPE, _STRIDES = ctypes.POINTER(_Z), ctypes.POINTER(ctypes.c_int64)
_copy = _declare(library, "mgecpy_copy", _I, _P, _Z, _STRIDES, _P, _Z, _STRIDES, _SHAPE, _Z, _Z)
_zero = _declare(library, "mgecpy_zero", _I, _P, _Z, _STRIDES, _SHAPE, _Z, _Z)
_artifact_open = _declare(library, "mgecpy_artifact_open", _P, _S, _I)
_artifact_from_bytes = _declare(library, "mgecpy_artifact_from_bytes", _P, _P, _Z, _S, _I)
_artifact_free = _declare(_quick, "mgecpy_artifact_free", _V, _P)
_artifact_inputs = _declare(_quick, "mgecpy_artifact_inputs", _Z, _P, ctypes.POINTER(_Tensor), _Z)
_artifact_outputs = _declare(_quick, "mgecpy_artifact_outputs", _Z, _P, ctypes.POINTER(_Tensor), _Z)
_artifact_name = _declare(_quick, "mgecpy_artifact_name", _S, _P)
_arena_new = _declare(_quick, "mgecpy_arena_new", _P)
_arena_free = _declare(_quick, "mgecpy_arena_free", _V, _P)
_network_new = _declare(library, "mgecpy_network_new", _P, _P, _I, _P)
_network_new_gpu = _declare(
    library, "mgecpy_network_new_gpu", _P, _P, _P, _I, _I, ctypes.POINTER(_S), _Z, ctypes.POINTER(_S), _Z
)
_network_free = _declare(library, "mgecpy_network_free", _V, _P)
_network_inputs = _declare(_quick, "mgecpy_network_inputs", _Z, _P, ctypes.POINTER(_Tensor), _Z)
_network_outputs = _declare(_quick, "mgecpy_network_outputs", _Z, _P, ctypes.POINTER(_Tensor), _Z)
_network_select_shapes = _declare(
    library, "mgecpy_network_select_shapes", _I, _P, ctypes.POINTER(ctypes.c_uint32), ctypes.POINTER(ctypes.c_uint32), _Z
)
_network_bind = _declare(_quick, "mgecpy_network_bind", _I, _P, _I, _Z, _P, _Z)
_network_buffer = _declare(_quick, "mgecpy_network_buffer", _P, _P, _I, _Z)
_network_forward = _declare(library, "mgecpy_network_forward", _I, _P)
_network_wait = _declare(library, "mgecpy_network_wait", _I, _P)
_network_output_shape = _declare(_quick, "mgecpy_network_output_shape", ctypes.c_uint32, _P, _Z, ctypes.POINTER(ctypes.c_uint32))
_network_seed_random = _declare(_quick, "mgecpy_network_seed_random", _V, _P, ctypes.c_uint64)
_network_enable_profile = _declare(_quick, "mgecpy_network_enable_profile", _V, _P, _I)
_network_write_profile = _declare(library, "mgecpy_network_write_profile", _I, _P, _S)
_network_target = _declare(_quick, "mgecpy_network_target", _S, _P)
_network_threads = _declare(_quick, "mgecpy_network_threads", _I, _P)
_network_arena_size = _declare(library, "mgecpy_network_arena_size", _Z, _P)
_network_weights_size = _declare(_quick, "mgecpy_network_weights_size", _Z, _P)


def failed():
    """The RuntimeError for what has just gone wrong in the library, in this thread."""
    return RuntimeError(_error().decode("utf-8", "replace"))


def checked(pointer):
    """`pointer`, or an exception if it is null."""
    if not pointer:
        raise failed()
    return pointer


def _path(path):
    return os.fsencode(path)


def _describe(function, pointer):
    """A dict for every input or output."""
    tensors = (_Tensor * function(pointer, None, 0))()
    function(pointer, tensors, len(tensors))
    return [
        {
            "name": tensor.name.decode("utf-8", "surrogateescape"),
            "dtype": tensor.dtype.decode(),
            "shape": list(tensor.shape[: tensor.ndim]),
            "scale": tensor.scale,
            "zero_point": tensor.zero_point,
            "nbytes": tensor.bytes,
        }
        for tensor in tensors
    ]


class _Handle:
    """Owns an object of the library."""

    _free = None

    def __init__(self, pointer):
        self.pointer = checked(pointer)

    def __del__(self):
        pointer, self.pointer = getattr(self, "pointer", None), None
        if pointer:
            self._free(pointer)


def gpu_count():
    """How many NVIDIA GPUs there are; 0 without a driver."""
    return _gpu_count()


def open_gpu(gpu):
    """RuntimeError if GPU number `gpu` cannot be used, saying why."""
    if _gpu_open(gpu) != 0:
        raise failed()


def synchronize_gpu(gpu):
    """Waits for everything that a GPU was given to do."""
    if _gpu_synchronize(gpu) != 0:
        raise failed()


def _dims(shape, *strides):
    return [(ctypes.c_int64 * len(shape))(*steps) for steps in strides] + [(_Z * len(shape))(*shape)]


def copy_elements(to, to_offset, to_strides, source, offset, strides, shape, size):
    """Copies elements of `size` bytes between two Buffers; offsets in bytes, strides in elements. The caller has checked that
    they lie inside. Waits for the GPUs."""
    to_strides, strides, dims = _dims(shape, to_strides, strides)
    if _copy(to.pointer, to_offset, to_strides, source.pointer, offset, strides, dims, len(shape), size) != 0:
        raise failed()


def zero_elements(to, offset, strides, shape, size):
    """Sets elements of a Buffer to zero."""
    strides, dims = _dims(shape, strides)
    if _zero(to.pointer, offset, strides, dims, len(shape), size) != 0:
        raise failed()


class Buffer(_Handle):
    """A range of memory that lives as long as somebody holds the Buffer or an array over it.

    on_host: whether the CPU may touch it. gpu: the number of the GPU that it is on or pinned for, or -1.
    """

    _free = staticmethod(_buffer_free)

    def __init__(self, pointer, owner=None):
        super().__init__(pointer)
        self._owner = owner
        self.address = _buffer_data(pointer) or 0
        self.size = _buffer_size(pointer)
        self.on_host = _buffer_on_host(pointer) != 0
        self.gpu = _buffer_gpu(pointer)
        if self.gpu >= 0:
            self._free = _buffer_free_gpu

    @classmethod
    def allocate(cls, size):
        """New memory, zero filled."""
        return cls(_buffer_allocate(size))

    @classmethod
    def allocate_gpu(cls, size, gpu, pinned):
        """New memory of a GPU, or of the CPU and pinned for that, zero filled."""
        return cls(_buffer_allocate_gpu(size, gpu, pinned))

    @classmethod
    def wrap_gpu(cls, address, size, gpu, owner):
        """Memory on a GPU, which `owner` keeps; RuntimeError if it is not on that GPU."""
        return cls(_buffer_wrap_gpu(address, size, gpu), owner)

    @classmethod
    def wrap(cls, address, size, owner):
        """Memory at an address, which `owner` keeps alive; None if it outlives the Buffer anyway."""
        return cls(_buffer_wrap(address, size), owner)

    def view(self, offset, dtype, shape, strides):
        """A writable array over a part; it keeps the memory alive. The caller has checked that it lies inside."""
        memory = (ctypes.c_char * self.size).from_address(self.address)
        memory._owner = self
        return np.ndarray(shape, dtype, memory, offset, strides)


class Artifact(_Handle):
    """A compiled model: verified, read-only, shared by any number of networks."""

    _free = staticmethod(_artifact_free)

    @classmethod
    def open(cls, path, private_constants):
        """Maps a file. With private_constants the weights are copied to memory of this process."""
        return cls(_artifact_open(_path(path), private_constants))

    @classmethod
    def from_bytes(cls, data, name, private_constants):
        """The same for a file in memory, bytes or (address, size), which is copied. `name` is for messages."""
        address, size = data if isinstance(data, tuple) else (data, len(data))
        return cls(_artifact_from_bytes(address, size, _path(name), private_constants))

    @property
    def inputs(self):
        """A dict for every input of the first program."""
        return _describe(_artifact_inputs, self.pointer)

    @property
    def outputs(self):
        """A dict for every output of the first program."""
        return _describe(_artifact_outputs, self.pointer)

    @property
    def name(self):
        """The path, or the name given to from_bytes()."""
        return os.fsdecode(_artifact_name(self.pointer))


class Arena(_Handle):
    """Memory for intermediate results, as large as the largest of its networks has needed."""

    _free = staticmethod(_arena_free)

    def __init__(self):
        super().__init__(_arena_new())


class Network(_Handle):
    """Runs an artifact. Not for two threads at once."""

    _free = staticmethod(_network_free)

    def __init__(self, artifact, threads, arena=None, gpu=-1, stream=0, device_inputs=(), device_outputs=()):
        """`gpu`: the number of the GPU to run on, or -1 for the CPU; `stream`: networks with the same one take turns there;
        `device_inputs`, `device_outputs`: names of those whose memory is on the GPU."""
        arena_pointer = arena.pointer if arena is not None else None
        if gpu < 0:
            pointer = _network_new(artifact.pointer, threads, arena_pointer)
        else:
            names = [[name.encode("utf-8", "surrogateescape") for name in side] for side in (device_inputs, device_outputs)]
            inputs, outputs = [(ctypes.c_char_p * max(len(side), 1))(*side) for side in names]
            pointer = _network_new_gpu(
                artifact.pointer, arena_pointer, gpu, stream, inputs, len(names[0]), outputs, len(names[1])
            )
        super().__init__(pointer)
        self._artifact = artifact
        self._bound = {}  # the Buffers in use, which may have owners that only Python knows

    @property
    def inputs(self):
        """A dict for every input, with the shapes that are selected."""
        return _describe(_network_inputs, self.pointer)

    @property
    def outputs(self):
        """A dict for every output, with its largest shape for the shapes that are selected."""
        return _describe(_network_outputs, self.pointer)

    @property
    def artifact_name(self):
        """The path of the artifact, or the name that it was given."""
        return self._artifact.name

    @property
    def target(self):
        """The target whose code runs, for example "x86-64-v3"."""
        return _network_target(self.pointer).decode()

    @property
    def threads(self):
        """How many threads compute."""
        return _network_threads(self.pointer)

    @property
    def arena_size(self):
        """Bytes of the memory for intermediate results."""
        return _network_arena_size(self.pointer)

    @property
    def weights_size(self):
        """Bytes of weights and tables."""
        return _network_weights_size(self.pointer)

    def select_shapes(self, shapes):
        """Selects the program that was compiled for these shapes, one per input."""
        dims = [dim for shape in shapes for dim in shape]
        for dim in dims:
            if not 0 <= dim <= 0xFFFFFFFF:
                raise RuntimeError("a dimension of %d is out of range" % dim)
        result = _network_select_shapes(
            self.pointer,
            (ctypes.c_uint32 * max(len(dims), 1))(*dims),
            (ctypes.c_uint32 * max(len(shapes), 1))(*[len(shape) for shape in shapes]),
            len(shapes),
        )
        if result != 0:
            raise failed()

    def _bind(self, output, index, buffer, offset):
        if _network_bind(self.pointer, output, index, buffer.pointer, offset) != 0:
            raise failed()
        self._bound[output, index] = buffer

    def bind_input(self, index, buffer, offset):
        """Makes the network read an input from `buffer`, from `offset` bytes on."""
        self._bind(0, index, buffer, offset)

    def bind_output(self, index, buffer, offset):
        """Makes the network write an output to `buffer`, from `offset` bytes on."""
        self._bind(1, index, buffer, offset)

    def input_buffer(self, index):
        """The memory of an input."""
        return Buffer(_network_buffer(self.pointer, 0, index))

    def output_buffer(self, index):
        """The memory of an output."""
        return Buffer(_network_buffer(self.pointer, 1, index))

    def forward(self):
        """Computes the outputs, or lets a GPU begin with it; other threads of Python run meanwhile.

        Returns whether some output is smaller than its largest shape, because its size depends on values.
        """
        result = _network_forward(self.pointer)
        if result < 0:
            raise failed()
        return result != 0

    def wait(self):
        """Waits for the GPU; what forward() returns on a CPU. Inputs and outputs belong to the GPU until then."""
        result = _network_wait(self.pointer)
        if result < 0:
            raise failed()
        return result != 0

    def output_shape(self, index):
        """The shape that forward() has found."""
        dims = (ctypes.c_uint32 * _MAX_DIMS)()
        return list(dims[: _network_output_shape(self.pointer, index, dims)])

    def seed_random(self, seed):
        """Starts random numbers again."""
        _network_seed_random(self.pointer, seed)

    def enable_profile(self, enable):
        """From now on forward() takes the time of every step."""
        _network_enable_profile(self.pointer, enable)

    def write_profile(self, path):
        """Writes what was measured: trace events, and averages in MegEngine's layout."""
        if _network_write_profile(self.pointer, _path(path)) != 0:
            raise failed()
