"""CIE Lab from first principles: the matrix from the primaries' chromaticities, and the bins that the gamut's hull touches."""
import itertools
import math

import torch

PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))  # x, y of sRGB's red, green and blue (IEC 61966-2-1)
WHITE = torch.tensor([0.95047, 1.0, 1.08883], dtype=torch.float64)  # X, Y, Z of D65, 2 degrees (ASTM E308)


def rgb_to_xyz():
    """Columns: X, Y, Z of the primaries, scaled so that together they are white."""
    directions = torch.tensor([[x / y, 1.0, (1 - x - y) / y] for x, y in PRIMARIES], dtype=torch.float64).t()
    return directions * torch.linalg.solve(directions, WHITE)


def to_linear(rgb):
    return torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def to_lab(rgb):
    """sRGB (B, 3, H, W) from 0 to 1, float64, to Lab (CIE 15)."""
    t = torch.einsum("ij,bjhw->bihw", rgb_to_xyz() / WHITE[:, None], to_linear(rgb))
    x, y, z = torch.where(t > 216 / 24389, t ** (1 / 3), (24389 / 27 * t + 16) / 116).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def to_rgb(lab):
    lightness, a, b = lab.unbind(1)
    y = (lightness + 16) / 116
    f = torch.stack([y + a / 500, y, y - b / 200], 1)
    xyz = torch.where(f**3 > 216 / 24389, f**3, (116 * f - 16) * 27 / 24389) * WHITE[:, None, None]
    linear = torch.einsum("ij,bjhw->bihw", torch.linalg.inv(rgb_to_xyz()), xyz)
    curve = 1.055 * linear.clamp(min=0.001) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, curve).clamp(0, 1)


def bins_of_colours(grid):
    """The sorted corners of all grid squares that touch the convex hull of the colours. A square does not touch it if, in some
    direction, all of the square lies farther out than any colour."""
    levels = torch.arange(0, 256, 5, dtype=torch.float64) / 255
    colours = to_lab(torch.stack(torch.meshgrid(levels, levels, levels, indexing="ij"))[None].flatten(3))[0, 1:].flatten(1)
    corners = set()
    squares = [(x, y) for x in range(-13, 13) for y in range(-13, 13)]
    apart = torch.zeros(len(squares), dtype=torch.bool)
    four = torch.tensor([[[x, y], [x + 1, y], [x, y + 1], [x + 1, y + 1]] for x, y in squares], dtype=torch.float64) * grid
    for step in range(3600):
        angle = step * math.pi / 1800
        direction = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
        apart |= (four @ direction).amin(1) > (direction @ colours).max()
    for x, y in itertools.compress(squares, (~apart).tolist()):
        corners |= {(x + i, y + j) for i in (0, 1) for j in (0, 1)}
    return [[a * grid, b * grid] for a, b in sorted(corners)]
