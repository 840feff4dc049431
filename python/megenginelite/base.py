"""Version and logging."""
import logging

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

_LEVELS = {
    LiteLogLevel.DEBUG: logging.DEBUG,
    LiteLogLevel.INFO: logging.INFO,
    LiteLogLevel.WARN: logging.WARNING,
    LiteLogLevel.ERROR: logging.ERROR,
}
_log_level = LiteLogLevel.WARN
logger = logging.getLogger("megenginelite")


def set_log_level(level):
    """Messages below `level`, a LiteLogLevel, are not logged."""
    global _log_level
    try:
        _log_level = LiteLogLevel(level)
    except ValueError:
        raise RuntimeError("unkonw loglevel %r" % (level,)) from None
    logger.setLevel(_LEVELS[_log_level])


_noted = set()


def note_no_effect(what, why):
    """Warns, once for each `what`, that a call has no effect here."""
    if what not in _noted:
        _noted.add(what)
        logger.warning("%s has no effect: %s", what, why)


def get_log_level():
    """The level that set_log_level() has set."""
    return _log_level
