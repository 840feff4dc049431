"""The engines, by the names that --engines takes."""
import importlib

# Name: module and class. `mgec` is this project.
_ENGINES = {
    "mgec": ("peers.engines.mgec", "Mgec"),
    "litert": ("peers.engines.lite_rt", "LiteRt"),
    "mnn": ("peers.engines.mnn", "Mnn"),
    "onnxruntime": ("peers.engines.onnx_runtime", "OnnxRuntime"),
    "openvino": ("peers.engines.open_vino", "OpenVino"),
    "ncnn": ("peers.engines.ncnn_engine", "Ncnn"),
    "megengine": ("peers.engines.megengine_lite", "MegEngineLite"),
}
NAMES = tuple(_ENGINES)


def register(name, module, cls):
    """Makes another engine known to create(): the class named `cls` of the module."""
    _ENGINES[name] = (module, cls)


def create(name):
    module, cls = _ENGINES[name]
    return getattr(importlib.import_module(module), cls)()
