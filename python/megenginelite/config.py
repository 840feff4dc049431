"""How a network is set up: LiteOptions, LiteConfig, LiteExtraConfig."""
import ctypes

from .struct import LiteBackend, LiteDeviceType

_BOOL_OPTIONS = [
    "weight_preprocess",
    "fuse_preprocess",
    "fake_next_exec",
    "var_sanity_check_first_run",
    "const_shape",
    "force_dynamic_alloc",
    "force_output_dynamic_alloc",
    "force_output_use_user_specified_memory",
    "no_profiling_on_shape_change",
]
_LEVEL_OPTIONS = ["jit_level", "comp_node_seq_record_level", "graph_opt_level", "async_exec_level"]
_LAYOUT_OPTIONS = ["enable_nchw44", "enable_nchw44_dot", "enable_nchw88", "enable_nhwcd4", "enable_nchw4", "enable_nchw32", "enable_nchw64"]


class LiteOptions(ctypes.Structure):
    """Options of MegEngine's graph.

    Three of them mean something for a compiled model: `force_output_use_user_specified_memory` makes it an error if an
    output does not fit in the memory that the user gave for it; with `fake_next_exec` the next forward() computes nothing;
    `weight_preprocess` copies the weights to memory of the process, which is a little faster but not shared with other
    processes. The others were decided when the model was compiled; they are kept and have no effect.
    """

    _fields_ = [(name, ctypes.c_int) for name in _BOOL_OPTIONS + _LEVEL_OPTIONS + _LAYOUT_OPTIONS]

    def __init__(self):
        super().__init__()
        self.var_sanity_check_first_run = 1
        self.graph_opt_level = 2
        self.async_exec_level = 1

    def __repr__(self):
        values = {name: bool(getattr(self, name)) for name in _BOOL_OPTIONS}
        values.update({name: getattr(self, name) for name in _LEVEL_OPTIONS})
        return repr(values)


class LiteConfig(ctypes.Structure):
    """Where and how to load a network. The fields are edited in place, `config.options.NAME = 1` among them."""

    _fields_ = [
        ("has_compression", ctypes.c_int),
        ("device_id", ctypes.c_int),
        ("device_type", ctypes.c_int),
        ("backend", ctypes.c_int),
        ("_bare_model_cryption_name", ctypes.c_char_p),
        ("options", LiteOptions),
        ("auto_optimize_inference", ctypes.c_int),
        ("discrete_input_name", ctypes.c_char_p),
    ]

    def __init__(self, device_type=LiteDeviceType.LITE_CPU, option=None):
        super().__init__()
        self.device_type = device_type
        self.options = option if option else LiteOptions()
        self.backend = LiteBackend.LITE_DEFAULT
        self._bare_model_cryption_name = b""
        self.discrete_input_name = b""

    @property
    def bare_model_cryption_name(self):
        """Name of the registered decryption (LiteGlobal.register_decryption_and_key) for the file; "" for none."""
        return self._bare_model_cryption_name.decode("utf-8")

    @bare_model_cryption_name.setter
    def bare_model_cryption_name(self, name):
        assert isinstance(name, (str, bytes)), "name should be str or bytes type."
        self._bare_model_cryption_name = name.encode("utf-8") if isinstance(name, str) else name

    def copy(self):
        """A LiteConfig with the same values and texts of its own."""
        other = type(self).from_buffer_copy(self)
        # As Python objects, which the new structure keeps; the copied addresses may be of other memory.
        other._bare_model_cryption_name = bytes(self._bare_model_cryption_name or b"")
        other.discrete_input_name = bytes(self.discrete_input_name or b"")
        return other

    def __repr__(self):
        return repr(
            {
                "has_compression": bool(self.has_compression),
                "device_id": self.device_id,
                "device_type": LiteDeviceType(self.device_type),
                "backend": LiteBackend(self.backend),
                "bare_model_cryption_name": self.bare_model_cryption_name,
                "options": self.options,
                "auto_optimize_inference": self.auto_optimize_inference,
                "discrete_input_name": self.discrete_input_name,
            }
        )


class LiteExtraConfig(ctypes.Structure):
    """Settings that do not concern the model itself."""

    _fields_ = [("disable_configure_by_model_info", ctypes.c_int)]

    def __init__(self, disable_model_config=False):
        super().__init__()
        self.disable_configure_by_model_info = disable_model_config

    def __repr__(self):
        return repr({"disable_configure_by_model_info": bool(self.disable_configure_by_model_info)})
