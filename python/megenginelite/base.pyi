import logging
from typing import Union

from .struct import LiteLogLevel

version: str
__version__: str
logger: logging.Logger

def set_log_level(level: Union[LiteLogLevel, int]) -> None: ...
def get_log_level() -> LiteLogLevel: ...
def note_no_effect(what: str, why: str) -> None: ...
