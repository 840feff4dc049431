import os
import sys

import pytest

from peers import stamp
from peers.environments import Environment, EnvironmentFailure, Environments, find_python


@pytest.fixture
def environments(tmp_path, monkeypatch):
    """Environments that are made without packages: pip is a program that does nothing, or fails."""
    said = []
    made = Environments(str(tmp_path / "environments"), said.append)

    def make(environment, folder, python):
        said.append("made " + environment.name)
        os.makedirs(os.path.dirname(python))
        os.symlink(sys.executable, python)

    monkeypatch.setattr(made, "_make", make)
    return made, said, tmp_path / "environments"


def test_makes_an_environment_once(environments):
    made, said, folder = environments
    a = Environment("a", ("numpy",))
    assert made.python(a) == made.python(a) == str(folder / "a/bin/python")
    assert said == ["made a"]


def test_makes_it_again_for_other_packages_or_when_interrupted(environments):
    made, said, folder = environments
    made.python(Environment("a", ("numpy",)))
    (folder / "a/bin/python").unlink()
    (folder / "a/bin").rmdir()
    made.python(Environment("a", ("numpy",)))
    assert len(said) == 2
    (folder / "a/bin/python").unlink()
    (folder / "a/bin").rmdir()
    made.python(Environment("a", ("numpy", "onnx")))
    assert len(said) == 3


def test_a_failed_installation_is_explained(tmp_path, monkeypatch):
    program = tmp_path / "python"  # makes an environment whose pip fails
    program.write_text('#!/bin/sh\ncase "$*" in *venv*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python";; *) echo no such package; exit 1;; esac\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    made = Environments(str(tmp_path), lambda text: None)
    with pytest.raises(EnvironmentFailure, match="pip install .* numpy failed:\nno such package"):
        made.python(Environment("a", ("numpy",)))
    assert not (tmp_path / "a/packages.json").exists()


def test_finds_the_interpreter_that_runs():
    assert find_python(("%d.%d" % sys.version_info[:2],)) == sys.executable


def test_says_what_to_install_where_there_is_no_such_python():
    with pytest.raises(EnvironmentFailure, match="found no Python 2.4 or 2.5, .* install it, for example by `pyenv install 2.4`"):
        find_python(("2.4", "2.5"))


def test_finds_it_on_path_unless_it_is_only_a_shim(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + os.environ["PATH"])
    program = tmp_path / "python2.4"
    program.write_text("#!/bin/sh\necho 'pyenv: python2.4: command not found' >&2\nexit 127\n")
    program.chmod(0o755)
    with pytest.raises(EnvironmentFailure):
        find_python(("2.4",))
    program.write_text("#!/bin/sh\necho 2.4\n")
    assert find_python(("2.4",)) == str(program)


def test_what_is_made_is_kept_until_its_sources_change(tmp_path):
    source, path = tmp_path / "source", str(tmp_path / "stamp")
    source.write_text("one")
    calls = []
    key = lambda: stamp.digest("text", (str(source),))
    assert stamp.make(path, key(), lambda: calls.append(1))
    assert not stamp.make(path, key(), lambda: calls.append(2))
    source.write_text("two")
    with pytest.raises(KeyError):
        stamp.make(path, key(), lambda: {}["fails"])
    assert stamp.make(path, key(), lambda: calls.append(3))  # what failed is done again
    assert calls == [1, 3]


def test_digests_tell_parts_apart():
    assert stamp.digest("ab", "c") != stamp.digest("a", "bc")
