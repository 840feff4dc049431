"""Builds the networks with torch: fixed random weights, sane activations."""
import torch
from torch import nn
from torchvision import models

from peers.networks.vit import VitTiny
from peers.networks.yolox import YoloxNano

_NETWORKS = {
    "shufflenet": (models.shufflenet_v2_x1_0, 224),
    "mobilenetv2": (models.mobilenet_v2, 224),
    "resnet18": (models.resnet18, 224),
    "resnet50": (models.resnet50, 224),
    "efficientnet_b0": (models.efficientnet_b0, 224),
    "vit_tiny": (VitTiny, 224),
    "yolox_nano": (YoloxNano, 416),
}


def _calibrate(network, size):
    """Gives batch normalization the statistics of noise.

    With those of a fresh network, activations of deep networks explode, or become denormal, which some engines are slow on.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    if not norms:
        return
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.8, 1.2)
        nn.init.uniform_(norm.bias, -0.2, 0.2)
        norm.momentum = None  # the mean of all batches
        norm.train()
    with torch.no_grad():
        for _ in range(2):
            network(torch.randn(4, 3, size, size))


def build(name):
    """The network, a torch module in inference mode, and an input for it. The same for the same name and torch version."""
    base, batch = (name, 1) if name in _NETWORKS else (name.rpartition("_b")[0], int(name.rpartition("_b")[2]))
    make, size = _NETWORKS[base]
    torch.manual_seed(1)
    network = make().eval()
    _calibrate(network, size)
    return network.eval(), torch.randn(batch, 3, size, size)
