"""LiteTensor: slices, shared memory, copies between tensors, concatenation."""
import numpy as np
import pytest

from megenginelite import LiteLayout, LiteTensor, LiteTensorConcat


def test_slices_of_slices_share_memory(iota):
    source = iota([6, 6])
    part = source.slice([1, 0], [5, 6], [1, 2]).slice([1], [3])
    np.testing.assert_array_equal(part.to_numpy(), source.to_numpy()[2:4, ::2])
    part.fill_zero()
    assert source.to_numpy()[2].tolist() == [0, 13, 0, 15, 0, 17]
    assert source.to_numpy()[1].tolist() == [6, 7, 8, 9, 10, 11]


def test_backward_slice(iota):
    source = iota([5])
    part = source.slice([4], [0], [-2])
    assert part.to_numpy().tolist() == [4, 2]
    assert part.is_continue is False


@pytest.mark.parametrize(
    "start, end, contiguous",
    [([1], [3], True), ([0, 2], [1, 6], True), ([3, 3], [4, 4], True), ([0, 0], [2, 4], False), ([2], [2], True)],
)
def test_is_continue(iota, start, end, contiguous):
    assert iota([4, 8]).slice(start, end).is_continue is contiguous


def test_a_slice_does_not_write_past_its_end(iota):
    source = iota([4, 2])
    part = source.slice([1], [2])
    part.set_data_by_copy(np.full((2, 2), 9, "int32"))
    assert part.to_numpy().tolist() == [[9, 9], [9, 9]]
    assert source.to_numpy().tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_a_slice_does_not_grow_by_copy_from(iota):
    part = iota([4, 2]).slice([1], [2])
    with pytest.raises(RuntimeError, match="can not grow"):
        part.copy_from(iota([4, 2]))


def test_reshape_of_a_strided_slice_is_refused(iota):
    with pytest.raises(RuntimeError):
        iota([4, 4]).slice([0, 0], [4, 2]).reshape([8])


def test_sharing_in_a_slice_detaches_it(iota):
    source = iota([4])
    part = source.slice([0], [2])
    part.set_data_by_share(np.array([7, 8], "int32"))
    assert part.to_numpy().tolist() == [7, 8]
    assert source.to_numpy().tolist() == [0, 1, 2, 3]


def test_copy_from_converts_nothing(iota):
    with pytest.raises(RuntimeError, match="attempt to access dtype"):
        iota([2]).copy_from(iota([2], "int8"))


def test_copy_from_into_a_strided_slice_needs_its_shape(iota):
    part = iota([4, 4]).slice([0, 0], [2, 2])
    with pytest.raises(RuntimeError, match="shape differs"):
        part.copy_from(iota([4]))


def test_copy_from_itself_is_refused(iota):
    tensor = iota([4])
    with pytest.raises(RuntimeError, match="overlapped"):
        tensor.copy_from(tensor)
    with pytest.raises(RuntimeError, match="overlapped"):
        tensor.slice([0], [3]).copy_from(tensor.slice([1], [4]))
    tensor.slice([0], [2]).copy_from(tensor.slice([2], [4]))
    assert tensor.to_numpy().tolist() == [2, 3, 2, 3]


def test_copy_from_grows(iota):
    target = LiteTensor(LiteLayout([1], "int32"))
    target.copy_from(iota([3, 5]))
    assert target.layout.shapes == [3, 5] and target.to_numpy()[2, 4] == 14


def test_shared_tensors_split_when_one_grows(iota):
    source = iota([4])
    alias = LiteTensor()
    alias.share_memory_with(source)
    alias.fill_zero()
    assert source.to_numpy().tolist() == [0] * 4
    source.layout = [1000]
    source.fill_zero()
    assert alias.layout.shapes == [4]


def test_share_memory_with_a_strided_slice(iota):
    source = iota([3, 3])
    alias = LiteTensor()
    alias.share_memory_with(source.slice([0, 1], [3, 2]))
    assert alias.to_numpy().tolist() == [[1], [4], [7]]
    del source
    assert alias.to_numpy().tolist() == [[1], [4], [7]]


def test_concat(iota):
    parts = [iota([2, 2]).slice([0, 0], [2, 1]), iota([2, 2])]
    result = LiteTensorConcat(parts, 1)
    assert result.to_numpy().tolist() == [[0, 0, 1], [2, 2, 3]]
    parts[1].fill_zero()
    assert result.to_numpy()[1, 2] == 3
    assert LiteTensorConcat(tuple(parts), 1).layout.shapes == [2, 3]


def test_concat_mistakes(iota):
    for tensors, dim in (([], 0), ([iota([2])], 1), ([iota([2])], -1), ([iota([2]), iota([2], "int8")], 0)):
        with pytest.raises(RuntimeError):
            LiteTensorConcat(tensors, dim)
