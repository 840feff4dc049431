"""python -m megenginelite compile: does, says and refuses what tools/compile does."""
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

import megenginelite as lite
from megenginelite import __main__ as command_line

LENET = "testdata/nets/lenet5/"


def content(path):
    with open(path, "rb") as file:
        return file.read()


def test_command_line(tmp_path, capsys):
    output = tmp_path / "lenet.mgec"
    assert command_line.main(["compile", LENET + "model.mge", "-o", str(output), "--input-shape", "data=2x1x32x32"]) == 0
    assert "wrote" in capsys.readouterr().out
    data = np.load(LENET + "input_data.npy")
    network = lite.LiteNetwork()
    network.load(str(output))
    network.get_io_tensor("data").set_data_by_copy(np.concatenate([data, data]))
    network.forward()
    network.wait()
    got = network.get_io_tensor(network.get_all_output_name()[0]).to_numpy()
    np.testing.assert_allclose(got[1:], np.load(LENET + "output_0.npy"), rtol=1e-4, atol=1e-4)
    assert command_line.main(["compile", str(tmp_path / "none.mge")]) == 1
    assert "none.mge" in capsys.readouterr().err
    assert list(tmp_path.glob("*.mgec")) == [output]
    assert command_line.main(["compile", LENET + "model.mge", "-o", str(output), "--target", "x86-64-v3"]) == 0
    assert b"x86-64-v4" not in content(output)
    assert command_line.main(["compile", LENET + "model.mge", "-o", str(output), "--target", "z80"]) == 1
    assert "z80" in capsys.readouterr().err


UNET = "testdata/nets/unet_bilinear/"  # convolutions that Winograd's algorithm takes


def compiled(output, model, flags):
    """What the command line makes of a model."""
    status = command_line.main(["compile", model, "-o", str(output)] + flags)
    return content(output) if status == 0 else None


def skip_without_nvrtc(capsys):
    error = capsys.readouterr().err
    if "code for CUDA needs NVIDIA's runtime compiler" in error:
        pytest.skip("there is no NVRTC")
    assert not error


# Each flag of tools/compile that decides what is compiled is there, and makes the same bytes.
@pytest.mark.parametrize(
    "net, flags",
    [
        (UNET, ["--target=x86-64-v3"]),
        (UNET, ["--target=x86-64-v3", "--nowinograd"]),
        (UNET, ["--target=x86-64-v3", "--threads=1", "--input-shape=data=Nx3x32x32"]),
        (UNET, ["--target=x86-64-v3", "--input-shape=data=1x3x32x32", "--input-shape=data=2x3x32x32"]),
        (LENET, ["--target=cuda:sm_80,x86-64-v3"]),
        (LENET, ["--target=cuda:sm_80", "--cuda-tf32"]),
    ],
)
def test_command_line_does_what_the_tool_does(tmp_path, capsys, net, flags):
    got = compiled(tmp_path / "got.mgec", net + "model.mge", flags)
    skip_without_nvrtc(capsys)
    want = tmp_path / "want.mgec"
    subprocess.run(["tools/compile", net + "model.mge", "-o", str(want)] + flags, check=True, stdout=subprocess.DEVNULL)
    assert got == content(want)


def test_flags_make_a_difference(tmp_path, capsys):
    output = tmp_path / "out.mgec"
    assert compiled(output, UNET + "model.mge", ["--target=x86-64-v3"]) != compiled(
        output, UNET + "model.mge", ["--target=x86-64-v3", "--nowinograd"]
    )
    tf32 = compiled(output, LENET + "model.mge", ["--target=cuda:sm_80", "--cuda-tf32"])
    skip_without_nvrtc(capsys)
    assert tf32 != compiled(output, LENET + "model.mge", ["--target=cuda:sm_80"])


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--cuda-tf32"], "--cuda-tf32 is for GPUs: name cuda among the targets"),
        (["--cuda-tf32", "--target=x86-64-v3"], "--cuda-tf32 is for GPUs"),
        (["--input-shape=a=1", "--input-shape=b=1", "--input-shape=b=2", "--input-shape=b=3", "--input-shape=a=2"],
         "--input-shape a is given 2 times, another input 3 times"),
        (["-o", LENET + "model.mge"], "is the model itself"),
    ],
)
def test_command_line_explains_mistakes(capsys, flags, message):
    assert command_line.main(["compile", LENET + "model.mge"] + flags) == 1
    assert message in capsys.readouterr().err


