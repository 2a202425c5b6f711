"""Where networks look, in float64: activation attention, attention rollout, DINO's masks and DINOv2's colours.

Slow and simple on purpose: loops over images, places, channels, heads and tokens. Components come from a singular value
decomposition, not from a covariance matrix as in the code under test.
"""
import torch

from golden_parts.formula import values

POWERS = (1, 2, 4)
GRID, BLOCKS, HEADS = (3, 4), 3, 2
MASS = 0.6


def write(out):
    arrays = {}
    for part in (activation, attended, components):
        arrays.update({f"{part.__name__}.{key}": array.float() for key, array in part().items()})
    out.tensors("attention.safetensors", arrays)


def activation():
    """Sum over channels of |activation|^p at each place, divided by the image's sum."""
    map, found = values("attention.map", 2, 3, 4, 5).double(), {}
    for power in POWERS:
        result = torch.zeros(2, 4, 5, dtype=torch.float64)
        for b in range(2):
            for y in range(4):
                for x in range(5):
                    result[b, y, x] = sum(abs(map[b, c, y, x].item()) ** power for c in range(3))
            result[b] /= result[b].sum()
        found[f"power{power}"] = result
    return found


def weights():
    """Each block's attention weights (2, heads, 1 + h·w, 1 + h·w): softmax of the formula's numbers."""
    tokens = 1 + GRID[0] * GRID[1]
    return [values(f"attention.block{i}", 2, HEADS, tokens, tokens).softmax(3).double() for i in range(BLOCKS)]


def attended():
    """The class token's row of each head in the last block, of the rolled-out product of all blocks, and what holds 60 % of it."""
    blocks, tokens = weights(), 1 + GRID[0] * GRID[1]
    heads = torch.zeros(2, HEADS, tokens - 1, dtype=torch.float64)
    rolled = torch.zeros(2, tokens - 1, dtype=torch.float64)
    mask = torch.zeros(2, HEADS, tokens - 1, dtype=torch.float64)
    for b in range(2):
        for head in range(HEADS):
            row = blocks[-1][b, head, 0, 1:]
            heads[b, head] = row / row.sum()
            total = 0.0
            for i in sorted(range(tokens - 1), key=lambda i: heads[b, head, i].item()):
                total += heads[b, head, i].item()
                mask[b, head, i] = float(total > 1 - MASS)
        product = torch.eye(tokens, dtype=torch.float64)
        for block in blocks:
            mixed = torch.eye(tokens, dtype=torch.float64)
            for head in range(HEADS):
                mixed = mixed + block[b, head] / HEADS
            for row in range(tokens):
                mixed[row] = mixed[row] / mixed[row].sum()
            product = mixed @ product
        rolled[b] = product[0, 1:] / product[0, 1:].sum()
    return {"heads": heads.reshape(2, HEADS, *GRID), "rollout": rolled.reshape(2, *GRID), "mask": mask.reshape(2, HEADS, *GRID)}


def feature_map(channels, height, width):
    """Noise, and in the middle of each image something that points in one direction."""
    map = values(f"attention.features{channels}", 2, channels, height, width).double()
    direction = values(f"attention.direction{channels}", channels, low=1, high=4).double()
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            map[:, :, y, x] += direction
    return map


def components():
    """Once with more places than channels, once with fewer."""
    found = {}
    for name, size in (("many", (5, 4, 5)), ("few", (40, 3, 4))):
        map = feature_map(*size)
        places = torch.stack([map[b, :, y, x] for b in range(2) for y in range(size[1]) for x in range(size[2])])
        first = scores(places, 1)[:, 0]
        border = [y in (0, size[1] - 1) or x in (0, size[2] - 1) for _ in range(2) for y in range(size[1]) for x in range(size[2])]
        if first[torch.tensor(border)].mean() > 0:
            first = -first
        inside = first > 0
        shades = scores(places[inside], 3)
        for c in range(3):
            shades[:, c] = (shades[:, c] - shades[:, c].min()) / (shades[:, c].max() - shades[:, c].min())
        colours = torch.zeros(len(places), 3, dtype=torch.float64)
        colours[inside] = shades
        found[f"{name}.foreground"] = inside.double().reshape(2, *size[1:])
        found[f"{name}.colours"] = colours.reshape(2, *size[1:], 3).permute(0, 3, 1, 2).contiguous()
    return found


def scores(rows, count):
    """On the first principal axes, each with its largest entry positive."""
    centred = rows - rows.mean(0)
    axes = torch.linalg.svd(centred, full_matrices=False)[2][:count]
    for axis in axes:
        if axis[axis.abs().argmax()] < 0:
            axis *= -1
    return centred @ axes.T
