"""Real models, compiled by tools/compile and run as MegEngine Lite's documentation shows."""
import runpy
import subprocess
import sys

import numpy as np
import pytest

import megenginelite as lite


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """The path of the artifact of a model in testdata/, compiled once."""
    folder = tmp_path_factory.mktemp("models")

    def compile(name):
        artifact = folder / (name + ".mgec")
        if not artifact.exists():
            subprocess.run(["tools/compile", "testdata/%s.mge" % name, "-o", str(artifact)], check=True)
        return str(artifact)

    return compile


def run(network, data):
    """The documentation's loop: copy in, forward, wait, copy out."""
    network.get_io_tensor(network.get_input_name(0)).set_data_by_copy(data)
    network.forward()
    network.wait()
    return network.get_io_tensor(network.get_output_name(0)).to_numpy()


@pytest.fixture
def shufflenet(compiled):
    network = lite.LiteNetwork()
    network.load(compiled("shufflenet"))
    return network


def test_shufflenet(shufflenet):
    got = run(shufflenet, np.load("testdata/input_data.npy"))
    want = np.load("testdata/output_data.npy").reshape(got.shape)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=5e-4)
    assert got.argmax() == want.argmax()


def test_shufflenet_on_shared_memory(shufflenet):
    data = np.ascontiguousarray(np.load("testdata/input_data.npy"))
    want = run(shufflenet, data)
    tensor = lite.LiteTensor(layout=lite.LiteLayout(data.shape, data.dtype))
    tensor.set_data_by_share(data)
    shufflenet.get_io_tensor("data").share_memory_with(tensor)
    shufflenet.forward()
    shufflenet.wait()
    np.testing.assert_array_equal(shufflenet.get_io_tensor("Softmax").to_numpy(), want)
    data[:] = 0  # what the array holds now is what the network reads
    shufflenet.forward()
    shufflenet.wait()
    assert not np.array_equal(shufflenet.get_io_tensor("Softmax").to_numpy(), want)


def test_threads_give_the_same_bits(compiled):
    data = np.load("testdata/input_data.npy")
    results = []
    for threads in 1, 2, 3:
        network = lite.LiteNetwork()
        network.threads_number = threads
        network.load(compiled("shufflenet"))
        results.append(run(network, data))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_efficientnet_lite0(compiled):
    network = lite.LiteNetwork()
    network.load(compiled("efficientnet_lite0"))
    got = run(network, np.load("testdata/efficientnet_lite0/input_data.npy"))
    np.testing.assert_allclose(got, np.load("testdata/efficientnet_lite0/output_0.npy"), rtol=0, atol=1e-4)


@pytest.mark.parametrize("photograph, classes", [("chelsea.png", [282, 285, 281]), ("coffee.png", [967]),
                                                 ("rocket.jpg", [657])])
def test_example_classifies_photographs(photograph, classes, compiled, monkeypatch, capsys):
    """python/examples/classify.py, as the README shows it."""
    monkeypatch.setattr(sys, "argv", ["classify.py", compiled("efficientnet_lite0"),
                                      "testdata/efficientnet_lite0/" + photograph])
    runpy.run_path("python/examples/classify.py", run_name="__main__")
    printed = [int(line.split()[1].rstrip(":")) for line in capsys.readouterr().out.splitlines()]
    assert printed[:len(classes)] == classes
