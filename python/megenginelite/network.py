"""Loading and running compiled models."""
import ctypes
import functools
import io
import os
import threading
import weakref
from ctypes import *  # noqa: F401,F403

import numpy as np  # noqa: F401

from .base import note_no_effect
from .runtime_binding import Arena, Network
from .config import LiteConfig, LiteExtraConfig, LiteOptions  # noqa: F401
from .dump import BinDump, TextDump
from .edge import NetworkEdge, layout_of
from .model import Model
from .network_io import LiteIO, LiteNetworkIO  # noqa: F401
from .packed_model import Settings
from .struct import *  # noqa: F401,F403
from .struct import LiteDeviceType, LiteTensorPhase
from .tensor import *  # noqa: F401,F403
from .tensor import LiteTensor, check_device, gpu_of

LiteAsyncCallback = ctypes.CFUNCTYPE(ctypes.c_int)
LiteStartCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(LiteIO), ctypes.c_void_p, ctypes.c_size_t)
LiteFinishCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(LiteIO), ctypes.c_void_p, ctypes.c_size_t)

# device_id of a network that runs in the caller's thread, alone or with threads of its own.
_INPLACE_DEVICE, _INPLACE_THREADS_DEVICE = -1024, -1025


def wrap_async_callback(func):
    """`func` as a C callback."""
    return LiteAsyncCallback(func)


def start_finish_callback(func):
    """Start and finish callbacks are plain functions of a dict {LiteIO: LiteTensor}; returns `func`."""
    return func


def _call(callback, *args):
    """Calls a user's callback; what it raises is printed and does not disturb the network."""
    try:
        callback(*args)
    except Exception:
        import traceback

        traceback.print_exc()


