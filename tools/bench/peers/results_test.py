import json

import pytest

from peers import results
from peers.results import Result


def result(engine, min_ms, model="net", threads=1):
    return Result(model, threads, engine, 10**6, 0.5, "", min_ms, min_ms + 1, min_ms + 2, 10, 1e-6, 3.0, 1.0, 12.0)


@pytest.mark.parametrize("values, share, expected", [([5], 0.9, 5), ([3, 1, 2], 0.5, 2), (range(1, 11), 0.9, 9), ([1, 2], 0, 1), ([1, 2], 1, 2)])
def test_quantile(values, share, expected):
    assert results.quantile(values, share) == expected


def test_ratio_to_the_fastest_other():
    row = {r.engine: r for r in [result("mgec", 2), result("a", 5), result("b", 4), Result("net", 1, "c", 1, 1, "broke")]}
    assert results.best_peer_ratio(row) == 0.5
    assert results.best_peer_ratio({"mgec": row["mgec"]}) is None
    assert results.best_peer_ratio({"a": row["a"]}) is None
    assert results.best_peer_ratio({"mgec": Result("net", 1, "mgec", 1, 1, "broke"), "a": row["a"]}) is None


def test_tables():
    doc = results.document([result("mgec", 2), result("a", 4), result("mgec", 1, threads=2), Result("net", 2, "a", 10**6, 0.5, "it broke")],
                           "A CPU", 60e9, {"a": "1.0"}, "2026-01-02")
    text = results.markdown(json.loads(json.dumps(doc)))
    assert "A CPU, 60.0 G float32 multiply-adds/s per core, 2026-01-02\n\na 1.0\n" in text
    assert "| network | mgec | a | limit | ratio |\n| --- | ---: | ---: | ---: | ---: |\n" in text
    assert "| net, 1 thread | **2.00 / 3.00** | 4.00 / 5.00 | 0.50 | 0.50 |\n" in text
    assert "| net, 2 threads | **1.00 / 2.00** | failed | 0.50 |  |\n" in text
    assert "| net | 4 / 12 | 4 / 12 |\n" in text
    assert text.endswith("Failures:\n\n* net, 2 threads, a: it broke\n")


def test_no_failures_no_list_of_them():
    doc = results.document([result("mgec", 2)], "A CPU", 60e9, {}, "2026-01-02")
    assert "Failures" not in results.markdown(doc)
