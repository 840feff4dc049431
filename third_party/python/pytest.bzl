"""Tests written for pytest, run by the python3 that is first on PATH."""

load("@python//:defs.bzl", "PYTHON")

def pytest_test(name, srcs, data = [], pythonpath = [], env = {}, **kwargs):
    """Runs pytest on `srcs` and leaves its JUnit XML where Bazel expects it.

    Args:
      name: name of the test.
      srcs: files that pytest collects (test_*.py); helpers such as conftest.py belong in `data`.
      data: files that the tests need.
      pythonpath: folders, relative to the root of the repository, to put on PYTHONPATH.
      env: environment variables; values may use $(location ...).
      **kwargs: passed to sh_test.
    """
    native.sh_test(
        name = name,
        srcs = ["//third_party/python:pytest.sh"],
        args = [PYTHON, ":".join(pythonpath) or "."] + ["$(location %s)" % src for src in srcs],
        data = srcs + data,
        env = env,
        **kwargs
    )
