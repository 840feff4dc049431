"""The benchmark's networks.

Names are all that is known here; building and exporting them (build.py, export.py) needs torch and torchvision.
"""
# shufflenet is ShuffleNetV2 x1.0, vit_tiny ViT-Ti/16; _b8 is a batch of 8, _int8 the network with 8-bit weights and activations.
NAMES = ("shufflenet", "mobilenetv2", "resnet18", "resnet50", "efficientnet_b0", "vit_tiny", "yolox_nano", "shufflenet_b8",
         "resnet18_b8", "shufflenet_int8", "mobilenetv2_int8", "resnet18_int8", "resnet50_int8")


def float_network(name):
    """The network that a quantized one is made of (quantize.py); None where the network of that name is in float32."""
    return name[:-len("_int8")] if name.endswith("_int8") else None
