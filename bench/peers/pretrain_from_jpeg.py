"""Rotation pre-training from a folder of photos to the last epoch, timed from outside as a whole process.

    python3 pretrain_from_jpeg.py photos/ --workers 2 [--channels-last] [--amp] [--compile]
"""
import argparse
import time
from pathlib import Path

import torch
import torchvision.transforms as transforms
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

import networks
import rounds


class Photos(Dataset):
    def __init__(self, folder, count, size):
        self.paths = sorted(folder.rglob("*.jpg"))[:count]
        self.transform = transforms.Compose([
            transforms.RandomResizedCrop(size),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ])

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        with Image.open(self.paths[index]) as image:
            return self.transform(image.convert("RGB"))


def collate_rotations(photos):
    """B photos (3, S, S) to their 4 rotations by multiples of 90°, (4B, 3, S, S), and the rotation of each, (4B)."""
    batch = torch.stack(photos)
    images = torch.cat([torch.rot90(batch, turn, (2, 3)) for turn in range(4)])
    return images, torch.arange(4).repeat_interleave(len(photos))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--amp", action="store_true", help="bf16 autocast")
    parser.add_argument("--compile", action="store_true", help="with torch.compile, of PyTorch 2")
    parser.add_argument("--photos", type=int, default=1024)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64, help="photos a step, before they are turned")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=0.05)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    start = time.perf_counter()
    torch.set_num_threads(arguments.threads)
    dataset = Photos(arguments.folder, arguments.photos, arguments.size)
    loader = DataLoader(
        dataset, batch_size=arguments.batch, shuffle=True, num_workers=arguments.workers, drop_last=True,
        persistent_workers=arguments.workers > 0, collate_fn=collate_rotations,
    )
    if len(loader) == 0:
        parser.error(f"{arguments.folder} holds {len(dataset)} .jpg files, fewer than one batch of {arguments.batch}")
    model = networks.resnet18()
    if arguments.channels_last:
        model = model.to(memory_format=torch.channels_last)
    if arguments.compile:
        model = torch.compile(model)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=arguments.learning_rate, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, arguments.epochs * len(loader))

    seen = 0
    for _ in range(arguments.epochs):
        for images, turns in loader:
            if arguments.channels_last:
                images = images.to(memory_format=torch.channels_last)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=arguments.amp):
                loss = criterion(model(images), turns)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            seen += len(turns)
    rounds.report(
        bench="pretrain-from-jpeg", workers=arguments.workers, amp=arguments.amp, images=seen, loss=loss.item(),
        seconds=time.perf_counter() - start, torch=torch.__version__,
    )


if __name__ == "__main__":
    main()
