"""Models that are encrypted or packed, as MegEngine Lite's tools do it; artifacts and models of MegEngine alike."""
import json
import subprocess

import numpy as np
import pytest

import megenginelite as lite

LENET = "testdata/nets/lenet5/"
METHODS = ["AES_default", "RC4_default", "SIMPLE_FAST_RC4_default"]
INFO = {
    "valid": True,
    "name": "model",
    "version": "1.13.0",
    "device": {"type": "CPU", "number_threads": 2, "device_id": 3},
    "options": {"weight_preprocess": True},
    "IO": {"outputs": [{"name": "scaled"}]},
    "extra_info": {"classes": ["cat", "dog"]},
}


@pytest.fixture
def pack(tmp_path):
    """pack(METHOD, MODEL, info=None): the path of a new file."""

    def make(method, model, info=None):
        path = str(tmp_path / ("%s%d.lite" % (method, info is not None)))
        arguments = ["runtime/lite/testing/pack_model", method, model, path]
        subprocess.run(arguments + ([json.dumps(info)] if info is not None else []), check=True)
        return path

    return make


def decrypting(method):
    config = lite.LiteConfig()
    config.bare_model_cryption_name = method
    return config


@pytest.mark.parametrize("method", METHODS)
def test_encrypted_artifacts(method, pack, artifact, a, run):
    network = lite.LiteNetwork(decrypting(method))
    network.load(pack(method, artifact("add")))
    np.testing.assert_array_equal(run(network, a=a, b=a)["sum"], a * 2)
    with pytest.raises(RuntimeError, match=method):
        lite.LiteNetwork(decrypting(method)).load(artifact("add"))


@pytest.mark.parametrize("method", ["NONE"] + METHODS)
def test_packed_artifacts(method, pack, artifact, a, run):
    network = lite.LiteNetwork()
    network.load(pack(method, artifact("add"), INFO))
    assert (network.threads_number, network.device_id) == (2, 3)
    assert network.get_all_output_name() == ["scaled", "sum"]
    assert json.loads(network.get_model_extra_info()) == INFO["extra_info"]
    np.testing.assert_array_equal(run(network, a=a, b=a)["sum"], a * 2)
    assert network.config.options.weight_preprocess == 0  # the user's own object


def test_the_information_may_be_ignored(pack, artifact, a, run):
    network = lite.LiteNetwork()
    network.extra_configure(lite.LiteExtraConfig(True))
    network.load(pack("NONE", artifact("add"), INFO))
    assert (network.threads_number, network.device_id) == (1, 0)
    assert network.get_all_output_name() == ["sum", "scaled"]
    assert json.loads(network.get_model_extra_info()) == INFO["extra_info"]


@pytest.mark.parametrize("method", METHODS)
def test_models_of_megengine(method, pack):
    info = dict(INFO, IO={"inputs": [{"name": "data", "shape": {"dim0": 2, "dim1": 1, "dim2": 32, "dim3": 32}}]})
    data, want = np.load(LENET + "input_data.npy"), np.load(LENET + "output_0.npy")
    for path, config in (
        (pack(method, LENET + "model.mge", info), None),
        (pack(method, LENET + "model.mge"), decrypting(method)),
    ):
        network = lite.LiteNetwork(config)
        network.load(path)
        if config is None:
            assert network.get_io_tensor("data").layout.shapes == [2, 1, 32, 32]
        network.get_io_tensor("data").set_data_by_copy(data)
        network.forward()
        network.wait()
        got = network.get_io_tensor(network.get_output_name(0)).to_numpy()
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_io_info(pack, artifact):
    packed = lite.get_model_io_info(pack("NONE", artifact("add"), INFO))
    assert [io.name for io in packed.inputs] == ["a", "b"]
    encrypted = lite.get_model_io_info(pack("AES_default", artifact("add")), decrypting("AES_default"))
    assert [io.name for io in encrypted.outputs] == ["sum", "scaled"]


@pytest.mark.parametrize(
    "info, message",
    [
        (dict(INFO, name="other"), "not match"),
        (dict(INFO, device={"type": "TPU"}), "TPU"),
        (dict(INFO, device={"type": "CUDA"}), "request gpu0 out of valid range"),
        (dict(INFO, has_compression=True), "compression"),
    ],
)
def test_information_that_cannot_be(info, message, pack, artifact):
    network = lite.LiteNetwork()
    path = pack("NONE", artifact("add"), info)
    with pytest.raises(RuntimeError, match=message):
        network.load(path)


def test_damaged_packages(tmp_path, pack, artifact):
    with open(pack("NONE", artifact("add"), INFO), "rb") as file:
        content = file.read()
    for size in (12, 40, 400):
        path = tmp_path / "cut.lite"
        path.write_bytes(content[:size])
        with pytest.raises(RuntimeError, match="cut.lite.*damaged"):
            lite.LiteNetwork().load(str(path))


def test_an_own_decryption_in_a_callback_that_fails(pack, artifact, capsys):
    @lite.decryption_func
    def broken(in_arr, key_arr, out_arr):
        raise ValueError("no")

    lite.LiteGlobal.register_decryption_and_key("packed_models_broken", broken, [1])
    with pytest.raises(RuntimeError, match="packed_models_broken failed"):
        lite.LiteNetwork(decrypting("packed_models_broken")).load(artifact("add"))
