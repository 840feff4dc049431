"""Writes a network as ONNX with an input and its output:

    python -m peers.networks.export NAME PREFIX     (in an interpreter with torch, torchvision, onnx, onnxscript, onnxslim)

PREFIX.onnx has fixed shapes and no arithmetic on shapes left, so that every engine starts from one plain graph;
PREFIX.input.npy and PREFIX.output.npy are float32, the output is torch's; PREFIX.json has the multiply-adds and sizes.
"""
import json
import sys
import warnings

import numpy as np
import onnx
import onnxslim
import torch

from peers.networks.build import build
from peers.networks.macs import count_macs


def export(name, prefix):
    network, x = build(name)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        y = network(x)
        # The exporter that traces: the other one spells some operators in a way that not every engine reads.
        torch.onnx.export(network, (x,), prefix + ".onnx", input_names=["x"], output_names=["y"], opset_version=17, dynamo=False)
    # Where a bias is added to a matrix product of three dimensions, Gemm needs reshapes around it.
    model = onnxslim.slim(prefix + ".onnx", skip_fusion_patterns=["FusionGemm"])
    onnx.save(model, prefix + ".onnx")
    np.save(prefix + ".input.npy", x.numpy())
    np.save(prefix + ".output.npy", y.contiguous().numpy())
    parameters = sum(p.numel() for p in network.parameters())
    with open(prefix + ".json", "w") as f:
        json.dump({"input": list(x.shape), "output": list(y.shape), "macs": count_macs(model), "parameters": parameters}, f)


if __name__ == "__main__":
    export(*sys.argv[1:])
