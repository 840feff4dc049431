"""What a call costs around a network that computes next to nothing.

Usage, after `bazel build //python:megenginelite //python:test_artifacts`:
    PYTHONPATH=bazel-bin/python python3 python/benchmarks/forward_overhead.py bazel-bin/python/tests/artifacts/add.mgec
"""
import sys
import timeit

import numpy as np

import megenginelite as lite


def main(path):
    network = lite.LiteNetwork()
    network.load(path)
    tensor = network.get_io_tensor("a")
    data = np.zeros((2, 3), "float32")
    calls = {
        "the runtime alone": network._core.forward,
        "forward()": network.forward,
        "wait()": network.wait,
        "set_data_by_copy()": lambda: tensor.set_data_by_copy(data),
        "to_numpy()": tensor.to_numpy,
        "get_io_tensor()": lambda: network.get_io_tensor("a"),
    }
    network.forward()
    for name, call in calls.items():
        best = min(timeit.repeat(call, number=10000, repeat=7)) / 10000
        print("%-20s %6.2f us" % (name, best * 1e6))


if __name__ == "__main__":
    main(sys.argv[1])
