import numpy as np
import pytest

import megenginelite as lite

NUMPY_TYPES = [np.float32, np.float16, np.int32, np.int16, np.int8, np.uint8, np.uint16]


@pytest.mark.parametrize("numpy_type", NUMPY_TYPES)
def test_every_way_to_name_a_type(numpy_type):
    name = np.dtype(numpy_type).name
    for dtype in (numpy_type, np.dtype(numpy_type), name):
        layout = lite.LiteLayout([2, 3], dtype)
        assert layout.dtype is numpy_type
        assert lite.lite_dtype_2_numpy(lite.LiteDataType(layout.data_type)) is numpy_type


def test_float32_is_the_default():
    assert lite.LiteLayout([1]).dtype is np.float32
    assert lite.LiteLayout([1], lite.LiteDataType.LITE_FLOAT).dtype is np.float32
    assert lite.LiteLayout() == lite.LiteLayout([])


@pytest.mark.parametrize("dtype", ["float64", "int64", np.float64, np.dtype("int64")])
def test_types_that_tensors_do_not_have(dtype):
    with pytest.raises(KeyError):
        lite.LiteLayout([1], dtype)


def test_what_is_no_type():
    with pytest.raises(RuntimeError, match="unkonw data type"):
        lite.LiteLayout([1], 1.5)
    with pytest.raises(AssertionError):
        lite.lite_dtype_2_numpy(0)


def test_shapes():
    layout = lite.LiteLayout((1, 2, 3))
    assert layout.shapes == [1, 2, 3] and layout.ndim == 3
    layout.shapes = range(1, 8)
    assert layout.ndim == lite.MAX_DIM
    with pytest.raises(AssertionError, match="Layout max dim is 7."):
        layout.shapes = [1] * 8
    with pytest.raises(TypeError):
        lite.LiteLayout([1.5])


def test_equality_is_by_value():
    assert lite.LiteLayout([1, 2], "int8") == lite.LiteLayout((1, 2), np.int8)
    assert lite.LiteLayout([1, 2], "int8") != lite.LiteLayout([1, 2], "uint8")
    assert lite.LiteLayout([1, 2]) != lite.LiteLayout([2, 1])
    assert lite.LiteLayout([1]) != [1]


def test_repr():
    assert repr(lite.LiteLayout([4], "uint8")) == "{'shapes': [4], 'ndim': 1, 'data_type': <class 'numpy.uint8'>}"
