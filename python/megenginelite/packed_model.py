"""Models as they are stored: plain, encrypted as a whole, or packed with information on how to run them."""
import ctypes

from .runtime_binding import _Handle, failed, library
from .config import LiteConfig
from .network_io import LiteIO, LiteNetworkIO

_PACKED = b"packed_model"


class _NetworkIO(ctypes.Structure):
    """LiteNetworkIO of the C interface."""

    _fields_ = [
        ("inputs", ctypes.POINTER(LiteIO)),
        ("outputs", ctypes.POINTER(LiteIO)),
        ("input_size", ctypes.c_size_t),
        ("output_size", ctypes.c_size_t),
    ]


def _declare(name, result, *arguments):
    function = getattr(library, name)
    function.restype, function.argtypes = result, list(arguments)
    return function


_P, _S, _I, _Z = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t
_unpack = _declare("mgecpy_model_unpack", _P, _P, _Z, _S)
_free = _declare("mgecpy_model_free", None, _P)
_data = _declare("mgecpy_model_data", _P, _P, ctypes.POINTER(_Z))
_has_info = _declare("mgecpy_model_has_info", _I, _P)
_parse = _declare("mgecpy_settings_parse", _P, _P, ctypes.POINTER(LiteConfig), ctypes.POINTER(_NetworkIO), _I, _Z, _I)
_settings_free = _declare("mgecpy_settings_free", None, _P)
_settings_get = _declare(
    "mgecpy_settings_get",
    None,
    _P,
    ctypes.POINTER(LiteConfig),
    ctypes.POINTER(_NetworkIO),
    ctypes.POINTER(_I),
    ctypes.POINTER(_Z),
    ctypes.POINTER(_I),
    ctypes.POINTER(_S),
)


def is_packed(content):
    """Whether these bytes are a packed model."""
    return content[: len(_PACKED)] == _PACKED


class Settings:
    """What the information in a packed model may change."""

    def __init__(self, config, network_io, device_id=0, threads=1, inplace=False, extra_info=""):
        self.config = config
        self.network_io = network_io
        self.device_id = device_id
        self.threads = threads
        self.inplace = inplace
        self.extra_info = extra_info


def _items(items):
    return (LiteIO * max(len(items), 1))(*items), len(items)


def _copied(pointer, count):
    """LiteIOs of Python's own from those of the library."""
    return [
        LiteIO(item._name, bool(item.is_host), item.io_type, type(item.config_layout).from_buffer_copy(item.config_layout))
        for item in pointer[:count]
    ]


class UnpackedModel(_Handle):
    """The contents of a file (bytes). RuntimeError for an unknown decryption, a wrong key, a damaged package."""

    _free = staticmethod(_free)

    def __init__(self, content, cryption):
        self._content = content  # which the library points into
        super().__init__(_unpack(content, len(content), cryption.encode()))

    @property
    def model(self):
        """The model inside, as bytes."""
        size = ctypes.c_size_t()
        return ctypes.string_at(_data(self.pointer, ctypes.byref(size)), size.value)

    @property
    def has_info(self):
        """Whether there is information on how to run it."""
        return bool(_has_info(self.pointer))

    def settings(self, settings):
        """Settings, changed as the information says. RuntimeError if that is wrong, or its parser is not registered."""
        inputs, input_size = _items(settings.network_io.inputs)
        outputs, output_size = _items(settings.network_io.outputs)
        io = _NetworkIO(inputs, outputs, input_size, output_size)
        parsed = _parse(
            self.pointer, ctypes.byref(settings.config), ctypes.byref(io), settings.device_id, settings.threads, settings.inplace
        )
        if not parsed:
            raise failed()
        try:
            config, device_id, threads, inplace, extra = LiteConfig(), _I(), _Z(), _I(), _S()
            _settings_get(parsed, config, io, device_id, threads, inplace, extra)
            network_io = LiteNetworkIO(_copied(io.inputs, io.input_size), _copied(io.outputs, io.output_size))
            config = config.copy()
            return Settings(
                config, network_io, device_id.value, threads.value, bool(inplace.value), extra.value.decode("utf-8", "replace")
            )
        finally:
            _settings_free(parsed)
