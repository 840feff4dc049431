"""Turns an ONNX model into a MegEngine model, so that all engines run the same network with the same weights:

    python -m peers.onnx_to_mge MODEL.onnx INPUT.npy MODEL.mge     (in an interpreter with megengine and onnx)

Takes the operators of the benchmark's networks (networks/export.py) and refuses everything else.
"""
import sys

import megengine as mge
import megengine.functional as F
import numpy as np
import onnx
from megengine.core.ops.builtin import Elemwise
from megengine.functional.elemwise import _elwise
from megengine.jit import trace
from onnx import helper, numpy_helper

from peers import onnx_quantized

_HANDLERS = {}


def _handles(*op_types):

    def register(function):
        _HANDLERS.update(dict.fromkeys(op_types, function))
        return function

    return register


class _Node:
    """An operator with its operands: tensors of MegEngine, and NumPy arrays where they are constant."""

    def __init__(self, node, tensors, constants):
        self.op_type = node.op_type
        self.attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        self.inputs = [tensors.get(name) for name in node.input]
        self.constants = [constants.get(name) for name in node.input]

    def get(self, name, default=None):
        return self.attributes.get(name, default)

    def shape(self, i=0):
        return [int(n) for n in self.inputs[i].shape]

    def refuse_unless(self, condition, what):
        if not condition:
            raise NotImplementedError(f"{self.op_type}: {what}")

    def padding(self):
        """MegEngine's (height, width) of ONNX's (top, left, bottom, right)."""
        top, left, bottom, right = self.get("pads", (0, 0, 0, 0))
        self.refuse_unless((top, left) == (bottom, right), "padding that is not symmetric")
        return top, left


