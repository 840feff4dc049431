"""Virtual environments, one for each set of packages, made when first needed."""
import dataclasses
import glob
import json
import os
import shutil
import subprocess
import sys


class EnvironmentFailure(Exception):
    """An environment could not be made; the message says what to do."""


@dataclasses.dataclass(frozen=True)
class Environment:
    name: str
    packages: tuple  # as pip takes them
    pythons: tuple = ()  # ("3.10",) where the packages are for some versions only, the best first


# The benchmark's own; engines bring theirs (engines/).
TORCH = Environment("torch", ("torch", "torchvision", "onnx", "onnxscript", "onnxslim", "pnnx", "numpy"))
MEGENGINE = Environment("megengine", ("megengine==1.13.0", "numpy<1.24", "onnx"), pythons=("3.10",))
QUANTIZER = Environment("quantizer", ("onnxruntime", "onnx", "numpy"))
PLOT = Environment("plot", ("matplotlib",))


def _version(python):
    done = subprocess.run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True)
    # pyenv puts a python3.10 on PATH that only prints an error, where that version is not chosen.
    return done.stdout.strip() if done.returncode == 0 else None


def find_python(versions):
    """The path of an interpreter of one of the versions: the one that runs this, on PATH, of pyenv, or of uv.

    Raises:
      EnvironmentFailure: there is none.
    """
    if "%d.%d" % sys.version_info[:2] in versions:
        return sys.executable
    for version in versions:
        candidates = [shutil.which("python" + version)]
        for pattern in ("~/.pyenv/versions/{}*/bin/python3", "~/.local/share/uv/python/cpython-{}*/bin/python3"):
            candidates += sorted(glob.glob(os.path.expanduser(pattern.format(version))))
        for candidate in filter(None, candidates):
            if _version(candidate) == version:
                return candidate
    raise EnvironmentFailure(f"found no Python {' or '.join(versions)}, neither on PATH nor of pyenv or uv; install it, for "
                             f"example by `pyenv install {versions[0]}` or `uv python install {versions[0]}`")


class Environments:
    """The environments below one folder."""

    def __init__(self, folder, say=print):
        self._folder, self._say = folder, say

    def python(self, environment):
        """The path of the environment's interpreter, once it has its packages.

        Raises:
          EnvironmentFailure: see the message.
        """
        folder = os.path.join(self._folder, environment.name)
        python, marker = os.path.join(folder, "bin", "python"), os.path.join(folder, "packages.json")
        wanted = [list(environment.pythons), *environment.packages]
        try:
            with open(marker) as f:
                if json.load(f) == wanted and os.path.exists(python):
                    return python
        except (OSError, ValueError):
            pass  # not made yet, or not to the end
        self._make(environment, folder, python)
        with open(marker, "w") as f:
            json.dump(wanted, f)
        return python

    def _make(self, environment, folder, python):
        base = find_python(environment.pythons) if environment.pythons else sys.executable
        self._say(f"installing {', '.join(environment.packages)} from PyPI into {folder}")
        shutil.rmtree(folder, ignore_errors=True)
        for command in ([base, "-m", "venv", folder],
                        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *environment.packages]):
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode != 0:
                raise EnvironmentFailure(f"{' '.join(command)} failed:\n{done.stdout.strip()}")
