"""tools/compile from its command line."""
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import time

import numpy as np
import pytest

NETS = os.path.abspath("testdata/nets")
LENET = os.path.join(NETS, "lenet5")


@pytest.fixture
def folder(tmp_path):
    """A folder with a model in it, and nothing else."""
    shutil.copy(os.path.join(LENET, "model.mge"), tmp_path / "lenet.mge")
    return tmp_path


@pytest.fixture
def tool(folder):
    """Runs a tool as `bazel run` would from `folder`."""

    def call(name, *args, ok=True, **kwargs):
        env = dict(os.environ, BUILD_WORKING_DIRECTORY=str(folder))
        done = subprocess.run(["tools/" + name, *args], env=env, capture_output=True, text=True, timeout=100, **kwargs)
        assert (done.returncode == 0) == ok, done.stdout + done.stderr
        assert done.returncode >= 0, "killed by a signal"
        return done.stdout if ok else done.stderr

    return call


def files(folder):
    return sorted(p.name for p in folder.iterdir())


def test_writes_beside_the_model(tool, folder):
    out = tool("compile", "lenet.mge")
    assert files(folder) == ["lenet.mge", "lenet.mgec"]
    assert "lenet.mge   MegEngine 1.13.0, container v2" in out
    assert "input   data       f32[1,1,32,32]" in out or "input   data" in out
    assert "x86-64-v4" in out and "x86-64-v3" in out
    assert "wrote " + str(folder / "lenet.mgec") in out
    assert (folder / "lenet.mgec").read_bytes().startswith(b"MGEC")


def test_what_it_writes_runs(tool, folder):
    tool("compile", str(folder / "lenet.mge"), "-o", "out.mgec", "--threads=2")
    assert files(folder) == ["lenet.mge", "out.mgec"]
    shutil.copy(os.path.join(LENET, "input_data.npy"), folder)
    tool("run", "out.mgec", "--input", "data=input_data.npy", "--output-dir", ".")
    want = np.load(os.path.join(LENET, "output_0.npy"))
    (name,) = set(files(folder)) - {"lenet.mge", "out.mgec", "input_data.npy"}
    np.testing.assert_allclose(np.load(folder / name), want, rtol=1e-4, atol=1e-4)


def test_an_old_artifact_is_replaced_only_by_a_whole_new_one(tool, folder):
    (folder / "lenet.mgec").write_bytes(b"old")
    (folder / "cut.mge").write_bytes((folder / "lenet.mge").read_bytes()[:1000])
    tool("compile", "cut.mge", "-o", "lenet.mgec", ok=False)
    assert (folder / "lenet.mgec").read_bytes() == b"old"
    tool("compile", "lenet.mge")
    assert (folder / "lenet.mgec").read_bytes().startswith(b"MGEC")
    assert files(folder) == ["cut.mge", "lenet.mge", "lenet.mgec"]


def test_the_same_bytes_every_time(tool, folder):
    tool("compile", "lenet.mge", "-o", "a.mgec", "--threads=1")
    tool("compile", "lenet.mge", "-o", "b.mgec", "--threads=2")
    assert (folder / "a.mgec").read_bytes() == (folder / "b.mgec").read_bytes()


def test_unsupported_models_leave_no_file(tool, folder):
    model = (folder / "lenet.mge").read_bytes()
    model = model.replace(b"\0Convolution\0", b"\0Konvolution\0").replace(b"\0PoolingV1\0", b"\0PuulingV1\0")
    (folder / "strange.mge").write_bytes(model)
    error = tool("compile", "strange.mge", ok=False)
    assert error.startswith("error: strange.mge needs 2 things that are not supported; nothing was written")
    assert "Konvolution" in error and "2 uses" in error and "PuulingV1" in error
    assert files(folder) == ["lenet.mge", "strange.mge"]


def test_outputs_that_are_no_files_of_their_own(tool, folder):
    os.symlink("/dev/null", folder / "nothing")
    tool("compile", "lenet.mge", "-o", "nothing")
    assert os.readlink(folder / "nothing") == "/dev/null" and stat.S_ISCHR(os.stat("/dev/null").st_mode)
    (folder / "real.mgec").write_bytes(b"old")
    os.symlink("real.mgec", folder / "link.mgec")
    tool("compile", "lenet.mge", "-o", "link.mgec")
    assert os.readlink(folder / "link.mgec") == "real.mgec" and (folder / "real.mgec").read_bytes().startswith(b"MGEC")


