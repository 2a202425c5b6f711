"""Writes test/fixtures/golden/hog.json: scikit-image's HOG of two pictures, which src/evaluate/hog.ts is held against.

    pip install scikit-image==0.26.0
    python3 scripts/golden-hog.py

The pictures come from a formula, in whole numbers; test/evaluate/hog.test.ts has the same.
"""
import json
from pathlib import Path

import numpy
import skimage
from skimage.feature import hog

SIDE = 48


def pictures():
    """Two pictures (48, 48, 3) of bytes: coloured bands at all angles; grey steps, whose channels tie and whose edges are level."""
    c, i, j = numpy.meshgrid(range(3), range(SIDE), range(SIDE), indexing="ij")
    coloured = (3 * (c + 1) * i * i + 5 * i * j + 14 * j + 11 * c * j * j) // 16 % 256
    grey = (i // 5 * 37 + j // 6 * 90) % 256
    return [numpy.moveaxis(picture, 0, 2).astype(numpy.uint8) for picture in (coloured, grey)]


def main():
    features = [
        hog(picture, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2), block_norm="L2-Hys", channel_axis=-1)
        for picture in pictures()
    ]
    file = Path(__file__).parent.parent / "test/fixtures/golden/hog.json"
    stored = {
        "made": f"by scripts/golden-hog.py with scikit-image {skimage.__version__}; its header says how to run it",
        "side": SIDE,
        "features": [[round(float(value), 6) for value in one] for one in features],
    }
    file.write_text(json.dumps(stored, separators=(",", ":")) + "\n")


main()
