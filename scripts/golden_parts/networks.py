"""Forward passes of the networks. Some are small enough to store gradients as well, and two with their weights."""
import hashlib
import itertools

import torch

from golden_parts import peers, revnet
from golden_parts.formula import fill, parameter, pictures, values
from golden_parts.models import MODELS, build

# Images, pixels; the longest matching prefix counts. Deep networks get more positions to average over: with few, batch norm in
# training turns rounding alone into a difference of 1e-4.
INPUTS = {"resnet": (2, 64), "resnet50": (4, 96), "resnet50v2": (4, 96), "nin": (2, 32), "alexnet": (4, 128), "vgg": (4, 64), "vit": (2, 64)}
SMALL = (4, 40)  # for the stems that downsample less
FULL_WIDTH = ("resnet10", "resnet18", "resnet34", "nin3", "nin4", "nin5")
WITH_WEIGHTS = ("resnet10", "nin4")
# Stored with a digest of their names and shapes, and with fewer values.
FULL_WIDTH_BRIEF = ("resnet50", "resnet50v2", "alexnet", "vgg16", "vit-tiny-16")
WITH_GRADIENTS = ("resnet50", "resnet10v2", "resnet50v2", "alexnet", "vgg11", "vit-tiny-16")
WITH_STEMS = ("resnet10", "resnet10v2", "alexnet")  # with gradients as well
OTHER_STEMS = ("cifar", "patch")
FIRST, FEW = 8, 2  # values kept of each stage: in full entries, in brief ones


def write(out):
    index, stored = {}, {}
    for name in FULL_WIDTH:
        index[name] = describe(name, 1.0, stored)
    for name in WITH_WEIGHTS:
        label = f"{name}-width-0.125"
        model, images = small(name)
        out.tensors(f"{label}.safetensors", dict(model.state_dict()), {"format": "pt"})  # in torchvision's format
        weights = {"weights": f"{label}.safetensors"}
        index[label] = {**describe(name, 0.125, stored, label), **weights, **backward(model, images)}
    for name in FULL_WIDTH_BRIEF:
        index[name] = brief(describe(name, 1.0, stored))
        del stored[f"{name}.eval.pooled"], stored[f"{name}.train.pooled"]
    for name in WITH_GRADIENTS:
        label = f"{name}-width-0.125"
        index[label] = brief({**describe(name, 0.125, stored, label), **backward(*small(name))})
    for name, stem in itertools.product(WITH_STEMS, OTHER_STEMS):
        label = f"{name}-{stem}-width-0.125"
        entry = {**describe(name, 0.125, stored, label, stem), **backward(*small(name, stem))}
        index[label] = brief({**entry, "stem": stem})
    out.tensors("networks.safetensors", stored)
    out.json("networks.json", {"formula": check_values(), "networks": index})
    revnets = {name: digest(revnet.RevNet(units, 1.0, "imagenet")) for name, (units, *_) in revnet.CASES.items()}
    out.json("network-names.json", {**{name: names(name) for name in MODELS}, **revnets})


def brief(entry):
    """Fewer values, with nine digits each, which is all that float32 has. Without the names, which have a separate digest."""
    def shorten(value):
        if isinstance(value, dict):
            return {key: shorten(part) for key, part in value.items()}
        if isinstance(value, list) and value and isinstance(value[0], float):
            return [shorten(part) for part in value[:FEW]]
        return float(f"{value:.9g}") if isinstance(value, float) else value
    return shorten({key: part for key, part in entry.items() if key != "parameters"})


def names(name):
    model = build(name)
    peers.check(name, model, inputs(name))
    return digest(model)


def digest(model):
    """Without the classifier: the number of parameters, and a digest of the names and shapes of parameters and buffers."""
    state = {key: t for key, t in model.state_dict().items() if t.dim() > 0 and not key.startswith("fc.")}
    lines = sorted(f"{key} {list(tensor.shape)}" for key, tensor in state.items())
    parameters = sum(p.numel() for key, p in model.named_parameters() if not key.startswith("fc."))
    return {"parameters": parameters, "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest()}


def inputs(name, stem="imagenet"):
    if stem != "imagenet":
        return pictures("images", *SMALL)
    count, size = INPUTS[max((prefix for prefix in INPUTS if name.startswith(prefix)), key=len)]
    return pictures("images", count, size)


def describe(name, width, stored, label=None, *stem):
    """Each stage of a model filled by the formula: shape, mean, mean of squares, first values."""
    model, entry = fill(build(name, width, *stem)), {"model": name, "width": width}
    images = inputs(name, *stem)
    entry["images"] = {"name": "images", "shape": list(images.shape)}
    entry["parameters"] = {key: list(tensor.shape) for key, tensor in model.state_dict().items() if tensor.dim() > 0}
    for mode in ("eval", "train"):
        model.train(mode == "train")
        with torch.no_grad():
            stages = model.stages_of(images)
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


def small(name, *stem):
    return fill(build(name, 0.125, *stem)), inputs(name, *stem)


def backward(model, images):
    """The gradient of every parameter for a given cotangent of the logits, in training mode, and the running statistics after it.

    In float64: through fifty layers of batch norm, float32 gradients differ by 3e-4 between processors.
    """
    logits = model.double().train()(images.double())
    logits.backward(values("cotangent", *logits.shape).double())
    # The gradient of a convolution's bias before a batch norm is only rounding error.
    gradients = {key: p.grad for key, p in model.named_parameters() if p.grad.norm() > 1e-4}
    index = {"cotangent": {"name": "cotangent", "shape": list(logits.shape)}}
    index["gradients"] = {
        key: {"norm": g.double().norm().item(), "first": g.flatten()[:FIRST].tolist()} for key, g in gradients.items()
    }
    after = {key: t for key, t in model.state_dict().items() if "running" in key}
    index["runningAfter"] = {key: t[:FIRST].tolist() for key, t in after.items()}
    return index


def check_values():
    """Values of the formula, so that its copy in another language can be tested separately."""
    return {
        "parameter conv1.weight [2, 3, 2, 2]": parameter("conv1.weight", (2, 3, 2, 2)).flatten().tolist(),
        "parameter bn1.weight [4]": parameter("bn1.weight", (4,)).tolist(),
        "parameter bn1.bias [4]": parameter("bn1.bias", (4,)).tolist(),
        "pictures images [1, 3, 8, 8]": pictures("images", 1, 8).flatten().tolist(),
        "values cotangent [2, 4]": values("cotangent", 2, 4).flatten().tolist(),
    }
