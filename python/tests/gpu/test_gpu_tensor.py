"""Tensors on a GPU and in pinned memory."""
import ctypes

import numpy as np
import pytest

import megenginelite as lite
from megenginelite import LiteDeviceType, LiteLayout, LiteTensor

CUDA = LiteDeviceType.LITE_CUDA


def iota(shape, dtype="float32"):
    return np.arange(int(np.prod(shape))).astype(dtype).reshape(shape)


def on_gpu(array, device_id=0):
    tensor = LiteTensor(device_type=CUDA, device_id=device_id)
    tensor.set_data_by_copy(array)
    return tensor


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "int16", "int8", "uint8", "uint16"])
def test_numbers_go_there_and_back(dtype):
    tensor = on_gpu(iota([2, 3, 4], dtype))
    assert tensor.device_type == CUDA and tensor.device_id == 0 and not tensor.is_pinned_host
    assert tensor.layout.shapes == [2, 3, 4]
    np.testing.assert_array_equal(tensor.to_numpy(), iota([2, 3, 4], dtype))
    host = LiteTensor()
    host.copy_from(tensor)
    np.testing.assert_array_equal(host.get_data_by_share(), iota([2, 3, 4], dtype))
    other = LiteTensor(device_type=CUDA)
    other.copy_from(tensor)
    tensor.fill_zero()
    np.testing.assert_array_equal(other.to_numpy(), iota([2, 3, 4], dtype))
    assert not tensor.to_numpy().any()


def test_lists_and_addresses():
    tensor = LiteTensor(LiteLayout([4], "int32"), CUDA)
    tensor.set_data_by_copy([1, 2, 3])
    assert tensor.to_numpy().tolist() == [1, 2, 3, 0]
    values = (ctypes.c_int32 * 4)(5, 6, 7, 8)
    tensor.set_data_by_copy(values, 16)
    assert tensor.to_numpy().tolist() == [5, 6, 7, 8]


@pytest.mark.parametrize(
    "part",
    [
        ([1], [3], None),
        ([0, 1], [4, 3], None),
        ([1, 0, 2], [3, 5, 4], None),
        ([0, 0, 1], [4, 5, 6], [1, 2, 2]),
        ([3, 4, 5], [-9, -9, -9], [-1, -1, -1]),
        ([0, 2], [4, 3], None),
        ([2], [2], None),
    ],
)
def test_slices(part):
    want = iota([4, 5, 6])
    index = tuple(slice(a, b, c) for a, b, c in zip(part[0], part[1], part[2] or [1] * len(part[0])))
    tensor = on_gpu(want)
    view = tensor.slice(*part)
    np.testing.assert_array_equal(view.to_numpy(), want[index])
    dense = LiteTensor()
    dense.copy_from(view)
    np.testing.assert_array_equal(dense.to_numpy(), want[index])
    dense.set_data_by_copy(-want[index])
    view.copy_from(dense)
    want[index] *= -1
    np.testing.assert_array_equal(tensor.to_numpy(), want)
    view.fill_zero()
    want[index] = 0
    np.testing.assert_array_equal(tensor.to_numpy(), want)


def test_views_share_memory():
    tensor = on_gpu(iota([2, 6]))
    alias = LiteTensor()
    alias.share_memory_with(tensor)
    assert alias.device_type == CUDA
    alias.reshape([3, -1])
    assert alias.layout.shapes == [3, 4]
    tensor.fill_zero()
    assert not alias.to_numpy().any()
    with pytest.raises(RuntimeError, match="overlapped"):
        tensor.copy_from(alias)
    joined = lite.LiteTensorConcat([on_gpu(iota([1, 2])), on_gpu(iota([2, 2]))], 0)
    assert joined.device_type == CUDA
    assert joined.to_numpy().tolist() == [[0, 1], [0, 1], [2, 3]]
    on_cpu = lite.LiteTensorConcat([joined, joined], 1, LiteDeviceType.LITE_CPU)
    assert on_cpu.get_data_by_share().tolist() == [[0, 1, 0, 1], [0, 1, 0, 1], [2, 3, 2, 3]]


def test_pinned():
    pinned = LiteTensor(LiteLayout([3]), CUDA, is_pinned_host=True)
    pinned.get_data_by_share()[...] = [1, 2, 3]
    assert pinned.is_pinned_host
    tensor = LiteTensor(device_type=CUDA)
    tensor.copy_from(pinned)
    pinned.fill_zero()
    pinned.copy_from(tensor)
    assert pinned.is_pinned_host and pinned.get_data_by_share().tolist() == [1, 2, 3]
    array = iota([3])
    pinned.set_data_by_share(array)
    assert np.shares_memory(pinned.get_data_by_share(), array)


def test_the_cpu_does_not_touch_it():
    tensor = on_gpu(iota([2]))
    with pytest.raises(RuntimeError, match="is on gpu0: to_numpy\\(\\) copies it"):
        tensor.get_data_by_share()
    with pytest.raises(RuntimeError, match="cpu tensor or pinned tensor"):
        tensor.set_data_by_share(iota([2]))
    assert np.asarray(tensor).tolist() == [0, 1]
    assert np.asarray(tensor, dtype="float64").dtype == np.float64
    with pytest.raises(ValueError):
        tensor.__array__(copy=False)
    address = tensor.get_ctypes_memory()
    alias = LiteTensor(LiteLayout([2]), CUDA)
    alias.set_data_by_share(address)
    assert alias.to_numpy().tolist() == [0, 1]
    host = iota([2])
    with pytest.raises(RuntimeError, match="is not on gpu0"):
        alias.set_data_by_share(host.ctypes.data)


