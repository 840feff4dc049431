"""YOLOX-Nano (Ge et al., 2021): depth 0.33, width 0.25, depthwise convolutions; outputs of the heads before decoding."""
import torch
from torch import nn


def conv(inputs, outputs, kernel=1, stride=1, groups=1):
    """Convolution, batch normalization, SiLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
                         nn.BatchNorm2d(outputs), nn.SiLU())


def separable(inputs, outputs, kernel=3, stride=1):
    return nn.Sequential(conv(inputs, inputs, kernel, stride, inputs), conv(inputs, outputs))


class Bottleneck(nn.Module):

    def __init__(self, channels, shortcut):
        super().__init__()
        self.body = nn.Sequential(conv(channels, channels), separable(channels, channels))
        self.shortcut = shortcut

    def forward(self, x):
        return x + self.body(x) if self.shortcut else self.body(x)


class CspLayer(nn.Module):
    """Two branches, one of them with bottlenecks, joined."""

    def __init__(self, inputs, outputs, bottlenecks=1, shortcut=True):
        super().__init__()
        half = outputs // 2
        self.deep = nn.Sequential(conv(inputs, half), *[Bottleneck(half, shortcut) for _ in range(bottlenecks)])
        self.flat = conv(inputs, half)
        self.join = conv(2 * half, outputs)

    def forward(self, x):
        return self.join(torch.cat([self.deep(x), self.flat(x)], 1))


class SpatialPyramidPooling(nn.Module):

    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        self.reduce, self.join = conv(channels, half), conv(4 * half, channels)
        self.pools = nn.ModuleList(nn.MaxPool2d(size, 1, size // 2) for size in (5, 9, 13))

    def forward(self, x):
        x = self.reduce(x)
        return self.join(torch.cat([x] + [pool(x) for pool in self.pools], 1))


class Head(nn.Module):
    """Of one scale: box (4), objectness (1) and class probabilities, with all places along the last dimension."""

    def __init__(self, inputs, classes, channels=64):
        super().__init__()
        self.stem = conv(inputs, channels)
        self.box_body, self.class_body = (nn.Sequential(separable(channels, channels), separable(channels, channels))
                                          for _ in range(2))
        self.box, self.objectness, self.classes = (nn.Conv2d(channels, n, 1) for n in (4, 1, classes))

    def forward(self, x):
        x = self.stem(x)
        box, kind = self.box_body(x), self.class_body(x)
        parts = [self.box(box), self.objectness(box).sigmoid(), self.classes(kind).sigmoid()]
        return torch.cat(parts, 1).flatten(2)


class YoloxNano(nn.Module):
    """f32[n, 3, h, w], h and w multiples of 32, to f32[n, places, 5 + classes]."""

    def __init__(self, classes=80):
        super().__init__()
        self.stem = conv(12, 16, 3)
        self.dark2 = nn.Sequential(separable(16, 32, stride=2), CspLayer(32, 32))
        self.dark3 = nn.Sequential(separable(32, 64, stride=2), CspLayer(64, 64, 3))
        self.dark4 = nn.Sequential(separable(64, 128, stride=2), CspLayer(128, 128, 3))
        self.dark5 = nn.Sequential(separable(128, 256, stride=2), SpatialPyramidPooling(256), CspLayer(256, 256, shortcut=False))
        self.lateral5, self.top4 = conv(256, 128), CspLayer(256, 128, shortcut=False)
        self.lateral4, self.top3 = conv(128, 64), CspLayer(128, 64, shortcut=False)
        self.down3, self.bottom4 = separable(64, 64, stride=2), CspLayer(128, 128, shortcut=False)
        self.down4, self.bottom5 = separable(128, 128, stride=2), CspLayer(256, 256, shortcut=False)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.heads = nn.ModuleList(Head(channels, classes) for channels in (64, 128, 256))

    def forward(self, x):
        corners = [x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
        c3 = self.dark3(self.dark2(self.stem(torch.cat(corners, 1))))
        c4 = self.dark4(c3)
        p5 = self.lateral5(self.dark5(c4))
        p4 = self.lateral4(self.top4(torch.cat([self.upsample(p5), c4], 1)))
        n3 = self.top3(torch.cat([self.upsample(p4), c3], 1))
        n4 = self.bottom4(torch.cat([self.down3(n3), p4], 1))
        n5 = self.bottom5(torch.cat([self.down4(n4), p5], 1))
        return torch.cat([head(x) for head, x in zip(self.heads, (n3, n4, n5))], 2).transpose(1, 2)
