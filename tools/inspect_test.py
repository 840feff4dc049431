"""tools/inspect from its command line."""
import subprocess

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
    assert "give one artifact" in inspect(ok=False)
    assert "failed to open" in inspect("missing.mgec", ok=False)
