"""ResNet-10 from torchvision's blocks, with this field's stems: returns its feature maps, or the mean of the last."""
import torch
from torch import nn
from torchvision.models.resnet import BasicBlock

# First convolution (kernel, stride), and the stages' strides. "patch" downsamples less, for small patches.
STEMS = {"imagenet": ((7, 2), (1, 2, 2, 2)), "patch": ((7, 1), (1, 2, 2, 1))}


class ResNet10(nn.Module):
    def __init__(self, width, stem):
        super().__init__()
        (kernel, stride), strides = STEMS[stem]
        channels = [int(width * full) for full in (64, 128, 256, 512)]
        self.channels = [channels[0], *channels]
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels[0], kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        inputs = self.channels[:-1]
        self.stages = nn.ModuleList(self.block(*sizes) for sizes in zip(inputs, channels, strides))

    @staticmethod
    def block(inputs, outputs, stride):
        shortcut = None
        if stride != 1 or inputs != outputs:
            shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        return BasicBlock(inputs, outputs, stride, shortcut)

    def features(self, images):
        maps = [self.stem(images)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps

    def forward(self, images):
        return torch.flatten(nn.functional.adaptive_avg_pool2d(self.features(images)[-1], 1), 1)
