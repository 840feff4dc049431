"""The examples of MegEngine Lite's documentation, on a compiled model."""
import numpy as np

from megenginelite import *


def test_network_basic(artifact):
    data = np.random.default_rng(1).random((1, 3, 224, 224), dtype="float32")
    network = LiteNetwork()
    network.load(artifact("classifier"))
    input_name = network.get_input_name(0)
    input_tensor = network.get_io_tensor(input_name)
    output_name = network.get_output_name(0)
    output_tensor = network.get_io_tensor(output_name)
    input_tensor.set_data_by_copy(data)
    for _ in range(3):
        network.forward()
        network.wait()
    output = output_tensor.to_numpy()
    assert output.shape == (1, 1000)
    np.testing.assert_array_equal(output[0], data.ravel()[:1000])


def test_set_data():
    tensor = LiteTensor(LiteLayout([4, 32], "int16"))
    assert tensor.nbytes == 4 * 32 * 2
    tensor.set_data_by_copy(list(range(128)))
    np.testing.assert_array_equal(tensor.to_numpy(), np.arange(128).reshape(4, 32))
    array = np.ones([8, 64], "int32")
    tensor.set_data_by_copy(array)
    array[1][18] = 5
    assert tensor.to_numpy()[1][18] == 1
    tensor.set_data_by_share(array)
    array[1][18] = 6
    assert tensor.to_numpy()[1][18] == 6


def test_share_memory_with():
    source = LiteTensor(LiteLayout([4, 32], "int16"))
    target = LiteTensor(LiteLayout([4, 32], "int16"))
    target.share_memory_with(source)
    source.set_data_by_copy([i + 5 for i in range(128)])
    np.testing.assert_array_equal(target.to_numpy().ravel(), np.arange(128) + 5)


def test_device_io_by_share(artifact):
    network = LiteNetwork()
    network.load(artifact("classifier"))
    data = np.ones((2, 3, 224, 224), "float32")
    tensor = LiteTensor(layout=LiteLayout(data.shape, data.dtype))
    tensor.set_data_by_share(data)
    network.get_io_tensor("data").share_memory_with(tensor)
    network.forward()
    network.wait()
    assert network.get_io_tensor("scores").to_numpy().shape == (2, 1000)
