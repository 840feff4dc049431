from typing import Any, Iterable, List, Optional, Union

import numpy as np

from .struct import *
from .tensor import *
from .tensor import DType, LiteTensor

class TensorBatchCollector:
    shape: List[int]
    dtype: int
    dev_type: int
    dev_id: int
    is_pinned_host: bool
    def __init__(
        self,
        shape: List[int],
        dtype: DType = LiteDataType.LITE_INT8,
        device_type: Union[LiteDeviceType, int] = LiteDeviceType.LITE_CPU,
        device_id: int = 0,
        is_pinned_host: bool = False,
        tensor: Optional[LiteTensor] = None,
    ) -> None: ...
    def collect(self, array: Union[np.ndarray, LiteTensor]) -> int: ...
    def collect_id(self, array: Union[np.ndarray, LiteTensor], batch_id: int) -> None: ...
    def collect_by_ctypes(self, data: Any, length: int) -> Optional[int]: ...
    def free(self, indexes: Iterable[int]) -> None: ...
    def get_tensor_at(self, batch_id: int) -> LiteTensor: ...
    def get(self) -> LiteTensor: ...
    def to_numpy(self) -> np.ndarray: ...
