"""Digits as scikit-learn hands them over, and estimators that are quick."""

import functools

import numpy as np
from sklearn.datasets import load_digits

from pellucid.estimators import ConvNetClassifier

SHAPE = (1, 8, 8)


@functools.cache
def digits():
    """X (1797, 64), y, in a fixed random order, so that any part has every class."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return X[order], y[order]


def rows(N=60, D=4, classes=("no", "yes"), seed=0):
    """Rows around as many centres as there are classes, far apart."""
    rng = np.random.default_rng(seed)
    number = np.arange(N) % len(classes)
    centres = 8 * np.eye(len(classes), D)
    return centres[number] + rng.standard_normal((N, D)), np.array(classes)[number]


def quick(**settings):
    """A classifier of digits that needs a fraction of a second."""
    return ConvNetClassifier(**{"image_shape": SHAPE, "epochs": 3, "random_state": 0, "threads": 1} | settings)
