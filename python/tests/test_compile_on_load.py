"""Models that were not compiled beforehand: compiled by load(), kept in the cache, compiled again for other shapes."""
import os
import subprocess
import sys

import numpy as np
import pytest

import megenginelite as lite
from megenginelite import compile_cache, model

LENET = "testdata/nets/lenet5/"


@pytest.fixture(autouse=True)
def cache(tmp_path):
    compile_cache.set_directory(tmp_path / "cache")
    yield tmp_path / "cache"
    compile_cache.set_directory(None)
    compile_cache.set_limit(None)


@pytest.fixture
def compilations(monkeypatch):
    """Counts how often the compiler runs."""
    calls = []
    module = model.compiler()

    class Counting:
        __file__ = module.__file__
        version = staticmethod(module.version)

        @staticmethod
        def compile(*args, **kwargs):
            calls.append(args)
            return module.compile(*args, **kwargs)

    monkeypatch.setattr(model, "compiler", lambda: Counting)
    return calls


def run(source, data=None):
    network = lite.LiteNetwork()
    network.load(source)
    tensor = network.get_io_tensor(network.get_input_name(0))
    tensor.set_data_by_copy(np.load(LENET + "input_data.npy") if data is None else data)
    network.forward()
    network.wait()
    return network.get_io_tensor(network.get_output_name(0)).to_numpy()


def content(path):
    with open(path, "rb") as file:
        return file.read()


@pytest.mark.parametrize("container", ["model.mge", "model.v1.mge"])
def test_path_bytes_and_file_give_the_answer(container):
    want = np.load(LENET + "output_0.npy")
    np.testing.assert_allclose(run(LENET + container), want, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(run(content(LENET + container)), want, rtol=1e-4, atol=1e-4)
    with open(LENET + container, "rb") as file:
        np.testing.assert_allclose(run(file), want, rtol=1e-4, atol=1e-4)


def test_second_load_comes_from_the_cache(compilations):
    first = run(LENET + "model.mge")
    np.testing.assert_array_equal(run(LENET + "model.mge"), first)
    assert len(compilations) == 1
    compile_cache.clear()
    run(LENET + "model.mge")
    assert len(compilations) == 2


def test_cache_off(cache, compilations):
    compile_cache.set_limit(0)
    run(LENET + "model.mge")
    run(LENET + "model.mge")
    assert len(compilations) == 2
    assert not cache.exists()


def test_damaged_entry_is_made_anew(cache, compilations):
    want = run(LENET + "model.mge")
    (entry,) = cache.glob("*.mgec")
    damaged = bytearray(entry.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    entry.write_bytes(damaged)
    np.testing.assert_array_equal(run(LENET + "model.mge"), want)
    assert len(compilations) == 2
    run(LENET + "model.mge")
    assert len(compilations) == 2


def test_the_whole_key_is_compared(cache, compilations):
    run(LENET + "model.mge")
    (key,) = cache.glob("*.json")
    key.write_text(key.read_text().replace('"size": ', '"size": 1'))
    run(LENET + "model.mge")
    assert len(compilations) == 2


def test_least_recently_used_entries_go(cache):
    run(LENET + "model.mge")
    (first,) = cache.glob("*.mgec")
    os.utime(first, (1, 1))
    compile_cache.set_limit(first.stat().st_size * 3 // 2)
    run(LENET + "model.v1.mge")
    left = list(cache.glob("*.mgec"))
    assert len(left) == 1 and left != [first]


def test_unwritable_cache_costs_nothing_but_time(tmp_path):
    (tmp_path / "file").write_text("")
    compile_cache.set_directory(tmp_path / "file" / "below")
    assert run(LENET + "model.mge").shape == (1, 10)


def test_processes_at_once(cache):
    script = (
        "import megenginelite as lite; n = lite.LiteNetwork(); n.load(%r); n.forward(); n.wait(); print('ok')"
        % (LENET + "model.mge")
    )
    environment = dict(os.environ, MEGENGINELITE_CACHE_DIR=str(cache))
    processes = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE) for _ in range(4)
    ]
    assert [p.communicate(timeout=120)[0] for p in processes] == [b"ok\n"] * 4
    assert len(list(cache.glob("*.mgec"))) == 1
    assert not list(cache.glob("*.lock")) and not list(cache.glob(".new-*"))


def test_other_input_shapes(compilations):
    net = "testdata/nets/unet_bilinear/"
    data = np.load(net + "input_data.npy")
    network = lite.LiteNetwork()
    network.load(net + "model.mge")
    tensor = network.get_io_tensor("data")

    def forward(array):
        tensor.set_data_by_copy(np.ascontiguousarray(array))
        network.forward()
        network.wait()
        return network.get_io_tensor(network.get_output_name(0)).to_numpy()

    one = forward(data)
    two = forward(np.concatenate([data, data[:, :, ::-1]]))
    assert two.shape == (2,) + one.shape[1:]
    np.testing.assert_allclose(two[:1], one, rtol=1e-4, atol=1e-4)
    small = forward(data[:, :, :32, :32])
    assert small.shape[2:] == (32, 32)
    np.testing.assert_array_equal(forward(data), one)
    assert len(compilations) == 3


def test_what_is_wrong_with_a_model_is_said(tmp_path):
    bad = tmp_path / "bad.mge"
    bad.write_bytes(content(LENET + "model.mge")[:5000])
    with pytest.raises(RuntimeError, match="bad.mge"):
        lite.LiteNetwork().load(str(bad))
    with pytest.raises(RuntimeError, match="invalid model format"):
        lite.LiteNetwork().load(b"this is no model" * 10)


def test_without_the_compiler_the_command_is_named(monkeypatch):
    monkeypatch.setattr(model, "compiler", lambda: None)
    with pytest.raises(RuntimeError, match="megenginelite compile"):
        lite.LiteNetwork().load(LENET + "model.mge")


def test_get_model_io_info():
    info = lite.get_model_io_info(LENET + "model.mge")
    assert [io.name for io in info.inputs] == ["data"]
    assert info.inputs[0].config_layout.shapes == [1, 1, 32, 32]
