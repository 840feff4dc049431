"""LiteNetwork: loading, running, memory."""
import gc
import pathlib
import threading

import numpy as np
import pytest

import megenginelite as lite


def expect(outputs, a, b):
    np.testing.assert_array_equal(outputs["sum"], a + b)
    np.testing.assert_array_equal(outputs["scaled"], (a + b) * 0.5)


def test_every_way_to_load(artifact, a, run):
    path = artifact("add")
    for model in (path, pathlib.Path(path), pathlib.Path(path).read_bytes()):
        network = lite.LiteNetwork()
        network.load(model)
        expect(run(network, a=a, b=a), a, a)
    with open(path, "rb") as file:
        network.load(file)  # a second time
    expect(run(network, a=a, b=a), a, a)
    assert len(network.model_bytes) == pathlib.Path(path).stat().st_size


def test_what_cannot_be_loaded(tmp_path, artifact):
    network = lite.LiteNetwork()
    with pytest.raises(FileNotFoundError):
        network.load("/no/such.mgec")
    with pytest.raises(AssertionError, match="BufferedReader"):
        network.load(3)
    good = pathlib.Path(artifact("add")).read_bytes()
    model = tmp_path / "bad.mgec"
    for bad in (b"", b"nonsense" * 100, good[:-1], good[:5000] + b"x" + good[5001:]):
        model.write_bytes(bad)
        with pytest.raises(RuntimeError, match="bad.mgec"):
            network.load(model)
    model.write_bytes(b"\x7c\x03\0\0\x1c\0\0\0mgv2" + bytes(100))
    with pytest.raises(RuntimeError, match="bad.mgec: .*cut off or damaged"):
        network.load(model)
    with pytest.raises(RuntimeError, match="after model loaded"):
        network.forward()


def test_names(load):
    network = lite.LiteNetwork()
    assert network.get_all_input_name() is None and network.get_all_output_name() is None
    with pytest.raises(RuntimeError, match="The input tensor index is large"):
        network.get_input_name(0)
    network = load()
    assert network.get_all_input_name() == ["a", "b"]
    assert [network.get_output_name(i) for i in (0, 1)] == ["sum", "scaled"]
    for index in (2, -1):
        with pytest.raises(RuntimeError, match="The output tensor index is large than the total outputs number."):
            network.get_output_name(index)
    network = load(io=lite.LiteNetworkIO([], [["scaled"]]))
    assert network.get_all_output_name() == ["scaled", "sum"]
    assert network.get_output_name(0) == "sum"


def test_tensors_by_name(load):
    network = load()
    assert network.get_io_tensor(b"a").layout.shapes == [2, 3]
    assert network.get_io_tensor("sum", lite.LiteTensorPhase.LITE_OUTPUT).nbytes == 24
    for name, phase in (("c", 0), ("a", 2), ("sum", 1)):
        with pytest.raises(RuntimeError, match="tensor name must be %s input tensor name" % name):
            network.get_io_tensor(name, phase)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads(load, a, run, threads):
    network = load(before=lambda n: setattr(n, "threads_number", threads))
    for i in range(20):
        expect(run(network, a=a + i, b=a), a + i, a)


def test_shapes_that_were_compiled(load, run):
    network = load("batches")
    for batch in (4, 2, 4):
        x = np.arange(batch * 3, dtype="float32").reshape(batch, 3)
        expect(run(network, a=x, b=x), x, x)
    assert network.get_io_tensor("sum").layout.shapes == [4, 3]


def test_other_shapes_and_types_are_errors_and_leave_the_network_usable(load, a, run):
    network = load("batches")
    with pytest.raises(RuntimeError, match=r"it was for a \[2, 3\], b \[2, 3\]; or a \[4, 3\], b \[4, 3\]"):
        run(network, a=np.zeros((3, 3), "float32"), b=np.zeros((3, 3), "float32"))
    with pytest.raises(RuntimeError, match="input a is LITE_INT, but the model takes LITE_FLOAT"):
        run(network, a=np.zeros((2, 3), "int32"), b=a)
    expect(run(network, a=a, b=a), a, a)


