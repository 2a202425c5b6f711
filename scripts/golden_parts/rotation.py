"""The first 20 steps of a rotation run: ResNet-10 at a quarter of its width, 32 pixels, fp32.

Training is chaotic: if rounding switches a single ReLU on or off, two correct runs differ by 1e-2 within 20 steps. In this
run (16 images, with this much difference between up and down) that never happens: fp32 stays within 2e-5 of float64, on
torch 1.13 and 2.15, with one thread and two, channels-last or not.
"""
import torch
from torch import nn

from golden_parts.formula import fill, pictures
from golden_parts.models import build

STEPS, BATCH, SIZE = 20, 16, 32
SGD = {"lr": 0.05, "momentum": 0.9, "nesterov": True}
WEIGHT_DECAY = 5e-4


def write(out):
    model, losses, correct = fill(build("resnet10", 0.25)).train(), [], []
    decayed = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() <= 1]  # norms and biases
    optimizer = torch.optim.SGD(
        [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": rest, "weight_decay": 0.0}], **SGD
    )
    for step in range(STEPS):
        images = pictures(f"batch{step}", BATCH, SIZE)
        turned = torch.cat([torch.rot90(images, k, (2, 3)) for k in range(4)])  # (4B, 3, H, W)
        target = torch.arange(4).repeat_interleave(BATCH)
        logits = model(turned)
        loss = nn.functional.cross_entropy(logits, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        correct.append((logits.argmax(1) == target).sum().item())
    state = model.state_dict()
    out.json("rotation-run.json", {
        "model": "resnet10", "width": 0.25, "size": SIZE, "batch": BATCH, "steps": STEPS, "weightDecay": WEIGHT_DECAY,
        **SGD, "pictures": "batch0, batch1, ...", "losses": losses, "correct": correct,
        "after": {key: state[key].flatten()[:8].tolist() for key in ("conv1.weight", "bn1.running_mean", "fc.weight")},
    })
