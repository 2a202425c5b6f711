"""Writes test/fixtures/golden/study.json with SciPy and statsmodels: what the statistics of studies are held against.

    python3 -m venv VENV && VENV/bin/pip install scipy statsmodels
    VENV/bin/python scripts/golden-study.py

Rank correlations are SciPy's (kendalltau is τ-b). Components of variance come from statsmodels' table of a two-way analysis of
variance where every cell has as many repetitions, and from NumPy's means, one step after the other, where they differ.
Nothing is random: values come from a formula.
"""
import json
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
import statsmodels
from scipy.stats import kendalltau, spearmanr
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm


def values(count, step, ties=1):
    """Numbers in no order; a multiple of `ties` in common makes some of them equal."""
    return [round(float((i * step * step + 7 * i) % 101 // ties * ties) / 10, 1) for i in range(count)]


def correlations():
    cases = [(5, 11, 29, 1), (12, 13, 31, 1), (12, 13, 31, 20), (40, 17, 23, 25), (4, 3, 8, 40)]
    for count, a, b, ties in cases:
        x, y = values(count, a, ties), values(count, b, ties)
        yield {"x": x, "y": y, "tau": float(kendalltau(x, y).statistic), "rho": float(spearmanr(x, y).statistic)}


def table(rows, columns, repetitions):
    """Rows and columns with effects, cells that depart from their sum, and repetitions; `repetitions(i, j)` in each cell."""
    return [
        [
            [round(0.5 + 0.08 * i - 0.05 * j * j + 0.02 * ((3 * i + 5 * j) % 4) + 0.01 * ((7 * i + 11 * j + 5 * k * k) % 6), 3)
             for k in range(repetitions(i, j))]
            for j in range(columns)
        ]
        for i in range(rows)
    ]


def balanced(cells):
    rows, columns, n = len(cells), len(cells[0]), len(cells[0][0])
    frame = pd.DataFrame(
        [(i, j, y) for i, row in enumerate(cells) for j, cell in enumerate(row) for y in cell], columns=["i", "j", "y"]
    )
    squares = anova_lm(ols("y ~ C(i) * C(j)", frame).fit())["mean_sq"]
    i, j, ij, error = (squares[name] for name in ("C(i)", "C(j)", "C(i):C(j)", "Residual"))
    return {
        "rows": (i - ij) / (columns * n), "columns": (j - ij) / (rows * n),
        "interaction": (ij - error) / n, "repetitions": error,
    }


def unbalanced(cells):
    means = np.array([[np.mean(cell) for cell in row] for row in cells])
    sizes = np.array([[len(cell) for cell in row] for row in cells])
    error = sum(np.var(cell) * len(cell) for row in cells for cell in row) / (sizes - 1).sum()
    # A two-way analysis of variance of the means, without repetitions.
    frame = pd.DataFrame([(i, j, means[i, j]) for i, j in np.ndindex(means.shape)], columns=["i", "j", "y"])
    squares = anova_lm(ols("y ~ C(i) + C(j)", frame).fit())["mean_sq"]
    i, j, ij = (squares[name] for name in ("C(i)", "C(j)", "Residual"))
    return {
        "rows": (i - ij) / means.shape[1], "columns": (j - ij) / means.shape[0],
        "interaction": ij - error * np.mean(1 / sizes), "repetitions": error,
    }


def components():
    for cells, compute in [
        (table(4, 3, lambda i, j: 3), balanced),
        (table(2, 5, lambda i, j: 2), balanced),
        (table(4, 3, lambda i, j: 1 + (i + 2 * j) % 3), unbalanced),
    ]:
        yield {"table": cells, **{name: float(value) for name, value in compute(cells).items()}}


def main():
    file = Path(__file__).resolve().parents[1] / "test" / "fixtures" / "golden" / "study.json"
    versions = f"SciPy {scipy.__version__} and statsmodels {statsmodels.__version__}"
    stored = {
        "made": f"by scripts/golden-study.py with {versions}; its header says how to run it",
        "correlations": list(correlations()),
        "components": list(components()),
    }
    file.write_text(json.dumps(stored, separators=(",", ":")) + "\n")


main()
