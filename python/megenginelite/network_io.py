"""Descriptions of a network's inputs and outputs: LiteIO, LiteNetworkIO."""
import ctypes

from .layout import LiteLayout
from .struct import LiteIOType


class LiteIO(ctypes.Structure):
    """One input or output: its name, and the layout it should have.

    On LITE_CUDA its tensor is in pinned memory of the CPU and copied in each pass, or, unless `is_host`, in the GPU's memory.
    """

    _fields_ = [
        ("_name", ctypes.c_char_p),
        ("is_host", ctypes.c_int),
        ("io_type", ctypes.c_int),
        ("config_layout", LiteLayout),
    ]

    def __init__(self, name, is_host=True, io_type=LiteIOType.LITE_IO_VALUE, layout=None):
        super().__init__()
        self.name = name
        self.is_host = is_host
        self.io_type = io_type
        self.config_layout = layout if layout else LiteLayout()

    @property
    def name(self):
        """The name as str; may be set as str or bytes."""
        return self._name.decode("utf-8")

    @name.setter
    def name(self, name):
        if not isinstance(name, (str, bytes)):
            raise TypeError("the name of a LiteIO must be str or bytes, not %s" % type(name).__name__)
        self._name = name.encode("utf-8") if isinstance(name, str) else name

    def __hash__(self):
        return hash(self.name)

    def __eq__(self, other):
        return self is other

    def __repr__(self):
        return repr(
            {
                "name": self.name,
                "is_host": bool(self.is_host),
                "io_type": LiteIOType(self.io_type),
                "config_layout": self.config_layout,
            }
        )


def _as_io(item):
    if isinstance(item, list):
        return LiteIO(*item)
    assert isinstance(item, LiteIO), (
        "the param to construct LiteNetworkIO must be list of the LiteIO member or the LiteIO."
    )
    return item


class LiteNetworkIO:
    """The inputs and outputs of a network: two lists of LiteIO, or of lists with the arguments of LiteIO."""

    def __init__(self, inputs=None, outputs=None):
        self.inputs = [_as_io(item) for item in inputs or []]
        self.outputs = [_as_io(item) for item in outputs or []]

    def add_input(self, obj, is_host=True, io_type=LiteIOType.LITE_IO_VALUE, layout=None):
        """Adds a LiteIO, or makes one from a name."""
        self.inputs.append(obj if isinstance(obj, LiteIO) else LiteIO(obj, is_host, io_type, layout))

    def add_output(self, obj, is_host=True, io_type=LiteIOType.LITE_IO_VALUE, layout=None):
        """Adds a LiteIO, or makes one from a name."""
        self.outputs.append(obj if isinstance(obj, LiteIO) else LiteIO(obj, is_host, io_type, layout))

    def __repr__(self):
        return repr({"inputs": list(self.inputs), "outputs": list(self.outputs)})
