"""A training step on data already in memory: images per second.

    python3 train_step.py --network nin4 --variant fp32 [--compile]
"""
import argparse
import contextlib
import statistics
import time

import torch
from torch import nn

import networks
import rounds

CASES = {"nin4": (networks.network_in_network, 32, 128), "resnet18": (networks.resnet18, 64, 64)}
VARIANTS = ("fp32", "fp32-channels-last", "bf16", "bf16-channels-last")


def build_step(name, variant, compiled):
    make, size, batch = CASES[name]
    model, images = make(), torch.randn(batch, 3, size, size)
    if variant.endswith("channels-last"):
        model, images = model.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    labels = torch.randint(4, (batch,))
    if compiled:
        model = torch.compile(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True)
    criterion = nn.CrossEntropyLoss()
    precision = torch.autocast("cpu", dtype=torch.bfloat16) if variant.startswith("bf16") else contextlib.nullcontext()

    def step():
        optimizer.zero_grad(set_to_none=True)
        with precision:
            loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, batch


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=CASES, default="resnet18")
    parser.add_argument("--variant", choices=VARIANTS, default="fp32")
    parser.add_argument("--compile", action="store_true", help="with torch.compile, of PyTorch 2")
    parser.add_argument("--steps", type=int, default=3, help="timed steps a round; the round's value is their median")
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    rounds.add_arguments(parser)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    step, batch = build_step(arguments.network, arguments.variant, arguments.compile)
    for _ in range(arguments.warm_up):
        step()

    def measure():
        seconds = []
        for _ in range(arguments.steps):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        return batch / statistics.median(seconds)

    case = f"{arguments.network} {arguments.variant}{' compiled' if arguments.compile else ''}"
    rounds.run(arguments, measure, bench="train-step", case=case, unit="images/s", torch=torch.__version__)


if __name__ == "__main__":
    main()
