"""Decodes JPEG files to uint8 tensors (3, size, size) by PIL and torchvision in several processes: images per second.

    python3 decode.py photos/ --size 64

The tensors come back to this process in shared memory, as in a DataLoader. Starting the processes is not counted.
"""
import argparse
import time
from pathlib import Path

import torch
import torch.multiprocessing
import torchvision.transforms as transforms
from PIL import Image

import rounds

pipeline = None


def start_worker(size):
    global pipeline
    torch.set_num_threads(1)
    pipeline = transforms.Compose(
        [transforms.Resize(size), transforms.CenterCrop(size), transforms.PILToTensor()]
    )


def decode(path):
    with Image.open(path) as image:
        return pipeline(image.convert("RGB"))


def decode_chunk(paths):
    return torch.stack([decode(path) for path in paths])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--files", type=int, default=512, help="the first so many files, by name")
    parser.add_argument("--chunk", type=int, default=16, help="files a task")
    parser.add_argument("--processes", type=int, default=2)
    rounds.add_arguments(parser)
    arguments = parser.parse_args()

    paths = sorted(arguments.folder.rglob("*.jpg"))[: arguments.files]
    if not paths:
        parser.error(f"no .jpg file in {arguments.folder}")
    chunks = [paths[at : at + arguments.chunk] for at in range(0, len(paths), arguments.chunk)]

    with torch.multiprocessing.Pool(arguments.processes, start_worker, (arguments.size,)) as pool:

        def measure():
            start = time.perf_counter()
            images = sum(len(batch) for batch in pool.imap_unordered(decode_chunk, chunks))
            return images / (time.perf_counter() - start)

        measure()  # loads the files into the system's cache
        case = f"{arguments.folder.name} to {arguments.size} px"
        rounds.run(arguments, measure, bench="decode", case=case, unit="images/s", torch=torch.__version__)


if __name__ == "__main__":
    main()
