"""tools/run from its command line."""
import os
import subprocess

import numpy as np
import pytest

ARTIFACTS = "python/tests/artifacts/"


@pytest.fixture
def run(tmp_path):
    """Runs the tool as `bazel run` would from tmp_path."""

    def call(*args, ok=True):
        env = dict(os.environ, BUILD_WORKING_DIRECTORY=str(tmp_path))
        done = subprocess.run(["tools/run", *args], env=env, capture_output=True, text=True)
        assert (done.returncode == 0) == ok, done.stdout + done.stderr
        return done.stdout if ok else done.stderr

    return call


def artifact(name):
    return os.path.abspath(ARTIFACTS + name + ".mgec")


def test_reads_and_writes_npy(run, tmp_path):
    a = np.arange(6, dtype="float32").reshape(2, 3)
    np.save(tmp_path / "a.npy", a)
    np.save(tmp_path / "b.npy", a * 10)
    out = run(artifact("add"), "--input", "a=a.npy", "--input=b=b.npy", "--output-dir", "out", "--threads", "2")
    np.testing.assert_array_equal(np.load(tmp_path / "out/sum.npy"), a * 11)
    np.testing.assert_array_equal(np.load(tmp_path / "out/scaled.npy"), a * 5.5)
    assert "input   a                float32 [2, 3]   a.npy" in out
    assert "wrote out/sum.npy" in out


def test_measures_and_profiles(run):
    out = run(artifact("classifier"), "--iterations=5", "--warmup=2", "--profile", "--private-constants")
    assert "5 passes: min" in out and "median" in out and "mean" in out
    assert "scaled (scale_f32)" in out
    assert "random values" in out


def test_chooses_the_program_by_the_files_shapes(run, tmp_path):
    for name in "ab":
        np.save(tmp_path / (name + ".npy"), np.ones((4, 3), "float32"))
    run(artifact("batches"), "--input", "a=a.npy", "--input", "b=b.npy", "--output_dir", ".")
    assert np.load(tmp_path / "sum.npy").tolist() == [[2] * 3] * 4


@pytest.mark.parametrize(
    "args, message",
    [
        ([], "give one artifact"),
        (["missing.mgec"], "failed to open"),
        ([artifact("add"), "--input", "a"], "not NAME=FILE"),
        ([artifact("add"), "--input", "c=a.npy"], "the model has no input c; it has: a, b"),
        ([artifact("add"), "--input", "a=missing.npy"], "failed to open"),
        ([artifact("add"), "--input", "a=ints.npy"], "ints.npy holds <i4, but input a is float32"),
        ([artifact("add"), "--input", "a=wide.npy"], "it was for a [2, 3], b [2, 3]"),
        ([artifact("add"), "--iterations", "0"], "--iterations is at least 1"),
        ([artifact("add"), "--threads", "0"], "0 threads"),
    ],
)
def test_mistakes_are_explained(run, tmp_path, args, message):
    np.save(tmp_path / "ints.npy", np.zeros((2, 3), "int32"))
    np.save(tmp_path / "wide.npy", np.zeros((2, 4), "float32"))
    error = run(*args, ok=False)
    assert error.startswith("error: ") and message in error


def test_runs_on_a_gpu(run, tmp_path, monkeypatch):
    monkeypatch.setenv("MGEC_CUDA_DRIVER", os.path.abspath("runtime/cuda/testing/libcuda_emulated.so"))
    model = os.path.abspath("runtime/cuda/testing/models/lenet5.mgec")
    data = "--input=data=" + os.path.abspath("testdata/nets/lenet5/input_data.npy")
    for flags in ["--gpu=0"], ["--gpu=1", "--nocuda_graph"]:
        out = run(model, data, "--profile", "--output-dir=out", *flags)
        assert ", cuda," in out and "steps" in out
        np.testing.assert_allclose(
            np.load(tmp_path / "out/f3.ADD.npy"), np.load("testdata/nets/lenet5/output_0.npy"), rtol=1e-3, atol=1e-3
        )
    assert "request gpu7 out of valid range [0, 2)" in run(model, "--gpu=7", ok=False)
    monkeypatch.setenv("MGEC_CUDA_DRIVER", "/nowhere.so")
    assert "cannot open NVIDIA's driver: /nowhere.so" in run(model, "--gpu=0", ok=False)
