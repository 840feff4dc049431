"""The inputs and outputs of a loaded network: keeps the tensors that users hold and the runtime's pointers in step."""
from .layout import LiteLayout
from .network_io import LiteIO
from .storage import TensorData
from .struct import LiteDataType, LiteDeviceType, LiteTensorPhase
from .tensor import LiteTensor

# How the element types of artifacts appear to users, who see quantized values as plain integers.
_DTYPES = {
    "float32": LiteDataType.LITE_FLOAT,
    "float16": LiteDataType.LITE_HALF,
    "int32": LiteDataType.LITE_INT,
    "int16": LiteDataType.LITE_INT16,
    "uint16": LiteDataType.LITE_UINT16,
    "int8": LiteDataType.LITE_INT8,
    "uint8": LiteDataType.LITE_UINT8,
    "bool": LiteDataType.LITE_UINT8,
    "quantized_s8": LiteDataType.LITE_INT8,
    "quantized_8asymm": LiteDataType.LITE_UINT8,
    "quantized_s16": LiteDataType.LITE_INT16,
    "quantized_s32": LiteDataType.LITE_INT,
}


def _dtype_of(description):
    try:
        return _DTYPES[description["dtype"]]
    except KeyError:
        raise RuntimeError(
            "%s is %s, which tensors cannot hold" % (description["name"], description["dtype"])
        ) from None


def _shape_of(description):
    """MegEngine shows scalars as [1]."""
    return tuple(description["shape"]) or (1,)


def layout_of(description):
    """The LiteLayout of an input or output."""
    return LiteLayout(list(_shape_of(description)), _dtype_of(description))


# Runtime networks that are kept for shapes that a model was compiled for after loading; the first goes when there are more.
_MAX_CORES = 8


class _Port:
    """One input or output."""

    def __init__(self, description, buffer):
        self.data = TensorData(_shape_of(description), _dtype_of(description))
        self.data.use_memory(buffer, 0, buffer.size, shared=False)
        if buffer.gpu >= 0:
            self.data.use_gpu(buffer.gpu, pinned=buffer.on_host)
            self.data.device_id = buffer.gpu
            self.data.device_type = LiteDeviceType.LITE_CPU if buffer.on_host else LiteDeviceType.LITE_CUDA
        self.describe(description)
        self.items = []  # of an input that is given item by item: one TensorData each, at first a part of `data`
        self.bound = None  # the address that the runtime uses

        self._seen = None

    def unchanged(self):
        """Whether the tensor is as remember() has seen it. (Shapes, strides and buffers are replaced, never edited.)"""
        data, seen = self.data, self._seen
        return (
            seen is not None
            and data.buffer is seen[0]
            and data.shape is seen[1]
            and data.strides is seen[2]
            and data.offset == seen[3]
            and data.dtype is seen[4]
            and not self.items
        )

    def forget(self):
        self._seen = None

    def remember(self):
        data = self.data
        self._seen = (data.buffer, data.shape, data.strides, data.offset, data.dtype)

    def describe(self, description):
        """Takes note of what the runtime expects."""
        self.name = description["name"]
        self.shape = tuple(description["shape"])
        self.dtype = _dtype_of(description)
        self.nbytes = description["nbytes"]

    @property
    def wanted_shape(self):
        """The shape of the user's tensor, in the model's terms."""
        return self.shape if self.shape == () and self.data.shape == (1,) else self.data.shape


