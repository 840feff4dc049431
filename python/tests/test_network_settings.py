"""LiteNetwork: settings, callbacks, profiles, dumps."""
import json
import threading

import numpy as np
import pytest

import megenginelite as lite


def test_settings_before_load_only(load):
    network = load(before=lambda n: (setattr(n, "device_id", 3), setattr(n, "threads_number", 4)))
    assert (network.device_id, network.stream_id, network.threads_number) == (3, 0, 4)
    for call in (
        lambda: setattr(network, "device_id", 1),
        lambda: setattr(network, "stream_id", 1),
        lambda: setattr(network, "threads_number", 1),
        network.enable_cpu_inplace_mode,
        network.use_tensorrt,
        network.enable_global_layout_transform,
        lambda: network.extra_configure(lite.LiteExtraConfig()),
        lambda: network.share_runtime_memroy(network),
    ):
        with pytest.raises(RuntimeError, match="should be used before model loaded."):
            call()


def test_one_thread_does_not_take_threads_away():
    network = lite.LiteNetwork()
    network.threads_number = 4
    network.threads_number = 1
    assert network.threads_number == 4


def test_what_is_not_supported(load, artifact):
    network = load()
    with pytest.raises(RuntimeError, match="discrete_input_name"):
        network.get_discrete_tensor("a", 0)
    with pytest.raises(RuntimeError, match="not supported"):
        network.dump_layout_transform_model("x")
    config = lite.LiteConfig()
    config.discrete_input_name = b"data"
    with pytest.raises(RuntimeError, match="the inputs are: a, b"):
        lite.LiteNetwork(config).load(artifact("add"))
    config = lite.LiteConfig()
    config.has_compression = 1
    with pytest.raises(RuntimeError, match="Unexpected compression method"):
        lite.LiteNetwork(config).load(artifact("add"))
    with pytest.raises(RuntimeError):
        lite.LiteNetwork(lite.LiteConfig(lite.LiteDeviceType.LITE_NPU))
    cuda = lite.LiteNetwork(lite.LiteConfig(lite.LiteDeviceType.LITE_CUDA))
    with pytest.raises(RuntimeError, match="request gpu0 out of valid range \\[0, 0\\): cannot open NVIDIA's driver"):
        cuda.load(artifact("add"))


def test_start_callback_may_change_inputs(load, a, run):
    network = load()

    def callback(ios):
        assert [io.name for io in ios] == ["a", "b"]
        next(iter(ios.values())).fill_zero()
        return 0

    network.set_start_callback(callback)
    np.testing.assert_array_equal(run(network, a=a, b=a)["sum"], a)


def test_callbacks_of_two_networks_do_not_mix(load, a, run):
    seen = []
    networks = [load(), load()]
    for i, network in enumerate(networks):
        network.set_start_callback(lambda ios, i=i: seen.append(("start", i)))
        network.set_finish_callback(lambda ios, i=i: seen.append(("finish", i, sorted(io.name for io in ios))))
    for network in networks:
        run(network, a=a, b=a)
    names = ["scaled", "sum"]
    assert seen == [("start", 0), ("finish", 0, names), ("start", 1), ("finish", 1, names)]


def test_a_raising_callback_is_printed_and_swallowed(load, a, run, capsys):
    network = load()
    network.set_finish_callback(lambda ios: 1 / 0)
    assert run(network, a=a, b=a)["sum"][0, 1] == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_async(load, a):
    network, calls, event = load(), [], threading.Event()

    def callback():
        calls.append(threading.current_thread())
        event.set()
        return 0

    network.async_with_callback(callback)
    for name in "ab":
        network.get_io_tensor(name).set_data_by_copy(a)
    network.forward()
    assert event.wait(10)
    assert calls[0] is not threading.current_thread()
    network.wait()
    assert len(calls) == 2
    np.testing.assert_array_equal(network.get_io_tensor("sum").to_numpy(), a * 2)
    network.forward()
    network.forward()  # without wait() in between
    network.wait()


def test_async_excludes(load):
    with pytest.raises(RuntimeError, match="cpu inplace mode not support async mode"):
        load(before=lambda n: n.enable_cpu_inplace_mode()).async_with_callback(lambda: 0)


def test_inplace_mode(load, a, run):
    network = load(before=lambda n: n.enable_cpu_inplace_mode())
    assert network.is_cpu_inplace_mode() is True and network.device_id == -1024
    assert run(network, a=a, b=a)["sum"][1, 2] == 10


def test_fake_next_exec(load, a, run):
    config = lite.LiteConfig()
    config.options.fake_next_exec = 1
    network = load(config=config)
    assert not run(network, a=a, b=a)["sum"].any()
    assert run(network)["sum"].any()


def test_weight_preprocess_keeps_the_result(load, a, run):
    config = lite.LiteConfig()
    config.options.weight_preprocess = 1
    assert run(load(config=config), a=a, b=a)["scaled"][1, 2] == 5


