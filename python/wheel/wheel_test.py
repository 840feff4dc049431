"""The wheels in new virtual environments, with every Python from 3.9 on that is at hand."""
import glob
import os
import pwd
import shutil
import subprocess
import sys

import pytest

LENET = os.path.abspath("testdata/nets/lenet5")
ARTIFACT = os.path.abspath("python/tests/artifacts/add.mgec")
VERSIONS = ["3.9", "3.10", "3.11", "3.12", "3.13"]

# What a script sees that has nothing of Bazel or LLVM on its path.
RUN_ARTIFACT = """
import sys, numpy as np, megenginelite as lite
network = lite.LiteNetwork()
network.load(sys.argv[1])
a = np.arange(6, dtype="float32").reshape(2, 3)
for name in network.get_all_input_name():
    network.get_io_tensor(name).set_data_by_copy(a)
network.forward()
network.wait()
assert (network.get_io_tensor("sum").to_numpy() == a * 2).all()
print("ran", sys.version_info[:2])
"""
RUN_MODEL = """
import sys, numpy as np, megenginelite as lite
network = lite.LiteNetwork()
network.load(sys.argv[1])
network.get_io_tensor("data").set_data_by_copy(np.load(sys.argv[2]))
network.forward()
network.wait()
got = network.get_io_tensor(network.get_output_name(0)).to_numpy()
np.testing.assert_allclose(got, np.load(sys.argv[3]), rtol=1e-4, atol=1e-4)
print("right")
"""


def wheel(name):
    (path,) = glob.glob("python/wheel/%s-*.whl" % name)
    return os.path.abspath(path)


def interpreter(version):
    """The path of a Python of this version, or None."""
    if version == "%d.%d" % sys.version_info[:2]:
        return sys.executable
    home = pwd.getpwuid(os.getuid()).pw_dir
    installed = sorted(glob.glob(os.path.join(home, ".pyenv", "versions", version + ".*", "bin", "python3")))
    found = installed[-1] if installed else shutil.which("python" + version)
    if found is None:
        return None
    works = subprocess.run([found, "-c", "import venv"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return found if works.returncode == 0 else None


def run(*command, **environment):
    clean = {"PATH": "/usr/bin:/bin", "HOME": environment.get("HOME", "/nonexistent")}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, env=clean)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def environment(tmp_path):
    """environment(VERSION): the python of a new virtual environment; skips where there is no such Python."""

    def make(version):
        base = interpreter(version)
        if base is None:
            pytest.skip("skipped: needs Python " + version)
        run(base, "-m", "venv", str(tmp_path / "venv"))
        return str(tmp_path / "venv" / "bin" / "python")

    return make


def install(python, *wheels):
    command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    # The wheels must say themselves that they need numpy.
    done = subprocess.run(command + list(wheels), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode != 0 and "numpy" in done.stdout and "No matching distribution" in done.stdout:
        pytest.skip("skipped: numpy cannot be had from PyPI: " + done.stdout[-300:])
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_artifacts_run(version, environment, tmp_path):
    python = environment(version)
    install(python, wheel("megenginelite"))
    assert "ran" in run(python, "-c", RUN_ARTIFACT, ARTIFACT)
    done = subprocess.run(
        [python, "-m", "megenginelite", "compile", LENET + "/model.mge", "-o", str(tmp_path / "x.mgec")],
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert done.returncode == 1 and "megenginelite-compiler" in done.stderr


def test_the_compiler_comes_with_a_second_wheel(environment, tmp_path):
    python = environment("%d.%d" % sys.version_info[:2])
    install(python, wheel("megenginelite"), wheel("megenginelite_compiler"))
    model = str(tmp_path / "model.mge")
    shutil.copy(LENET + "/model.mge", model)
    assert "wrote" in run(python, "-m", "megenginelite", "compile", model, HOME=str(tmp_path))
    for path in (model, model + "c"):
        files = (LENET + "/input_data.npy", LENET + "/output_0.npy")
        assert "right" in run(python, "-c", RUN_MODEL, path, *files, HOME=str(tmp_path))
    # Nothing of LLVM or Abseil is taken from the system.
    library = run(python, "-c", "import megenginelite_compiler as c; print(c.library_path)").strip()
    for line in run("ldd", library).splitlines():
        assert "LLVM" not in line and ("absl" not in line or str(tmp_path) in line), line


def test_both_wheels_hold_what_they_list():
    import zipfile

    for name in ("megenginelite", "megenginelite_compiler"):
        with zipfile.ZipFile(wheel(name)) as file:
            assert file.testzip() is None
            (record,) = [entry for entry in file.namelist() if entry.endswith("RECORD")]
            listed = [line.split(",")[0] for line in file.read(record).decode().splitlines()]
            assert sorted(listed) == sorted(file.namelist())
