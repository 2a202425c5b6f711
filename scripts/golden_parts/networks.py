"""Forward passes of the networks; two of them small enough to store weights and gradients as well."""
import torch
import torchvision

from golden_parts.formula import fill, parameter, pictures, values
from golden_parts.models import DEPTHS, build

INPUTS = {"resnet": (2, 64), "nin": (2, 32)}  # images, pixels
FIRST = 8  # values kept of each stage


def write(out):
    index, stored = {}, {}
    for name in ("resnet10", "resnet18", "resnet34", "nin3", "nin4", "nin5"):
        index[name] = describe(name, 1.0, stored)
    for name in ("resnet10", "nin4"):
        label = f"{name}-width-0.125"
        model, images = small(name)
        index[label] = {**describe(name, 0.125, stored, label), **full(label, model, images, out)}
    out.tensors("networks.safetensors", stored)
    out.json("networks.json", {"formula": check_values(), "networks": index})


def inputs(name):
    count, size = next(entry for prefix, entry in INPUTS.items() if name.startswith(prefix))
    return pictures("images", count, size)


def describe(name, width, stored, label=None):
    """Each stage of a model filled by the formula: shape, mean, mean of squares, first values."""
    model, entry = fill(build(name, width)), {"model": name, "width": width}
    check_is_torchvision(name, model)
    images = inputs(name)
    entry["images"] = {"name": "images", "shape": list(images.shape)}
    entry["parameters"] = {key: list(tensor.shape) for key, tensor in model.state_dict().items() if tensor.dim() > 0}
    for mode in ("eval", "train"):
        model.train(mode == "train")
        with torch.no_grad():
            stages = model.stages(images)
        entry[mode] = {
            stage: {
                "shape": list(x.shape), "mean": x.double().mean().item(), "square": x.double().square().mean().item(),
                "first": x.flatten()[:FIRST].tolist(),
            }
            for stage, x in stages.items()
        }
        for stage in ("pooled", "logits"):
            stored[f"{label or name}.{mode}.{stage}"] = stages[stage]
    return entry


def check_is_torchvision(name, model):
    """The widened class must not stand between the fixtures and torchvision."""
    if name not in DEPTHS or model.width != 1:
        return
    plain = fill(torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, list(DEPTHS[name]), num_classes=4))
    images = inputs(name)
    with torch.no_grad():
        assert torch.equal(plain.eval()(images), model.eval()(images)), name


def small(name):
    return fill(build(name, 0.125)), inputs(name)


def full(label, model, images, out):
    """A complete state file in torchvision's form, and the gradient of every parameter at a given cotangent."""
    out.tensors(f"{label}.safetensors", dict(model.state_dict()), {"format": "pt"})
    logits = model.train()(images)
    logits.backward(values("cotangent", *logits.shape))
    gradients = {key: p.grad for key, p in model.named_parameters()}
    index = {"weights": f"{label}.safetensors", "cotangent": {"name": "cotangent", "shape": list(logits.shape)}}
    index["gradients"] = {
        key: {"norm": g.double().norm().item(), "first": g.flatten()[:FIRST].tolist()} for key, g in gradients.items()
    }
    after = {key: t for key, t in model.state_dict().items() if "running" in key}
    index["runningAfter"] = {key: t[:FIRST].tolist() for key, t in after.items()}
    return index


def check_values():
    """What the formula gives, so that its copy in another language is tested by itself."""
    return {
        "parameter conv1.weight [2, 3, 2, 2]": parameter("conv1.weight", (2, 3, 2, 2)).flatten().tolist(),
        "parameter bn1.weight [4]": parameter("bn1.weight", (4,)).tolist(),
        "parameter bn1.bias [4]": parameter("bn1.bias", (4,)).tolist(),
        "pictures images [1, 3, 8, 8]": pictures("images", 1, 8).flatten().tolist(),
        "values cotangent [2, 4]": values("cotangent", 2, 4).flatten().tolist(),
    }
