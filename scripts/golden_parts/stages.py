"""What every network of the fixtures gives: its named stages, and a classifier of 4 classes behind them."""


def finish(found, classifier, pooled=None):
    """Adds `pooled` (B, C), the average of the last map unless given, and `logits` (B, 4)."""
    found["pooled"] = list(found.values())[-1].mean((2, 3)) if pooled is None else pooled
    found["logits"] = classifier(found["pooled"])
    return found
