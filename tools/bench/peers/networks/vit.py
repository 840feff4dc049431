"""ViT-Ti/16 (Dosovitskiy et al., 2020; Touvron et al., 2021), attention written as matrix products and softmax, which
every exporter understands."""
import torch
from torch import nn


class Attention(nn.Module):

    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.scale = heads, (width // heads)**-0.5
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x):
        n, tokens, width = map(int, x.shape)

        def split(y, *order):
            return y.reshape(n, tokens, self.heads, width // self.heads).permute(*order)

        query, value = split(self.query(x), 0, 2, 1, 3), split(self.value(x), 0, 2, 1, 3)
        weights = torch.softmax(query @ split(self.key(x), 0, 2, 3, 1) * self.scale, -1)
        return self.output((weights @ value).permute(0, 2, 1, 3).reshape(n, tokens, width))


class Block(nn.Module):

    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2, self.mlp = nn.LayerNorm(width), nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VitTiny(nn.Module):
    """f32[n, 3, 224, 224] to f32[n, classes]."""

    def __init__(self, width=192, heads=3, layers=12, classes=1000):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.class_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.positions = nn.Parameter(torch.randn(1, 14 * 14 + 1, width) * 0.02)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        images = int(x.shape[0])
        token = self.class_token if images == 1 else self.class_token.expand(images, -1, -1)  # Expand is not for every exporter
        x = torch.cat([token, x], 1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])
