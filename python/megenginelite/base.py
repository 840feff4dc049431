"""Version and logging."""
# Scripts written for MegEngine Lite find these names through `from megenginelite import *`.
import io  # noqa: F401
import os  # noqa: F401
import threading  # noqa: F401
import warnings  # noqa: F401
from ctypes import *  # noqa: F401,F403

import numpy as np  # noqa: F401

from .struct import LiteLogLevel

# The MegEngine whose interface this is.
version = "1.13.0"
__version__ = version

_log_level = LiteLogLevel.WARN


def _logger():
    import logging  # takes as long to import as the rest of this package

    return logging.getLogger("megenginelite")


def __getattr__(name):
    if name == "logger":
        return _logger()
    raise AttributeError("module %r has no attribute %r" % (__name__, name))


def set_log_level(level):
    """Messages below `level`, a LiteLogLevel, are not logged."""
    global _log_level
    try:
        _log_level = LiteLogLevel(level)
    except ValueError:
        raise RuntimeError("unkonw loglevel %r" % (level,)) from None
    _logger().setLevel(_log_level.name)


_noted = set()


def note_no_effect(what, why):
    """Warns, once for each `what`, that a call has no effect here."""
    if what not in _noted:
        _noted.add(what)
        _logger().warning("%s has no effect: %s", what, why)


def get_log_level():
    """The level that set_log_level() has set."""
    return _log_level
