"""Checks the fixtures' networks against torchvision and, if it is installed, timm: same names, same output."""
import sys

import torch
import torchvision

from golden_parts.formula import fill
from golden_parts.vit import WIDTHS

try:
    import timm
except ImportError:
    timm = None
    print("timm is not installed: ResNet v2 and vision transformers are not compared with it", file=sys.stderr)

# timm may fuse or reorder sums.
TOLERANCE = 1e-4


def peer(name):
    """The same network from torchvision or timm, or None if there is none."""
    layers = name[6:].removesuffix("v2")
    if name.endswith("v2"):
        return timm and layers != "10" and timm.create_model(f"resnetv2_{layers}", num_classes=0)
    if name == "resnet10":
        return torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1])
    if name.startswith("resnet"):
        return getattr(torchvision.models, name)()
    if name.startswith("vgg"):
        return getattr(torchvision.models, f"{name}_bn")()
    if name.startswith("vit-"):
        _, size, patch = name.split("-")
        return timm and timm.models.VisionTransformer(
            patch_size=int(patch), embed_dim=WIDTHS[size], num_heads=WIDTHS[size] // 64, num_classes=0, dynamic_img_size=True)
    return None


def pooled(name, model, images):
    """The features (B, C) that a classifier would get."""
    if name.endswith("v2") or name.startswith("vit-"):
        return model(images)
    if name.startswith("vgg"):
        return model.features(images).mean((2, 3))
    model.fc = torch.nn.Identity()
    return model(images)


def check(name, model, images):
    """At width 1, the peer must take the same weights and give the same features, in both modes."""
    other = peer(name)
    if not other:
        return
    fill(model)
    mine = {key: t.clone() for key, t in model.state_dict().items() if not key.startswith("fc.")}
    heads = [key for key in other.state_dict() if key.startswith(("fc.", "classifier."))]
    missing, unexpected = other.load_state_dict(mine, strict=False)
    assert missing == heads and not unexpected, (name, missing, unexpected)
    for training in (False, True):
        model.train(training), other.train(training)
        with torch.no_grad():
            got, wanted = model.stages_of(images)["pooled"], pooled(name, other, images)
        assert torch.allclose(got, wanted, TOLERANCE, TOLERANCE), (name, training, (got - wanted).abs().max().item())
    fill(model)
