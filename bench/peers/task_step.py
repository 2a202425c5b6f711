"""A training step of a pretext task on images already in memory: images per second.

    python3 task_step.py --task rotation --variant fp32
"""
import argparse
import contextlib
import statistics
import time

import torch
from torch.nn import functional

import rounds
import tasks

BATCH, SIZE, CLASSES = 64, 64, 10
VARIANTS = ("fp32", "fp32-channels-last", "bf16-channels-last")


def build_step(name, variant):
    copies = 8 if name == "exemplar" else 1
    spots = torch.randn(copies * BATCH, 3, 8, 8)
    images = functional.interpolate(spots, (SIZE, SIZE), mode="bilinear")
    task = tasks.TASKS[name](images[:BATCH], CLASSES)
    if variant != "fp32":
        task, images = task.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(task.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True)
    precision = torch.autocast("cpu", dtype=torch.bfloat16) if variant.startswith("bf16") else contextlib.nullcontext()

    def step():
        optimizer.zero_grad(set_to_none=True)
        with precision:
            loss = task.loss(images)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=tasks.TASKS, default="rotation")
    parser.add_argument("--variant", choices=VARIANTS, default="fp32")
    parser.add_argument("--steps", type=int, default=3, help="timed steps a round; the round's value is their median")
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    rounds.add_arguments(parser)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    step = build_step(arguments.task, arguments.variant)
    for _ in range(arguments.warm_up):
        step()

    def measure():
        seconds = []
        for _ in range(arguments.steps):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        return BATCH / statistics.median(seconds)

    case = f"{arguments.task} {arguments.variant}"
    rounds.run(arguments, measure, bench="task-step", case=case, unit="images/s", torch=torch.__version__)


if __name__ == "__main__":
    main()
