"""Makes an 8-bit network of an exported one:

    python -m peers.networks.quantize FLOAT_PREFIX PREFIX     (in an interpreter with onnxruntime and onnx)

PREFIX.onnx holds QuantizeLinear and DequantizeLinear around its operators, as ONNX Runtime's quantizer writes them: uint8
activations, into whose range ReLU has gone, and int8 weights, with one scale for each tensor. Weights have 7 bits: with 8,
products of engines that multiply 8 bits without VNNI may overflow. PREFIX.output.npy is what the model gives in float32
arithmetic, rounding where it says so.
"""
import os
import shutil
import sys
import tempfile

import numpy as np
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

# What follows a convolution network's last convolution is little work, and stays in float32.
_QUANTIZED = ["Conv", "Relu", "Clip", "Add", "MaxPool", "Concat", "Slice", "Split", "Reshape", "Transpose"]


class _Noise(CalibrationDataReader):
    """The network's input, and more of the kind."""

    def __init__(self, x):
        generator = np.random.default_rng(0)
        self._inputs = iter([x, *(generator.standard_normal(x.shape, np.float32) for _ in range(4))])

    def get_next(self):
        x = next(self._inputs, None)
        return None if x is None else {"x": x}


def _run(path, x):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run(["y"], {"x": x})[0]


def quantize(float_prefix, prefix):
    x = np.load(float_prefix + ".input.npy")
    with tempfile.TemporaryDirectory() as folder:
        prepared = os.path.join(folder, "prepared.onnx")
        quant_pre_process(float_prefix + ".onnx", prepared, skip_symbolic_shape=True)
        quantize_static(prepared, prefix + ".onnx", _Noise(x), quant_format=QuantFormat.QDQ, op_types_to_quantize=_QUANTIZED,
                        per_channel=False, reduce_range=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                        extra_options={"WeightSymmetric": True})
    np.save(prefix + ".output.npy", _run(prefix + ".onnx", x))
    for suffix in (".input.npy", ".json"):
        shutil.copy(float_prefix + suffix, prefix + suffix)


if __name__ == "__main__":
    quantize(*sys.argv[1:])
