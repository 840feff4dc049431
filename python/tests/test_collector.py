import numpy as np
import pytest

from megenginelite import LiteDataType, LiteLayout, LiteTensor, TensorBatchCollector


@pytest.fixture
def box():
    return TensorBatchCollector([3, 2], dtype=LiteDataType.LITE_INT)


def test_collects_in_order_and_reuses_freed_places(box):
    for i in range(3):
        assert box.collect(np.full(2, i, "int32")) == i
    with pytest.warns(UserWarning, match="all batch has been collected"):
        assert box.collect(np.zeros(2, "int32")) == -1
    box.free([2, 0])
    assert box.collect(np.full(2, 8, "int32")) == 2
    assert box.collect(np.full(2, 9, "int32")) == 0
    assert box.to_numpy()[:, 0].tolist() == [9, 1, 8]


def test_a_wrong_item_takes_no_place(box):
    for item in (np.zeros(3, "int32"), np.zeros(2, "int8"), [0, 0]):
        with pytest.raises(AssertionError):
            box.collect(item)
    assert box.collect(np.zeros(2, "int32")) == 0


def test_collects_tensors_and_strided_slices(box):
    source = LiteTensor(LiteLayout([2, 2], "int32"))
    source.set_data_by_copy([1, 2, 3, 4])
    part = source.slice([0, 1], [2, 2])
    assert part.to_numpy().tolist() == [[2], [4]]
    box.collect(source.slice([1], [2]).to_numpy()[0])
    assert box.get_tensor_at(0).to_numpy().tolist() == [[3, 4]]


def test_warnings(box):
    box.collect_id(np.ones(2, "int32"), 1)
    with pytest.warns(UserWarning, match="batch 1 has been collected"):
        box.collect_id(np.zeros(2, "int32"), 1)
    with pytest.warns(UserWarning, match="batch id 0 has not collected"):
        box.free([0])
    with pytest.warns(UserWarning):
        box.get_tensor_at(2)
    with pytest.raises(AssertionError):
        box.get_tensor_at(3)


def test_by_address(box):
    data = np.array([5, 6], "int32")
    for _ in range(3):
        assert box.collect_by_ctypes(data.ctypes.data, data.nbytes) is None
    assert box.collect_by_ctypes(data.ctypes.data, data.nbytes) == -1
    assert box.to_numpy().tolist() == [[5, 6]] * 3


def test_attributes(box):
    assert box.shape == [3, 2] and box.dtype == LiteDataType.LITE_INT
    assert box.dev_id == 0 and box.is_pinned_host is False
    assert isinstance(box.get(), LiteTensor)