def test_io_presets_the_shape(load, run):
    layout = lite.LiteLayout([4, 3])
    network = load("batches", io=lite.LiteNetworkIO([lite.LiteIO("a", layout=layout), lite.LiteIO("b", layout=layout)]))
    assert network.get_io_tensor("a").layout.shapes == [4, 3]
    network.forward()
    assert network.get_io_tensor("sum").layout.shapes == [4, 3]


def test_user_memory(load, a):
    network = load()
    source, result = a.copy(), np.zeros((2, 3), "float32")
    network.get_io_tensor("a").set_data_by_share(source)
    network.get_io_tensor("b").set_data_by_share(source)  # the same memory for both
    network.get_io_tensor("sum").set_data_by_share(result)
    address = result.ctypes.data
    for factor in (1, 2):
        source[:] = a * factor
        network.forward()
        network.wait()
        np.testing.assert_array_equal(result, a * factor * 2)
    assert network.get_io_tensor("sum").get_ctypes_memory().value == address


def test_user_memory_is_kept_alive(load, a, run):
    network = load()
    network.get_io_tensor("a").set_data_by_share(a.copy())
    gc.collect()
    churn = [np.zeros((2, 3), "float32") for _ in range(100)]
    expect(run(network, b=a), a, a)
    assert churn


def test_output_memory_must_be_writable_and_large_enough(load, a, run):
    config = lite.LiteConfig()
    config.options.force_output_use_user_specified_memory = 1
    network = load(config=config)
    output = network.get_io_tensor("sum")
    output.set_data_by_share(np.zeros((1, 3), "float32"))
    with pytest.raises(RuntimeError, match="output sum needs 24 bytes, but the memory that was given for it has 12"):
        run(network, a=a, b=a)
    read_only = np.zeros((2, 3), "float32")
    read_only.flags.writeable = False
    output.set_data_by_share(read_only)
    with pytest.raises(RuntimeError, match="read-only"):
        run(network, a=a, b=a)
    output.set_data_by_share(np.zeros((2, 3), "float32"))
    expect(run(network, a=a, b=a), a, a)


def test_output_over_input_is_refused(load, a, run):
    network = load()
    network.get_io_tensor("sum").share_memory_with(network.get_io_tensor("a"))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="output sum and a share memory"):
            run(network, a=a, b=a)


def test_one_network_feeds_another(load, a):
    first, second = load(), load()
    for name in "ab":
        first.get_io_tensor(name).set_data_by_copy(a)
        second.get_io_tensor(name).share_memory_with(first.get_io_tensor("scaled"))
    first.forward()
    second.forward()
    np.testing.assert_array_equal(second.get_io_tensor("sum").to_numpy(), a * 2)


def test_tensors_outlive_their_network(load, a, run):
    network = load()
    run(network, a=a, b=a)
    tensor = network.get_io_tensor("sum")
    del network
    gc.collect()
    np.testing.assert_array_equal(tensor.to_numpy(), a * 2)


def test_shared_weights(load, a, run):
    source = load()
    network = lite.LiteNetwork()
    network.share_weights_with(source)
    del source
    gc.collect()
    expect(run(network, a=a, b=a), a, a)
    with pytest.raises(AssertionError):
        network.share_weights_with("network")
    with pytest.raises(RuntimeError):
        lite.LiteNetwork().share_weights_with(lite.LiteNetwork())


def test_networks_in_threads(load, a, run):
    errors = []

    def work(i):
        try:
            network = load()
            for j in range(50):
                expect(run(network, a=a * i, b=a + j), a * i, a + j)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_model_io_info(artifact):
    info = lite.get_model_io_info(artifact("classifier"))
    assert [(i.name, i.config_layout.shapes) for i in info.inputs] == [("data", [1, 3, 224, 224])]
    assert [(o.name, o.config_layout.shapes) for o in info.outputs] == [("scores", [1, 1000])]
    with pytest.raises(RuntimeError, match="failed to open"):
        lite.get_model_io_info("/no/such.mgec")
