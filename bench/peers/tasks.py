"""The pretext tasks' steps, as a PyTorch user would write them: vectorised, importing only torch and torchvision.

`TASKS[name](images, classes)` is a module whose `loss(images)` is the training loss of a step on normalised images (B, 3, S, S).
"""
import math

import torch
from torch import nn
from torch.nn import functional

from resnet import ResNet10

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
WIDTH = 0.5


def to_unit(images):
    return images * STD + MEAN


def from_unit(images):
    return (images - MEAN) / STD


def to_grey(images):
    red, green, blue = to_unit(images).unbind(1)
    return from_unit((0.299 * red + 0.587 * green + 0.114 * blue).unsqueeze(1).expand(-1, 3, -1, -1))


def cut(images, tops, lefts, side):
    """(B, 3, S, S) and corners (B, P) to patches (B * P, 3, side, side)."""
    steps = torch.arange(side)
    rows = (tops.unsqueeze(2) + steps).unsqueeze(3)  # (B, P, side, 1)
    columns = (lefts.unsqueeze(2) + steps).unsqueeze(2)  # (B, P, 1, side)
    which = torch.arange(len(images)).view(-1, 1, 1, 1)
    patches = images.permute(0, 2, 3, 1)[which, rows, columns]  # (B, P, side, side, 3)
    return patches.flatten(0, 1).permute(0, 3, 1, 2)


def standardise(patches):
    deviation, mean = torch.std_mean(patches, (2, 3), unbiased=False, keepdim=True)
    return (patches - mean) / deviation.clamp(min=1e-2)


class Task(nn.Module):
    stem = "imagenet"

    def __init__(self):
        super().__init__()
        self.encoder = ResNet10(WIDTH, self.stem)
        self.features = self.encoder.channels[-1]


class Rotation(Task):
    def __init__(self, *_):
        super().__init__()
        self.head = nn.Linear(self.features, 4)

    def loss(self, images):
        turned = torch.cat([torch.rot90(images, turn, (2, 3)) for turn in range(4)])
        logits = self.head(self.encoder(turned))
        return functional.cross_entropy(logits, torch.arange(4).repeat_interleave(len(images)))


class RelativePatch(Task):
    stem = "patch"
    side, gap, jitter = 15, 7, 1

    def __init__(self, *_):
        super().__init__()
        hidden = nn.Linear(2 * self.features, 512)
        self.head = nn.Sequential(hidden, nn.BatchNorm1d(512), nn.ReLU(inplace=True), nn.Linear(512, 8))

    def loss(self, images):
        count, size = len(images), images.shape[2]
        spare = size - 3 * self.side - 2 * self.gap - 2 * self.jitter
        cells = (torch.arange(3) * (self.side + self.gap)).repeat(3, 1)

        def corners(cells):
            moved = torch.randint(-self.jitter, self.jitter + 1, (count, 9))
            return torch.randint(spare + 1, (count, 1)) + self.jitter + cells.flatten() + moved

        patches = standardise(cut(images, corners(cells.T), corners(cells), self.side))
        kept = functional.one_hot(torch.randint(3, (len(patches),)), 3).view(-1, 3, 1, 1).bool()
        patches = torch.where(kept, patches, 0.01 * torch.randn_like(patches))
        embedded = self.encoder(patches).view(count, 9, -1)
        centre = embedded[:, 4:5].expand(-1, 8, -1)
        neighbours = torch.cat([embedded[:, :4], embedded[:, 5:]], 1)
        logits = self.head(torch.cat([centre, neighbours], 2).flatten(0, 1))
        return functional.cross_entropy(logits, torch.arange(8).repeat(count))


class Jigsaw(Task):
    stem = "patch"
    permutations, orders, grey = 100, 8, 0.3

    def __init__(self, *_):
        super().__init__()
        self.order = torch.stack([torch.randperm(9) for _ in range(self.permutations)])
        self.embed = nn.Sequential(nn.Linear(self.features, 512), nn.ReLU(inplace=True))
        hidden = nn.Linear(9 * 512, 1024)
        self.head = nn.Sequential(
            hidden, nn.BatchNorm1d(1024), nn.ReLU(inplace=True), nn.Linear(1024, self.permutations)
        )

    def loss(self, images):
        count, cell = len(images), images.shape[2] // 3
        side = cell * 64 // 75
        grey = (torch.rand(count) < self.grey).view(-1, 1, 1, 1)
        shown = torch.where(grey, to_grey(images), images)
        cells = (torch.arange(3) * cell).repeat(3, 1)

        def corners(cells):
            return cells.flatten() + torch.randint(cell - side + 1, (count, 9))

        tiles = standardise(cut(shown, corners(cells.T), corners(cells), side))
        embedded = self.embed(self.encoder(tiles)).view(count, 9, -1)
        asked = torch.randint(self.permutations, (count, self.orders))
        puzzles = embedded[torch.arange(count).view(-1, 1, 1), self.order[asked]]  # (B, K, 9, E)
        return functional.cross_entropy(self.head(puzzles.flatten(2).flatten(0, 1)), asked.flatten())


