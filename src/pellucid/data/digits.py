"""The 1,797 small handwritten digits that come with scikit-learn: the data set that is always there."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from pellucid.data import catalogue
from pellucid.data.byte_images import ByteImages
from pellucid.data.dataset import Dataset, fixed_order

NUM_TEST = 297
FILE = "datasets/data/digits.csv.gz"
"""Inside of scikit-learn: a row for each digit, 64 values and the label."""


def load_digits() -> Dataset:
    """Digits: 1,500 to train on and 297 to test on, 1 x 8 x 8, shuffled once and for all (``fixed_order``).

    scikit-learn's values go from 0 to 16; value v becomes the byte round(v * 255 / 16), halves to the even number.
    """
    images, labels = _bundled()
    pixels = np.rint(images * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    order = fixed_order(len(pixels))
    train, test = order[:-NUM_TEST], order[-NUM_TEST:]
    y = labels.astype(np.int64)
    classes = catalogue.DIGITS.classes
    return Dataset("digits", classes, ByteImages(pixels[train]), y[train], ByteImages(pixels[test]), y[test])


def _bundled() -> tuple[np.ndarray, np.ndarray]:
    """The values and labels, out of the file itself: to import scikit-learn takes longer than to train on them."""
    package = find_spec("sklearn")
    file = None if package is None or package.origin is None else Path(package.origin).parent / FILE
    if file is not None and file.is_file():
        rows = np.loadtxt(file, delimiter=",")
        return rows[:, :-1], rows[:, -1]
    from sklearn.datasets import load_digits as bundled_digits

    images, labels = bundled_digits(return_X_y=True)
    return images, labels
