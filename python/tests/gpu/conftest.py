"""Tests that run on a GPU: on the emulated one if MGEC_CUDA_DRIVER names a driver, or else on a real one."""
import ctypes
import functools
import os
import subprocess
import tempfile

import pytest

import megenginelite as lite

EMULATED = bool(os.environ.get("MGEC_CUDA_DRIVER"))


@pytest.fixture(autouse=True)
def gpu():
    """The driver's controls where it is the emulated one; the test is skipped where there is no GPU."""
    try:
        lite.LiteTensor(device_type=lite.LiteDeviceType.LITE_CUDA)
    except RuntimeError as error:
        if EMULATED:
            raise
        pytest.skip("skipped: needs an NVIDIA GPU: %s" % error)
    return ctypes.CDLL(os.environ["MGEC_CUDA_DRIVER"]) if EMULATED else None


@pytest.fixture
def emulated(gpu):
    if gpu is None:
        pytest.skip("skipped: needs the emulated driver")
    return gpu


@functools.lru_cache(maxsize=None)
def _folder():
    """Where the models are; those for a real GPU are compiled when the first is needed."""
    if EMULATED:
        return "runtime/cuda/testing/models"
    folder = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
    testing = "runtime/cuda/testing/"
    command = [testing + "compile_models.sh", "tools/compile", testing + "make_random_model", folder, "cuda,x86-64-v3"]
    subprocess.run(command, check=True)
    return folder


@pytest.fixture
def model():
    """The path of a model of compile_models.sh, by name."""
    return lambda name: os.path.join(_folder(), name + ".mgec")


@pytest.fixture
def load(model):
    """A network on the GPU."""

    def make(name, io=None, before=None):
        network = lite.LiteNetwork(lite.LiteConfig(lite.LiteDeviceType.LITE_CUDA), io)
        if before is not None:
            before(network)
        network.load(model(name))
        return network

    return make
