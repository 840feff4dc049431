from .base import *
from .base import __version__ as __version__, get_log_level as get_log_level, set_log_level as set_log_level, version as version
from .struct import *
from .tensor import *
from .network import *
from .utils import *
from .global_setting import *
from .interop import from_dlpack as from_dlpack
