"""ResNet v2 with timm's parameter names (resnetv2_50 and so on), because Debian has no timm. He et al. 2016, 1603.05027"""
import torch
from torch import nn

from golden_parts.revnet import STEMS
from golden_parts.stages import finish


class Downsample(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        return self.conv(x)


class Block(nn.Module):
    """Batch norm and ReLU before each convolution. A shortcut that changes the size begins after the first of these pairs."""

    def __init__(self, inputs, channels, stride, basic):
        super().__init__()
        outputs = channels * (1 if basic else 4)
        # inputs, outputs, kernel, stride
        layers = [(inputs, channels, 3, stride), (channels, channels, 3, 1)] if basic else [
            (inputs, channels, 1, 1), (channels, channels, 3, stride), (channels, outputs, 1, 1)]
        self.downsample = None if stride == 1 and inputs == outputs else Downsample(inputs, outputs, stride)
        for i, (a, b, kernel, step) in enumerate(layers, 1):
            self.add_module(f"norm{i}", nn.BatchNorm2d(a))
            self.add_module(f"conv{i}", nn.Conv2d(a, b, kernel, step, kernel // 2, bias=False))
        self.depth = len(layers)

    def forward(self, x):
        shortcut = x
        for i in range(1, self.depth + 1):
            x = torch.relu(getattr(self, f"norm{i}")(x))
            if i == 1 and self.downsample is not None:
                shortcut = self.downsample(x)
            x = getattr(self, f"conv{i}")(x)
        return x + shortcut


class Stage(nn.Module):
    def __init__(self, inputs, channels, depth, stride, basic):
        super().__init__()
        outputs = channels * (1 if basic else 4)
        self.blocks = nn.Sequential(
            *[Block(outputs if i else inputs, channels, 1 if i else stride, basic) for i in range(depth)])

    def forward(self, x):
        return self.blocks(x)


class ResNetV2(nn.Module):
    def __init__(self, depths, basic, width=1.0, stem="imagenet", classes=4):
        super().__init__()
        kernel, stride, pool, strides = STEMS[stem]
        channels = [int(c * width) for c in (64, 128, 256, 512)]
        outputs = [c * (1 if basic else 4) for c in channels]
        self.stem = nn.Sequential()
        self.stem.add_module("conv", nn.Conv2d(3, channels[0], kernel, stride, kernel // 2, bias=False))
        self.stem.add_module("pool", nn.MaxPool2d(3, 2, 1) if pool else nn.Identity())
        self.stages = nn.Sequential(*[
            Stage(outputs[i - 1] if i else channels[0], channels[i], depths[i], strides[i], basic) for i in range(4)])
        self.norm = nn.BatchNorm2d(outputs[3])
        self.fc = nn.Linear(outputs[3], classes)

    def stages_of(self, x):
        found = {"stem": self.stem(x)}
        for i, stage in enumerate(self.stages, 1):
            found[f"layer{i}"] = stage(list(found.values())[-1])
        found["layer4"] = torch.relu(self.norm(found["layer4"]))
        return finish(found, self.fc)

    def forward(self, x):
        return self.stages_of(x)["logits"]
