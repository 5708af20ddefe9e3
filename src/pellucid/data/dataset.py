"""A data set in memory: bytes for training, for testing and perhaps for validation, and how they are split."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import check
from pellucid.data.byte_images import ByteImages, blocks

# The seed of every fixed shuffle, so that a split is the same on every machine and in every year.
SPLIT_SEED = 231

# Numbers added at a time. At most 2**24 images of them: so many bytes add up to less than 2**32, so sums in 32 bits are
# exact, and faster than in 64.
_SUM_BLOCK = 2**24

# Numbers squared at a time: few enough to need little memory. They are of at most 2**16 images, because so many squares
# of bytes add up to less than 2**32, too.
_SQUARE_BLOCK = 2**22
_MOST_SQUARES = 2**16


def fixed_order(count: int) -> np.ndarray:
    """The indices 0 ... count - 1 in an order that looks random and is always the same.

    From NumPy's legacy RandomState with seed 231: its stream is frozen for good, that of a Generator is not.
    """
    return np.random.RandomState(SPLIT_SEED).permutation(count)


def mean_image(images: ByteImages) -> np.ndarray:
    """The mean of the pixels over all ``images``, float32 (C, H, W). The sum is exact, whatever the order."""
    check.not_empty("mean_image", "images", images.pixels)
    total = np.zeros(images.pixels.shape[1:], np.uint64)
    for block in blocks(images.pixels, _SUM_BLOCK):
        total += images.pixels[block].sum(axis=0, dtype=np.uint32)
    return (total / len(images)).astype(np.float32).transpose(2, 0, 1)


def pixel_deviation(images: ByteImages) -> float:
    """The standard deviation of all pixels of ``images`` about their mean; 1 where every image is the mean image.

    Dividing by it brings pixels to the size of 1. The sums are exact, whatever the order.
    """
    sums, squares = _sums_and_squares("pixel_deviation", images)
    N = len(images)
    variance = float(np.mean(squares / N - np.square(sums / N)))
    return float(np.sqrt(variance)) if variance > 0 else 1.0


def channel_statistics(images: ByteImages) -> tuple[np.ndarray, np.ndarray]:
    """Every channel's mean and standard deviation over all pixels of ``images``, float32 (C,) each.

    The deviation is 1 for a channel of which every pixel is alike. The sums are exact, whatever the order.
    """
    sums, squares = _sums_and_squares("channel_statistics", images)
    N, C, H, W = images.shape
    count = N * H * W
    mean, deviation = np.zeros(C, np.float32), np.ones(C, np.float32)
    for c in range(C):
        total, square = int(sums[..., c].sum()), int(squares[..., c].sum())
        mean[c] = total / count
        spread = square * count - total * total  # the variance times count squared, in Python's exact integers
        if spread:
            deviation[c] = math.sqrt(spread / (count * count))
    return mean, deviation


def _sums_and_squares(where: str, images: ByteImages) -> tuple[np.ndarray, np.ndarray]:
    """The sums of the pixels and of their squares over all images, uint64 (H, W, C) each; exact."""
    check.not_empty(where, "images", images.pixels)
    H, W, C = images.pixels.shape[1:]
    sums, squares = (np.zeros((H, W, C), np.uint64) for _ in range(2))
    for block in blocks(images.pixels, min(_SQUARE_BLOCK, _MOST_SQUARES * H * W * C)):
        numbers = images.pixels[block].astype(np.uint32)
        sums += numbers.sum(axis=0)
        np.square(numbers, out=numbers)
        squares += numbers.sum(axis=0)
    return sums, squares


@dataclass(frozen=True)
class Dataset:
    """Images and their classes, in parts.

    Attributes
    ----------
    name : str
        What the data are called.
    X_train, X_test, X_val : ByteImages (N, C, H, W)
        Without mean and scale; X_val and y_val are None where the data have no validation part of their own.
    y_train, y_test, y_val : int64 (N,)
        Each the number of a class.
    classes : tuple of str
        The classes' names, in the order of their numbers.
    skipped : tuple
        The files that were left out because they are broken, each with the reason.
    """

    name: str
    classes: tuple[str, ...]
    X_train: ByteImages
    y_train: np.ndarray
    X_test: ByteImages
    y_test: np.ndarray
    X_val: ByteImages | None = None
    y_val: np.ndarray | None = None
    skipped: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        where = f"Dataset {self.name!r}"
        if (self.X_val is None) != (self.y_val is None):
            raise ValueError(f"{where}: X_val and y_val belong together; give both or neither")
        for part in ("train", "test", "val"):
            X, y = getattr(self, f"X_{part}"), getattr(self, f"y_{part}")
            if X is None:
                continue
            if not isinstance(X, ByteImages):
                raise TypeError(f"{where}: X_{part} is a {type(X).__name__}; it must be ByteImages")
            check.labels(where, f"y_{part}", y, len(X), len(self.classes))
            if X.shape[1:] != self.X_train.shape[1:]:
                raise ValueError(
                    f"{where}: X_{part} has images of shape {X.shape[1:]} but X_train has {self.X_train.shape[1:]}; "
                    "all parts need one size"
                )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        return self.X_train.shape[1:]

    def split(
        self,
        num_validation: int | None = None,
        subtract_mean: bool = True,
        scale: float | None = 1.0,
        num_training: int | None = None,
        per_channel: bool = False,
    ) -> dict[str, Any]:
        """The dictionary that the solver takes: X_train, y_train, X_val, y_val, X_test, y_test.

        Parameters
        ----------
        num_validation : how many images to validate on. They are the data's own validation part (the first so many of
            it), where there is one; else the last so many of the training part, which then is shorter. None takes the
            whole validation part, or a tenth of the training part; 0 leaves X_val and y_val out.
        subtract_mean : subtract the mean image of the images that are trained on, from all parts.
        scale : divide by this number (after subtracting). None: by the standard deviation of the pixels trained on.
        num_training : train on the first so many images only; the validation images stay the same. None: all.
        per_channel : subtract each channel's mean over the images trained on, instead of the mean image, and divide by
            each channel's standard deviation over them. Then subtract_mean and scale must be left as they are.

        Returns
        -------
        dict
            Of `ByteImages`, which share the data set's memory, and int64 labels.

        Raises
        ------
        ValueError
            If there are not so many images, or if arguments exclude each other.
        """
        where = f"split of {self.name!r}"
        if per_channel and (scale != 1.0 or not subtract_mean):
            raise ValueError(
                f"{where}: per_channel subtracts a mean and divides by a deviation of its own, but subtract_mean is "
                f"{subtract_mean} and scale is {scale}; leave both out, or per_channel"
            )
        X_train, y_train, X_val, y_val = self._carve(where, num_validation)
        if num_training is not None:
            num_training = take(where, "num_training", num_training, len(y_train), "images are left to train on")
            X_train, y_train = X_train.select(slice(num_training)), y_train[:num_training]
        mean: np.ndarray | None
        divisor: Any
        if per_channel:
            mean, divisor = channel_statistics(X_train)
        else:
            mean = mean_image(X_train) if subtract_mean else None
            divisor = pixel_deviation(X_train) if scale is None else scale
        parts = {"train": (X_train, y_train), "val": (X_val, y_val), "test": (self.X_test, self.y_test)}
        if not len(y_val):
            del parts["val"]
        return course_dictionary(parts, mean, divisor)

    def _carve(self, where: str, wanted: int | None) -> tuple[ByteImages, np.ndarray, ByteImages, np.ndarray]:
        """The training and the validation part, which may be empty."""
        if self.X_val is not None and self.y_val is not None:
            own = len(self.y_val)
            wanted = own if wanted is None else wanted
            count = take(where, "num_validation", wanted, own, "images are for validation", least=0)
            return self.X_train, self.y_train, self.X_val.select(slice(count)), self.y_val[:count]
        N = len(self.y_train)
        if wanted is None:
            wanted = max(1, N // 10)
        count = take(where, "num_validation", wanted, N - 1, f"of {N} images can be spared from training", least=0)
        left = N - count
        train, val = slice(left), slice(left, N)
        return self.X_train.select(train), self.y_train[train], self.X_train.select(val), self.y_train[val]


def take(where: str, name: str, wanted: Any, most: int, of_what: str, least: int = 1) -> int:
    """A number of images, at least so many and at most as many as there are."""
    count = check.whole_number(where, name, wanted, least=least)
    if count > most:
        raise ValueError(f"{where}: {name} is {count}, but only {most} {of_what}; ask for fewer")
    return count


def course_dictionary(
    parts: dict[str, tuple[ByteImages, np.ndarray]], mean: np.ndarray | None, scale: Any = 1.0
) -> dict[str, Any]:
    """The parts (train, val, test) under the course's names, all images less one mean and divided by one scale."""
    data: dict[str, Any] = {}
    for part, (X, y) in parts.items():
        data[f"X_{part}"] = ByteImages(X.pixels, mean, scale)
        data[f"y_{part}"] = y
    return data
