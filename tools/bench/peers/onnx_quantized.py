"""8-bit ONNX models (QuantizeLinear, DequantizeLinear) as MegEngine's quantized operators; a part of onnx_to_mge.py.

Both uint8 activations and int8 weights become Quantized8Asymm, whose zero point may be any; of the latter it is 128.
"""
import megengine as mge
import megengine.functional as F
import numpy as np
from megengine.core.tensor.dtype import convert_to_qint32, convert_to_quint8, qint32, quint8

# Operators that move numbers, or pick some of them, and so take quantized ones as they are.
_MOVES = ("MaxPool", "Concat", "Slice", "Split", "Reshape", "Transpose")


class _Quantized:
    """A tensor of Quantized8Asymm."""

    def __init__(self, tensor, scale, zero):
        self._tensor, self._format = tensor, (scale, zero)

    def scale(self):
        return self._format[0]

    def tensor(self, scale=None, zero=None):
        """In that format, or in its own."""
        if scale is None or self._format == (scale, zero):
            return self._tensor
        return self._tensor.astype(quint8(scale, zero))

    def floats(self):
        return self._tensor.astype(np.float32)


class _Constant:
    """A constant of NumPy: integers less their zero point."""

    def __init__(self, integers, scale, zero):
        self.integers, self._scale = integers.astype(np.int32) - zero, scale

    def scale(self):
        return self._scale

    def floats(self):
        return mge.Parameter(self.integers * np.float32(self._scale))


class Graph:
    """Runs a graph's nodes on quantized tensors where they can be.

    A convolution or sum can where its operands have just been dequantized and its result is only quantized; so can what moves
    numbers.
    """

    def __init__(self, graph, constants):
        self._constants = constants
        self._readers = {}
        for node in graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        self._outputs = {o.name for o in graph.output}
        self._values = {}  # _Quantized or _Constant, by the names of quantized and of dequantized tensors
        self._done = set()  # outputs of QuantizeLinear that the node before it has computed

    def _format(self, node):
        """(Scale, zero point) of QuantizeLinear or DequantizeLinear."""
        scale, zero = (self._constants[name] for name in node.input[1:3])
        if scale.size != 1 or zero.size != 1:
            raise NotImplementedError(f"{node.op_type}: several scales")
        return float(scale.item()), int(zero.item())

    def _quantizer(self, node):
        """The QuantizeLinear that alone reads the node's output; None where others do."""
        readers = self._readers.get(node.output[0], [])
        only = len(readers) == 1 and node.output[0] not in self._outputs
        return readers[0] if only and readers[0].op_type == "QuantizeLinear" else None

    def _convolution(self, n, node, scale, zero):
        x, weight = (self._values[name] for name in node.input[:2])
        groups, integers = n.get("group", 1), weight.integers
        outputs = integers.shape[0]
        if groups > 1:
            integers = integers.reshape(groups, outputs // groups, *integers.shape[1:])
        products = x.scale() * weight.scale()
        bias = np.zeros((1, outputs, 1, 1), np.int32)
        if len(node.input) > 2:
            bias = self._values[node.input[2]].integers.reshape(bias.shape)
        return F.quantized.conv_bias_activation(
            x.tensor(), mge.tensor(convert_to_quint8(integers * np.float64(weight.scale()), quint8(weight.scale(), 128))),
            mge.tensor(convert_to_qint32(bias * np.float64(products), qint32(products))), dtype=quint8(scale, zero),
            stride=tuple(n.get("strides", (1, 1))), padding=n.padding(), dilation=tuple(n.get("dilations", (1, 1))), groups=groups,
            nonlinear_mode="identity")

    def _compute(self, n, node, handler, scale, zero):
        """The node's result in the given format; None where it runs on floats."""
        operands = [name for name in node.input if name and name not in self._constants]
        if not operands or any(name not in self._values for name in operands):
            return None
        if node.op_type == "Conv":
            return self._convolution(n, node, scale, zero)
        if node.op_type == "Add" and len(operands) == 2:
            a, b = (self._values[name].tensor() for name in operands)
            return F.elemwise._elemwise_multi_type(a, b, mode="qadd", dtype=quint8(scale, zero))
        if node.op_type in _MOVES:
            n.inputs = [self._values[name].tensor(scale, zero) if name in self._values else None for name in node.input]
            return handler(n)
        return None

    def run(self, node, operands, handler, tensors):
        """Computes a node here where it can be, and says whether it has been; if not, `tensors` has its operands.

        `operands` makes what `handler` takes, which computes the node on MegEngine's tensors.
        """
        if node.op_type == "DequantizeLinear":
            constant = self._constants.get(node.input[0])
            self._values[node.output[0]] = (self._values[node.input[0]] if constant is None else
                                            _Constant(constant, *self._format(node)))
            return True
        if node.op_type == "QuantizeLinear":
            if node.output[0] not in self._done:
                format = self._format(node)
                self._values[node.output[0]] = _Quantized(tensors[node.input[0]].astype(quint8(*format)), *format)
            return True
        quantizer = self._quantizer(node)
        if quantizer is not None:
            format = self._format(quantizer)
            result = self._compute(operands(), node, handler, *format)
            if result is not None:
                self._values[quantizer.output[0]] = _Quantized(result, *format)
                self._done.add(quantizer.output[0])
                return True
        for name in node.input:
            if name in self._values and name not in tensors:
                tensors[name] = self._values[name].floats()
        return False
