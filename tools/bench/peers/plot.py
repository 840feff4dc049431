"""Draws results: python -m peers.plot RESULTS.json PLOT.png     (in an interpreter with matplotlib)"""
import json
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot, ticker  # noqa: E402


def plot(doc, path):
    """Bars of each network's smallest times, one panel for each number of threads, and the FMA limit across each network."""
    results = doc["results"]
    engines, models = (list(dict.fromkeys(r[key] for r in results)) for key in ("engine", "model"))
    threads = sorted({r["threads"] for r in results})
    figure, panels = pyplot.subplots(len(threads), squeeze=False, figsize=(5 + 1.3 * len(models), 4 * len(threads)), sharex=True,
                                     layout="constrained")
    width = 0.8 / len(engines)
    for panel, count in zip(panels[:, 0], threads):
        for i, engine in enumerate(engines):
            mine = [r for r in results if r["engine"] == engine and r["threads"] == count and not r["failure"]]
            places = [models.index(r["model"]) - 0.4 + (i + 0.5) * width for r in mine]
            panel.bar(places, [r["min_ms"] for r in mine], width, label=engine)
        for place, model in enumerate(models):
            limit = next((r["limit_ms"] for r in results if r["model"] == model and r["threads"] == count), None)
            if limit is not None:
                panel.hlines(limit, place - 0.45, place + 0.45, "black", label=None if place else "FMA limit")
        panel.set_yscale("log")
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_minor_formatter(ticker.LogFormatter(minor_thresholds=(2, 0.5)))
        panel.set_ylabel("ms")
        panel.set_title(f"{count} thread{'s' if count > 1 else ''}, {doc['cpu']}")
        panel.set_xticks(range(len(models)), models, rotation=20)
    panels[0, 0].legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    with open(sys.argv[1]) as f:
        plot(json.load(f), sys.argv[2])
