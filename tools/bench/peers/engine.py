"""What the benchmark knows of an inference engine.

To add one: a file in engines/ with a subclass of Engine, and its name in engines/__init__.py.
"""
import dataclasses
import os
from typing import Optional

from peers.environments import Environment


@dataclasses.dataclass(frozen=True)
class Model:
    """A network's files, as networks/export.py and onnx_to_mge.py write them, and where an engine may put its own."""
    prefix: str  # FOLDER/NAME

    @property
    def name(self):
        return os.path.basename(self.prefix)

    def path(self, suffix):
        return self.prefix + suffix

    def input(self):
        import numpy as np
        return np.load(self.path(".input.npy"))

    def reference(self):
        import numpy as np
        return np.load(self.path(".output.npy"))


class Engine:
    """One engine.

    `convert` runs once for each model, `load` and `run` in a process of their own, all in the engine's environment; none of
    the modules in engines/ imports an engine before that. A timed `run` takes the input from one array of the host to an
    output that the host can read.
    """
    name = ""
    environment: Optional[Environment] = None
    environment_variables = {}
    needs_mge = False  # starts from the .mge file instead of the ONNX file
    reads_quantized = False  # runs ONNX models with QuantizeLinear and DequantizeLinear in 8 bits; others are left out there
    # Of what `convert` writes; None where the engine reads the file itself.
    suffix: Optional[str] = None
    keeps_artifact = True  # False: `convert` runs each time
    # The environments that `convert` needs besides, by name: it finds their interpreters in `pythons`.
    helpers = ()

    def artifact(self, model):
        return model.path(self.suffix or (".mge" if self.needs_mge else ".onnx"))

    def convert(self, model, pythons):
        """Writes artifact(model)."""
        raise NotImplementedError

    def load(self, model, threads):
        raise NotImplementedError

    def run(self):
        raise NotImplementedError

    def output(self):
        """The last run's output, a float32 array."""
        raise NotImplementedError
