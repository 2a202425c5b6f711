"""RevNets with ordinary autograd, in float64: nothing is inverted here, so nothing drifts."""
import torch
import torch.nn.functional as F
from torch import nn

from golden_parts.formula import fill, pictures, values

FIRST = 2  # values kept per stage and gradient
STEMS = {  # kernel, stride, max pooling, the stages' strides
    "imagenet": (7, 2, True, (1, 2, 2, 2)),
    "cifar": (3, 1, False, (1, 2, 2, 2)),
    "patch": (7, 1, True, (1, 2, 2, 1)),
}
CASES = {  # units, width, stem, images, pixels; 36 pixels give maps of odd size to halve
    "revnet26": ((2, 2, 2, 2), 0.125, "imagenet", 3, 36),
    "revnet50": ((3, 4, 6, 3), 0.0625, "cifar", 2, 12),
    "revnet104": ((4, 4, 22, 4), 0.0625, "patch", 2, 24),
}
FORWARD_ONLY = {"revnet104"}  # to keep the file small


class Bottleneck(nn.Module):
    def __init__(self, channels):
        super().__init__()
        narrow = channels // 4
        self.bn1, self.conv1 = nn.BatchNorm2d(channels), nn.Conv2d(channels, narrow, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(narrow), nn.Conv2d(narrow, narrow, 3, padding=1, bias=False)
        self.bn3, self.conv3 = nn.BatchNorm2d(narrow), nn.Conv2d(narrow, channels, 1, bias=False)

    def forward(self, x):
        """bottleneck_rev of google/revisiting-self-supervised, models/resnet.py, in NCHW."""
        x1, x2 = x.chunk(2, 1)
        f = self.conv1(F.relu(self.bn1(x2)))
        f = self.conv2(F.relu(self.bn2(f)))
        f = self.conv3(F.relu(self.bn3(f)))
        return torch.cat([x2, x1 + f], 1)


class RevNet(nn.Module):
    def __init__(self, units, width, stem):
        super().__init__()
        kernel, stride, self.pool, self.strides = STEMS[stem]
        channels = int(256 * width)
        self.conv1 = nn.Conv2d(3, channels, kernel, stride, kernel // 2, bias=False)
        for i, count in enumerate(units):
            self.add_module(f"layer{i + 1}", nn.Sequential(*(Bottleneck(channels * 2**i // 2) for _ in range(count))))
        self.bn = nn.BatchNorm2d(channels * 8)

    def forward(self, images):
        x = self.conv1(images)
        found = {"stem": F.max_pool2d(x, 3, 2, 1) if self.pool else x}
        for i, stride in enumerate(self.strides):
            x = list(found.values())[-1]
            if stride > 1:  # TensorFlow's "SAME": the average excludes the padding
                x = F.avg_pool2d(x, stride, stride, ceil_mode=True, count_include_pad=False)
            if i:
                quarter = x.shape[1] // 2
                x = torch.cat([torch.zeros_like(x[:, :quarter]), x, torch.zeros_like(x[:, :quarter])], 1)
            found[f"layer{i + 1}"] = getattr(self, f"layer{i + 1}")(x)
        found["layer4"] = F.relu(self.bn(found["layer4"]))
        found["pooled"] = found["layer4"].mean((2, 3))
        return found


def write(out):
    stored, index = {}, {}
    for name, (units, width, stem, count, size) in CASES.items():
        model = fill(RevNet(units, width, stem)).double()
        images = pictures("images", count, size).double()
        entry = {"model": name, "width": width, "stem": stem, "images": {"name": "images", "shape": list(images.shape)}}
        entry["size"] = sum(p.numel() for p in model.parameters())
        for mode in ("eval", "train"):
            model.train(mode == "train")
            with torch.no_grad():
                stages = model(images)
            entry[mode] = {stage: describe(x) for stage, x in stages.items()}
            stored[f"{name}.{mode}.pooled"] = stages["pooled"]
        fill(model)
        if name not in FORWARD_ONLY:
            entry["parameters"] = {key: list(tensor.shape) for key, tensor in model.state_dict().items() if tensor.dim()}
            entry["gradients"] = {mode: gradients(model.train(mode == "train"), images) for mode in ("eval", "train")}
            after = {key: t for key, t in model.state_dict().items() if "running" in key}
            entry["runningAfter"] = {key: rounded(t) for key, t in after.items()}
        index[name] = entry
    out.tensors("revnet.safetensors", stored)
    out.json("revnet.json", index)


def describe(x):
    return {
        "shape": list(x.shape), "mean": x.mean().item(), "square": x.square().mean().item(), "first": rounded(x),
    }


def rounded(x):
    return [float(f"{value:.9g}") for value in x.flatten()[:FIRST].tolist()]


def gradients(model, images):
    """The gradient of every parameter for a loss on all stages: the sum over stages of the mean of stage × cotangent."""
    model.zero_grad()
    stages = model(images)
    sum((x * values(f"cotangent-{stage}", *x.shape).double()).sum() / x.numel() for stage, x in stages.items()).backward()
    found = {key: p.grad for key, p in model.named_parameters()}
    return {key: {"norm": rounded(g.norm())[0], "first": rounded(g)} for key, g in found.items()}