class LiteNetwork:
    """A compiled model with its input and output tensors.

    Networks are independent of each other; one network is to be used by one thread at a time.
    """

    def __init__(self, config=None, io=None):
        self.config = config if config is not None else LiteConfig()
        self.network_io = io if io is not None else LiteNetworkIO()
        check_device(self.config.device_type)  # whether there is a GPU, load() finds out
        self.model_bytes = None
        self._device_id = self.config.device_id
        self._stream_id = 0
        self._threads = 1
        self._inplace = False
        self._edge = None
        self._model = None
        self._start_callback = self._finish_callback = self._async_callback = None
        self._lock = threading.Lock()  # held while the runtime works
        self._running = None  # the thread of an asynchronous forward()
        self._running_error = None
        self._on_gpu = False
        self._started = False  # a pass on a GPU that nobody has waited for
        self._profile_path = None
        self._dumps = []
        self._arena = Arena()
        self._active_config = self.config  # with what a packed model says, after load()
        self._active_io = self.network_io
        self._disable_model_info = False
        self._extra_info = ""

    # Loading.

    def load(self, file):
        """Loads a compiled model (.mgec) or a MegEngine model (.mge): a path, a file opened with open(path, "rb"), or bytes.

        A .mge is compiled on the way, once: compile_cache keeps the result on disk. Its inputs may then get any shapes.
        """
        if isinstance(file, (str, os.PathLike)):
            model = os.fspath(file)
            if not os.path.exists(model):
                raise FileNotFoundError("No such file or directory: %r" % model)
        elif isinstance(file, bytes):
            model = file
        else:
            assert isinstance(file, io.BufferedReader), "file must be BufferedReader when open!!"
            model = file.read()
        gpu_of(self.config.device_type, self._device_id)
        self._finish_running()
        self._use(Model(model, self.config))
        if isinstance(model, bytes):
            self.model_bytes = ctypes.create_string_buffer(model, len(model))

    def _use(self, model):
        settings = Settings(self.config, self.network_io, self._device_id, self._threads, self._inplace)
        if model.unpacked is not None:
            said = model.unpacked.settings(settings)
            settings.extra_info = said.extra_info
            if not self._disable_model_info:
                settings = said
        check_device(settings.config.device_type)
        if settings.config.has_compression:
            raise RuntimeError("Unexpected compression method: compiled models are not compressed")
        gpu = gpu_of(settings.config.device_type, settings.device_id)
        make_core = functools.partial(
            _make_core, weakref.ref(self), self._arena, max(settings.threads, 1), gpu, self._stream_id, settings.network_io
        )
        self._on_gpu, self._started = gpu >= 0, False
        self._edge = NetworkEdge(model, make_core, settings.network_io, settings.config)
        self._model = model
        self._active_config, self._active_io = settings.config, settings.network_io
        self._device_id, self._threads, self._inplace = settings.device_id, max(settings.threads, 1), settings.inplace
        self._extra_info = settings.extra_info

    @property
    def _core(self):
        return self._edge.core if self._edge is not None else None

    def share_weights_with(self, src_network):
        """Loads the model of another network without loading its weights a second time."""
        assert isinstance(src_network, LiteNetwork), "the src_network must be LiteNetwork."
        src_network._need_loaded("share_weights_with")
        self._finish_running()
        self._use(src_network._model)

    def share_runtime_memroy(self, src_network):
        """Uses the memory of another network for intermediate results; call it before load().

        The two may then not compute at the same time: forward() of one waits for that of the other.
        """
        assert isinstance(src_network, LiteNetwork), "the src_network must be LiteNetwork."
        self._need_not_loaded("share_runtime_memroy")
        if src_network is self:
            raise RuntimeError("a network cannot share runtime memory with itself")
        self._arena = src_network._arena

    # Running.

    def forward(self):
        """Computes the outputs from the inputs; other Python threads run meanwhile.

        On a GPU it returns when the GPU has been told; inputs and outputs are to be left alone until wait() returns.
        """
        self._need_loaded("forward")
        self._finish_running()
        if self._start_callback is not None:
            _call(self._start_callback, self._edge.tensors_by_io(LiteTensorPhase.LITE_INPUT))
        with self._lock:
            self._edge.prepare()
        options = self._active_config.options
        if options.fake_next_exec:
            options.fake_next_exec = 0
            return
        if self._async_callback is None:
            self._run()
            return
        self._running = threading.Thread(target=self._run_async, daemon=True)
        self._running.start()

    def wait(self):
        """Returns when forward() has finished, and calls the finish callback."""
        self._need_loaded("wait")
        asynchronous = self._running is not None
        self._finish_running()
        if self._started:
            self._finish_on_gpu()
        if asynchronous and self._async_callback is not None:
            _call(self._async_callback)
        if self._finish_callback is not None:
            _call(self._finish_callback, self._edge.tensors_by_io(LiteTensorPhase.LITE_OUTPUT))
        if self._profile_path is not None:
            self._core.write_profile(self._profile_path)

    def _run(self):
        with self._lock:
            if self._core.forward():
                self._edge.finish()
        if self._on_gpu:
            self._started = True
            if not self._dumps:
                return  # the GPU goes on
            self._finish_on_gpu()
        for dump in self._dumps:
            dump.write(self._edge)

    def _finish_on_gpu(self):
        self._started = False
        with self._lock:
            if self._core.wait():
                self._edge.finish()

    def _run_async(self):
        try:
            self._run()
            if self._started:
                self._finish_on_gpu()
        except Exception as error:  # raised again in the thread that waits
            self._running_error = error
            return
        _call(self._async_callback)

    def _finish_running(self):
        if self._running is None:
            return
        if self._running is not threading.current_thread():
            self._running.join()
            self._running = None
        error, self._running_error = self._running_error, None
        if error is not None:
            raise RuntimeError(str(error)) from error

    # Inputs and outputs.

    def get_io_tensor(self, name, phase=LiteTensorPhase.LITE_IO):
        """The tensor of an input or output; handles for the same name share its state."""
        self._need_loaded("get_io_tensor")
        name = name.decode("utf-8") if isinstance(name, bytes) else name
        return LiteTensor._of(self._edge.find(name, LiteTensorPhase(phase)))

    def get_discrete_tensor(self, name, n_idx, phase=LiteTensorPhase.LITE_INPUT):
        """Tensor number `n_idx` of the input that LiteConfig.discrete_input_name names; it has a batch of 1.

        RuntimeError for other inputs, and if there is no such item.
        """
        self._need_loaded("get_discrete_tensor")
        name = name.decode("utf-8") if isinstance(name, bytes) else name
        return LiteTensor._of(self._edge.find_item(name, n_idx, LiteTensorPhase(phase)))

    def get_input_name(self, index):
        """The name of input number `index`."""
        return _pick(self.get_all_input_name(), index, "input")

    def get_output_name(self, index):
        """The name of output number `index`."""
        return _pick(self._edge.output_names if self._edge is not None else None, index, "output")

    def get_all_input_name(self):
        """The names of all inputs, in the model's order; None before load()."""
        return list(self._edge.input_names) if self._edge is not None else None

    def get_all_output_name(self):
        """The names of all outputs, those in the LiteNetworkIO first; None before load()."""
        if self._edge is None:
            return None
        listed = [item.name for item in self._active_io.outputs if item.name in self._edge.output_names]
        return listed + [name for name in self._edge.output_names if name not in listed]

    # Settings before load().

    @property
    def threads_number(self):
        """Number of threads that compute, the caller's among them. Set it before load(); 0 and 1 change nothing."""
        return self._threads

    @threads_number.setter
    def threads_number(self, number):
        self._need_not_loaded("threads_number")
        self._need_cpu("multi threads mode")
        if number > 1:
            self._threads = int(number)

    @property
    def device_id(self):
        """The number of the GPU; CPU networks keep it and do not use it. Set it before load()."""
        return self._device_id

    @device_id.setter
    def device_id(self, device_id):
        self._need_not_loaded("device_id")
        self._device_id = device_id

    @property
    def stream_id(self):
        """On a GPU, networks with the same number take turns; CPU networks do not use it. Set it before load()."""
        return self._stream_id

    @stream_id.setter
    def stream_id(self, stream_id):
        self._need_not_loaded("stream_id")
        self._stream_id = stream_id

    def is_cpu_inplace_mode(self):
        """Whether enable_cpu_inplace_mode() was called."""
        return self._inplace

    def enable_cpu_inplace_mode(self):
        """forward() always computes in the caller's thread here; this only forbids async_with_callback()."""
        self._need_not_loaded("enable_cpu_inplace_mode")
        self._need_cpu("cpu inplace mode")
        if self._async_callback is not None:
            raise RuntimeError("cpu inplace mode not support async mode")
        self._inplace = True
        self._device_id = _INPLACE_DEVICE if self._threads == 1 else _INPLACE_THREADS_DEVICE

    def use_tensorrt(self):
        """No effect but a warning. Call it before load()."""
        self._need_not_loaded("use_tensorrt")
        note_no_effect("use_tensorrt()", "TensorRT is not used")

    def extra_configure(self, extra_config):
        """Says, in a LiteExtraConfig, whether the information in a packed model may change the configuration.

        Call it before load(); RuntimeError afterwards, unless it disables what has been done.
        """
        assert isinstance(extra_config, LiteExtraConfig), "extra_config must be a LiteExtraConfig."
        if not extra_config.disable_configure_by_model_info:
            self._need_not_loaded("extra_configure")
        self._disable_model_info = bool(extra_config.disable_configure_by_model_info)

    def set_network_algo_policy(self, policy, shared_batch_size=0, binary_equal_between_batch=False):
        """No effect but a warning: kernels were chosen when the model was compiled."""
        int(policy)
        note_no_effect("set_network_algo_policy()", "kernels were chosen when the model was compiled")

    def set_network_algo_workspace_limit(self, size_limit):
        """No effect but a warning: memory was planned when the model was compiled. Call it after load()."""
        self._need_loaded("set_network_algo_workspace_limit")
        note_no_effect(
            "set_network_algo_workspace_limit()",
            "memory was planned when the model was compiled; get_static_memory_alloc_info() says how much",
        )

    def enable_global_layout_transform(self):
        """No effect but a warning: layouts were chosen when the model was compiled."""
        self._need_not_loaded("enable_global_layout_transform")
        note_no_effect("enable_global_layout_transform()", "the compiler always chooses layouts for the whole model")

    def dump_layout_transform_model(self, model_file):
        """Not supported: the artifact already is the optimized model."""
        raise RuntimeError("dump_layout_transform_model is not supported: the compiled artifact is the optimized model")

    # Callbacks.

    def async_with_callback(self, async_callback):
        """From now on forward() returns at once; the callback is called when the outputs are there, and in wait()."""
        if self._inplace:
            raise RuntimeError("cpu inplace mode not support async mode")
        if self._active_config.options.force_output_use_user_specified_memory:
            raise RuntimeError("async mode is not possible with force_output_use_user_specified_memory")
        self._async_callback = async_callback

    def set_start_callback(self, start_callback):
        """Called in every forward() with {LiteIO: LiteTensor} of the inputs, which it may change."""
        self._start_callback = start_callback

    def set_finish_callback(self, finish_callback):
        """Called in every wait() with {LiteIO: LiteTensor} of the outputs."""
        self._finish_callback = finish_callback

    def set_random_seed(self, seed):
        """Starts the random numbers of models that compute such again, with this seed, in [0, 2**64); 0 after load().

        The same seed gives the same numbers, forward by forward, on every machine and for every number of threads.
        MegEngine Lite has no such method. RuntimeError before load().
        """
        self._need_loaded("set_random_seed")
        if not 0 <= int(seed) < 2**64:
            raise ValueError("the seed must be in [0, 2**64), not %s" % seed)
        self._core.seed_random(int(seed))

    # Looking inside.

    def enable_profile_performance(self, profile_file):
        """wait() writes the time of every operator to this file, which chrome://tracing and ui.perfetto.dev show.

        RuntimeError from wait() if the file cannot be written.
        """
        self._profile_path = os.fspath(profile_file)
        if self._core is not None:
            self._core.enable_profile(True)

    def io_txt_dump(self, txt_file):
        """Every forward() writes the inputs and outputs to a text file. Tensors inside the network do not exist any more."""
        self._dumps.append(TextDump(os.fspath(txt_file)))

    def io_bin_dump(self, bin_dir):
        """Every forward() writes each input and output to a file of its own in a folder."""
        self._dumps.append(BinDump(os.fspath(bin_dir)))

    def get_static_memory_alloc_info(self, log_dir="logs/test"):
        """Writes static_memory.json, the bytes of memory that the network uses, into a folder, which is made if missing.

        Call it after load(). RuntimeError if the file cannot be written.
        """
        self._need_loaded("get_static_memory_alloc_info")
        core = self._core
        report = {
            "model": core.artifact_name,
            "target": core.target,
            "weights": core.weights_size,
            "arena": core.arena_size,
            "inputs": {item["name"]: item["nbytes"] for item in core.inputs},
            "outputs": {item["name"]: item["nbytes"] for item in core.outputs},
        }
        report["total"] = (
            report["weights"] + report["arena"] + sum(report["inputs"].values()) + sum(report["outputs"].values())
        )
        import json

        try:
            os.makedirs(log_dir, exist_ok=True)
            with open(os.path.join(log_dir, "static_memory.json"), "w") as file:
                json.dump(report, file, indent=1)
        except OSError as error:
            raise RuntimeError("cannot write the use of memory: %s" % error) from error

    def get_model_extra_info(self):
        """The "extra_info" of a packed model as JSON text, or ""."""
        return self._extra_info

    def _need_loaded(self, what):
        if self._edge is None:
            raise RuntimeError("%s should be used after model loaded." % what)

    def _need_cpu(self, what):
        if self.config.device_type == LiteDeviceType.LITE_CUDA:
            raise RuntimeError("%s is only avaliable in CPU." % what)

    def _need_not_loaded(self, what):
        if self._edge is not None:
            raise RuntimeError("%s should be used before model loaded." % what)

    def __repr__(self):
        return repr({"config": self.config, "IOs": self.network_io})


