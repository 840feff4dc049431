"""The compiler, a shared library that may be left out: importing this module raises ImportError then."""
import ctypes
import os

_PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libmegenginelite_compiler.so")


def _library_path():
    if os.path.exists(_PATH):
        return _PATH
    try:
        import megenginelite_compiler  # the package of its own that wheels put it in
    except ImportError:
        raise ImportError("the compiler is not installed here: %s is missing" % _PATH) from None
    return megenginelite_compiler.library_path


__file__ = _library_path()  # what tells one build of the compiler from another
try:
    _library = ctypes.CDLL(__file__)
except OSError as error:
    raise ImportError("the compiler cannot be loaded: %s" % error) from None

_library.mgecpy_compiler_version.restype = ctypes.c_char_p
_library.mgecpy_compiler_free.argtypes = [ctypes.c_void_p]
_library.mgecpy_compiler_free.restype = None
_library.mgecpy_compile.argtypes = [
    ctypes.c_char_p,
    ctypes.c_size_t,
    ctypes.c_char_p,
    ctypes.c_size_t,
    ctypes.POINTER(ctypes.c_size_t),
    ctypes.POINTER(ctypes.c_char_p),
    ctypes.POINTER(ctypes.c_size_t),
    ctypes.POINTER(ctypes.c_int64),
    ctypes.c_char_p,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.POINTER(ctypes.c_size_t),
]


class _Command(ctypes.Structure):  # mgecpy_command
    _fields_ = (
        [(name, ctypes.c_char_p) for name in ("model", "output", "target", "emit", "tuning_db")]
        + [("input_shapes", ctypes.POINTER(ctypes.c_char_p)), ("num_input_shapes", ctypes.c_size_t)]
        + [(name, ctypes.c_int) for name in ("winograd", "cuda_tf32", "json", "time", "threads", "tune_threads")]
        + [("tune", ctypes.c_double)]
    )


_library.mgecpy_compile_command.argtypes = [
    ctypes.POINTER(_Command),
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.POINTER(ctypes.c_void_p),
]


def version():
    """The compiler's version."""
    return _library.mgecpy_compiler_version().decode()


def _array(kind, values):
    return (kind * max(len(values), 1))(*values)


def compile(model, name, input_shapes=(), threads=1, targets="", winograd=True, tf32=False):
    """The artifact (bytes) of a .mge model (bytes), for targets such as "cuda,x86-64-v3"; for CPUs if none is named.

    Each dict {name: shape} of `input_shapes` makes one program of the artifact; a first dimension of -1 stands for a batch of
    any size. winograd and tf32: the command line's --nowinograd and --cuda-tf32. Other threads of Python run meanwhile.
    RuntimeError with everything that is wrong or unsupported.
    """
    shapes = [(key.encode(), list(shape)) for program in input_shapes for key, shape in program.items()]
    result, size = ctypes.c_void_p(), ctypes.c_size_t()
    status = _library.mgecpy_compile(
        bytes(model),
        len(model),
        os.fsencode(name),
        len(input_shapes),
        _array(ctypes.c_size_t, [len(program) for program in input_shapes]),
        _array(ctypes.c_char_p, [key for key, _ in shapes]),
        _array(ctypes.c_size_t, [len(shape) for _, shape in shapes]),
        _array(ctypes.c_int64, [dim for _, shape in shapes for dim in shape]),
        targets.encode(),
        threads,
        winograd,
        tf32,
        ctypes.byref(result),
        ctypes.byref(size),
    )
    if not result.value:
        raise MemoryError("no memory for the compiled model")
    try:
        text = ctypes.string_at(result, size.value)
    finally:
        _library.mgecpy_compiler_free(result)
    if status != 0:
        raise RuntimeError(text.decode("utf-8", "replace"))
    return text


def _take(pointer):
    """The text that the library gave, which is freed."""
    if not pointer.value:
        raise MemoryError("no memory for what the compiler prints")
    try:
        return ctypes.string_at(pointer).decode("utf-8", "replace")
    finally:
        _library.mgecpy_compiler_free(pointer)


def run_command(input_shapes, **flags):
    """Compiles as the command line is told to; returns the exit status and what goes to stdout and to stderr.

    The flags are those of tools/compile: paths and texts ("" for none), numbers, and True or False.
    """
    for name in ("model", "output", "target", "emit", "tuning_db"):
        flags[name] = os.fsencode(flags[name])
    shapes = _array(ctypes.c_char_p, [os.fsencode(shape) for shape in input_shapes])
    command = _Command(input_shapes=shapes, num_input_shapes=len(input_shapes), **flags)
    out, err = ctypes.c_void_p(), ctypes.c_void_p()
    status = _library.mgecpy_compile_command(ctypes.byref(command), ctypes.byref(out), ctypes.byref(err))
    return status, _take(out), _take(err)
