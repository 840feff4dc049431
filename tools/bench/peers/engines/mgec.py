"""This project: the package `megenginelite` on an artifact of tools/compile."""
import compileall
import os
import subprocess

from peers.engines.megengine_lite import MegEngineLite
from peers.environments import Environment


class Mgec(MegEngineLite):
    name = "mgec"
    environment = Environment("numpy", ("numpy",))
    suffix = ".mgec"
    keeps_artifact = False  # the compiler may be another one each time

    def convert(self, model, pythons):
        # Set by __main__.py to what Bazel has built.
        subprocess.run([os.environ["MGEC_COMPILE"], model.path(".mge"), "-o", self.artifact(model)], check=True)
        compileall.compile_dir(os.environ["MGEC_PYTHON"], quiet=1)  # as pip does with what it installs

    def load(self, model, threads):
        import sys
        sys.path.insert(0, os.environ["MGEC_PYTHON"])
        super().load(model, threads)
