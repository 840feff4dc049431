"""Networks on a GPU."""
import gc
import json

import numpy as np
import pytest

import megenginelite as lite
from megenginelite import LiteConfig, LiteDeviceType, LiteIO, LiteLayout, LiteNetwork, LiteNetworkIO, LiteTensor

CUDA = LiteDeviceType.LITE_CUDA
NETS = "testdata/nets/"
LENET = NETS + "lenet5/"


def run(network, data=None):
    if data is None:
        data = np.load(LENET + "input_data.npy")
    network.get_io_tensor("data").set_data_by_copy(data)
    network.forward()
    network.wait()
    return network.get_io_tensor(network.get_output_name(0)).to_numpy()


@pytest.fixture
def want():
    return np.load(LENET + "output_0.npy")


def close(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4 * np.abs(want).max())


@pytest.mark.parametrize(
    "name",
    "gpt_micro lenet5 lstm_op_l1 mlp_f16 multi_head_attention__self q_quint8_act repvgg_tiny rnn_cell__relu rnn_op_l2_bi "
    "two_inputs_three_outputs unet_bilinear vit_micro_f16".split(),
)
def test_networks_give_what_megengine_gives(name, load):
    with open(NETS + name + "/meta.json") as file:
        meta = json.load(file)
    network = load(name)
    for item in meta["inputs"]:
        network.get_io_tensor(item["name"]).set_data_by_copy(np.load("%s%s/input_%s.npy" % (NETS, name, item["name"])))
    for _ in range(2):
        network.forward()
        network.wait()
    for output, tolerance in zip(meta["outputs"], meta["tolerance"]):
        got = network.get_io_tensor(output["name"]).to_numpy()
        want = np.load(NETS + name + "/" + output["file"])
        np.testing.assert_allclose(got.reshape(want.shape), want, rtol=tolerance["rtol"], atol=tolerance["atol"])


# As in the example "device IO" of MegEngine Lite.
def test_device_io(model, want):
    config = LiteConfig(device_type=CUDA)
    io = LiteNetworkIO([LiteIO("data", is_host=False)], [LiteIO("f3.ADD", is_host=False)])
    network = LiteNetwork(config, io)
    network.load(model("lenet5"))
    dev_input_tensor = network.get_io_tensor("data")
    assert dev_input_tensor.device_type == CUDA
    host_input = LiteTensor(layout=dev_input_tensor.layout)
    host_input.set_data_by_copy(np.load(LENET + "input_data.npy"))
    dev_tensor = LiteTensor(layout=host_input.layout, device_type=CUDA)
    dev_tensor.copy_from(host_input)
    dev_input_tensor.share_memory_with(dev_tensor)
    network.forward()
    network.wait()
    dev_output = network.get_io_tensor("f3.ADD")
    assert dev_output.device_type == CUDA
    host_output = LiteTensor(layout=dev_output.layout)
    host_output.copy_from(dev_output)
    close(host_output.to_numpy(), want)
    # Once more with the network's own memory.
    network.get_io_tensor("data").copy_from(host_input)
    network.forward()
    network.wait()
    close(dev_output.to_numpy(), want)


def test_host_io_is_pinned(load, want):
    network = load("lenet5")
    tensor = network.get_io_tensor("data")
    assert tensor.is_pinned_host and tensor.device_type == LiteDeviceType.LITE_CPU
    tensor.get_data_by_share()[...] = np.load(LENET + "input_data.npy")
    network.forward()
    network.wait()
    close(network.get_io_tensor("f3.ADD").get_data_by_share(), want)
    assert network.device_id == 0
    data = np.load(LENET + "input_data.npy")
    tensor.set_data_by_share(data)
    result = np.zeros_like(want)
    network.get_io_tensor("f3.ADD").set_data_by_share(result)
    network.forward()
    network.wait()
    close(result, want)


def test_pinned_tensors_and_arrays_of_other_libraries(load, want):
    network = load("lenet5")
    pinned = LiteTensor(LiteLayout([1, 1, 32, 32]), CUDA, is_pinned_host=True)
    pinned.set_data_by_copy(np.load(LENET + "input_data.npy"))
    network.get_io_tensor("data").share_memory_with(pinned)
    network.forward()
    network.wait()
    close(network.get_io_tensor("f3.ADD").to_numpy(), want)
    on_gpu = LiteTensor(device_type=CUDA)
    on_gpu.copy_from(pinned)
    network.get_io_tensor("data").share_memory_with(lite.from_dlpack(on_gpu))
    del on_gpu
    network.get_io_tensor("f3.ADD").fill_zero()
    network.forward()
    network.wait()
    close(network.get_io_tensor("f3.ADD").to_numpy(), want)


def test_batches_and_shapes(load):
    network = load("lenet5_any_batch")
    data = np.load(LENET + "input_data.npy")
    one = run(network, data)
    ten = run(network, np.concatenate([data, 2 * data] * 5))
    assert ten.shape == (10, 10)
    close(ten[8:9], one)
    with pytest.raises(RuntimeError):
        run(network, np.zeros([1, 1, 5, 5], "float32"))
    close(run(network, data), one)


@pytest.mark.parametrize("is_host", [True, False])
def test_discrete_inputs(model, want, is_host):
    config = LiteConfig(CUDA)
    config.discrete_input_name = b"data"
    network = LiteNetwork(config, LiteNetworkIO([LiteIO("data", is_host=is_host, layout=LiteLayout([3, 1, 32, 32]))], []))
    network.load(model("lenet5_any_batch"))
    data = np.load(LENET + "input_data.npy")
    network.get_discrete_tensor("data", 0).set_data_by_copy(data)
    on_gpu = LiteTensor(device_type=CUDA)
    on_gpu.set_data_by_copy(2 * data)
    network.get_discrete_tensor("data", 1).share_memory_with(on_gpu)
    network.get_discrete_tensor("data", 2).share_memory_with(on_gpu)
    network.forward()
    network.wait()
    got = network.get_io_tensor("f3.ADD").to_numpy()
    close(got[:1], want)
    close(got[1], run(_whole(model), 2 * data)[0])
    close(got[2], got[1])


