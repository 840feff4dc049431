"""One engine in a process of its own, in its environment:

    python -m peers.worker convert ENGINE PREFIX HELPERS     writes the engine's file; HELPERS: JSON, environment to interpreter
    python -m peers.worker serve ENGINE PREFIX THREADS

`serve` loads the model, runs it once, and prints a line of JSON; then it answers lines on its standard input, each by a line
of JSON: a number N by the seconds of N runs, `check` by how far the output is from the reference. What engines print goes to
standard error.
"""
import json
import os
import sys
import time

from peers import engines
from peers.engine import Model

_CLOCK = time.perf_counter


def _peak_memory_mb():
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1024


def distance(y, reference):
    """Largest difference over the reference's largest magnitude. None where shapes differ or something is not finite."""
    import numpy as np
    y = np.asarray(y)
    if y.shape != reference.shape or not np.isfinite(y).all():
        return None
    return float(np.abs(y.astype(np.float64) - reference).max() / np.abs(reference).max())


def _serve(engine, model, threads, say):
    x_bytes = model.input().nbytes  # NumPy and the input are not the engine's to pay for
    before = _peak_memory_mb()
    start = _CLOCK()
    engine.load(model, threads)
    loaded = _CLOCK()
    engine.run()
    say({"load_ms": (loaded - start) * 1e3, "first_ms": (_CLOCK() - loaded) * 1e3, "peak_memory_mb": _peak_memory_mb() - before,
         "input_bytes": x_bytes})
    for line in sys.stdin:
        if line.strip() == "check":
            say({"error": distance(engine.output(), model.reference())})
            continue
        seconds = []
        for _ in range(int(line)):
            start = _CLOCK()
            engine.run()
            seconds.append(_CLOCK() - start)
        say(seconds)


def main(mode, name, prefix, argument):
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.stdout = sys.stderr

    def say(value):
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    engine, model = engines.create(name), Model(prefix)
    if mode == "convert":
        engine.convert(model, json.loads(argument))
        say({})
        return
    _serve(engine, model, int(argument), say)
    os._exit(0)  # some engines hang or crash when they are taken down


if __name__ == "__main__":
    main(*sys.argv[1:])
