"""Writes test/fixtures/golden/svm.json with scikit-learn: what the evaluation protocol `svm` is held against.

    python3 -m venv VENV && VENV/bin/pip install scikit-learn
    VENV/bin/python scripts/golden-probes.py            write (the stored file comes from scikit-learn 1.9)
    VENV/bin/python scripts/golden-probes.py --check    compare with what is stored, and write nothing

Nothing is random: features come from the formula of golden_parts/formula.py, here in NumPy, as that file needs torch.
"""
import argparse
import json
import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score
from sklearn.svm import LinearSVC

FILE = Path(__file__).resolve().parents[1] / "test" / "fixtures" / "golden" / "svm.json"
COSTS = [0.001, 0.01, 0.1, 1.0, 10.0]
FOLDS = 3
CASES = [
    {"name": "more rows than features", "train": 180, "test": 90, "dims": 12, "classes": 3},
    {"name": "more features than rows", "train": 40, "test": 60, "dims": 48, "classes": 4},
]


def values(name, *shape, low=-2.0, high=2.0):
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = ((np.arange(np.prod(shape), dtype=np.uint64) * 0x9E3779B9) & 0xFFFFFFFF) ^ seed
    x = ((x ^ (x >> np.uint64(16))) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ (x >> np.uint64(15))) * 0x846CA68B) & 0xFFFFFFFF
    x = x ^ (x >> np.uint64(16))
    numbers = (x.astype(np.float64) / 2**32 - 0.5) * (high - low) + (low + high) / 2
    return numbers.astype(np.float32).reshape(shape)


def part(case, name, count):
    """Features around a centre for each class; image i has class i mod classes."""
    labels = np.arange(count) % case["classes"]
    centres = values(f"{case['name']} centres", case["classes"], case["dims"], low=-0.7, high=0.7)
    features = values(f"{case['name']} {name}", count, case["dims"]) + centres[labels]  # float32
    lengths = np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
    return features / (lengths + 1e-5), labels


def fit(x, target, cost):
    return LinearSVC(
        C=cost, class_weight={1: 2, -1: 1}, intercept_scaling=1, penalty="l2", loss="squared_hinge", dual=False,
        tol=1e-10, max_iter=100_000,
    ).fit(x, target)


def folds(target):
    """Positives and negatives are dealt in turn."""
    fold = np.empty(len(target), int)
    for sign in (1, -1):
        rows = np.flatnonzero(target == sign)
        fold[rows] = np.arange(len(rows)) % FOLDS
    return fold


def cross_validated(x, target, cost):
    fold = folds(target)
    return np.mean([
        average_precision_score(target[fold == k] == 1, fit(x[fold != k], target[fold != k], cost).decision_function(x[fold == k]))
        for k in range(FOLDS)
    ])


def interpolated(positive, scores):
    """The area under the precision-recall curve, where each precision is the highest at that recall or beyond."""
    hits = positive[np.argsort(-scores)]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    return highest[hits].mean()


def measure(case):
    (x, labels), (test, truth) = part(case, "train", case["train"]), part(case, "test", case["test"])
    rows = []
    for label in range(case["classes"]):
        target = np.where(labels == label, 1, -1)
        precisions = [cross_validated(x, target, cost) for cost in COSTS]
        chosen = int(np.argmax(precisions))
        decisions = [fit(x, target, cost).decision_function(test) for cost in COSTS]
        rows.append({
            "crossValidated": precisions,
            "cost": COSTS[chosen],
            "averagePrecision": interpolated(truth == label, decisions[chosen]),
            "decisions": [list(map(lambda value: float(f"{value:.7g}"), some)) for some in decisions],
        })
    return {**case, "mAP": float(np.mean([row["averagePrecision"] for row in rows])), "byClass": rows}


def differences(stored, computed, path=""):
    if isinstance(stored, dict):
        return [line for key in stored for line in differences(stored[key], computed.get(key), f"{path}.{key}")]
    if isinstance(stored, list):
        return [line for i, one in enumerate(stored) for line in differences(one, computed[i], f"{path}[{i}]")]
    if isinstance(stored, float):
        return [] if abs(stored - computed) <= 1e-5 * (1 + abs(stored)) else [f"{path}: stored {stored}, computed {computed}"]
    return [] if stored == computed else [f"{path}: stored {stored}, computed {computed}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    result = {"costs": COSTS, "cases": [measure(case) for case in CASES]}
    if parser.parse_args().check:
        failures = differences(json.loads(FILE.read_text()), json.loads(json.dumps(result)))
        print("\n".join(failures) or "all equal")
        sys.exit(1 if failures else 0)
    FILE.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