def rgb_to_hsv(rgb):
    value, largest = rgb.max(1)
    span = value - rgb.amin(1)
    red, green, blue = rgb.unbind(1)
    sextants = torch.stack([green - blue, blue - red, red - green], 1) / span.clamp(min=1e-8).unsqueeze(1)
    sextants = sextants + torch.tensor([0.0, 2.0, 4.0]).view(3, 1, 1)
    hue = sextants.gather(1, largest.unsqueeze(1)).squeeze(1) / 6 % 1
    return hue, span / value.clamp(min=1e-8), value


def hsv_to_rgb(hue, saturation, value):
    k = (hue.unsqueeze(1) * 6 + torch.tensor([5.0, 3.0, 1.0]).view(3, 1, 1)) % 6
    shade = torch.minimum(k, 4 - k).clamp(0, 1)
    return value.unsqueeze(1) * (1 - saturation.unsqueeze(1) * shade)


def log_uniform(low, high, *shape):
    return torch.empty(*shape).uniform_(math.log(low), math.log(high)).exp()


class Exemplar(Task):
    """Semi-hard triplets of 8 copies. Images (8 * B, 3, S, S): the first copy of all images, then the second, and so on."""

    copies, margin, grey = 8, 0.5, 0.66

    def __init__(self, images, *_):
        super().__init__()
        self.head = nn.Linear(self.features, 1000)
        pixels = images.transpose(0, 1).flatten(1)
        self.register_buffer("mean", pixels.mean(1).view(3, 1, 1))
        self.register_buffer("axes", torch.linalg.eigh(torch.cov(pixels))[1])

    def change(self, crops):
        count = len(crops)
        factors = torch.diag_embed(log_uniform(0.5, 2, count, 3))
        matrix = self.axes @ factors @ self.axes.T  # (N, 3, 3)
        scaled = (matrix @ (crops - self.mean).flatten(2)).view(crops.shape) + self.mean
        hue, saturation, value = rgb_to_hsv(to_unit(scaled).clamp(0, 1))

        def bend(x):
            power, factor = log_uniform(0.25, 4, count, 1, 1), log_uniform(0.7, 1.4, count, 1, 1)
            shift = torch.empty(count, 1, 1).uniform_(-0.1, 0.1)
            return (x.clamp(min=1e-6) ** power * factor + shift).clamp(0, 1)

        hue = (hue + torch.empty(count, 1, 1).uniform_(-0.1, 0.1)) % 1
        return from_unit(hsv_to_rgb(hue, bend(saturation), bend(value)))

    def loss(self, crops):
        count = len(crops)
        images = count // self.copies
        grey = (torch.rand(images) < self.grey).repeat(self.copies).view(-1, 1, 1, 1)
        with torch.autocast("cpu", enabled=False):
            changed = self.change(crops)
            seen = torch.where(grey, to_grey(changed), changed).contiguous(memory_format=torch.channels_last)
        embedded = self.head(self.encoder(seen))
        with torch.autocast("cpu", enabled=False):
            unit = functional.normalize(embedded.float())
            distances = (2 - 2 * unit @ unit.T).clamp(min=0)
        image = torch.arange(images).repeat(self.copies)
        same = image.unsqueeze(0) == image.unsqueeze(1)
        others = (same & ~torch.eye(count, dtype=torch.bool)).nonzero()[:, 1].view(count, -1)
        positive = distances.gather(1, others)  # (N, copies - 1)
        with torch.no_grad():
            farther = (distances.unsqueeze(1) > positive.unsqueeze(2)) & ~same.unsqueeze(1)
        nearest = distances.unsqueeze(1).masked_fill(~farther, 5).amin(2)
        farthest = distances.masked_fill(same, -1).amax(1, keepdim=True).expand_as(nearest)
        negative = torch.where(nearest < 5, nearest, farthest)
        return functional.relu(positive - negative + self.margin).mean()


RGB_TO_XYZ = torch.tensor([
    [0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041],
])
RGB_TO_XYZ = RGB_TO_XYZ / RGB_TO_XYZ.sum(1, keepdim=True)