def test_names_may_be_anything(tool, folder):
    name = "\u6a21\u578b of 100% \u00e9.mge"
    shutil.copy(folder / "lenet.mge", folder / name)
    assert name + "   MegEngine 1.13.0" in tool("compile", name)
    assert name + "c" in files(folder)


@pytest.mark.parametrize("output", ["missing/out.mgec", ".", "lenet.mge", "./lenet.mge"])
def test_unwritable_outputs_leave_nothing(tool, folder, output):
    before = (folder / "lenet.mge").read_bytes()
    assert tool("compile", "lenet.mge", "-o", output, ok=False).startswith("error: ")
    assert files(folder) == ["lenet.mge"]
    assert (folder / "lenet.mge").read_bytes() == before


def test_input_shapes(tool, folder):
    out = tool("compile", "lenet.mge", "--input-shape", "data=3x1x32x32")
    assert "f32[3,1,32,32]" in out
    out = tool("compile", "lenet.mge", "--input-shape=data=1x1x32x32", "--input_shape", "data=2x1x32x32")
    assert "f32[1,1,32,32]" in out


def test_one_target_only(tool):
    out = tool("compile", "lenet.mge", "--target=x86-64-v3")
    assert "x86-64-v3" in out and "x86-64-v4" not in out


def test_emits_what_it_made(tool):
    out = tool("compile", "lenet.mge", "--target=x86-64-v3", "--emit=graph,kernels,llvm,asm")
    for text in ["graph {", "kernel k0_", "define ", "vfmadd"]:
        assert text in out


def test_help_and_version(tool):
    # absl's --help exits with 1.
    done = subprocess.run(["tools/compile", "--help"], capture_output=True, text=True)
    assert "compiles a MegEngine model" in done.stdout and "--input_shape" in done.stdout
    assert "mgec 0." in subprocess.run(["tools/compile", "--version"], capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    "args, message",
    [
        ([], "give one model file"),
        (["lenet.mge", "lenet.mge"], "give one model file"),
        (["missing.mge"], "No such file"),
        (["."], "is not a file"),
        (["lenet.mge", "--no-such-flag"], "Unknown command line flag"),
        (["lenet.mge", "--target=pdp-11"], "unknown target 'pdp-11'"),
        (["lenet.mge", "--target=,"], "names no target"),
        (["lenet.mge", "--input-shape", "data"], "want NAME=DIMxDIM"),
        (["lenet.mge", "--input-shape", "data=0x1"], "want NAME=DIMxDIM"),
        (["lenet.mge", "--input-shape", "data=1xyx1"], "want NAME=DIMxDIM"),
        (["lenet.mge", "--input-shape", "date=1x1x32x32"], "no input \"date\""),
        (["lenet.mge", "--input-shape", "data=99999999999x1x32x32"], "limit"),
        (["lenet.mge", "--emit=poetry"], "--emit=poetry"),
        (["lenet.mge", "--threads=-1"], "--threads"),
    ],
)
def test_mistakes_are_explained(tool, folder, args, message):
    assert message in tool("compile", *args, ok=False)
    assert files(folder) == ["lenet.mge"]


def test_a_batch_of_any_size(tool, folder):
    out = tool("compile", "lenet.mge", "--input-shape", "data=Nx1x32x32")
    assert "f32[N,1,32,32]" in out and "f32[N,10]" in out
    data = np.random.RandomState(0).randn(11, 1, 32, 32).astype(np.float32)
    np.save(folder / "x.npy", data)
    assert "data             float32 [11, 1, 32, 32]" in tool("run", "lenet.mgec", "--input", "data=x.npy")
    assert "want NAME=" in tool("compile", "lenet.mge", "--input-shape", "data=1xNx32x32", ok=False)


def test_sizes_that_depend_on_values(tool, folder):
    case = os.path.join(os.path.dirname(NETS), "ops", "cond_take__2d")
    shutil.copy(os.path.join(case, "model.mge"), folder / "take.mge")
    out = tool("compile", "take.mge")
    assert "f32[20], at most: the values decide dimension 0" in out
    out = tool("run", "take.mgec", "--input", "x=" + os.path.join(case, "input_x.npy"), "--output-dir", "out")
    want = np.load(os.path.join(case, "output_0.npy"))
    assert "float32 [20]   at most" in out and "float32 [%d]" % len(want) in out
    first = sorted((folder / "out").iterdir())[0]
    np.testing.assert_array_equal(np.load(first), want)


