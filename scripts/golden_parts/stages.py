"""What every network of the fixtures returns: its named stages, then the logits of a classifier with 4 classes."""


def finish(found, classifier, pooled=None):
    """Adds `pooled` (B, C), by default the average of the last map, and `logits` (B, 4)."""
    found["pooled"] = list(found.values())[-1].mean((2, 3)) if pooled is None else pooled
    found["logits"] = classifier(found["pooled"])
    return found
