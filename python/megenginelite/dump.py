"""Writing the values of inputs and outputs to files."""
import os

import numpy as np


def _line(index, name, array):
    values = array.astype(np.float64).reshape(-1)
    head = ",".join("%g" % value for value in values[:8]) + ("..." if values.size > 8 else "")
    shape = ",".join(str(dim) for dim in array.shape)
    if values.size == 0:
        return "var%d produced: name=%s layout={%s} val: []\n" % (index, name, shape)
    return "var%d produced: name=%s layout={%s} val: [%s]min=%g max=%g mean=%g l2=%g sd=%g\n" % (
        index,
        name,
        shape,
        head,
        values.min(),
        values.max(),
        values.mean(),
        np.sqrt(np.mean(values * values)),
        values.std(),
    )


class TextDump:
    """One line per tensor, in one file that every pass replaces."""

    def __init__(self, path):
        self._path = path

    def write(self, edge):
        try:
            with open(self._path, "w") as file:
                for index, (name, array) in enumerate(edge.arrays()):
                    file.write(_line(index, name, array))
        except OSError as error:
            raise RuntimeError("cannot write the dump: %s" % error) from error


class BinDump:
    """One file of raw bytes per tensor, named by its number: inputs first, then outputs."""

    def __init__(self, folder):
        self._folder = folder

    def write(self, edge):
        try:
            for index, (_, array) in enumerate(edge.arrays()):
                with open(os.path.join(self._folder, "%06d" % index), "wb") as file:
                    file.write(np.ascontiguousarray(array).tobytes())
        except OSError as error:
            raise RuntimeError("cannot write the dump: %s" % error) from error
