"""RotNet's AlexNet without fc6 to fc8: https://github.com/gidariss/FeatureLearningRotNet architectures/AlexNet.py"""
import torch
from torch import nn

from golden_parts.stages import finish

STEMS = {"imagenet": (11, 4, 2), "cifar": (5, 1, 2), "patch": (11, 2, 2)}  # kernel, stride, padding


class ConvBlock(nn.Module):
    def __init__(self, inputs, outputs, *layout):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, *layout)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)))


class AlexNet(nn.Module):
    def __init__(self, width=1.0, stem="imagenet", classes=4):
        super().__init__()
        a, b, c, d = (int(channels * width) for channels in (64, 192, 384, 256))
        self.conv1 = ConvBlock(3, a, *STEMS[stem])
        self.conv2 = ConvBlock(a, b, 5, 1, 2)
        self.conv3 = ConvBlock(b, c, 3, 1, 1)
        self.conv4 = ConvBlock(c, d, 3, 1, 1)
        self.conv5 = ConvBlock(d, d, 3, 1, 1)
        self.fc = nn.Linear(d, classes)

    def stages_of(self, x):
        found, pool = {}, nn.MaxPool2d(3, 2)
        for name in ("conv1", "conv2", "conv3", "conv4", "conv5"):
            x = found[name] = getattr(self, name)(x)
            if name in ("conv1", "conv2", "conv5"):
                x = pool(x)
        found["pool5"] = x
        return finish(found, self.fc)

    def forward(self, x):
        return self.stages_of(x)["logits"]