def rgb_to_lab(rgb):
    linear = torch.where(rgb < 0.04045, rgb / 12.92, ((rgb.clamp(min=0) + 0.055) / 1.055) ** 2.4)
    xyz = torch.einsum("xc,bchw->bxhw", RGB_TO_XYZ, linear)
    low = (6 / 29) ** 3
    x, y, z = torch.where(xyz < low, xyz * (29 / 6) ** 2 / 3 + 4 / 29, xyz.clamp(min=low) ** (1 / 3)).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


class Colorization(Task):
    """Rebalanced classification of colours, from the two deepest maps. The bins are the 313 nearest to grey."""

    bins, sigma, half, places = 313, 5, 5, 44  # places: squares of half a bin's side, to look up the nearest bins

    def __init__(self, images, *_):
        super().__init__()
        axis = torch.arange(-100.0, 101, 10)
        plane = torch.cartesian_prod(axis, axis)
        self.register_buffer("centres", plane[plane.norm(dim=1).argsort()[: self.bins]])
        self.register_buffer("weights", torch.ones(self.bins))
        middles = (torch.arange(self.places) - (self.places - 1) / 2) * self.half
        apart = torch.cdist(torch.cartesian_prod(middles, middles), self.centres)
        self.register_buffer("near", apart.topk(16, 1, largest=False)[1])
        scales, inputs = (4, 8), self.encoder.channels[-2:]  # for maps 16 and 32 times smaller than the image
        self.laterals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, 64 * scale**2, 1, bias=False), nn.PixelShuffle(scale))
            for channels, scale in zip(inputs, scales)
        )
        self.head = nn.Sequential(nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.Conv2d(64, self.bins, 1))

    def loss(self, images):
        side = images.shape[2] // 4
        with torch.autocast("cpu", enabled=False):
            lab = rgb_to_lab(to_unit(images))
            y = (lab[:, :1] + 16) / 116
            light = torch.where(y < 6 / 29, (y - 4 / 29) / ((29 / 6) ** 2 / 3), y**3)
            curve = 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
            grey = torch.where(light < 0.0031308, 12.92 * light, curve).clamp(0, 1)
            seen = from_unit(grey.expand(-1, 3, -1, -1)).contiguous(memory_format=torch.channels_last)
        maps = self.encoder.features(seen)[-2:]
        parts = [lateral(part) for lateral, part in zip(self.laterals, maps)]
        logits = self.head(sum(parts)).float().permute(0, 2, 3, 1).flatten(0, 2)
        with torch.autocast("cpu", enabled=False):
            colours = functional.interpolate(lab[:, 1:], (side, side), mode="bilinear", antialias=True)
            colours = colours.permute(0, 2, 3, 1).flatten(0, 2)
            place = (colours / self.half + self.places / 2).clamp(0, self.places - 1).long()
            compared = self.near[place[:, 0] * self.places + place[:, 1]]  # (N, 16)
            squared, nearest = (self.centres[compared] - colours.unsqueeze(1)).square().sum(2).topk(5, 1, largest=False)
            which = compared.gather(1, nearest)
            parts = functional.softmax(-squared / (2 * self.sigma**2), 1)
            known = functional.log_softmax(logits, 1).gather(1, which)
            divergence = (parts * (parts.clamp(min=1e-8).log() - known)).sum(1)
            with torch.no_grad():  # the error shown to the user: the annealed mean's distance
                shown = functional.softmax(logits / 0.38, 1) @ self.centres
                self.error = (shown - colours).norm(dim=1).mean()
            return (divergence * self.weights[which[:, 0]]).mean()


class Inpainting(Task):
    def __init__(self, *_):
        super().__init__()
        layers, inputs = [], self.features
        for doubling in range(1, 6):
            outputs = max(16, self.features // 2**doubling)
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
            inputs = outputs
        self.decoder = nn.Sequential(*layers, nn.Conv2d(inputs, 3, 3, padding=1))

    def loss(self, images):
        size = images.shape[2]
        hole = torch.zeros(1, 1, size, size)
        hole[:, :, size // 4 : 3 * size // 4, size // 4 : 3 * size // 4] = 1
        painted = self.decoder(self.encoder.features(images * (1 - hole))[-1]).float()
        return (((painted - images) * hole) ** 2).sum() / (3 * len(images) * hole.sum())


class Supervised(Task):
    def __init__(self, images, classes):
        super().__init__()
        self.head = nn.Linear(self.features, classes)
        self.classes = classes

    def loss(self, images):
        return functional.cross_entropy(self.head(self.encoder(images)), torch.arange(len(images)) % self.classes)


TASKS = {
    "relative-patch": RelativePatch, "jigsaw": Jigsaw, "exemplar": Exemplar, "colorization": Colorization,
    "rotation": Rotation, "inpainting": Inpainting, "supervised": Supervised,
}
