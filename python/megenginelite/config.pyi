import ctypes
from typing import Any, Optional, Union

from .struct import LiteDeviceType

class LiteOptions(ctypes.Structure):
    weight_preprocess: int
    fuse_preprocess: int
    fake_next_exec: int
    var_sanity_check_first_run: int
    const_shape: int
    force_dynamic_alloc: int
    force_output_dynamic_alloc: int
    force_output_use_user_specified_memory: int
    no_profiling_on_shape_change: int
    jit_level: int
    comp_node_seq_record_level: int
    graph_opt_level: int
    async_exec_level: int
    enable_nchw44: int
    enable_nchw44_dot: int
    enable_nchw88: int
    enable_nhwcd4: int
    enable_nchw4: int
    enable_nchw32: int
    enable_nchw64: int
    def __init__(self) -> None: ...

class LiteConfig(ctypes.Structure):
    has_compression: int
    device_id: int
    device_type: int
    backend: int
    options: LiteOptions
    auto_optimize_inference: int
    discrete_input_name: bytes
    bare_model_cryption_name: Any
    def __init__(
        self, device_type: Union[LiteDeviceType, int] = LiteDeviceType.LITE_CPU, option: Optional[LiteOptions] = None
    ) -> None: ...
    def copy(self) -> LiteConfig: ...

class LiteExtraConfig(ctypes.Structure):
    disable_configure_by_model_info: int
    def __init__(self, disable_model_config: bool = False) -> None: ...