def _whole(model):
    network = LiteNetwork()
    network.load(model("lenet5"))
    return network


def test_sizes_that_depend_on_values(load, model):
    cpu = LiteNetwork()
    cpu.load(model("cond_take"))
    names = cpu.get_all_output_name()
    on_host = load("cond_take")
    on_gpu = load("cond_take", LiteNetworkIO([], [LiteIO(name, is_host=False) for name in names]))
    for folder in ("testdata/ops/cond_take__2d/",):
        inputs = {n: np.load(folder + "input_%s.npy" % n) for n in cpu.get_all_input_name()}
        for network in (cpu, on_host, on_gpu):
            for name, array in inputs.items():
                network.get_io_tensor(name).set_data_by_copy(array)
            network.forward()
            network.wait()
        for name in names:
            for network in (on_host, on_gpu):
                np.testing.assert_array_equal(
                    network.get_io_tensor(name).to_numpy(), cpu.get_io_tensor(name).to_numpy()
                )


def test_random_numbers(load):
    network = load("random")

    def draw():
        network.forward()
        network.wait()
        return network.get_io_tensor("first").to_numpy()

    first, second = draw(), draw()
    assert (first != second).any()
    network.set_random_seed(0)
    np.testing.assert_array_equal(draw(), first)


def test_callbacks(load, want):
    network = load("lenet5")
    seen, called = [], []
    network.set_finish_callback(lambda ios: seen.extend(tensor.to_numpy() for tensor in ios.values()))
    network.async_with_callback(lambda: called.append(1))
    run(network)
    assert len(called) == 2
    close(seen[0], want)


def test_sharing(load, model, want):
    first = load("lenet5")
    second = LiteNetwork(LiteConfig(CUDA))
    second.share_runtime_memroy(first)
    second.share_weights_with(first)
    close(run(second), want)
    close(run(first), want)


def test_settings_and_reports(load, want, tmp_path):
    network = LiteNetwork(LiteConfig(CUDA))
    with pytest.raises(RuntimeError, match="only avaliable in CPU"):
        network.threads_number = 2
    with pytest.raises(RuntimeError, match="only avaliable in CPU"):
        network.enable_cpu_inplace_mode()

    def before(network):
        network.stream_id = 2
        network.enable_profile_performance(tmp_path / "profile.json")
        network.io_txt_dump(tmp_path / "dump.txt")
        network.io_bin_dump(tmp_path)

    network = load("lenet5", before=before)
    close(run(network), want)
    assert json.loads((tmp_path / "profile.json").read_text())["profiler"]
    assert "name=f3.ADD" in (tmp_path / "dump.txt").read_text()
    close(np.fromfile(tmp_path / "000001", "float32"), want.reshape(-1))
    network.get_static_memory_alloc_info(str(tmp_path))
    assert json.loads((tmp_path / "static_memory.json").read_text())["target"] == "cuda"


def test_refusals(model):
    config = LiteConfig(CUDA)
    config.device_id = 1000
    with pytest.raises(RuntimeError, match="request gpu1000 out of valid range"):
        LiteNetwork(config).load(model("lenet5"))
    with pytest.raises(RuntimeError, match="compiled for x86-64-v3, and not for GPUs; .* again with --target=cuda"):
        LiteNetwork(LiteConfig(CUDA)).load(model("lenet5_cpu_only"))
    with pytest.raises(RuntimeError, match="compiled for cuda only"):
        LiteNetwork().load(model("lenet5_gpu_only"))


def test_models_for_gpus_only(load, want):
    close(run(load("lenet5_gpu_only")), want)


def test_models_are_compiled_on_the_way(tmp_path):
    from megenginelite import compile_cache

    compile_cache.set_directory(tmp_path)
    try:
        network = LiteNetwork(LiteConfig(CUDA))
        network.load(NETS + "rnn_cell__relu/model.mge")
        assert network._core.target == "cuda"
        inputs = {n: np.load(NETS + "rnn_cell__relu/input_%s.npy" % n) for n in network.get_all_input_name()}
        want = np.load(NETS + "rnn_cell__relu/output_0.npy")
        for rows in 3, 2, 3:
            for name, array in inputs.items():
                network.get_io_tensor(name).set_data_by_copy(np.ascontiguousarray(array[:rows]))
            network.forward()
            network.wait()
            close(network.get_io_tensor(network.get_output_name(0)).to_numpy(), want[:rows])
    finally:
        compile_cache.set_directory(None)


def test_errors_come_out_and_the_network_goes_on(load, want, emulated):
    network = load("lenet5")
    close(run(network), want)
    emulated.emulated_fail(b"cuGraphLaunch", 1, 2)
    with pytest.raises(RuntimeError, match="out of memory"):
        network.forward()
    close(run(network), want)
    emulated.emulated_fail(b"kernel", 1, 719)
    network.forward()
    with pytest.raises(RuntimeError, match="context is lost"):
        network.wait()
    with pytest.raises(RuntimeError, match="let go of all networks and tensors"):
        load("lenet5")
    del network
    gc.collect()  # what the exceptions hold
    close(run(load("lenet5")), want)


def test_nothing_is_left_behind(load, emulated):
    run(load("lenet5"))
    live = emulated.emulated_live()
    for _ in range(5):
        run(load("lenet5"))
    assert emulated.emulated_live() == live
