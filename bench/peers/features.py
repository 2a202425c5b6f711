"""Features of decoded images by ResNet-18 with the cifar stem, as PyTorch does it unless told otherwise: images per second.

    python3 features.py PIXELS      PIXELS: N x 32 x 32 x 3 bytes
"""
import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torchvision.models import resnet18

import rounds

BATCH = 128


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pixels", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    rounds.add_arguments(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    model = resnet18()
    model.conv1, model.maxpool, model.fc = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity(), nn.Identity()
    model.eval()
    pixels = torch.from_numpy(np.fromfile(arguments.pixels, dtype=np.uint8)).reshape(-1, 32, 32, 3)
    mean, deviation = (torch.tensor(x).reshape(1, 3, 1, 1) for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))

    @torch.no_grad()
    def measure():
        start = time.perf_counter()
        found = []
        for batch in pixels.split(BATCH):
            images = batch.permute(0, 3, 1, 2).contiguous().float() / 255
            found.append(model((images - mean) / deviation))
        torch.cat(found)
        return len(pixels) / (time.perf_counter() - start)

    measure()
    rounds.run(arguments, measure, bench="features", case="resnet18", unit="images/s")


if __name__ == "__main__":
    main()