def _make_core(network, arena, threads, gpu, stream, io, artifact):
    """The runtime's network. `network` is a weak reference: memory goes when the user lets go of it, without the collector."""
    if gpu < 0:
        core = Network(artifact, threads, arena)
    else:
        inputs, outputs = [[item.name for item in side if not item.is_host] for side in (io.inputs, io.outputs)]
        core = Network(artifact, threads, arena, gpu, stream, inputs, outputs)
    if network()._profile_path is not None:
        core.enable_profile(True)
    return core


def _pick(names, index, side):
    if names is None or not 0 <= index < len(names):
        raise RuntimeError("The %s tensor index is large than the total %ss number." % (side, side))
    return names[index]


def get_model_io_info(model_path, config=None):
    """A LiteNetworkIO with the names and layouts of a model's inputs and outputs, without loading a network.

    `config` is for its bare_model_cryption_name. RuntimeError if there is no such file or it is not a model.
    """
    try:
        artifact = Model(model_path, config).artifact
    except OSError as error:
        raise RuntimeError("failed to open %s: %s" % (model_path, error)) from error
    info = LiteNetworkIO()
    for description in artifact.inputs:
        info.add_input(LiteIO(description["name"], layout=layout_of(description)))
    for description in artifact.outputs:
        info.add_output(LiteIO(description["name"], layout=layout_of(description)))
    return info
