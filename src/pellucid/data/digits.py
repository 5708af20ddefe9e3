"""The 1,797 small handwritten digits that come with scikit-learn: the data set that is always there."""

from __future__ import annotations

import numpy as np

from pellucid.data import catalogue
from pellucid.data.byte_images import ByteImages
from pellucid.data.dataset import Dataset, fixed_order

NUM_TEST = 297


def load_digits() -> Dataset:
    """Digits: 1,500 to train on and 297 to test on, 1 x 8 x 8, shuffled once and for all (``fixed_order``).

    scikit-learn's values go from 0 to 16; value v becomes the byte round(v * 255 / 16), halves to the even number.
    """
    from sklearn.datasets import load_digits as bundled_digits

    images, labels = bundled_digits(return_X_y=True)
    pixels = np.rint(images * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    order = fixed_order(len(pixels))
    train, test = order[:-NUM_TEST], order[-NUM_TEST:]
    y = labels.astype(np.int64)
    classes = catalogue.DIGITS.classes
    return Dataset("digits", classes, ByteImages(pixels[train]), y[train], ByteImages(pixels[test]), y[test])
