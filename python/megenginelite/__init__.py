"""MegEngine Lite's Python interface over compiled artifacts (.mgec).

Scripts written for MegEngine Lite run unchanged once their model is compiled:

    from megenginelite import *
    network = LiteNetwork()
    network.load("model.mgec")
    network.get_io_tensor("data").set_data_by_copy(image)
    network.forward()
    network.wait()
    scores = network.get_io_tensor(network.get_output_name(0)).to_numpy()
"""
from .base import *
from .base import __version__, get_log_level, set_log_level, version
from .struct import *
from .tensor import *
from .network import *
from .utils import *
from .global_setting import *
from .interop import from_dlpack
