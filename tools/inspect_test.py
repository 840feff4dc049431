"""tools/inspect from its command line."""
import json
import re
import subprocess

import pytest

ARTIFACTS = "python/tests/artifacts/"


def inspect(*args, ok=True):
    done = subprocess.run(["tools/inspect", *map(str, args)], capture_output=True, text=True)
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    return done.stdout if ok else done.stderr


def test_overview():
    out = inspect(ARTIFACTS + "batches.mgec")
    assert "format 2, compiler test" in out
    assert "from test.mge (MegEngine 1.13.0, 2 operators" in out
    assert out.count("  input   a                float32 [2, 3]\n") == 1
    assert "program 1" in out
    assert "plan x86-64-v3: 3 steps, 2 kernels, code 128 B, arena 88 B (lower bound 24 B)" in out
    assert "add_f32" not in out


def test_steps_and_bindings():
    out = inspect(ARTIFACTS + "add.mgec", "--steps")
    assert "(scale_f32 at 0x40, 6 tasks)" in out and "constant [" not in out
    out = inspect(ARTIFACTS + "add.mgec", "--bindings")
    assert "arena [64, 88)" in out and "constant [4, 8)" in out and "output 1 [0, 24)" in out


def test_code_images(tmp_path):
    inspect(ARTIFACTS + "add.mgec", "--code-dir", tmp_path / "code")
    image = (tmp_path / "code" / "x86-64-v3.bin").read_bytes()
    assert len(image) == 128 and image.startswith(b"\x48\x8b\x07")


def test_mistakes():
    assert "give one model or artifact" in inspect(ok=False)
    assert "missing.mgec" in inspect("missing.mgec", ok=False)


MODEL = "testdata/nets/lenet5/model.mge"


def test_models():
    out = inspect(MODEL)
    assert "MegEngine 1.13.0, container v2" in out
    assert "  input   data" in out and " x Convolution\n" in out and "not supported" not in out
    listed = inspect(MODEL, "--operators")
    assert "= Convolution(" in listed and "Float32 [1, 1, 32, 32]" in listed


def test_a_model_as_json():
    model = json.loads(inspect(MODEL, "--format=json"))
    assert model["kind"] == "model" and model["mge_version"] == "1.13.0"
    types = [op["type"] for op in model["operators"]]
    assert "Convolution" in types and all(op["supported"] for op in model["operators"])
    names = {o["name"] for op in model["operators"] for o in op["outputs"]}
    assert model["outputs"] and model["outputs"][0]["name"] and "data" in names
    product = next(op for op in model["operators"] if op["type"] == "MatrixMul")
    assert product["parameters"] == "transpose_b: true"


def test_an_artifact_as_json():
    artifact = json.loads(inspect(ARTIFACTS + "batches.mgec", "--format=json"))
    assert artifact["kind"] == "artifact" and len(artifact["programs"]) == 2
    plan = artifact["programs"][0]["plans"][0]
    assert plan["arena_bytes"] == 88 and plan["arena_lower_bound"] == 24 and len(plan["steps"]) == 3
    assert artifact["programs"][0]["inputs"][0] == {"name": "a", "dtype": "float32", "shape": [2, 3], "bytes": 24}


@pytest.mark.parametrize("path", [MODEL, ARTIFACTS + "add.mgec"])
def test_dot(path):
    lines = inspect(path, "--format=dot").splitlines()
    assert lines[0].startswith("digraph ") and lines[-1] == "}"
    nodes = set(re.findall(r'^  "(\w+)" \[', "\n".join(lines), re.M))
    edges = re.findall(r'^  "(\w+)" -> "(\w+)"', "\n".join(lines), re.M)
    assert len(edges) >= 3 and all(a in nodes and b in nodes for a, b in edges)


def test_damaged_models(tmp_path):
    with open(MODEL, "rb") as file:
        (tmp_path / "cut.mge").write_bytes(file.read()[:1000])
    assert "error: cut.mge: " in inspect(tmp_path / "cut.mge", ok=False)
    assert "want text, json or dot" in inspect(MODEL, "--format=xml", ok=False)