def test_random_seed(load):
    network = load()
    network.set_random_seed(2**64 - 1)
    for seed in (-1, 2**64):
        with pytest.raises(ValueError, match=r"in \[0, 2\*\*64\)"):
            network.set_random_seed(seed)
    with pytest.raises(RuntimeError):
        lite.LiteNetwork().set_random_seed(0)


def test_profile(load, a, run, tmp_path):
    network = load()
    network.enable_profile_performance(tmp_path / "profile.json")
    run(network, a=a, b=a)
    profile = json.loads((tmp_path / "profile.json").read_text())
    assert [op["type"] for op in profile["graph_exec"]["operator"].values()] == ["add", "copy", "mul"]
    assert all(entry["seconds"] >= 0 for entry in profile["profiler"]["host"].values())
    events = [event for event in profile["traceEvents"] if event["ph"] == "X"]
    assert [event["args"]["operator"] for event in events] == ["add", "copy", "mul"]
    assert all(event["dur"] >= 0 and event["name"] for event in events)
    assert events[0]["ts"] <= events[1]["ts"] <= events[2]["ts"]
    network.enable_profile_performance("/no/such/folder/x.json")
    with pytest.raises(RuntimeError, match="cannot write the profile"):
        network.wait()


def test_dumps(load, a, run, tmp_path):
    network = load(before=lambda n: n.io_txt_dump(tmp_path / "io.txt"))
    network.io_bin_dump(tmp_path)
    run(network, a=a, b=a)
    lines = (tmp_path / "io.txt").read_text().splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("var2 produced: name=sum layout={2,3} val: [0,2,4,6,8,10]min=0 max=10 mean=5")
    np.testing.assert_array_equal(np.fromfile(tmp_path / "000002", "float32"), (a * 2).ravel())
    network.io_bin_dump("/no/such/folder")
    with pytest.raises(RuntimeError, match="cannot write the dump"):
        network.forward()


def test_repr(load):
    network = load()
    assert repr(network).startswith("{'config': {'has_compression': False, 'device_id': 0")
    config = lite.LiteConfig()
    config.device_id = 2
    assert "'device_id': 2" in repr(config)
    assert repr(lite.LiteExtraConfig()) == "{'disable_configure_by_model_info': False}"
    io = lite.LiteIO("x", layout=lite.LiteLayout([1], "int8"))
    assert repr(lite.LiteNetworkIO([io])) == (
        "{'inputs': [{'name': 'x', 'is_host': True, 'io_type': <LiteIOType.LITE_IO_VALUE: 0>, 'config_layout': "
        "{'shapes': [1], 'ndim': 1, 'data_type': <class 'numpy.int8'>}}], 'outputs': []}"
    )


def test_discrete_inputs(load, a, run):
    config = lite.LiteConfig()
    config.discrete_input_name = b"a"
    network = load(config=config)
    with pytest.raises(RuntimeError, match="discrete mode"):
        network.get_io_tensor("a")
    with pytest.raises(RuntimeError, match="less than 2"):
        network.get_discrete_tensor("a", 2)
    with pytest.raises(RuntimeError, match="discrete_input_name"):
        network.get_discrete_tensor("b", 0)
    copied, shared = network.get_discrete_tensor("a", 0), network.get_discrete_tensor("a", 1)
    copied.set_data_by_copy(a[:1])
    own = np.array(a[1:])
    shared.set_data_by_share(own)
    np.testing.assert_array_equal(run(network, b=a)["sum"], a * 2)
    own[:] = 7
    np.testing.assert_array_equal(run(network, b=a)["sum"][1], a[1] + 7)
    shared.set_data_by_copy(np.zeros((1, 4), "float32"))
    with pytest.raises(RuntimeError, match="item 1"):
        network.forward()


def test_static_memory_info(load, tmp_path):
    with pytest.raises(RuntimeError, match="after model loaded"):
        lite.LiteNetwork().get_static_memory_alloc_info(str(tmp_path))
    network = load()
    network.get_static_memory_alloc_info(str(tmp_path / "logs" / "test"))
    report = json.loads((tmp_path / "logs" / "test" / "static_memory.json").read_text())
    assert report["inputs"] == {"a": 24, "b": 24}
    assert report["total"] == report["arena"] + report["weights"] + 96
    with pytest.raises(RuntimeError, match="cannot write"):
        network.get_static_memory_alloc_info("/proc/nowhere")


def test_networks_that_share_memory_wait_for_each_other(load, a, run):
    first = load()
    second = load(before=lambda network: network.share_runtime_memroy(first))
    with pytest.raises(RuntimeError, match="itself"):
        fresh = lite.LiteNetwork()
        fresh.share_runtime_memroy(fresh)
    results = {}

    def work(network, seed):
        results[seed] = [run(network, a=a * seed, b=a)["scaled"] for _ in range(200)]

    threads = [threading.Thread(target=work, args=args) for args in ((first, 1), (second, 3))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in (1, 3):
        for result in results[seed]:
            np.testing.assert_array_equal(result, a * (seed + 1) / 2)