def test_json(tool, folder):
    report = json.loads(tool("compile", "lenet.mge", "--json"))
    assert report["artifact"] == str(folder / "lenet.mgec") and report["unsupported"] == []
    assert report["inputs"] == [{"name": "data", "dtype": "f32", "shape": [1, 1, 32, 32]}]
    assert {t["name"] for t in report["targets"]} >= {"x86-64-v3", "x86-64-v4"}
    model = (folder / "lenet.mge").read_bytes().replace(b"\0Convolution\0", b"\0Konvolution\0")
    (folder / "strange.mge").write_bytes(model)
    done = subprocess.run(["tools/compile", str(folder / "strange.mge"), "--json"], capture_output=True, text=True)
    report = json.loads(done.stdout)
    assert done.returncode == 1 and "artifact" not in report
    (item,) = report["unsupported"]
    assert item["operator"] == "Konvolution" and item["uses"] == 2 and len(item["nodes"]) == 2


def test_cuda_beside_a_cpu(tool, folder):
    try:
        out = tool("compile", "lenet.mge", "--target=cuda:sm_80,sm_90,x86-64-v3", "--emit=cuda")
    except AssertionError as e:
        if "code for CUDA needs NVIDIA's runtime compiler" in str(e):
            pytest.skip("there is no NVRTC")
        raise
    assert 'extern "C" __global__ void' in out
    assert "x86-64-v3" in out and "cuda" in out
    shutil.copy(os.path.join(LENET, "input_data.npy"), folder)
    tool("run", "lenet.mgec", "--input", "data=input_data.npy", "--output-dir", ".")  # on the CPU
    both = tool("inspect", "lenet.mgec", "--target=cuda")
    for gpu in "a100", "h100":
        assert re.search(gpu + r": predicted \d+\.\d us, \d+% of its roofline, \d+\.\d+ MB, \d+\.\d+ GFLOP, \d+\.\d+ M instructions", both)
    assert "plan x86-64-v3" not in both
    assert "holds no code for aarch64; it is for cuda, x86-64-v3" in tool("inspect", "lenet.mgec", "--target=aarch64", ok=False)
    tool("compile", "lenet.mge", "--target=cuda:sm_80")
    steps = tool("inspect", "lenet.mgec", "--steps", "--gpu=a100")
    assert "predicted, not measured" in steps
    assert re.search(r"predicted \d+\.\d us, \d+% of its roofline, .*; \d+ registers.*, occupancy \d+%", steps)
    steps = tool("inspect", "lenet.mgec", "--steps", "--gpu=t4")  # sm_80 does not run there
    assert "registers and occupancy are unknown: there is no cubin for the " in steps and "(sm_75)" in steps
    assert not re.search(r"\d registers", steps)
    assert "compiled for cuda only" in tool("run", "lenet.mgec", ok=False)
    assert "does not compile for sm_1" in tool("compile", "lenet.mge", "--target=cuda:sm_1", ok=False)


def test_tf32(tool, folder):
    error = tool("compile", "lenet.mge", "--cuda-tf32", ok=False)
    assert "--cuda-tf32 is for GPUs" in error and files(folder) == ["lenet.mge"]
    try:
        out = tool("compile", "lenet.mge", "--target=cuda:sm_80", "--cuda-tf32", "--emit=cuda")
    except AssertionError as e:
        if "code for CUDA needs NVIDIA's runtime compiler" in str(e):
            pytest.skip("there is no NVRTC")
        raise
    assert "mma_tf32(" in out
    assert "plan cuda (TF32 factors from sm_80 on): " in tool("inspect", "lenet.mgec")
    assert json.loads(tool("inspect", "lenet.mgec", "--format=json"))["programs"][0]["plans"][0]["tf32"]
    error = tool("compile", "lenet.mge", "--target=cuda:sm_75", "--cuda-tf32", ok=False)
    assert "TF32 needs tensor cores of sm_80 or later, and code is only wanted for sm_75" in error
    assert "mma_tf32(" not in tool("compile", "lenet.mge", "--target=cuda:sm_80", "--emit=cuda")
    assert not json.loads(tool("inspect", "lenet.mgec", "--format=json"))["programs"][0]["plans"][0]["tf32"]