def test_dlpack_of_the_gpu():
    tensor = on_gpu(iota([2, 3]))
    assert tensor.__dlpack_device__() == (2, 0)
    other = lite.from_dlpack(tensor)
    assert other.device_type == CUDA
    np.testing.assert_array_equal(other.to_numpy(), iota([2, 3]))
    assert other.get_ctypes_memory().value == tensor.get_ctypes_memory().value
    tensor.fill_zero()
    del tensor
    assert not other.to_numpy().any(), "the memory is kept"
    view = lite.from_dlpack(on_gpu(iota([4, 6])).slice([1, 0], [4, 6], [1, 2]))
    np.testing.assert_array_equal(view.to_numpy(), iota([4, 6])[1:4, ::2])
    target = LiteTensor(device_type=CUDA)
    target.set_data_by_share(other)
    assert target.get_ctypes_memory().value == other.get_ctypes_memory().value
    copy = lite.from_dlpack(_Capsule(other.__dlpack__(copy=True)))
    assert copy.get_ctypes_memory().value != other.get_ctypes_memory().value
    with pytest.raises(BufferError):
        other.__dlpack__(dl_device=(1, 0))


class _Capsule:
    def __init__(self, capsule):
        self.capsule = capsule

    def __dlpack__(self, stream=None):
        return self.capsule

    def __dlpack_device__(self):
        return (2, 0)


def test_capsules_are_taken_over_once_and_freed(emulated):
    tensor = on_gpu(iota([2]))
    live = emulated.emulated_live()
    capsule = tensor.__dlpack__()
    del capsule  # nobody takes it
    taken = _Capsule(tensor.__dlpack__())
    other = lite.from_dlpack(taken)
    with pytest.raises(BufferError):
        lite.from_dlpack(taken)
    del tensor
    assert emulated.emulated_live() == live
    del other, taken
    assert emulated.emulated_live() < live


def test_dlpack_of_the_cpu():
    array = iota([2, 3])
    tensor = lite.from_dlpack(array)
    assert np.shares_memory(tensor.get_data_by_share(), array)
    assert tensor.__dlpack_device__() == (1, 0)


def test_cuda_array_interface():
    tensor = on_gpu(iota([2, 3]))
    interface = tensor.__cuda_array_interface__
    assert interface["shape"] == (2, 3) and interface["typestr"] == "<f4" and interface["strides"] is None
    assert interface["data"] == (tensor.get_ctypes_memory().value, False) and interface["version"] == 3
    assert tensor.slice([0, 0], [2, 2]).__cuda_array_interface__["strides"] == (12, 4)
    assert not hasattr(LiteTensor(LiteLayout([1])), "__cuda_array_interface__")

    class Array:
        __cuda_array_interface__ = interface

    alias = LiteTensor(device_type=CUDA)
    alias.set_data_by_share(Array())
    np.testing.assert_array_equal(alias.to_numpy(), iota([2, 3]))
    with pytest.raises(ctypes.ArgumentError):
        alias.set_data_by_share("text")


class _Exporter:
    def __init__(self, **interface):
        self.__cuda_array_interface__ = dict({"shape": (2, 3), "typestr": "<f4", "version": 3}, **interface)


def test_cuda_arrays_that_are_empty_read_only_or_masked():
    tensor = on_gpu(iota([2, 3]))
    address = tensor.get_ctypes_memory().value
    empty = LiteTensor(device_type=CUDA)
    empty.set_data_by_share(_Exporter(shape=(0, 3), data=(0, False)))
    assert empty.layout.shapes == [0, 3] and empty.to_numpy().shape == (0, 3)
    locked = LiteTensor(device_type=CUDA)
    locked.set_data_by_share(_Exporter(data=(address, True)))
    for write in locked.fill_zero, lambda: locked.set_data_by_copy(iota([2, 3])), lambda: locked.copy_from(on_gpu(iota([2, 3]))):
        with pytest.raises(ValueError, match="read-only"):
            write()
    np.testing.assert_array_equal(locked.to_numpy(), iota([2, 3]))
    with pytest.raises(BufferError, match="mask"):
        LiteTensor(device_type=CUDA).set_data_by_share(_Exporter(data=(address, False), mask=object()))


def test_devices():
    count = lite.LiteGlobal.get_device_count(CUDA)
    assert count >= 1
    with pytest.raises(RuntimeError, match="request gpu%d out of valid range \\[0, %d\\)" % (count, count)):
        LiteTensor(LiteLayout([1]), CUDA, count)
    assert LiteTensor(LiteLayout([1]), CUDA, -1).device_id == -1
    if count > 1:
        second = on_gpu(iota([2, 3]), 1)
        first = LiteTensor(device_type=CUDA)
        first.copy_from(second)
        np.testing.assert_array_equal(first.to_numpy(), iota([2, 3]))
        assert second.__dlpack_device__() == (2, 1)


def test_collector():
    collector = lite.TensorBatchCollector([3, 2], "float32", CUDA)
    collector.collect(iota([2]))
    collector.collect(on_gpu(iota([2]) + 5))
    collector.collect_id(iota([2]) + 9, 2)
    assert collector.get().device_type == CUDA
    assert collector.to_numpy().tolist() == [[0, 1], [5, 6], [9, 10]]


def test_memory_that_is_not_there():
    with pytest.raises(RuntimeError, match="out of memory"):
        LiteTensor(LiteLayout([2**44]), CUDA).fill_zero()
