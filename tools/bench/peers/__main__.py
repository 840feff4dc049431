"""bazel run //tools/bench:peers -- --help

Networks are exported from torch (networks/), turned into .mge (onnx_to_mge.py), and each engine (engines/) runs them in a process
(worker.py) of an environment of its own (environments.py). All engines of one network are loaded before they take turns
(measure.py).
"""
import glob
import json
import os
import subprocess
import sys
import time

from peers import arguments, engines, environments, measure, networks, results, stamp

_HERE = os.path.dirname(os.path.abspath(__file__))


def _say(text):
    print(text, flush=True)


class Failure(Exception):
    """A step failed; the message says which, and where its output is."""


class Benchmark:

    def __init__(self, options):
        self._options = options
        self._environments = environments.Environments(os.path.join(options.cache, "environments"), _say)
        self._folders = {name: os.path.join(options.cache, name) for name in ("models", "logs")}
        for folder in [*self._folders.values(), options.output]:
            os.makedirs(folder, exist_ok=True)
        self._engines = {name: engines.create(name) for name in options.engines}

    def _environment(self, **more):
        # Nothing of the caller's Python may get into the environments.
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        return {**kept, "PYTHONPATH": os.path.dirname(_HERE), **more}

    def _log(self, what):
        return os.path.join(self._folders["logs"], what + ".log")

    def _call(self, what, python, *command):
        log = self._log(what)
        with open(log, "w") as f:
            done = subprocess.run([python, "-m", *command], stdout=f, stderr=f, env=self._environment())
        if done.returncode != 0:
            raise Failure(f"{what} failed: {measure.tail(log)} (all of it in {log})")

    def _prefix(self, model):
        return os.path.join(self._folders["models"], model)

    def _export_onnx(self, model):
        """PREFIX.onnx, input and output; returns what the network was made from."""
        prefix = self._prefix(model)
        base = networks.float_network(model)
        if base:
            environment, command = environments.QUANTIZER, ("peers.networks.quantize", self._prefix(base), prefix)
            key = stamp.digest(self._export_onnx(base), *environment.packages)
        else:
            environment, command = environments.TORCH, ("peers.networks.export", model, prefix)
            sources = [(path,) for path in sorted(glob.glob(os.path.join(_HERE, "networks", "*.py")))]
            key = stamp.digest(*sources, *environment.packages)
        if stamp.make(prefix + ".onnx.stamp", key, lambda: self._call(f"{model}-export", self._environments.python(environment), *command)):
            _say(f"{model}: exported")
        return key

    def _export(self, model):
        """What _export_onnx() does, and .mge where an engine needs it."""
        prefix = self._prefix(model)
        key = self._export_onnx(model)
        if any(engine.needs_mge for engine in self._engines.values()):
            sources = [(os.path.join(_HERE, name),) for name in ("onnx_to_mge.py", "onnx_quantized.py")]
            mge_key = stamp.digest(key, *sources, *environments.MEGENGINE.packages)
            stamp.make(prefix + ".mge.stamp", mge_key, lambda: self._call(
                f"{model}-mge", self._environments.python(environments.MEGENGINE), "peers.onnx_to_mge", prefix + ".onnx",
                prefix + ".input.npy", prefix + ".mge"))
        return key

    def _convert(self, engine, model, key):
        if engine.suffix is None:
            return
        helpers = {e.name: self._environments.python(e) for e in engine.helpers}
        source = sys.modules[type(engine).__module__].__file__
        key = stamp.digest(key, (source,), *engine.environment.packages, "" if engine.keeps_artifact else str(time.time()))
        prefix = self._prefix(model)
        if stamp.make(f"{prefix}.{engine.name}.stamp", key, lambda: self._call(
                f"{model}-{engine.name}-convert", self._environments.python(engine.environment), "peers.worker", "convert",
                engine.name, prefix, json.dumps(helpers))):
            _say(f"{model}: converted for {engine.name}")

    def versions(self):
        code = "import importlib.metadata as m, sys; print(m.version(sys.argv[1].split('=')[0]))"
        found = {}
        for name, engine in self._engines.items():
            if name == "mgec":
                continue
            done = subprocess.run([self._environments.python(engine.environment), "-c", code, engine.environment.packages[0]],
                                  capture_output=True, text=True, check=True)
            found[name] = done.stdout.strip()
        return found

    @staticmethod
    def _takes(engine, model):
        return engine.reads_quantized or networks.float_network(model) is None

    def prepare(self, model):
        """Exports and converts; returns the failures of conversions by engine."""
        key = self._export(model)
        failures = {}
        for name, engine in self._engines.items():
            if not self._takes(engine, model):
                continue
            try:
                self._convert(engine, model, key)
            except Failure as e:
                failures[name] = str(e)
                _say(f"error: {e}")
        return failures

    def run(self, model, threads, failures, macs_per_second):
        with open(self._prefix(model) + ".json") as f:
            macs = json.load(f)["macs"]
        commands = {}
        for name, engine in self._engines.items():
            if name not in failures and self._takes(engine, model):
                commands[name] = measure.Command(
                    [self._environments.python(engine.environment), "-m", "peers.worker", "serve", name, self._prefix(model), str(threads)],
                    self._environment(OMP_NUM_THREADS=str(threads), **engine.environment_variables),
                    self._log(f"{model}-{name}-{threads}"))
        cpus = sorted(os.sched_getaffinity(0))[-threads:]
        measured = measure.interleave(commands, self._options.rounds, self._options.runs, cpus, _say)
        measured.update({name: measure.Measurement(failure=failure) for name, failure in failures.items()})
        limit = macs / (macs_per_second * threads) * 1e3
        return [results.summarize(model, threads, name, macs, limit, measured[name]) for name in self._engines if name in measured]

    def write(self, document):
        path = os.path.join(self._options.output, "results")
        with open(path + ".json", "w") as f:
            json.dump(document, f, indent=1)
        with open(path + ".md", "w") as f:
            f.write(results.markdown(document))
        self._call("plot", self._environments.python(environments.PLOT), "peers.plot", path + ".json", path + ".png")
        _say(f"wrote {path}.json, .md and .png")


def _limits():
    done = subprocess.run([os.environ["MGEC_LIMITS"]], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main(command_line):
    options = arguments.parse(command_line, len(os.sched_getaffinity(0)))
    benchmark = Benchmark(options)
    limits, date = _limits(), time.strftime("%Y-%m-%d")
    found = []
    for model in options.models:
        failures = benchmark.prepare(model)
        for threads in options.threads:
            _say(f"{model}, {threads} thread{'s' * (threads > 1)}")
            row = benchmark.run(model, threads, failures, limits["multiply_adds_per_second"])
            for r in row:
                if r.failure:
                    _say(f"  {r.engine:12} failed: {r.failure}")
                else:
                    _say(f"  {r.engine:12} min {r.min_ms:8.3f} ms, median {r.median_ms:8.3f} ms, {100 * r.limit_ms / r.min_ms:4.0f} % of the FMA limit, "
                         f"error {r.error:.0e}, start {r.load_ms + r.first_ms:6.1f} ms, memory {r.peak_memory_mb:4.0f} MB")
            found += row
    document = results.document(found, limits["cpu"], limits["multiply_adds_per_second"], benchmark.versions(), date)
    benchmark.write(document)
    print(results.markdown(document))
    return any(r.failure for r in found)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Failure, environments.EnvironmentFailure) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; what is installed and converted so far is kept")
