"""LiteTensor: layout and contents."""
import ctypes
import sys

import numpy as np
import pytest

import megenginelite as lite
from megenginelite import LiteLayout, LiteTensor


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "int16", "int8", "uint8", "uint16"])
def test_every_type_goes_in_and_out(dtype):
    array = np.arange(12).astype(dtype).reshape(3, 4)
    tensor = LiteTensor(LiteLayout([3, 4], dtype))
    tensor.set_data_by_copy(array)
    assert tensor.nbytes == array.nbytes
    got = tensor.to_numpy()
    assert got.dtype == array.dtype
    np.testing.assert_array_equal(got, array)
    np.testing.assert_array_equal(tensor.get_data_by_share(), array)
    shared = LiteTensor()
    shared.set_data_by_share(array)
    np.testing.assert_array_equal(shared.to_numpy(), array)


def test_memory_is_aligned():
    for nbytes in (1, 100, 5 << 20):
        assert LiteTensor(LiteLayout([nbytes], "int8")).get_ctypes_memory().value % 64 == 0


def test_the_layout_object_is_kept():
    layout = LiteLayout([2, 3])
    tensor = LiteTensor(layout)
    assert tensor.layout is layout
    tensor.reshape([3, 2])
    tensor.update()
    assert layout.shapes == [3, 2]


def test_layout_must_be_a_layout():
    with pytest.raises(TypeError):
        LiteTensor([1, 2])
    with pytest.raises(RuntimeError, match="ndim is to large"):
        LiteTensor(LiteLayout([1] * 7))


@pytest.mark.parametrize(
    "device", [lite.LiteDeviceType.LITE_CUDA, lite.LiteDeviceType.LITE_NPU, lite.LiteDeviceType.LITE_ATLAS, 99]
)
def test_other_devices_are_refused(device):
    with pytest.raises(RuntimeError):
        LiteTensor(LiteLayout([1]), device)


def test_device_properties():
    tensor = LiteTensor(LiteLayout([1]), lite.LiteDeviceType.LITE_DEVICE_DEFAULT, 3, True)
    assert tensor.device_type == lite.LiteDeviceType.LITE_DEVICE_DEFAULT
    assert tensor.device_id == 3 and tensor.is_pinned_host is True
    with pytest.raises(RuntimeError):
        LiteTensor(LiteLayout([1]), device_id=-7)


def test_growing_reallocates_and_shrinking_does_not(iota):
    tensor = iota([8], "int8")
    where = tensor.get_ctypes_memory().value
    tensor.layout = [4]
    assert tensor.get_ctypes_memory().value == where
    assert tensor.to_numpy().tolist() == [0, 1, 2, 3]
    tensor.layout = LiteLayout([1 << 20], "int32")
    assert tensor.to_numpy().shape == (1 << 20,)


def test_list_wraps_like_c():
    tensor = LiteTensor(LiteLayout([3], "int8"))
    tensor.set_data_by_copy([300, -1, 127])
    assert tensor.to_numpy().tolist() == [44, -1, 127]
    tensor = LiteTensor(LiteLayout([2], "uint16"))
    tensor.set_data_by_copy([65535, 65537])
    assert tensor.to_numpy().tolist() == [65535, 1]


@pytest.mark.parametrize("values", [[1.5], [[1]], ["1"], [None]])
def test_list_of_the_wrong_things(values):
    with pytest.raises(TypeError):
        LiteTensor(LiteLayout([1], "int32")).set_data_by_copy(values)


def test_shorter_list_leaves_the_rest(iota):
    tensor = iota([2, 2])
    tensor.set_data_by_copy([9])
    assert tensor.to_numpy().tolist() == [[9, 1], [2, 3]]


def test_uint32_becomes_int32():
    tensor = LiteTensor()
    tensor.set_data_by_copy(np.array([1, 0xFFFFFFFF], "uint32"))
    assert tensor.to_numpy().tolist() == [1, -1]


def test_zero_dimensional_array_is_refused():
    with pytest.raises(RuntimeError):
        LiteTensor().set_data_by_copy(np.array(1, "float32"))


def test_copy_from_an_address_is_checked():
    tensor = LiteTensor(LiteLayout([4], "int8"))
    data = (ctypes.c_int8 * 4)(1, 2, 3, 4)
    with pytest.raises(AssertionError, match="must set"):
        tensor.set_data_by_copy(data)
    with pytest.raises(RuntimeError, match="null"):
        tensor.set_data_by_copy(None, 4)
    with pytest.raises(ctypes.ArgumentError):
        tensor.set_data_by_copy(bytearray(4), 4)
    with pytest.raises(RuntimeError):
        tensor.set_data_by_copy(b"12", 4)
    tensor.set_data_by_copy(bytes([1, 2, 3, 4]), 4)
    assert tensor.to_numpy().tolist() == [1, 2, 3, 4]


