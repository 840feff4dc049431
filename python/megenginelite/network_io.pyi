import ctypes
from typing import Any, List, Optional, Sequence, Union

from .layout import LiteLayout
from .struct import LiteIOType

class LiteIO(ctypes.Structure):
    name: Any
    is_host: int
    io_type: int
    config_layout: LiteLayout
    def __init__(
        self,
        name: Union[str, bytes],
        is_host: bool = True,
        io_type: Union[LiteIOType, int] = LiteIOType.LITE_IO_VALUE,
        layout: Optional[LiteLayout] = None,
    ) -> None: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object) -> bool: ...

class LiteNetworkIO:
    inputs: List[LiteIO]
    outputs: List[LiteIO]
    def __init__(
        self, inputs: Optional[Sequence[Union[LiteIO, list]]] = None, outputs: Optional[Sequence[Union[LiteIO, list]]] = None
    ) -> None: ...
    def add_input(
        self,
        obj: Union[LiteIO, str, bytes],
        is_host: bool = True,
        io_type: Union[LiteIOType, int] = LiteIOType.LITE_IO_VALUE,
        layout: Optional[LiteLayout] = None,
    ) -> None: ...
    def add_output(
        self,
        obj: Union[LiteIO, str, bytes],
        is_host: bool = True,
        io_type: Union[LiteIOType, int] = LiteIOType.LITE_IO_VALUE,
        layout: Optional[LiteLayout] = None,
    ) -> None: ...
