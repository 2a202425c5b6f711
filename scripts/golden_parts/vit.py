"""The vision transformer with timm's parameter names (vit_tiny_patch16_224 and so on). Dosovitskiy et al. 2021"""
import torch
from torch import nn
from torch.nn import functional as F

from golden_parts.stages import finish

WIDTHS = {"tiny": 192, "small": 384, "base": 768}


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(b, n, c))


class Mlp(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(dim, 1e-6), Attention(dim, heads)
        self.norm2, self.mlp = nn.LayerNorm(dim, 1e-6), Mlp(dim)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, dim, patch):
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch, patch)

    def forward(self, x):
        return self.proj(x)


class VisionTransformer(nn.Module):
    """Heads of 64 channels; a single head below that width."""

    def __init__(self, size, patch, width=1.0, classes=4):
        super().__init__()
        dim = int(WIDTHS[size] * width)
        self.grid = 224 // patch
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + self.grid**2, dim))
        self.patch_embed = PatchEmbed(dim, patch)
        self.blocks = nn.Sequential(*[Block(dim, max(1, dim // 64)) for _ in range(12)])
        self.norm = nn.LayerNorm(dim, 1e-6)
        self.fc = nn.Linear(dim, classes)

    def positions(self, h, w):
        if (h, w) == (self.grid, self.grid):
            return self.pos_embed
        grid = self.pos_embed[:, 1:].reshape(1, self.grid, self.grid, -1).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, (h, w), mode="bicubic", antialias=True)
        return torch.cat([self.pos_embed[:, :1], grid.flatten(2).transpose(1, 2)], 1)

    def stages_of(self, x):
        x, found = self.patch_embed(x), {}
        h, w = x.shape[2:]
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x.flatten(2).transpose(1, 2)], 1) + self.positions(h, w)
        for i, block in enumerate(self.blocks, 1):
            x = block(x)
            last = self.norm(x) if i == len(self.blocks) else x
            found[f"block{i}"] = last[:, 1:].transpose(1, 2).reshape(len(x), -1, h, w)
        return finish(found, self.fc, last[:, 0])

    def forward(self, x):
        return self.stages_of(x)["logits"]
