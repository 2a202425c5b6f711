"""The networks, with the parameter names that the fixtures use."""
import torch
import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.models.vgg import cfgs, make_layers

from golden_parts.alexnet import AlexNet
from golden_parts.preactivation import ResNetV2
from golden_parts.revnet import STEMS
from golden_parts.stages import finish
from golden_parts.vit import WIDTHS, VisionTransformer

DEPTHS = {
    "resnet10": (1, 1, 1, 1), "resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3),
}


class ResNet(torchvision.models.ResNet):
    """torchvision's ResNet with every width multiplied. At width 1 and with the ImageNet stem it equals torchvision's."""

    def __init__(self, depths, block=BasicBlock, width=1.0, stem="imagenet", classes=4):
        kernel, stride, pool, strides = STEMS[stem]
        self.width, self.strides = width, dict(zip((64, 128, 256, 512), strides))
        super().__init__(block, list(depths), num_classes=classes)
        channels = int(64 * width)
        self.conv1 = nn.Conv2d(3, channels, kernel, stride, kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(8 * channels * block.expansion, classes)
        if not pool:
            self.maxpool = nn.Identity()

    def _make_layer(self, block, planes, blocks, **_):
        if planes == 64:
            self.inplanes = int(64 * self.width)
        return super()._make_layer(block, int(planes * self.width), blocks, self.strides[planes])

    def stages_of(self, x):
        """Named intermediates in order; all but the last two are (B, C, H, W)."""
        found = {"stem": self.maxpool(self.relu(self.bn1(self.conv1(x))))}
        for name in ("layer1", "layer2", "layer3", "layer4"):
            found[name] = getattr(self, name)(list(found.values())[-1])
        return finish(found, self.fc)


class ConvBlock(nn.Module):
    def __init__(self, inputs, outputs, kernel):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)))


class NetworkInNetwork(nn.Module):
    """RotNet's network for CIFAR, without the pooling after block 3 (use_avg_on_conv3=False in its configuration).

    https://github.com/gidariss/FeatureLearningRotNet architectures/NetworkInNetwork.py: kernels 5 or 3, then 1, 1;
    batch norm and ReLU after each; pooling 3, stride 2, padding 1, where the average includes the padding.
    """

    def __init__(self, blocks, width=1.0, classes=4):
        super().__init__()
        a, b, c = (int(channels * width) for channels in (192, 160, 96))
        self.block1 = nn.Sequential(ConvBlock(3, a, 5), ConvBlock(a, b, 1), ConvBlock(b, c, 1), nn.MaxPool2d(3, 2, 1))
        self.block2 = nn.Sequential(ConvBlock(c, a, 5), ConvBlock(a, a, 1), ConvBlock(a, a, 1), nn.AvgPool2d(3, 2, 1))
        for number in range(3, blocks + 1):
            layers = nn.Sequential(ConvBlock(a, a, 3), ConvBlock(a, a, 1), ConvBlock(a, a, 1))
            self.add_module(f"block{number}", layers)
        self.fc = nn.Linear(a, classes)

    def stages_of(self, x):
        found = {}
        for name, block in self.named_children():
            if name != "fc":
                x = found[name] = block(x)
        return finish(found, self.fc)

    def forward(self, x):
        return self.stages_of(x)["logits"]


class VGG(nn.Module):
    """torchvision's layers with every width multiplied: five blocks, each ending with its pooling layer."""

    def __init__(self, letter, width=1.0, classes=4):
        super().__init__()
        layout = [c if c == "M" else int(c * width) for c in cfgs[letter]]
        self.features = make_layers(layout, batch_norm=True)
        self.fc = nn.Linear(layout[-2], classes)

    def stages_of(self, x):
        found = {}
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                found[f"block{len(found) + 1}"] = x
        return finish(found, self.fc)

    def forward(self, x):
        return self.stages_of(x)["logits"]


NIN = {f"nin{blocks}": blocks for blocks in (3, 4, 5)}
# The constructor of each network by name. It takes the width, and the stem if there are several.
MODELS = {
    **{name: lambda *options, d=depths, b=Bottleneck if int(name[6:]) >= 50 else BasicBlock: ResNet(d, b, *options)
       for name, depths in DEPTHS.items()},
    **{f"{name}v2": lambda *options, d=depths, b=int(name[6:]) < 50: ResNetV2(d, b, *options) for name, depths in DEPTHS.items()},
    **{name: lambda width, blocks=blocks: NetworkInNetwork(blocks, width) for name, blocks in NIN.items()},
    "alexnet": AlexNet,
    **{f"vgg{layers}": lambda width, letter=letter: VGG(letter, width) for layers, letter in ((11, "A"), (16, "D"), (19, "E"))},
    **{f"vit-{size}-{patch}": lambda width, size=size, patch=patch: VisionTransformer(size, patch, width)
       for size in WIDTHS for patch in (4, 8, 16)},
}


def build(name, width=1.0, *stem):
    return MODELS[name](width, *stem)
