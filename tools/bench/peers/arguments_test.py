import pytest

from peers import arguments, engines, networks


def test_everything_by_default(monkeypatch, tmp_path):
    monkeypatch.setenv("BUILD_WORKING_DIRECTORY", str(tmp_path))
    monkeypatch.delenv("MGEC_WORKING_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    options = arguments.parse([], 1)
    assert options.engines == list(engines.NAMES) and options.models == list(networks.NAMES)
    assert (options.threads, options.rounds, options.runs) == ([1], 5, 10)
    assert options.output == str(tmp_path / "peers") and options.cache == "/cache/mgec-peers"


def test_choices(monkeypatch, tmp_path):
    monkeypatch.setenv("BUILD_WORKING_DIRECTORY", "/elsewhere")
    monkeypatch.setenv("MGEC_WORKING_DIRECTORY", str(tmp_path))
    options = arguments.parse(["--engines=mgec,mnn,mgec", "--models", "resnet18", "--threads=1,2", "--rounds=3", "--runs=2", "--output=out",
                               "--cache=/c"], 2)
    assert (options.engines, options.models, options.threads) == (["mgec", "mnn"], ["resnet18"], [1, 2])
    assert (options.rounds, options.runs) == (3, 2)
    assert options.output == str(tmp_path / "out") and options.cache == "/c"


@pytest.mark.parametrize("mistake, message", [
    ("--engines=mgec,foo", "foo; known are mgec, litert"),
    ("--engines=", "empty; known are"),
    ("--models=lenet", "lenet; known are shufflenet"),
    ("--threads=0", "want numbers from 1 on"),
    ("--threads=1,x", "want numbers from 1 on"),
    ("--threads=3", "--threads 3: this process may use 2 CPUs"),
    ("--rounds=0", "want numbers from 1 on"),
    ("--runs=1,2", "want one number"),
    ("--bogus", "unrecognized arguments"),
])
def test_mistakes_are_explained(capsys, mistake, message):
    with pytest.raises(SystemExit):
        arguments.parse([mistake], 2)
    assert message in capsys.readouterr().err


def test_help_names_all_options(capsys):
    with pytest.raises(SystemExit) as end:
        arguments.parse(["--help"], 1)
    text = capsys.readouterr().out
    assert end.value.code == 0
    for option in ("engines", "models", "threads", "rounds", "runs", "output", "cache"):
        assert "--" + option in text
