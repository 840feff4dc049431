"""The benchmark's networks.

Names are all that is known here; building and exporting them (build.py, export.py) needs torch and torchvision.
"""
# shufflenet is ShuffleNetV2 x1.0, vit_tiny ViT-Ti/16; _b8 is a batch of 8.
NAMES = ("shufflenet", "mobilenetv2", "resnet18", "resnet50", "efficientnet_b0", "vit_tiny", "yolox_nano", "shufflenet_b8",
         "resnet18_b8")
