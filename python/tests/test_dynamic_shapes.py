"""Outputs whose size depends on values, and batches of any size."""
import numpy as np
import pytest

import megenginelite as lite
from megenginelite import __main__ as command_line
from megenginelite import compile_cache

OPS, LENET = "testdata/ops/", "testdata/nets/lenet5/"


@pytest.fixture(autouse=True)
def cache(tmp_path):
    compile_cache.set_directory(tmp_path / "cache")
    yield
    compile_cache.set_directory(None)


@pytest.fixture
def any_batch(tmp_path):
    """The path of an artifact of LeNet for any batch."""
    path = str(tmp_path / "lenet.mgec")
    assert command_line.main(["compile", LENET + "model.mge", "-o", path, "--input-shape", "data=Nx1x32x32"]) == 0
    return path


def outputs(network, inputs):
    for name, data in inputs.items():
        network.get_io_tensor(name).set_data_by_copy(data)
    network.forward()
    network.wait()
    return [network.get_io_tensor(name).to_numpy() for name in network.get_all_output_name()]


@pytest.mark.parametrize("case, count", [("detect__nms", 3), ("detect__one", 3), ("detect__none", 3), ("cond_take__2d", 2)])
def test_outputs_have_the_size_that_was_found(case, count):
    folder = OPS + case + "/"
    network = lite.LiteNetwork()
    network.load(folder + "model.mge")
    inputs = {name: np.load(folder + "input_%s.npy" % name) for name in network.get_all_input_name()}
    for _ in range(2):
        got = outputs(network, inputs)
        assert len(got) == len(network.get_all_output_name()) == count
        for i, array in enumerate(got):
            want = np.load(folder + "output_%d.npy" % i)
            assert array.shape == want.shape
            np.testing.assert_allclose(array, want, rtol=1e-4, atol=1e-4)


def test_sizes_change_from_pass_to_pass():
    network = lite.LiteNetwork()
    network.load(OPS + "cond_take__2d/model.mge")
    name = network.get_output_name(0)
    assert network.get_io_tensor(name).layout.shapes[0] == 20  # the most that there can be
    found = []
    network.set_finish_callback(lambda ios: found.extend(t.layout.shapes[0] for io, t in ios.items() if io.name == name))
    for positive in (3, 0, 20, 7):
        x = np.full(20, -1, np.float32)
        x[:positive] = np.arange(1, positive + 1)
        got = outputs(network, {"x": x.reshape(4, 5)})[0]
        np.testing.assert_array_equal(got, x[:positive])
    assert found == [3, 0, 20, 7]


def test_sizes_in_asynchronous_passes():
    network = lite.LiteNetwork()
    network.load(OPS + "cond_take__2d/model.mge")
    network.async_with_callback(lambda: 0)
    x = np.zeros((4, 5), np.float32)
    x[1, 2] = 4
    got = outputs(network, {"x": x})
    np.testing.assert_array_equal(got[0], [4])
    np.testing.assert_array_equal(got[1], [7])


@pytest.mark.parametrize("threads", [1, 2])
def test_any_batch(any_batch, threads):
    network, one = lite.LiteNetwork(), lite.LiteNetwork()
    network.threads_number = threads
    network.load(any_batch)
    one.load(LENET + "model.mge")
    data = np.random.RandomState(0).randn(19, 1, 32, 32).astype(np.float32)
    want = np.concatenate([outputs(one, {"data": data[i : i + 1]})[0] for i in range(len(data))])
    output = network.get_io_tensor(network.get_output_name(0))
    for n in (1, 2, 3, 9, 19, 4):
        (got,) = outputs(network, {"data": data[:n]})
        assert got.shape == (n, 10)
        assert list(output.layout.shapes[:2]) == [n, 10]
        np.testing.assert_allclose(got, want[:n], rtol=1e-4, atol=1e-4)


def test_any_batch_starts_with_one(any_batch):
    info = lite.get_model_io_info(any_batch)
    assert list(info.inputs[0].config_layout.shapes[:4]) == [1, 1, 32, 32]
    network = lite.LiteNetwork()
    network.load(any_batch)
    assert list(network.get_io_tensor("data").layout.shapes[:4]) == [1, 1, 32, 32]
    network.get_io_tensor("data").set_data_by_copy(np.zeros((2, 1, 31, 32), np.float32))
    with pytest.raises(RuntimeError, match=r"it was for data \[N, 1, 32, 32\] for any N"):
        network.forward()


def test_any_batch_with_callbacks(any_batch):
    network = lite.LiteNetwork()
    network.load(any_batch)
    called = []
    network.async_with_callback(lambda: called.append(1) or 0)
    (got,) = outputs(network, {"data": np.zeros((10, 1, 32, 32), np.float32)})
    assert got.shape == (10, 10) and called
