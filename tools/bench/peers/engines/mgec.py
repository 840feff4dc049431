"""This project: the package `megenginelite` on an artifact of tools/compile."""
import compileall
import os
import subprocess

from peers.engine import Engine
from peers.environments import Environment


class Mgec(Engine):
    name = "mgec"
    environment = Environment("numpy", ("numpy",))
    needs_mge = True
    suffix = ".mgec"
    keeps_artifact = False  # the compiler may be another one each time

    def convert(self, model, pythons):
        # Set by __main__.py to what Bazel has built.
        subprocess.run([os.environ["MGEC_COMPILE"], model.path(".mge"), "-o", self.artifact(model)], check=True)
        compileall.compile_dir(os.environ["MGEC_PYTHON"], quiet=1)  # as pip does with what it installs

    def load(self, model, threads):
        import sys
        sys.path.insert(0, os.environ["MGEC_PYTHON"])
        from megenginelite import LiteNetwork
        self.network = LiteNetwork()
        self.network.threads_number = threads
        self.network.load(self.artifact(model))
        self.x = model.input()
        self.input, self.result = (self.network.get_io_tensor(name) for name in ("x", "y"))

    def run(self):
        self.input.set_data_by_copy(self.x)
        self.network.forward()
        self.network.wait()
        self.y = self.result.to_numpy()

    def output(self):
        return self.y
