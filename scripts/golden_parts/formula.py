"""Numbers that any language can reproduce: an integer hash, no random generator, nothing to store.

test/fixtures/golden/formula.ts is the same in TypeScript.
"""
import math

import torch

MASK = 0xFFFFFFFF


def name_seed(name):
    """32-bit FNV-1a of the name's UTF-8 bytes."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & MASK
    return seed


def uniform(name, count):
    """`count` numbers in [-0.5, 0.5), float64: the hash "lowbias32" of (k * 0x9E3779B9) xor seed(name)."""
    x = ((torch.arange(count, dtype=torch.int64) * 0x9E3779B9) & MASK) ^ name_seed(name)
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & MASK
    x = ((x ^ (x >> 15)) * 0x846CA68B) & MASK
    x = x ^ (x >> 16)
    return x.double() / 2**32 - 0.5


def values(name, *shape, low=-2.0, high=2.0, dtype=torch.float32):
    numbers = uniform(name, math.prod(shape)) * (high - low) + (low + high) / 2
    return numbers.to(dtype).reshape(shape)


def positive(name, *shape):
    return values(name, *shape, low=0.2, high=3.0)


def integers(name, *shape, below):
    return ((uniform(name, math.prod(shape)) + 0.5) * below).floor().long().reshape(shape)


def parameter(name, shape):
    """A network's parameter or buffer from its name and shape, float32, rounded once from float64.

    Matrices and kernels: uniform with variance 2 / fan-in. One dimension: scales and running variances
    within [0.75, 1.25), biases and running means within [-0.25, 0.25).
    """
    numbers = uniform(name, math.prod(shape))
    if len(shape) >= 2:
        numbers = numbers * math.sqrt(24 / math.prod(shape[1:]))
    elif name.endswith("bias") or name.endswith("running_mean"):
        numbers = numbers * 0.5
    else:
        numbers = numbers * 0.5 + 1
    return numbers.float().reshape(shape)


def fill(model):
    """Fills every parameter and buffer of the model by the formula, except the counts of batches."""
    state = {key: parameter(key, tuple(tensor.shape)) for key, tensor in model.state_dict().items() if tensor.dim() > 0}
    model.load_state_dict(state, strict=False)
    return model


def pictures(name, count, size):
    """Images (count, 3, size, size), float32, with a visible up and down: blocks of noise on a vertical ramp.

    x[n, c, i, j] = blocks[n, c, i // 4, j // 4] + 0.4 * (i / (size - 1) - 0.5)
    """
    blocks = uniform(name, count * 3 * (size // 4) ** 2).reshape(count, 3, size // 4, size // 4)
    noise = blocks.repeat_interleave(4, 2).repeat_interleave(4, 3)
    ramp = 0.4 * (torch.arange(size, dtype=torch.float64) / (size - 1) - 0.5)
    return (noise + ramp[:, None]).float()