def test_command_line_prints_what_the_tool_prints(tmp_path, capsys):
    output = str(tmp_path / "out.mgec")
    flags = ["-o", output, "--target=x86-64-v3", "--threads=1", "--emit=graph,asm", "--time"]
    assert command_line.main(["compile", LENET + "model.mge"] + flags) == 0
    got = capsys.readouterr().out
    want = subprocess.run(["tools/compile", LENET + "model.mge"] + flags, stdout=subprocess.PIPE, check=True, text=True).stdout
    times = "  import "  # which follow, and differ
    assert got.split(times)[0] == want.split(times)[0] and got.splitlines()[-1] == want.splitlines()[-1]
    assert "graph {" in got and "vfmadd" in got and "x86-64-v3 generate code" in got.split(times)[1]


def test_command_line_reports_as_json(tmp_path, capsys):
    output = str(tmp_path / "out.mgec")
    assert command_line.main(["compile", LENET + "model.mge", "-o", output, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["artifact"] == output and report["unsupported"] == []
    (tmp_path / "bad.mge").write_bytes(content(LENET + "model.mge")[:5000])
    assert command_line.main(["compile", str(tmp_path / "bad.mge"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]


def test_command_line_tunes(tmp_path, capsys):
    output, database = tmp_path / "out.mgec", tmp_path / "db.json"
    flags = ["--target=x86-64-v3", "--tuning-db", str(database)]
    assert compiled(output, LENET + "model.mge", flags + ["--tune=0.3", "--tune-threads=1"])
    assert "tuning x86-64-v3: " in capsys.readouterr().out
    entries = json.loads(database.read_text())["entries"]
    assert entries and all(e["target"] == "x86-64-v3" and e["threads"] == 1 for e in entries)
    # What the database says is done, by the tool as well.
    for e in entries:
        e["choice"], e["cpu"] = "tile_height=1 unroll=1 registers=1", "another"
    database.write_text(json.dumps({"mgec_tuning": json.loads(database.read_text())["mgec_tuning"], "entries": entries}))
    got = compiled(output, LENET + "model.mge", flags)
    subprocess.run(["tools/compile", LENET + "model.mge", "-o", str(output)] + flags, check=True, stdout=subprocess.DEVNULL)
    assert got == content(output) != compiled(output, LENET + "model.mge", ["--target=x86-64-v3"])


def test_an_interrupt_ends_tuning_only(tmp_path):
    command = [sys.executable, "-m", "megenginelite", "compile", UNET + "model.mge", "-o", str(tmp_path / "out.mgec")]
    command += ["--target=x86-64-v3", "--tune=90", "--tuning-db", str(tmp_path / "db.json")]
    terminal, stderr = os.openpty()  # which gets told of progress
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as process:
        os.close(stderr)
        progress = b""
        while b": 2 of at most" not in progress:
            progress += os.read(terminal, 1000)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=80)
    os.close(terminal)
    assert process.returncode == 0 and "tuning x86-64-v3: " in out
    assert "not all was tried" in out and (tmp_path / "out.mgec").exists()


# Each flag has the name and the text that it has in tools/compile.
def test_command_line_explains_itself_as_the_tool_does(capsys):
    with pytest.raises(SystemExit) as exit_:
        command_line.main(["compile", "--help"])
    assert exit_.value.code == 0
    words = lambda text: "".join(text.split())  # lines are broken elsewhere
    got = words(capsys.readouterr().out)
    tool = subprocess.run(["tools/compile", "--help"], stdout=subprocess.PIPE, text=True).stdout
    flags = re.findall(r"--(\w+) \((.*?)\);\s+(?:default|currently)", tool, re.DOTALL)
    names = [name for name, _ in flags]
    assert {"emit", "input_shape", "json", "o", "target", "time", "tune", "tuning_db", "winograd"} <= set(names)
    for name, text in flags:
        spelled = {"o": "-o", "winograd": "--nowinograd"}.get(name, "--" + name.replace("_", "-"))
        assert spelled in got and words(text) in got, name


@pytest.mark.parametrize("flags, message", [(["--threads=1025"], "--threads must be in [0, 1024]"),
                                            (["--tune-threads=0"], "--tune-threads must be in"),
                                            (["--tune=-1"], "--tune must be in"),
                                            (["--emit=poetry"], "--emit=poetry: want graph, kernels"),
                                            (["--target=,"], "names no target"),
                                            (["--input_shape", "data=1x0"], "want NAME=DIMxDIM")])
def test_command_line_refuses_what_the_tool_refuses(capsys, flags, message):
    assert command_line.main(["compile", LENET + "model.mge"] + flags) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--no-such-flag"], ["--thread=1"], ["--threads=few"], []])
def test_command_line_says_how_it_is_used(capsys, flags):
    model_or_none = [LENET + "model.mge"] if flags else []
    with pytest.raises(SystemExit) as exit_:
        command_line.main(["compile"] + model_or_none + flags)
    assert exit_.value.code == 2 and "usage: python -m megenginelite" in capsys.readouterr().err
