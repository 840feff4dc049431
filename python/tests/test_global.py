"""The package itself, LiteGlobal, decryption."""
import ctypes
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import megenginelite as lite
from megenginelite import LiteGlobal


def test_star_import_gives_what_scripts_use():
    names = {}
    exec("from megenginelite import *", names)
    for name in (
        "LiteLayout LiteTensor LiteTensorConcat lite_dtype_2_numpy ctype_to_lite_dtypes MAX_DIM LiteOptions LiteConfig "
        "LiteExtraConfig LiteIO LiteNetworkIO LiteNetwork get_model_io_info LiteAsyncCallback LiteStartCallback "
        "LiteFinishCallback wrap_async_callback start_finish_callback TensorBatchCollector LiteGlobal decryption_func "
        "LiteDecryptionFunc config_env LiteBackend LiteDeviceType LiteDataType LiteTensorPhase LiteIOType "
        "LiteAlgoSelectStrategy LiteLogLevel c_void_p CFUNCTYPE byref memmove np io os threading warnings version "
        "set_log_level get_log_level"
    ).split():
        assert name in names, name


def test_submodules_can_be_imported_alone():
    for module in "base global_setting network struct tensor utils".split():
        subprocess.run([sys.executable, "-c", "from megenginelite.%s import *" % module], check=True)


def test_importing_leaves_out_what_loading_a_compiled_model_does_not_need():
    slow = "hashlib json logging shutil tempfile traceback".split()
    code = (
        "import numpy, sys; before = set(sys.modules); import megenginelite; "
        "print(*set(%r).intersection(set(sys.modules) - before))" % slow
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_log_level():
    before = lite.get_log_level()
    lite.set_log_level(0)
    assert lite.get_log_level() == lite.LiteLogLevel.DEBUG
    with pytest.raises(RuntimeError, match="unkonw loglevel"):
        lite.set_log_level(9)
    lite.set_log_level(before)


def test_device_count():
    assert LiteGlobal.get_device_count(lite.LiteDeviceType.LITE_CPU) >= 1
    assert LiteGlobal.get_device_count(lite.LiteDeviceType.LITE_CUDA) == 0
    for device in (lite.LiteDeviceType.LITE_NPU, 2):
        with pytest.raises(RuntimeError):
            LiteGlobal.get_device_count(device)


def test_what_does_nothing_or_is_refused(tmp_path):
    LiteGlobal.try_coalesce_all_free_memory()
    LiteGlobal.set_persistent_cache(str(tmp_path / "cache"), always_sync=True)
    LiteGlobal.dump_persistent_cache(str(tmp_path / "cache"))
    assert (tmp_path / "cache").stat().st_size >= 4
    with pytest.raises(RuntimeError):
        LiteGlobal.set_loader_lib_path("x.so")
    pointer = ctypes.c_void_p(16)
    with pytest.raises(RuntimeError):
        LiteGlobal.register_memory_pair(pointer, pointer, 4, lite.LiteDeviceType.LITE_CPU)
    with pytest.raises(AssertionError):
        LiteGlobal.lookup_physic_ptr(16, lite.LiteDeviceType.LITE_CPU)


def test_encrypted_model(artifact, tmp_path, a, run):
    @lite.decryption_func
    def xor(data, key, out):
        if out is None:
            return len(data)
        out[:] = data ^ key[0]
        return len(data)

    plain = np.fromfile(artifact("add"), "uint8")
    model = tmp_path / "model.secret"
    (plain ^ 0x5A).tofile(model)
    LiteGlobal.register_decryption_and_key("xor", xor, [0x11])
    with pytest.raises(RuntimeError, match="already registered"):
        LiteGlobal.register_decryption_and_key("xor", xor, [1])
    with pytest.raises(RuntimeError, match="not registed yet"):
        LiteGlobal.update_decryption_key("nope", [1])
    config = lite.LiteConfig()
    config.bare_model_cryption_name = "xor"
    with pytest.raises(RuntimeError, match="invalid model format"):  # the wrong key
        lite.LiteNetwork(config).load(model)
    LiteGlobal.update_decryption_key("xor", [0x5A])
    LiteGlobal.update_decryption_key("xor", [])
    network = lite.LiteNetwork(config)
    network.load(model)
    assert run(network, a=a, b=a)["sum"][1, 2] == 10
    config.bare_model_cryption_name = "unknown"
    with pytest.raises(RuntimeError, match="The decryption method unknown is not registed yet."):
        lite.LiteNetwork(config).load(pathlib.Path(model))
