"""The share of images that a model gets right."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid import check
from pellucid.training.together import ALONE, Alone
from pellucid.training.views import Views, scores


def accuracy(
    model: Any,
    X: Any,
    y: Any,
    num_samples: int | None = None,
    batch_size: int = 100,
    rng: np.random.Generator | None = None,
    views: Views | None = None,
    together: Alone = ALONE,
) -> float:
    """The share of images whose highest score is that of their label.

    Parameters
    ----------
    model : object
        Its ``loss(X)`` returns scores, (N, classes).
    X, y : (N, ...) and (N,)
        Images and labels.
    num_samples : int, optional
        Look only at so many images, drawn at random: with a generator each at most once; without one from NumPy's
        global state with replacement, as the course does.
    batch_size : int
        Images at a time.
    rng : Generator, optional
    views : Views, optional
        See each image in several views: test-time augmentation.
    together : Alone or Together
        The processes that share the images out among them.
    """
    where = "check_accuracy"
    batch_size = check.whole_number(where, "batch_size", batch_size, least=1)
    y = np.asarray(y)
    if len(X) != len(y) or not len(y):
        raise ValueError(f"{where}: X has {len(X)} images and y {len(y)} labels; give as many of both, at least one")
    chosen = np.arange(len(y))
    if num_samples is not None and num_samples < len(y):
        num_samples = check.whole_number(where, "num_samples", num_samples, least=1)
        if rng is None:
            chosen = np.random.choice(len(y), num_samples)
        else:
            chosen = rng.choice(len(y), num_samples, replace=False)

    found = scores(model, X, views, batch_size, chosen, together)
    check.labels(where, "y", y, len(y), num_classes=found.shape[1])
    return int(np.sum(np.argmax(found, axis=1) == y[chosen])) / len(chosen)
