"""The losses of the pretext tasks on fixed tensors, with their gradients: each as in its paper, in float64.

Slow and simple on purpose: loops over images, patches, pixels and bins instead of the index arithmetic under test.
"""
import itertools
import math

import torch
from torch import nn

from golden_parts.formula import integers, parameter, pictures, uniform
from golden_parts.gamut import bins_of_colours, to_lab, to_rgb

GRID, SIGMA, NEIGHBOURS, LAMBDA, TEMPERATURE = 10, 5.0, 5, 0.5, 0.38  # Zhang et al. 2016, sections 2.1 to 2.3
TILES = 9


def write(out):
    tensors, losses = {}, {}
    for name, make in PARTS.items():
        numbers, arrays = make()
        losses[name] = numbers
        tensors.update({f"{name}.{key}": array.detach().float() for key, array in arrays.items()})
    out.json("tasks.json", losses)
    out.tensors("tasks.safetensors", tensors)


def fixed(name, *shape, low=-2.0, high=2.0):
    """A leaf in float64 whose values fp32 represents exactly."""
    numbers = uniform(name, math.prod(shape)) * (high - low) + (low + high) / 2
    return numbers.float().double().reshape(shape).requires_grad_()


def filled(**modules):
    """Modules in float64, with every parameter set to `parameter("NAME.PATH", shape)`."""
    for prefix, module in modules.items():
        module.double().train()
        for key, tensor in module.state_dict().items():
            if tensor.dim():
                tensor.copy_(parameter(f"{prefix}.{key}", tuple(tensor.shape)))
    return modules.values()


def negative_log_likelihood(logits, target, smoothing=0.0):
    """Mean of -sum(target * log p) over rows, where a fraction `smoothing` of the target is spread over all classes."""
    total = 0
    for row, right in zip(logits, target):
        log_p = row - (row - row.max()).exp().sum().log() - row.max()
        total = total - (1 - smoothing) * log_p[right] - smoothing * log_p.mean()
    return total / len(target)


def learned(loss, logits, target, embedded, **weights):
    gradients = torch.autograd.grad(loss, [embedded, *weights.values()])
    accuracy = sum(int(row.argmax() == right) for row, right in zip(logits, target)) / len(target)
    arrays = {"gradient": gradients[0], **{f"gradient.{key}": g for key, g in zip(weights, gradients[1:])}}
    return {"loss": loss.item(), "accuracy": accuracy}, arrays


