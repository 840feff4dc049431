import ctypes
from typing import Any, Dict, List, Optional, Sequence, Type, Union

import numpy as np

from .struct import LiteDataType

MAX_DIM: int
MAX_TENSOR_DIM: int
ctype_to_lite_dtypes: Dict[Any, LiteDataType]

DType = Union[LiteDataType, str, np.dtype, type]

def lite_dtype_2_numpy(dtype: LiteDataType) -> Type[np.generic]: ...
def numpy_dtype_2_lite(dtype: Any) -> LiteDataType: ...

class LiteLayout(ctypes.Structure):
    ndim: int
    data_type: int
    def __init__(self, shape: Optional[Sequence[int]] = None, dtype: Optional[DType] = None) -> None: ...
    @property
    def dtype(self) -> Type[np.generic]: ...
    @property
    def shapes(self) -> List[int]: ...
    @shapes.setter
    def shapes(self, shape: Sequence[int]) -> None: ...
    def __eq__(self, other: object) -> bool: ...
