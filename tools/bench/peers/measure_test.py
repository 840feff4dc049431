import os
import sys

import numpy as np
import pytest

from peers import engines, fake_engine, measure, networks, results
from peers.engine import Engine
from peers.worker import distance


@pytest.fixture
def command(tmp_path):
    np.save(tmp_path / "net.input.npy", np.ones((2, 3), "float32"))
    np.save(tmp_path / "net.output.npy", np.full((2, 3), 2, "float32"))

    def make(engine):
        path = os.pathsep.join(p for p in sys.path if p)
        return measure.Command([sys.executable, "-m", "peers.fake_engine", "serve", engine, str(tmp_path / "net"), "1"],
                               {**os.environ, "PYTHONPATH": path}, str(tmp_path / (engine + ".log")))

    return make


def test_gives_each_engine_its_turns_and_checks_its_output(command, tmp_path):
    said = []
    found = measure.interleave({name: command(name) for name in ("fake", "wrong", "broken")}, rounds=3, runs=4, say=said.append)
    assert len(found["fake"].seconds) == 12 and min(found["fake"].seconds) > 0
    assert found["fake"].error == 0 and not found["fake"].failure
    assert found["fake"].start["load_ms"] >= 0 and found["fake"].start["peak_memory_mb"] >= 0
    assert found["wrong"].error == 0.5
    assert "RuntimeError: no more" in found["broken"].failure and found["broken"].seconds == []
    assert len(said) == 1 and said[0].startswith("broken: ended with status 1")
    assert "an engine that talks" in (tmp_path / "fake.log").read_text()


def test_a_worker_that_does_not_start(command, tmp_path):
    found = measure.interleave({"missing": command("missing")}, rounds=1, runs=1)
    assert "KeyError: 'missing'" in found["missing"].failure


def test_distance():
    reference = np.array([[1, -4]], "float32")
    assert distance(reference, reference) == 0
    assert distance(np.array([[2, -4]], "float32"), reference) == 0.25
    assert distance(np.array([1, -4], "float32"), reference) is None
    assert distance(np.array([[1, np.nan]], "float32"), reference) is None


def test_every_engine_can_be_made_without_what_it_needs():
    for name in engines.NAMES:
        engine = engines.create(name)
        assert isinstance(engine, Engine) and engine.name == name and engine.environment is not None
        assert engine.suffix is None or type(engine).convert is not Engine.convert
    assert isinstance(engines.create("fake"), fake_engine.Fake)  # registered by the import above


def test_networks_are_all_there():
    assert len(networks.NAMES) == len(set(networks.NAMES)) == 13


def test_quantized_networks_are_made_of_others():
    quantized = [name for name in networks.NAMES if networks.float_network(name)]
    assert len(quantized) == 4 and all(networks.float_network(name) in networks.NAMES for name in quantized)


def test_quantized_networks_may_round_otherwise():
    measured = measure.Measurement({"load_ms": 5.0, "first_ms": 1.0, "peak_memory_mb": 7.0}, [0.001], 0.1)
    assert "output differs" in results.summarize("resnet18", 1, "e", 1, 1.0, measured).failure
    assert results.summarize("resnet18_int8", 1, "e", 1, 1.0, measured).failure == ""
    measured.error = 0.9
    assert "output differs" in results.summarize("resnet18_int8", 1, "e", 1, 1.0, measured).failure


def test_measurements_become_results():
    start = {"load_ms": 5.0, "first_ms": 1.0, "peak_memory_mb": 7.0}
    good = measure.Measurement(start, [0.004, 0.001, 0.002], 1e-5)
    r = results.summarize("net", 2, "fake", 1000, 0.5, good)
    assert (r.min_ms, r.median_ms, r.p90_ms, r.runs) == (1, 2, 4, 3)
    assert (r.load_ms, r.first_ms, r.peak_memory_mb, r.failure) == (5, 1, 7, "")
    far = results.summarize("net", 2, "fake", 1000, 0.5, measure.Measurement(start, [0.004], 0.02))
    assert far.failure == "output differs from the reference by 2.0e-02 of the largest value" and far.min_ms is None
    shape = results.summarize("net", 2, "fake", 1000, 0.5, measure.Measurement(start, [0.004], None))
    assert "in shape" in shape.failure
    broken = results.summarize("net", 2, "fake", 1000, 0.5, measure.Measurement(failure="ended"))
    assert broken.failure == "ended" and broken.median_ms is None
