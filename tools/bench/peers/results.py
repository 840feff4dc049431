"""Results, and what is made of them: JSON and Markdown. A plot: plot.py."""
import dataclasses
import math
import statistics
from typing import Optional

from peers import networks

# Of the largest value. Winograd's algorithm makes errors of 1e-5 to 1e-4, MNN's of 3e-3 on ResNet-50.
TOLERANCE = 1e-2
# Of quantized networks: engines round to a neighbouring step now and then, and each layer carries that on. Of random weights
# OpenVINO has made 0.17; what is not the same network is far beyond.
QUANTIZED_TOLERANCE = 0.25


@dataclasses.dataclass
class Result:
    """An engine on a network. Times are those of one forward pass, from an input on the host to an output there."""
    model: str
    threads: int
    engine: str
    macs: int
    limit_ms: float  # time of the multiply-adds at the measured limit of `threads` cores
    failure: str = ""  # where this is set, nothing below is
    min_ms: Optional[float] = None
    median_ms: Optional[float] = None
    p90_ms: Optional[float] = None
    runs: int = 0
    error: Optional[float] = None
    load_ms: Optional[float] = None
    first_ms: Optional[float] = None
    peak_memory_mb: Optional[float] = None  # beyond Python, NumPy and the input


def quantile(values, share):
    """The smallest value that at least `share` of all are not above."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def summarize(model, threads, engine, macs, limit_ms, measurement):
    """A Result of a Measurement (measure.py). An output that is not the reference's is a failure."""
    result = Result(model, threads, engine, macs, limit_ms, measurement.failure)
    if result.failure:
        return result
    tolerance = QUANTIZED_TOLERANCE if networks.float_network(model) else TOLERANCE
    if measurement.error is None or measurement.error > tolerance:
        far = "in shape, or not finite" if measurement.error is None else f"by {measurement.error:.1e} of the largest value"
        result.failure = f"output differs from the reference {far}"
        return result
    ms = [s * 1e3 for s in measurement.seconds]
    result.min_ms, result.median_ms, result.p90_ms, result.runs = min(ms), statistics.median(ms), quantile(ms, 0.9), len(ms)
    result.error = measurement.error
    for key in ("load_ms", "first_ms", "peak_memory_mb"):
        setattr(result, key, measurement.start[key])
    return result


def document(results, cpu, macs_per_second, versions, date):
    return {"cpu": cpu, "macs_per_second_per_core": macs_per_second, "date": date, "versions": versions,
            "results": [dataclasses.asdict(r) for r in results]}


def _rows(results):
    """(model, threads): {engine: Result}, in the order of the results."""
    rows = {}
    for r in results:
        rows.setdefault((r.model, r.threads), {})[r.engine] = r
    return rows


def best_peer_ratio(row, own="mgec"):
    """The own engine's smallest time over that of the fastest other; None where there is no such pair."""
    others = [r.min_ms for r in row.values() if r.engine != own and not r.failure]
    mine = row.get(own)
    return mine.min_ms / min(others) if others and mine and not mine.failure else None


def _table(header, rows):
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def markdown(doc):
    """Tables of a document(): latency, and start and memory."""
    results = [Result(**r) for r in doc["results"]]
    rows, engines = _rows(results), list(dict.fromkeys(r.engine for r in results))
    latency, start, failures = [], [], []
    for (model, threads), row in rows.items():
        fastest = min((r.min_ms for r in row.values() if not r.failure), default=None)
        any_result = next(iter(row.values()))
        line, start_line = [f"{model}, {threads} thread{'s' * (threads > 1)}"], [model]
        for engine in engines:
            r = row.get(engine)
            if r is None or r.failure:
                line.append("failed" if r else "")
                start_line.append("failed" if r else "")
                continue
            text = f"{r.min_ms:.2f} / {r.median_ms:.2f}"
            line.append(f"**{text}**" if r.min_ms == fastest else text)
            start_line.append(f"{r.load_ms + r.first_ms:.0f} / {r.peak_memory_mb:.0f}")
        failures += [f"* {model}, {r.threads} threads, {r.engine}: {r.failure}\n" for r in row.values() if r.failure]
        ratio = best_peer_ratio(row)
        latency.append(line + [f"{any_result.limit_ms:.2f}", "" if ratio is None else f"{ratio:.2f}"])
        if threads == min(t for m, t in rows if m == model):
            start.append(start_line)
    versions = ", ".join(f"{e} {v}" for e, v in doc["versions"].items())
    parts = [f"{doc['cpu']}, {doc['macs_per_second_per_core'] * 1e-9:.1f} G float32 multiply-adds/s per core, {doc['date']}\n\n{versions}\n",
             "Milliseconds of a forward pass, minimum / median; the time of the multiply-adds at the measured limit (convolutions "
             "by Winograd's algorithm need fewer); and the ratio of mgec's minimum to that of the fastest other engine:\n",
             _table(["network", *engines, "limit", "ratio"], latency),
             "Milliseconds of loading and the first pass / MB of memory, both beyond Python's and NumPy's:\n",
             _table(["network", *engines], start)]
    if failures:
        parts.append("Failures:\n\n" + "".join(failures))
    return "\n".join(parts)