def test_reshape_takes_integers_only(iota):
    with pytest.raises(TypeError):
        iota([4]).reshape([2.0, 2])
    with pytest.raises(RuntimeError, match="too large"):
        iota([4]).reshape([1] * 6 + [4])
    one = iota([1])
    one.reshape([])
    assert one.layout.shapes == [1]


def test_read_only_arrays_can_be_shared_but_not_written():
    array = np.arange(4, dtype="int32")
    array.flags.writeable = False
    tensor = LiteTensor()
    tensor.set_data_by_share(array)
    assert tensor.to_numpy().tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError):
        tensor.fill_zero()
    with pytest.raises(RuntimeError, match="read-only"):
        tensor.set_data_by_copy(bytes(16), 16)
    assert array.tolist() == [0, 1, 2, 3]


def test_sharing_another_type_is_refused():
    tensor = LiteTensor(LiteLayout([4], "int8"))
    with pytest.raises(RuntimeError, match="give set_data_by_share a layout"):
        tensor.set_data_by_share(np.zeros(7, "float32"))
    with pytest.raises(ctypes.ArgumentError):
        tensor.set_data_by_share([1, 2, 3, 4])


def test_views_keep_the_memory_alive(iota):
    tensor = iota([1 << 16])
    view = tensor.get_data_by_share()
    del tensor
    assert view[-1] == (1 << 16) - 1
    view[0] = 5
    assert view[0] == 5


def test_repr(iota):
    assert repr(iota([2], "int8")) == (
        "{'layout': {'shapes': [2], 'ndim': 1, 'data_type': <class 'numpy.int8'>}, "
        "'device_type': <LiteDeviceType.LITE_CPU: 0>, 'device_id': 0, 'is_pinned_host': False}"
    )


def test_numpy_sees_the_memory(iota):
    tensor = iota([2, 3])
    array = np.asarray(tensor)
    array[1, 2] = 50
    assert tensor.to_numpy()[1, 2] == 50
    assert np.asarray(tensor, "float32").dtype == np.float32
    assert not np.shares_memory(np.array(tensor), array)
    assert np.shares_memory(tensor.__array__(), array)
    assert not np.shares_memory(tensor.__array__(copy=True), array)
    with pytest.raises(ValueError, match="needs a copy"):
        tensor.__array__("float32", copy=False)
    part = tensor.slice([0, 1], [2, 3])
    np.testing.assert_array_equal(np.asarray(part), array[:, 1:])
    assert np.shares_memory(np.asarray(part), array)


def test_dlpack_shares_the_memory(iota):
    tensor = iota([2, 3], "float32")
    array = np.from_dlpack(tensor)
    tensor.get_data_by_share()[0, 1] = 9
    assert array[0, 1] == 9
    assert tensor.__dlpack_device__() == array.__dlpack_device__()
    part = np.from_dlpack(tensor.slice([0, 1], [2, 3]))
    np.testing.assert_array_equal(part, tensor.to_numpy()[:, 1:])
    del tensor
    assert array[0, 1] == 9  # the memory lives as long as somebody uses it

    class Foreign:
        """Has DLPack's methods and nothing else."""

        def __init__(self, array):
            self.array = array

        def __dlpack__(self, **options):
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    own = np.arange(4, dtype="float32")
    other = lite.LiteTensor()
    other.set_data_by_share(Foreign(own))
    own[2] = 30
    assert other.to_numpy().tolist() == [0, 1, 30, 3]


def test_read_only_memory_stays_read_only(iota):
    data = np.arange(4, dtype="float32")
    data.flags.writeable = False
    tensor = lite.LiteTensor()
    tensor.set_data_by_share(data)
    try:
        array = np.from_dlpack(tensor)
    except (BufferError, TypeError):  # NumPy before 2.1 refuses
        return
    assert not array.flags.writeable


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs Python 3.12")
def test_memoryview_of_a_tensor(iota):
    tensor = iota([2, 3])
    view = memoryview(tensor)
    assert view.shape == (2, 3) and view[1, 2] == 5
    view[0, 0] = 7
    assert tensor.to_numpy()[0, 0] == 7


def test_pytorch_shares_the_memory(iota):
    torch = pytest.importorskip("torch")
    tensor = iota([2, 3], "float32")
    theirs = torch.from_dlpack(tensor)
    theirs[0, 0] = 8
    assert tensor.to_numpy()[0, 0] == 8
    tensor.set_data_by_share(torch.ones(2, 3))
    assert tensor.to_numpy().sum() == 6
