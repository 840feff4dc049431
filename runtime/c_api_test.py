"""The C API through the shared library, as a program without C++ sees it."""
import ctypes
import pathlib

import pytest

ARTIFACTS = "python/tests/artifacts/"


class TensorInfo(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("dtype", ctypes.c_char_p),
        ("shape", ctypes.POINTER(ctypes.c_uint32)),
        ("ndim", ctypes.c_uint32),
        ("scale", ctypes.c_float),
        ("zero_point", ctypes.c_int32),
        ("bytes", ctypes.c_size_t),
    ]


@pytest.fixture(scope="module")
def lib():
    library = ctypes.CDLL("runtime/libmgec_runtime.so")
    for name in ("mgec_load_file", "mgec_load_bytes"):
        getattr(library, name).restype = ctypes.c_void_p
    for side in ("input", "output"):
        getattr(library, "mgec_%s_count" % side).restype = ctypes.c_size_t
        getattr(library, "mgec_%s_info" % side).restype = TensorInfo
        getattr(library, "mgec_%s_data" % side).restype = ctypes.POINTER(ctypes.c_float)
    return library


@pytest.fixture
def error():
    return ctypes.create_string_buffer(300)


@pytest.fixture
def load(lib, error):
    networks = []

    def make(name, threads=1):
        pointer = lib.mgec_load_file((ARTIFACTS + name + ".mgec").encode(), threads, error, ctypes.c_size_t(300))
        assert pointer, error.value
        networks.append(ctypes.c_void_p(pointer))
        return networks[-1]

    yield make
    for network in networks:
        lib.mgec_free(network)


def shape(info):
    return [info.shape[i] for i in range(info.ndim)]


def test_runs(lib, load):
    network = load("add", threads=2)
    assert lib.mgec_input_count(network) == 2 and lib.mgec_output_count(network) == 2
    info = lib.mgec_input_info(network, ctypes.c_size_t(1))
    assert (info.name, info.dtype, shape(info), info.bytes) == (b"b", b"float32", [2, 3], 24)
    for index in range(2):
        data = lib.mgec_input_data(network, ctypes.c_size_t(index))
        for i in range(6):
            data[i] = i * 10**index
    lib.mgec_forward(network)
    assert lib.mgec_output_data(network, ctypes.c_size_t(1))[5] == 27.5


def test_shapes(lib, load, error):
    network = load("batches")

    def select(batch):
        dims = (ctypes.c_uint32 * 2)(batch, 3)
        pointer = ctypes.cast(dims, ctypes.POINTER(ctypes.c_uint32))
        shapes = (ctypes.POINTER(ctypes.c_uint32) * 2)(pointer, pointer)
        return lib.mgec_select_shapes(network, shapes, (ctypes.c_uint32 * 2)(2, 2), error, ctypes.c_size_t(300))

    assert select(4) == 0
    assert shape(lib.mgec_output_info(network, ctypes.c_size_t(0))) == [4, 3]
    assert select(5) == 1
    assert b"it was for a [2, 3], b [2, 3]" in error.value


def test_bound_memory(lib, load, error):
    network = load("add")
    data, result = (ctypes.c_float * 6)(*range(6)), (ctypes.c_float * 6)()
    size = ctypes.c_size_t(24)
    for index in range(2):
        assert lib.mgec_bind_input(network, ctypes.c_size_t(index), data, size, None, ctypes.c_size_t(0)) == 0
    assert lib.mgec_bind_output(network, ctypes.c_size_t(0), result, size, None, ctypes.c_size_t(0)) == 0
    lib.mgec_forward(network)
    assert list(result) == [0, 2, 4, 6, 8, 10]
    too_small = ctypes.c_size_t(23)
    assert lib.mgec_bind_output(network, ctypes.c_size_t(0), result, too_small, error, ctypes.c_size_t(300)) == 1
    assert b"needs 24 bytes" in error.value
    assert lib.mgec_bind_output(network, ctypes.c_size_t(9), result, size, error, ctypes.c_size_t(9)) == 1
    assert error.value == b"there is"  # cut to fit


def test_errors(lib, error):
    assert not lib.mgec_load_file(b"/no/such.mgec", 1, error, ctypes.c_size_t(300))
    assert b"failed to open /no/such.mgec" in error.value
    data = pathlib.Path(ARTIFACTS + "add.mgec").read_bytes()
    assert not lib.mgec_load_bytes(data[:-1], ctypes.c_size_t(len(data) - 1), 1, error, ctypes.c_size_t(300))
    assert b"damaged" in error.value
    assert not lib.mgec_load_bytes(data, ctypes.c_size_t(len(data)), 0, error, ctypes.c_size_t(300))
    assert b"0 threads" in error.value


def test_index_out_of_range(lib, load):
    network = load("add")
    assert not lib.mgec_input_data(network, ctypes.c_size_t(2))
    assert lib.mgec_output_info(network, ctypes.c_size_t(2)).name is None
