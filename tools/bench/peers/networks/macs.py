"""Counts multiply-adds, as the definitions of the operators have them: Winograd's algorithm needs fewer."""
import math

import onnx


def count_macs(model):
    """Multiply-adds of an ONNX model's convolutions and matrix products. Shapes must be fixed."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in [*graph.value_info, *graph.input, *graph.output]}
    shapes.update({t.name: list(t.dims) for t in graph.initializer})
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            per_output = math.prod(shapes[node.input[1]][1:])
        elif node.op_type in ("MatMul", "Gemm"):
            transposed = any(a.name == "transA" and a.i for a in node.attribute)
            per_output = shapes[node.input[0]][-2 if transposed else -1]
        else:
            continue
        output = shapes[node.output[0]]
        if 0 in output:
            raise ValueError(f"{node.op_type} {node.name}: its shape is not known")
        total += math.prod(output) * per_output
    return total