class NetworkEdge:
    """All inputs and outputs of one network, and the runtime's network (`core`) behind them."""

    def __init__(self, model, make_core, network_io, config):
        """`make_core` makes a runtime network of an artifact."""
        core = make_core(model.artifact)
        self.core = core
        self._model = model
        self._make_core = make_core
        self._options = config.options
        self._inputs = [_Port(d, core.input_buffer(i)) for i, d in enumerate(core.inputs)]
        self._outputs = [_Port(d, core.output_buffer(i)) for i, d in enumerate(core.outputs)]
        self._ports = self._inputs + self._outputs
        # Cores by the shapes that they were made for.
        self._compiled = {tuple(port.shape for port in self._inputs): core}
        self.input_names = [port.name for port in self._inputs]
        self.output_names = [port.name for port in self._outputs]
        for item in network_io.inputs:
            if item.name in self.input_names and item.config_layout.ndim > 0:
                layout = item.config_layout
                self._inputs[self.input_names.index(item.name)].data.set_layout(layout.shapes, layout.data_type)
        if config.discrete_input_name:
            self._make_items(config.discrete_input_name.decode("utf-8"))

    def _make_items(self, name):
        """The items are parts of the input at first, so that copying to them is all there is to do."""
        if name not in self.input_names:
            raise RuntimeError("discrete_input_name is %s, but the inputs are: %s" % (name, ", ".join(self.input_names)))
        port = self._inputs[self.input_names.index(name)]
        port.items = [port.data.sliced([i], [i + 1], [1]) for i in range(port.data.shape[0])]

    def find_item(self, name, index, phase):
        """The TensorData of one item of the discrete input."""
        items = []
        if phase == LiteTensorPhase.LITE_INPUT and name in self.input_names:
            items = self._inputs[self.input_names.index(name)].items
        if not items:
            raise RuntimeError(
                "tensor name must be %s input tensor name. Only the input that discrete_input_name gives has discrete "
                "tensors." % name
            )
        if not 0 <= index < len(items):
            raise RuntimeError("n_idx should be less than %d" % len(items))
        return items[index]

    @staticmethod
    def _gather_items(port):
        """Items that the user gave memory of their own are copied to their places."""
        place = port.data.address
        for i, item in enumerate(port.items):
            if item.shape != (1,) + port.data.shape[1:] or item.dtype != port.data.dtype:
                raise RuntimeError(
                    "item %d of the discrete input %s must have the shape and type of one item of its batch" % (i, port.name)
                )
            if item.address != place or not item.contiguous:
                port.data.sliced([i], [i + 1], [1]).copy_from(item)
            place += item.nbytes

    def find(self, name, phase):
        """The TensorData behind a name; with LITE_IO, inputs come first."""
        if phase != LiteTensorPhase.LITE_OUTPUT and name in self.input_names:
            port = self._inputs[self.input_names.index(name)]
            if port.items:
                raise RuntimeError(
                    "%s input tensor is in discrete mode, you can use get_discrete_tensor to get this input." % name
                )
            return port.data
        if phase != LiteTensorPhase.LITE_INPUT and name in self.output_names:
            return self._outputs[self.output_names.index(name)].data
        raise RuntimeError(
            "tensor name must be %s input tensor name or the registered output tensor name; inputs: %s, outputs: %s"
            % (name, ", ".join(self.input_names), ", ".join(self.output_names))
        )

    def tensors_by_io(self, phase):
        """{LiteIO: LiteTensor} for callbacks."""
        ports = self._inputs if phase == LiteTensorPhase.LITE_INPUT else self._outputs
        return {LiteIO(port.name): LiteTensor._of(port.data) for port in ports}

    def arrays(self):
        """(name, array) of every input and output, for dumps."""
        data = [(port.name, port.data) for port in self._inputs + self._outputs]
        return [(name, d.array() if d.on_host else d.copied()) for name, d in data]

    def prepare(self):
        """Makes the runtime use the shapes and the memory that the tensors have now. On error nothing runs."""
        for port in self._ports:
            if not port.unchanged():
                break
        else:
            return
        for port in self._ports:
            port.forget()
        for port in self._inputs:
            if port.items:
                self._gather_items(port)
            if port.data.dtype != port.dtype:
                raise RuntimeError(
                    "input %s is %s, but the model takes %s" % (port.name, port.data.dtype.name, port.dtype.name)
                )
            if not port.data.contiguous:
                raise RuntimeError("input %s shares a slice that is not continuous: copy it instead" % port.name)
        if any(port.wanted_shape != port.shape for port in self._inputs):
            self._select_shapes()
        rebound = False
        for port in self._outputs:
            self._fit_output(port)
        for ports, bind in ((self._inputs, self.core.bind_input), (self._outputs, self.core.bind_output)):
            for index, port in enumerate(ports):
                address = port.data.address
                if address != port.bound:
                    port.bound = None
                    bind(index, port.data.buffer, port.data.offset)
                    port.bound = address
                    rebound = True
        if rebound:
            self._check_overlap()
        for port in self._ports:
            port.remember()

    def _select_shapes(self):
        shapes = tuple(tuple(port.wanted_shape) for port in self._inputs)
        self.core.wait()  # for a pass on a GPU: another core may be the next
        try:
            self.core.select_shapes([list(shape) for shape in shapes])
        except RuntimeError:
            if shapes not in self._compiled:
                artifact = self._model.for_shapes(dict(zip(self.input_names, shapes)))
                if artifact is None:  # the error lists the shapes that work
                    raise
                if len(self._compiled) >= _MAX_CORES:
                    self._compiled.pop(next(iter(self._compiled)))
                self._compiled[shapes] = self._make_core(artifact)
            self.core = self._compiled[shapes]
        for ports, descriptions in ((self._inputs, self.core.inputs), (self._outputs, self.core.outputs)):
            for port, description in zip(ports, descriptions):
                port.describe(description)
                port.bound = None

    def _fit_output(self, port):
        """Gives an output's tensor the layout that the model writes, and memory for it."""
        data = port.data
        fits = data.buffer is not None and data.capacity >= port.nbytes
        user_memory = data.shared and data.buffer is not None
        if user_memory and not fits and self._options.force_output_use_user_specified_memory:
            raise RuntimeError(
                "output %s needs %d bytes, but the memory that was given for it has %d"
                % (port.name, port.nbytes, data.capacity)
            )
        if user_memory and fits and data.readonly:
            raise RuntimeError("output %s shares memory that is read-only" % port.name)
        if not data.contiguous:
            raise RuntimeError("output %s shares a slice that is not continuous" % port.name)
        shape = port.shape or (1,)
        if data.shape != shape or data.dtype != port.dtype:
            data.set_layout(shape, port.dtype)

    def finish(self):
        """After a forward pass: gives outputs whose size depends on values the shape that they have now."""
        for index, port in enumerate(self._outputs):
            shape = tuple(self.core.output_shape(index)) or (1,)
            if port.data.shape != shape:
                port.data.set_layout(shape, port.dtype)

    def _check_overlap(self):
        ranges = [(port.data.address, port.data.address + port.nbytes, port.name) for port in self._outputs]
        others = ranges + [(port.data.address, port.data.address + port.nbytes, port.name) for port in self._inputs]
        for i, (begin, end, name) in enumerate(ranges):
            for other_begin, other_end, other_name in others[i + 1 :]:
                if begin < other_end and other_begin < end:
                    for port in self._inputs + self._outputs:
                        port.bound = None  # so that the next forward() looks again
                    raise RuntimeError("output %s and %s share memory" % (name, other_name))