@_handles("Conv")
def _conv(n):
    weight, groups = n.inputs[1], n.get("group", 1)
    bias = n.inputs[2].reshape(1, -1, 1, 1) if len(n.inputs) > 2 else None
    if groups > 1:
        outputs, *rest = n.shape(1)
        weight = weight.reshape(groups, outputs // groups, *rest)
    return F.conv2d(n.inputs[0], weight, bias, tuple(n.get("strides", (1, 1))), n.padding(), tuple(n.get("dilations", (1, 1))), groups)


@_handles("MaxPool")
def _max_pool(n):
    n.refuse_unless(not n.get("ceil_mode"), "ceil_mode")
    return F.max_pool2d(n.inputs[0], tuple(n.get("kernel_shape")), tuple(n.get("strides")), n.padding())


@_handles("GlobalAveragePool")
def _global_average_pool(n):
    return F.avg_pool2d(n.inputs[0], tuple(n.shape()[2:]), 1, 0)


@_handles("ReduceMean")
def _reduce_mean(n):
    axes = n.get("axes") or n.constants[1].tolist()
    n.refuse_unless(sorted(a % 4 for a in axes) == [2, 3] and not n.get("keepdims", 1), "other than over height and width")
    return F.reshape(_global_average_pool(n), tuple(n.shape()[:2]))


_ELEMENTWISE = {
    "Relu": F.relu,
    "Silu": F.silu,
    "Sigmoid": F.sigmoid,
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Div": lambda a, b: a / b,
    "Erf": lambda a: _elwise(a, mode=Elemwise.Mode.ERF),
}


@_handles(*_ELEMENTWISE)
def _elementwise(n):
    return _ELEMENTWISE[n.op_type](*n.inputs)


@_handles("Clip")
def _clip(n):
    low, high = (float(c) for c in n.constants[1:3])
    return F.relu6(n.inputs[0]) if (low, high) == (0, 6) else F.clip(n.inputs[0], low, high)


@_handles("Gemm")
def _gemm(n):
    n.refuse_unless(not n.get("transA") and n.get("alpha", 1) == n.get("beta", 1) == 1, "scaled or with a transposed left operand")
    return F.matmul(n.inputs[0], n.inputs[1], transpose_b=bool(n.get("transB"))) + n.inputs[2]


@_handles("MatMul")
def _mat_mul(n):
    return F.matmul(n.inputs[0], n.inputs[1])


@_handles("Softmax")
def _softmax(n):
    return F.softmax(n.inputs[0], axis=n.get("axis", -1))


@_handles("LayerNormalization")
def _layer_norm(n):
    n.refuse_unless(n.get("axis", -1) in (-1, len(n.shape()) - 1), "over more than the last dimension")
    return F.nn.layer_norm(n.inputs[0], n.shape(1), True, n.inputs[1], n.inputs[2], n.get("epsilon", 1e-5))


@_handles("Flatten")
def _flatten(n):
    n.refuse_unless(n.get("axis", 1) == 1, "axis other than 1")
    return n.inputs[0].reshape(n.shape()[0], -1)


@_handles("Reshape")
def _reshape(n):
    old = n.shape()
    return n.inputs[0].reshape(*[old[i] if size == 0 else size for i, size in enumerate(n.constants[1].tolist())])


@_handles("Transpose")
def _transpose(n):
    return F.transpose(n.inputs[0], tuple(n.get("perm")))


@_handles("Concat")
def _concat(n):
    return F.concat(n.inputs, axis=n.get("axis"))


@_handles("Slice")
def _slice(n):
    starts, ends, axes = (c.tolist() for c in n.constants[1:4])
    steps = n.constants[4].tolist() if len(n.constants) > 4 else [1] * len(starts)
    n.refuse_unless(min(steps) > 0, "backwards")
    shape = n.shape()
    items = [slice(None)] * len(shape)
    for start, end, axis, step in zip(starts, ends, axes, steps):
        items[axis] = slice(*slice(start, end).indices(shape[axis])[:2], step)
    return n.inputs[0][tuple(items)]


@_handles("Gather")
def _gather(n):
    n.refuse_unless(n.constants[1] is not None and n.constants[1].ndim == 0, "with more than one constant index")
    axis, index = n.get("axis", 0), int(n.constants[1]) % n.shape()[n.get("axis", 0)]
    return F.squeeze(n.inputs[0][(slice(None),) * axis + (slice(index, index + 1),)], axis)


@_handles("Resize")
def _resize(n):
    n.refuse_unless(n.get("mode") == b"nearest" and n.constants[2] is not None and n.constants[2].tolist() == [1, 1, 2, 2],
                    "other than to the nearest neighbour in twice the size")
    batch, channels, height, width = n.shape()
    doubled = F.broadcast_to(n.inputs[0].reshape(batch, channels, height, 1, width, 1), (batch, channels, height, 2, width, 2))
    return doubled.reshape(batch, channels, 2 * height, 2 * width)


def _join_silu(nodes):
    """ONNX has no operator for x * sigmoid(x), MegEngine has; sigmoids that nothing else uses are left to whoever compiles."""
    sigmoids = {n.output[0]: n.input[0] for n in nodes if n.op_type == "Sigmoid"}
    for node in nodes:
        if node.op_type == "Mul" and sigmoids.get(node.input[1]) == node.input[0]:
            yield helper.make_node("Silu", node.input[:1], node.output)
        else:
            yield node


def convert(onnx_path, input_path, mge_path):
    graph = onnx.load(onnx_path).graph
    nodes = list(_join_silu(graph.node))
    unknown = sorted({n.op_type for n in nodes} - set(_HANDLERS) - {"QuantizeLinear", "DequantizeLinear"})
    if unknown:
        raise NotImplementedError(f"{onnx_path}: no rule for {', '.join(unknown)}")
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    weights = {name: mge.Parameter(np.ascontiguousarray(value)) for name, value in constants.items() if value.dtype == np.float32}

    @trace(symbolic=True, capture_as_const=True)
    def network(x):
        tensors = {**weights, graph.input[0].name: x}
        quantized = onnx_quantized.Graph(graph, constants)
        for node in nodes:
            handler = _HANDLERS.get(node.op_type)
            if not quantized.run(node, lambda: _Node(node, tensors, constants), handler, tensors):
                tensors[node.output[0]] = handler(_Node(node, tensors, constants))
        return tensors[graph.output[0].name]

    network(mge.tensor(np.load(input_path)))
    network.dump(mge_path, arg_names=["x"], output_names=["y"], optimize_for_inference=True, enable_fuse_conv_bias_nonlinearity=True)


if __name__ == "__main__":
    convert(*sys.argv[1:])