def patches():
    """Patches cut at given corners, each channel normalised to mean 0 and standard deviation 1 (over all its pixels)."""
    side, corners = 5, [(0, 0), (3, 7), (11, 2), (9, 9), (11, 11), (1, 4)]  # in images 0, 0, 0, 1, 1, 1
    images = pictures("patches", 2, 16).double().requires_grad_()
    normal = []
    for i, (y, x) in enumerate(corners):
        patch = images[i // 3][:, y : y + side, x : x + side]
        channels = []
        for channel in patch:
            mean = channel.sum() / side**2
            deviation = ((channel - mean) ** 2).sum().div(side**2).sqrt()
            channels.append((channel - mean) / deviation.clamp(min=0.01))
        normal.append(torch.stack(channels))
    normal = torch.stack(normal)
    (gradient,) = torch.autograd.grad((normal * fixed("patches.cotangent", *normal.shape)).sum(), images)
    return {"side": side, "corners": [list(corner) for corner in corners]}, {"normal": normal, "gradient": gradient}


def relative_patch(batch=3, width=8, hidden=16):
    """Doersch et al. 2015: pairs of the centre and each of its 8 neighbours, row by row. Which neighbour is it?"""
    embedded = fixed("relative-patch.embedded", batch * 9, width)
    (head,) = filled(head=nn.Sequential(nn.Linear(2 * width, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, 8)))
    pairs, target = [], []
    for image in range(batch):
        around = [patch for patch in range(9) if patch != 4]
        for label, patch in enumerate(around):
            pairs.append(torch.cat([embedded[image * 9 + 4], embedded[image * 9 + patch]]))
            target.append(label)
    logits = head(torch.stack(pairs))
    loss = negative_log_likelihood(logits, target)
    numbers, arrays = learned(loss, logits, target, embedded, **{"head.0.weight": head[0].weight})
    return {"batch": batch, "width": width, "hidden": hidden, **numbers}, arrays


def distant_permutations(first, count):
    """Noroozi & Favaro 2016, algorithm 1: adds the one that differs in most places from all chosen so far; of several, the first."""
    everything = torch.tensor(list(itertools.permutations(range(TILES))), dtype=torch.uint8)  # (9!, 9), lexicographic
    chosen = [first]
    while len(chosen) < count:
        distance = torch.zeros(len(everything), dtype=torch.long)
        for other in chosen:
            distance += (everything != torch.tensor(other, dtype=torch.uint8)).sum(1)
        for other in chosen:
            distance[(everything == torch.tensor(other, dtype=torch.uint8)).all(1)] = -1
        best = (distance == distance.max()).nonzero()[0, 0]
        chosen.append(everything[best].tolist())
    return chosen


def jigsaw(batch=2, width=5, embedding=6, hidden=16):
    """Tiles are embedded one by one and joined in the order of a permutation. Which permutation is it?"""
    # The first permutation that seed 0 draws, and the orders that the test's batch draws: 4 per image.
    permutations = distant_permutations([4, 5, 1, 6, 0, 8, 3, 2, 7], 10)
    asked = [7, 6, 7, 2, 4, 3, 2, 2]
    tiles = fixed("jigsaw.embedded", batch * TILES, width)
    embed, head = filled(
        embed=nn.Sequential(nn.Linear(width, embedding), nn.ReLU()),
        head=nn.Sequential(nn.Linear(TILES * embedding, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, 10)),
    )
    rows = []
    for puzzle, order in enumerate(asked):
        image = puzzle // (len(asked) // batch)
        rows.append(torch.cat([embed(tiles[image * TILES + tile]) for tile in permutations[order]]))
    logits = head(torch.stack(rows))
    loss = negative_log_likelihood(logits, asked)
    weights = {"embed.0.weight": embed[0].weight, "head.0.weight": head[0].weight}
    numbers, arrays = learned(loss, logits, asked, tiles, **weights)
    sizes = {"batch": batch, "width": width, "embedding": embedding, "hidden": hidden}
    return {**sizes, "permutations": [" ".join(map(str, p)) for p in permutations], "asked": asked, **numbers}, arrays


def lab():
    """sRGB to Lab (CIE 15 and IEC 61966-2-1) and back. The second image leaves the gamut, and is clamped to it."""
    rgb = fixed("lab.rgb", 1, 3, 6, 6, low=0.0, high=1.0)
    wild = torch.cat([fixed("lab.l", 1, 1, 6, 6, low=0.0, high=100.0), fixed("lab.ab", 1, 2, 6, 6, low=-110.0, high=110.0)], 1)
    return {}, {"lab": to_lab(rgb), "rgb": to_rgb(wild)}


def soft_bins(colours, centres):
    """Each colour is spread over its 5 nearest bins by a Gaussian with sigma 5: (N, Q)."""
    soft = torch.zeros(len(colours), len(centres), dtype=torch.float64)
    for row, colour in enumerate(colours.tolist()):
        distances = [(math.dist(colour, centre), k) for k, centre in enumerate(centres.tolist())]
        near = sorted(distances)[:NEIGHBOURS]
        gauss = [math.exp(-(d**2) / (2 * SIGMA**2)) for d, _ in near]
        for (_, k), weight in zip(near, gauss):
            soft[row, k] = weight / sum(gauss)
    return soft


def rebalanced(prior, centres):
    """Equation 4: the inverse of a mix of the smoothed and the uniform prior, scaled to mean 1 under the smoothed prior."""
    smooth = torch.zeros_like(prior)
    for k, centre in enumerate(centres):
        gauss = torch.exp(-((centres - centre) ** 2).sum(1) / (2 * SIGMA**2))
        smooth += prior[k] * gauss / gauss.sum()
    weights = 1 / ((1 - LAMBDA) * smooth + LAMBDA / len(prior))
    return weights / (weights * smooth).sum()


def colorization(count=12):
    """Classes: equations 2 to 5, the loss minus the entropy of its targets. Regression: equation 1, with a and b divided by 20."""
    centres = torch.tensor(bins_of_colours(GRID), dtype=torch.float64)
    known = to_lab(fixed("colorization.known", 1, 3, 8, 8, low=0.0, high=1.0))[0, 1:].flatten(1).t().detach().float().double()
    truth = to_lab(fixed("colorization.truth", 1, 3, 1, count, low=0.0, high=1.0))[0, 1:].flatten(1).t().detach().float().double()
    logits = fixed("colorization.logits", count, len(centres), low=-3.0, high=3.0)
    seen, soft = soft_bins(known, centres), soft_bins(truth, centres)
    weights = rebalanced(seen.mean(0), centres)

    def cross_entropy(log_p, wanted):
        total = 0
        for row, target in zip(log_p, wanted):
            there = target > 0
            total = total + weights[target.argmax()] * (target[there] * (target[there].log() - row[there])).sum()
        return total / len(wanted)

    loss = cross_entropy(logits.log_softmax(1), soft)
    (gradient,) = torch.autograd.grad(loss, logits)
    always = seen.mean(0).clamp(min=1e-8)
    chance = cross_entropy((always / always.sum()).log().expand(len(known), -1), seen)
    peaky = (logits.log_softmax(1) / TEMPERATURE).exp()
    colours = (peaky / peaky.sum(1, keepdim=True)) @ centres

    guess = fixed("colorization.guess", count, 2)
    regression = sum(((row - colour / 20) ** 2).sum() for row, colour in zip(guess, truth)) / count
    (slope,) = torch.autograd.grad(regression, guess)
    mean = known.mean(0) / 20
    arrays = {"centres": centres, "known": known, "truth": truth, "soft": soft, "weights": weights, "gradient": gradient,
              "colours": colours, "gradient.regression": slope}
    return {"bins": len(centres), "count": count, "loss": loss.item(), "chance": chance.item(),
            "regression": regression.item(), "regressionChance": ((mean - known / 20) ** 2).sum(1).mean().item()}, arrays


class Decoder(nn.Module):
    def __init__(self, inputs, channels, doublings):
        super().__init__()
        self.blocks = nn.ModuleList()
        for _ in range(doublings):
            self.blocks.append(nn.ModuleDict({"conv": nn.Conv2d(inputs, channels, 3, padding=1, bias=False), "bn": nn.BatchNorm2d(channels)}))
            inputs = channels
        self.last = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, x):
        for block in self.blocks:
            x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
            x = block["bn"](block["conv"](x)).relu()
        return self.last(x)