def test_cuda_without_nvrtc(tool, folder, monkeypatch):
    monkeypatch.setenv("MGEC_NVRTC", str(folder))
    error = tool("compile", "lenet.mge", "--target=cuda", ok=False)
    assert "MGEC_NVRTC=" + str(folder) in error and "has no libnvrtc.so" in error
    assert files(folder) == ["lenet.mge"]


def test_measures_schedules(tool, folder):
    out = tool("compile", "lenet.mge", "--target=x86-64-v3", "--tune=0.5", "--tuning-db=db.json")
    assert files(folder) == ["db.json", "db.json.lock", "lenet.mge", "lenet.mgec"]
    assert "tuning x86-64-v3: " in out
    entries = json.loads((folder / "db.json").read_text())["entries"]
    assert entries and all(e["target"] == "x86-64-v3" and e["threads"] == 1 and e["ratio"] <= 1 for e in entries)
    # Compilations use what it holds, and change nothing.
    before = (folder / "db.json").read_bytes()
    tool("compile", "lenet.mge", "-o", "a.mgec", "--target=x86-64-v3", "--tuning-db=db.json")
    assert (folder / "a.mgec").read_bytes() == (folder / "lenet.mgec").read_bytes()
    assert (folder / "db.json").read_bytes() == before


def test_what_a_tuning_database_says_is_done(tool, folder):
    tool("compile", "lenet.mge", "--target=x86-64-v3", "--tune=0.001", "--tuning-db=db.json")
    database = json.loads((folder / "db.json").read_text())
    for e in database["entries"]:
        e["choice"], e["cpu"] = "tile_height=1 unroll=1 registers=1", "another"
    (folder / "db.json").write_text(json.dumps(database))
    for name, flags in ("rule", []), ("other", ["--tuning-db=db.json"]):
        tool("compile", "lenet.mge", "--target=x86-64-v3", "-o", name + ".mgec", *flags)
    assert (folder / "rule.mgec").read_bytes() != (folder / "other.mgec").read_bytes()


def test_an_interrupt_ends_tuning_and_keeps_its_results(tool, folder):
    env = dict(os.environ, BUILD_WORKING_DIRECTORY=str(folder))
    args = ["tools/compile", "lenet.mge", "--target=x86-64-v3", "--tune=90", "--tuning-db=db.json"]
    with subprocess.Popen(args, env=env, stdout=subprocess.PIPE, text=True) as process:
        time.sleep(3)  # it takes far less to begin
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=80)
    assert process.returncode == 0 and "tuning x86-64-v3: " in out
    assert json.loads((folder / "db.json").read_text())["entries"]
    assert (folder / "lenet.mgec").exists()


@pytest.mark.parametrize("text, message", [
    ("", "is no tuning database"), ('{"mgec_tuning": 9, "entries": []}', "version 9"),
])
def test_a_wrong_tuning_database_is_left_alone(tool, folder, text, message):
    (folder / "db.json").write_text(text)
    for flags in [], ["--tune=0.1"]:
        error = tool("compile", "lenet.mge", "--tuning-db=db.json", *flags, ok=False)
        assert message in error and "db.json" in error and "nothing was written" in error
    assert (folder / "db.json").read_text() == text and files(folder) == ["db.json", "lenet.mge"]


def test_says_where_the_time_goes(tool):
    out = tool("compile", "lenet.mge", "--time", "--target=x86-64-v3")
    for stage in ("read", "import", "pass fuse", "x86-64-v3 schedule", "x86-64-v3 plan memory and constants",
                  "x86-64-v3 generate code", "artifact"):
        assert any(line.endswith("  " + stage) for line in out.splitlines()), stage
    report = json.loads(tool("compile", "lenet.mge", "--json"))
    assert report["stage_seconds"]["x86-64-v4 generate code"] > 0
    for target in report["targets"]:
        assert len(target["kernel_seconds"]) == target["kernels"]
        # Each took some, and, with one of the threads, no more than all.
        assert min(target["kernel_seconds"].values()) > 0
