"""Probes by scikit-learn, in as many processes as there are cores: what bench/probes.ts is compared with.

    python3 probes.py FOLDER --what linear      FOLDER as bench/probes.ts makes it: case.json, train-0.f32, test-0.f32, ...
"""
import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

import rounds

COSTS = sorted([10.0**k for k in range(-7, 3)] + [0.5**k for k in range(4, 20)])


def logistic(x, y, penalty, iterations, tol=1e-4):
    warnings.filterwarnings("ignore")
    x = (x - x.mean(0)) / np.maximum(x.std(0), 1e-6)
    # Ours adds penalty / 2 |w|^2 to the mean of the loss, scikit-learn 1 / (2 C) |w|^2 to its sum.
    return LogisticRegression(C=1 / (penalty * len(y)), max_iter=iterations, tol=tol).fit(x, y)


def svm_class(x, target):
    """Chooses the cost by cross-validation and fits, as the FAIR benchmark does for one class."""
    warnings.filterwarnings("ignore")
    make = lambda cost: LinearSVC(C=cost, class_weight={1: 2, -1: 1}, tol=1e-4, dual=True, max_iter=2000)
    scores = [cross_val_score(make(cost), x, target, cv=3, scoring="average_precision").mean() for cost in COSTS]
    return make(COSTS[int(np.argmax(scores))]).fit(x, target)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--what", choices=("linear", "svm", "knn"), required=True)
    rounds.add_arguments(parser)
    arguments = parser.parse_args()
    case = json.loads((arguments.folder / "case.json").read_text())

    def read(name, layer):
        x = np.fromfile(arguments.folder / f"{name}-{layer}.f32", dtype=np.float32)
        return x.reshape(-1, case["widths"][layer])

    layers = range(len(case["widths"]))
    train, test = [read("train", i) for i in layers], [read("test", i) for i in layers]
    labels = lambda count: np.arange(count) % case["classes"]
    draw = lambda layer, d: train[layer][d * case["rows"] : (d + 1) * case["rows"]]
    unit = lambda x: x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-5)

    with Parallel(n_jobs=case["processes"]) as parallel:

        def linear():
            parallel(
                delayed(logistic)(draw(layer, d), labels(case["rows"]), penalty, case["iterations"])
                for layer in layers
                for d in range(case["draws"])
                for penalty in case["penalties"]
            )

        def svm():
            for layer in layers:
                x, y = unit(train[layer]), labels(len(train[layer]))
                fitted = parallel(
                    delayed(svm_class)(x, np.where(y == label, 1, -1)) for label in range(case["classes"])
                )
                [one.decision_function(unit(test[layer])) for one in fitted]

        def knn():
            for layer in layers:
                x, y = train[layer], labels(len(train[layer]))
                weights = lambda distances: np.exp((1 - distances) / 0.07)
                model = KNeighborsClassifier(20, weights=weights, metric="cosine", n_jobs=case["processes"]).fit(x, y)
                model.predict(test[layer])
                # Ours also classifies each labelled image by the others, to choose the layer by.
                KNeighborsClassifier(21, weights=weights, metric="cosine", n_jobs=case["processes"]).fit(x, y).predict(x)

        work = {"linear": linear, "svm": svm, "knn": knn}[arguments.what]

        def measure():
            start = time.perf_counter()
            work()
            return time.perf_counter() - start

        if arguments.what == "linear":
            truth = labels(len(test[0]))

            def answers(x, iterations, tol):
                for penalty in case["penalties"]:
                    model = logistic(x, labels(case["rows"]), penalty, iterations, tol)
                    log = model.predict_log_proba((test[0] - x.mean(0)) / np.maximum(x.std(0), 1e-6))
                    yield float((log.argmax(1) == truth).mean()), float(-log[np.arange(len(truth)), truth].mean())

            told = {
                "as timed": list(answers(draw(0, 0), case["iterations"], 1e-4)),
                "at the optimum": list(answers(draw(0, 0).astype(np.float64), 10_000, 1e-7)),
            }
            (arguments.folder / "answers.json").write_text(json.dumps(told))
        measure()
        rounds.run(arguments, measure, bench="probes", case=arguments.what, unit="s")


if __name__ == "__main__":
    main()