def inpainting(batch=2, channels=8, size=16):
    """Pathak et al. 2016: the mean squared error over the blank pixels, here the central square of half the side."""
    maps = fixed("inpainting.maps", batch, channels, size // 4, size // 4)
    (decoder,) = filled(decoder=Decoder(channels, 16, 2))
    images = pictures("inpainting", batch, size).double()
    painted, blank = decoder(maps), range(size // 4, 3 * size // 4)
    wrong = [(painted[i, c, y, x] - images[i, c, y, x]) ** 2 for i in range(batch) for c in range(3) for y in blank for x in blank]
    loss = sum(wrong) / len(wrong)
    gradient, last = torch.autograd.grad(loss, [maps, decoder.last.weight])
    sizes = {"batch": batch, "channels": channels, "size": size}
    return {**sizes, "loss": loss.item()}, {"gradient": gradient, "gradient.decoder.last.weight": last}


def supervised(batch=7, width=6):
    """Cross-entropy with the labels, with and without smoothing."""
    embedded, labels = fixed("supervised.embedded", batch, width), integers("supervised.labels", batch, below=3).tolist()
    (fc,) = filled(fc=nn.Linear(width, 3))
    logits = fc(embedded)
    smooth = negative_log_likelihood(logits, labels, 0.1)
    numbers, arrays = learned(smooth, logits, labels, embedded, **{"fc.weight": fc.weight})
    hard = negative_log_likelihood(logits, labels).item()
    return {"batch": batch, "width": width, "labels": labels, "labelSmoothing": 0.1, "hardLoss": hard, **numbers}, arrays


def exemplar_triplet(batch=3, copies=3, width=6, embedding=5, margin=0.5):
    """Schroff et al. 2015, equations 1 to 4, over all pairs of copies. The negative is the nearest embedding of another image that
    is farther than the copy (semi-hard), else the farthest of all. Rows: the first copy of all images, then the second, ..."""
    embedded = fixed("exemplar-triplet.embedded", copies * batch, width)
    (fc,) = filled(fc=nn.Linear(width, embedding))
    points = [row / row.pow(2).sum().sqrt() for row in fc(embedded)]
    total, pairs, right, triplets, semi_hard = 0, 0, 0, 0, 0
    for i, anchor in enumerate(points):
        strange = [(anchor - other).pow(2).sum() for k, other in enumerate(points) if k % batch != i % batch]
        for j, copy in enumerate(points):
            if j == i or j % batch != i % batch:
                continue
            positive = (anchor - copy).pow(2).sum()
            farther = [d for d in strange if d > positive]
            negative = min(farther) if farther else max(strange)
            total = total + (margin + positive - negative).clamp(min=0)
            pairs, right, triplets = pairs + 1, right + len(farther), triplets + len(strange)
            semi_hard += len(farther) > 0
    assert 0 < semi_hard < pairs, "both rules must be met"
    loss = total / pairs
    gradient, slope = torch.autograd.grad(loss, [embedded, fc.weight])
    sizes = {"batch": batch, "copies": copies, "width": width, "embedding": embedding, "margin": margin}
    return {**sizes, "loss": loss.item(), "accuracy": right / triplets}, {"gradient": gradient, "gradient.fc.weight": slope}


def exemplar_softmax(batch=3, copies=3, width=6, hidden=8, classes=9):
    """Dosovitskiy et al. 2014, equation 2: every image is a class, and a classifier recognises each of its copies."""
    embedded = fixed("exemplar-softmax.embedded", copies * batch, width)
    (head,) = filled(head=nn.Sequential(nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, classes)))
    logits, target = head(embedded), [i % batch for i in range(copies * batch)]
    loss = negative_log_likelihood(logits, target)
    numbers, arrays = learned(loss, logits, target, embedded, **{"head.0.weight": head[0].weight, "head.3.weight": head[3].weight})
    return {"batch": batch, "copies": copies, "width": width, "hidden": hidden, "classes": classes, **numbers}, arrays


PARTS = {
    "patches": patches, "relative-patch": relative_patch, "jigsaw": jigsaw, "lab": lab, "colorization": colorization,
    "inpainting": inpainting, "supervised": supervised, "exemplar-triplet": exemplar_triplet, "exemplar-softmax": exemplar_softmax,
}
