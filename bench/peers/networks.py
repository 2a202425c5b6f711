"""The networks under comparison, as a PyTorch user would write them."""
import torchvision
from torch import nn


class ConvBlock(nn.Sequential):
    def __init__(self, inputs, outputs, kernel):
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


def network_in_network(blocks=4, classes=4):
    """RotNet's NIN for CIFAR: Gidaris, Singh & Komodakis, ICLR 2018, https://arxiv.org/abs/1803.07728"""
    layers = [
        ConvBlock(3, 192, 5), ConvBlock(192, 160, 1), ConvBlock(160, 96, 1), nn.MaxPool2d(3, 2, 1),
        ConvBlock(96, 192, 5), ConvBlock(192, 192, 1), ConvBlock(192, 192, 1), nn.AvgPool2d(3, 2, 1),
    ]
    for _ in range(blocks - 2):
        layers += [ConvBlock(192, 192, 3), ConvBlock(192, 192, 1), ConvBlock(192, 192, 1)]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(192, classes)]
    return nn.Sequential(*layers)


def resnet18(classes=4):
    return torchvision.models.resnet18(num_classes=classes)
