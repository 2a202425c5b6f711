"""Losses of ten steps, parameters after them, and learning rates of schedules."""
import warnings

import torch
from torch import nn
from torch.optim import lr_scheduler

from golden_parts.formula import parameter, values

STEPS = 10
MATRICES, REST = ("0.weight", "2.weight"), ("0.bias", "2.bias")

RUNS = {
    "sgd": (torch.optim.SGD, {"lr": 0.1}, 0.0),
    "sgd-momentum": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}, 0.01),
    "sgd-nesterov": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}, 0.01),
    "adamw": (torch.optim.AdamW, {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8}, 0.05),
}


def network():
    """4 inputs, 8 hidden units with tanh, 3 outputs."""
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    model.load_state_dict({key: parameter(key, tuple(t.shape)) for key, t in model.state_dict().items()})
    return model


def write(out):
    stored, index = {}, {}
    for name, (make, options, decay) in RUNS.items():
        index[name] = {**options, "weightDecay": decay, "losses": run(name, make, options, decay, stored)}
    index["lbfgs"] = lbfgs(stored)
    out.tensors("optimizers.safetensors", stored)
    out.json("optimizers.json", index)
    out.json("schedules.json", schedules())


def data(dtype=torch.float32):
    return values("x", 16, 4, dtype=dtype), values("y", 16, 3, dtype=dtype)


def run(name, make, options, decay, stored):
    """Two groups: matrices with weight decay, biases without."""
    model, (x, y), losses = network(), data(), []
    by_name = dict(model.named_parameters())
    groups = [
        {"params": [by_name[key] for key in MATRICES], "weight_decay": decay},
        {"params": [by_name[key] for key in REST], "weight_decay": 0.0},
    ]
    optimizer = make(groups, **options)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    stored.update({f"{name}.{key}": tensor for key, tensor in model.state_dict().items()})
    return losses


def lbfgs(stored):
    """Softmax regression on x, classes the largest of y, float64, at its minimum for each penalty / 2 · |weights|²."""
    inputs, target = data(torch.float64)[0], data(torch.float64)[1].argmax(1)
    penalties, points, losses = [1.0, 0.01, 1e-4], [], []
    for penalty in penalties:
        point = torch.zeros(3, 5, dtype=torch.float64, requires_grad=True)  # weights of the 4 inputs, then the bias
        options = {"max_iter": 2000, "tolerance_grad": 1e-9, "tolerance_change": 1e-14}
        optimizer = torch.optim.LBFGS([point], line_search_fn="strong_wolfe", **options)

        def closure():
            optimizer.zero_grad()
            logits = inputs @ point[:, :4].T + point[:, 4]
            loss = nn.functional.cross_entropy(logits, target) + penalty / 2 * point[:, :4].pow(2).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        points.append(point.detach().clone())
        losses.append(closure().item())
    stored["lbfgs.points"] = torch.stack(points)
    return {"penalties": penalties, "losses": losses}


def schedules():
    """Learning rates used at steps 0, 1, 2, … with base rate 0.1."""
    return {
        "cosine": {"baseRate": 0.1, "steps": 20, "rates": rates(20, lambda o: lr_scheduler.CosineAnnealingLR(o, 20))},
        "multi-step": {
            "baseRate": 0.1, "milestones": [6, 12, 16], "factor": 0.2,
            "rates": rates(20, lambda o: lr_scheduler.MultiStepLR(o, [6, 12, 16], 0.2)),
        },
        "step": {"baseRate": 0.1, "every": 6, "factor": 0.1, "rates": rates(20, lambda o: lr_scheduler.StepLR(o, 6, 0.1))},
        # LinearLR from 1/5 of the rate over 4 steps is the usual (step + 1) / 5 of a warm-up of 5 steps.
        "warm-up-then-cosine": {"baseRate": 0.1, "warmUp": 5, "steps": 20, "rates": rates(20, warm_up_then_cosine)},
    }


def warm_up_then_cosine(optimizer):
    warm_up = lr_scheduler.LinearLR(optimizer, start_factor=1 / 5, total_iters=4)
    cosine = lr_scheduler.CosineAnnealingLR(optimizer, 15)
    return lr_scheduler.SequentialLR(optimizer, [warm_up, cosine], [5])


def rates(steps, make):
    warnings.filterwarnings("ignore", "The epoch parameter")  # raised within torch 1.13's SequentialLR
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    schedule, found = make(optimizer), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found
