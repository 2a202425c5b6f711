"""The distributions of the networks' initial values. They are random, so compare moments, not values."""
import math

import torchvision

from golden_parts import peers
from golden_parts.models import build


def write(out):
    out.json("initial-values.json", {
        "resnet18": [row(key, tensor, resnet_rule) for key, tensor in parameters(torchvision.models.resnet18(num_classes=4))],
        "nin4": [row(key, tensor, nin_rule) for key, tensor in parameters(build("nin4"))],
        "resnet10v2": encoder("resnet10v2", he_rule),
        "alexnet": encoder("alexnet", torch_rule),
        "vgg11": encoder("vgg11", he_rule),
        "vit-tiny-16": encoder("vit-tiny-16", vit_rule),
    })


def encoder(name, rule):
    """Checked against what torchvision or timm really draws, if they have the network."""
    other = peers.peer(name)
    drawn = dict(other.named_parameters()) if other else {}
    rows, model = [], build(name)
    for key, tensor in parameters(model):
        if not key.startswith("fc."):
            rows.append(row(key, tensor, lambda *entry: rule(*entry, model.state_dict())))
            if key in drawn:
                check(key, drawn[key], rows[-1]["deviation"])
    return rows


def he_rule(key, tensor, _):
    """Kernels by kaiming_normal_(mode="fan_out"); norms have scale 1 and shift 0; biases are zero."""
    return fan_out_normal(tensor) if tensor.dim() == 4 else constant(key)


def torch_rule(key, tensor, state):
    """torch.nn.Conv2d's default: kernel and bias uniform within ±1 / sqrt(fan-in)."""
    if ".bn." in key:
        return constant(key)
    bound = 1 / math.sqrt(state[f"{key.rpartition('.')[0]}.weight"][0].numel())
    return {"distribution": "uniform", "deviation": bound / math.sqrt(3), "bound": bound}


def vit_rule(key, tensor, state):
    """timm's init_weights_vit_timm: matrices and positions N(0, 0.02²), truncated only at ±2; torch's default for the patches."""
    if key.startswith("patch_embed."):
        return torch_rule(key, tensor, state)
    if key == "cls_token":
        return {"distribution": "normal", "deviation": 1e-6}
    return {"distribution": "normal", "deviation": 0.02} if tensor.dim() > 1 else constant(key)


def parameters(model):
    return list(model.named_parameters())


def row(key, tensor, rule):
    return {"name": key, "shape": list(tensor.shape), **rule(key, tensor)}


def fan_out_normal(tensor):
    """kaiming_normal_(mode="fan_out"), and RotNet's weight_initialization: N(0, 2 / (k k out))."""
    out, _, height, width = tensor.shape
    return {"distribution": "normal", "deviation": math.sqrt(2 / (out * height * width))}


def resnet_rule(key, tensor):
    """torchvision.models.resnet; fc keeps torch.nn.Linear's default, uniform within ±1 / sqrt(inputs)."""
    if tensor.dim() == 4:
        rule = fan_out_normal(tensor)
        check(key, tensor, rule["deviation"])
        return rule
    if key.startswith("fc."):
        bound = 1 / math.sqrt(512)
        assert tensor.abs().max() <= bound
        return {"distribution": "uniform", "deviation": bound / math.sqrt(3), "bound": bound}
    return constant(key)


def nin_rule(key, tensor):
    """RotNet's NetworkInNetwork.weight_initialization: the classifier's bias is zero, its weight torch's default."""
    if tensor.dim() == 4:
        return fan_out_normal(tensor)
    if key == "fc.weight":
        bound = 1 / math.sqrt(tensor.shape[1])
        return {"distribution": "uniform", "deviation": bound / math.sqrt(3), "bound": bound}
    return constant(key)


def constant(key):
    return {"distribution": "constant", "deviation": 0.0, "value": 0.0 if key.endswith("bias") else 1.0}


def check(key, tensor, deviation):
    """Asserts that a drawn tensor follows the rule: this deviation, and mean 0 unless it is constant."""
    numbers = tensor.detach().double()
    if deviation == 0:
        assert numbers.std(unbiased=False) == 0, key
        return
    # timm's trunc_normal_ occasionally draws a ±2, where float32's erfinv is infinite: those are left out.
    numbers = numbers[numbers.abs() < 10 * deviation]
    assert len(numbers) > tensor.numel() - 3, key
    measured = numbers.std(unbiased=False).item()
    assert abs(measured / deviation - 1) < 5 / math.sqrt(2 * tensor.numel()), (key, measured, deviation)
    assert abs(numbers.mean().item()) < 5 * deviation / math.sqrt(tensor.numel()), key
