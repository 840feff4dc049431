"""Settings of the process: decryption of model files, devices, caches."""
import os
from ctypes import *  # noqa: F401,F403

import numpy as np  # noqa: F401

from .base import *  # noqa: F401,F403
from .base import note_no_effect
from .decryption import LiteDecryptionFunc, decryption_func, register, update_key  # noqa: F401
from .runtime_binding import gpu_count
from .struct import *  # noqa: F401,F403
from .struct import LiteDeviceType
from .tensor import *  # noqa: F401,F403


def config_env():
    """MegEngine Lite prepares CUDA's environment here; a CPU build has nothing to prepare."""


class LiteGlobal:
    """Functions that concern all networks."""

    @staticmethod
    def register_decryption_and_key(decryption_name, func, key):
        """Registers a decryption under a name that LiteConfig.bare_model_cryption_name can give. `key`: ints 0..255."""
        register(decryption_name, func, key)

    @staticmethod
    def update_decryption_key(decryption_name, key):
        """Changes the key of a registered decryption; [] keeps it."""
        update_key(decryption_name, key)

    @staticmethod
    def get_device_count(device_type):
        """The number of CPU cores, or of NVIDIA GPUs for LITE_CUDA (0 without a driver)."""
        try:
            device_type = LiteDeviceType(device_type)
        except ValueError:
            raise RuntimeError("unknown device type %r" % (device_type,)) from None
        if device_type in (LiteDeviceType.LITE_CPU, LiteDeviceType.LITE_DEVICE_DEFAULT):
            return os.cpu_count() or 1
        if device_type == LiteDeviceType.LITE_CUDA:
            return gpu_count()
        raise RuntimeError("%s is not supported" % device_type.name)

    @staticmethod
    def try_coalesce_all_free_memory():
        """Memory goes back to the system when its owner goes; there is nothing to coalesce."""

    @staticmethod
    def set_persistent_cache(path, always_sync=False):
        """No effect but a warning: MegEngine caches chosen algorithms in a file, and compiled models have chosen."""
        note_no_effect(
            "set_persistent_cache()",
            "compiled models have chosen their kernels; MEGENGINELITE_CACHE_DIR says where compiled models are kept",
        )

    @staticmethod
    def dump_persistent_cache(path):
        """Writes an empty cache (a count of zero)."""
        with open(path, "wb") as file:
            file.write(b"\0\0\0\0")

    @staticmethod
    def set_tensorrt_cache(path):
        """No effect but a warning: TensorRT is not used."""
        note_no_effect("set_tensorrt_cache()", "TensorRT is not used")

    @staticmethod
    def dump_tensorrt_cache():
        """No effect but a warning: TensorRT is not used."""
        note_no_effect("dump_tensorrt_cache()", "TensorRT is not used")

    @staticmethod
    def set_loader_lib_path(path):
        """Loader libraries hold operators outside of MegEngine; compiled models have none."""
        raise RuntimeError("failed to open c opr lib: %s: loader libraries are not supported" % (path,))

    @staticmethod
    def register_memory_pair(vir_ptr, phy_ptr, length, device, backend=0):
        """Not supported, as in MegEngine Lite for CPU."""
        _check_pointers(vir_ptr, phy_ptr)
        raise RuntimeError("register_memory_pair is not implement yet!")

    @staticmethod
    def clear_memory_pair(vir_ptr, phy_ptr, device, backend=0):
        """Not supported, as in MegEngine Lite for CPU."""
        _check_pointers(vir_ptr, phy_ptr)
        raise RuntimeError("clear_memory_pair is not implement yet!")

    @staticmethod
    def lookup_physic_ptr(vir_ptr, device, backend=0):
        """Not supported, as in MegEngine Lite for CPU."""
        _check_pointers(vir_ptr)
        raise RuntimeError("lookup_physic_ptr is not implement yet!")


def _check_pointers(*pointers):
    assert all(isinstance(pointer, c_void_p) for pointer in pointers), "the pointers must be c_void_p"  # noqa: F405
