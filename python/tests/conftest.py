import pathlib

import numpy as np
import pytest

import megenginelite as lite

_ARTIFACTS = pathlib.Path("python/tests/artifacts")


@pytest.fixture(scope="session")
def artifact():
    """The path of an artifact made for tests, by name: see runtime/testing/make_test_artifacts.cc."""
    return lambda name: str(_ARTIFACTS / (name + ".mgec"))


@pytest.fixture
def load(artifact):
    """A loaded network: load("add"); `before` is called with the network before that."""

    def make(name="add", config=None, io=None, before=None):
        network = lite.LiteNetwork(config, io)
        if before is not None:
            before(network)
        network.load(artifact(name))
        return network

    return make


@pytest.fixture
def a():
    return np.arange(6, dtype="float32").reshape(2, 3)


@pytest.fixture
def run():
    """Feeds the inputs named, runs once, returns all outputs by name."""

    def call(network, **inputs):
        for name, value in inputs.items():
            network.get_io_tensor(name).set_data_by_copy(value)
        network.forward()
        network.wait()
        return {name: network.get_io_tensor(name).to_numpy() for name in network.get_all_output_name()}

    return call


@pytest.fixture
def iota():
    """A tensor holding 0, 1, 2, ..."""

    def make(shape, dtype="int32"):
        tensor = lite.LiteTensor(lite.LiteLayout(shape, dtype))
        tensor.set_data_by_copy(np.arange(int(np.prod(shape))).astype(dtype).reshape(shape))
        return tensor

    return make
