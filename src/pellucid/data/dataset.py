"""A data set in memory: bytes for training, for testing and perhaps for validation, and how they are split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import check
from pellucid.data.byte_images import ByteImages

# The seed of every fixed shuffle, so that a split is the same on every machine and in every year.
SPLIT_SEED = 231

# So many bytes of at most 255 add up to less than 2**32: sums in 32 bits are exact, and faster than in 64.
_SUM_BLOCK = 2**24

# Images squared at a time: few enough to need little memory.
_SQUARE_BLOCK = 1024


def fixed_order(count: int) -> np.ndarray:
    """The indices 0 ... count - 1 in an order that looks random and is always the same.

    From NumPy's legacy RandomState with seed 231: its stream is frozen for good, that of a Generator is not.
    """
    return np.random.RandomState(SPLIT_SEED).permutation(count)


def mean_image(images: ByteImages) -> np.ndarray:
    """The mean of the pixels over all images, float32 (C, H, W). The sum is exact, whatever the order."""
    check.not_empty("mean_image", "images", images.pixels)
    total = np.zeros(images.pixels.shape[1:], np.uint64)
    for start in range(0, len(images), _SUM_BLOCK):
        total += images.pixels[start : start + _SUM_BLOCK].sum(axis=0, dtype=np.uint32)
    return (total / len(images)).astype(np.float32).transpose(2, 0, 1)


def pixel_deviation(images: ByteImages) -> float:
    """The standard deviation of all pixels about the mean image; 1 where every image is the mean image.

    Dividing by it brings pixels to the size of 1. The sums are exact, whatever the order.
    """
    check.not_empty("pixel_deviation", "images", images.pixels)
    sums, squares = (np.zeros(images.pixels.shape[1:], np.uint64) for _ in range(2))
    for start in range(0, len(images), _SQUARE_BLOCK):
        block = images.pixels[start : start + _SQUARE_BLOCK].astype(np.uint32)
        sums += block.sum(axis=0)
        squares += np.square(block).sum(axis=0)
    N = len(images)
    variance = float(np.mean(squares / N - np.square(sums / N)))
    return float(np.sqrt(variance)) if variance > 0 else 1.0


@dataclass(frozen=True)
class Dataset:
    """Images and their classes, in parts.

    X_train, X_test, X_val : ByteImages (N, C, H, W) without mean and scale; X_val and y_val are None where the data
        have no validation part of their own.
    y_train, y_test, y_val : int64 (N,), each the number of a class.
    classes : the classes' names, in the order of their numbers.
    """

    name: str
    classes: tuple[str, ...]
    X_train: ByteImages
    y_train: np.ndarray
    X_test: ByteImages
    y_test: np.ndarray
    X_val: ByteImages | None = None
    y_val: np.ndarray | None = None

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
    ) -> dict[str, Any]:
        """The dictionary that the solver takes: X_train, y_train, X_val, y_val, X_test, y_test.

        Parameters
        ----------
        num_validation : how many images to validate on. They are the data's own validation part (the first so many of
            it), where there is one; else the last so many of the training part, which then is shorter. None takes the
            whole validation part, or a tenth of the training part.
        subtract_mean : subtract the mean image of the images that are trained on, from all parts.
        scale : divide by this number (after subtracting). None: by the standard deviation of the pixels trained on.
        num_training : train on the first so many images only; the validation images stay the same. None: all.

        Returns
        -------
        A dictionary of ByteImages, which share the data set's memory, and int64 labels.

        Raises
        ------
        ValueError if there are not so many images.
        """
        where = f"split of {self.name!r}"
        X_train, y_train, X_val, y_val = self._carve(where, num_validation)
        if num_training is not None:
            num_training = take(where, "num_training", num_training, len(y_train), "images are left to train on")
            X_train, y_train = X_train.select(slice(num_training)), y_train[:num_training]
        if scale is None:
            scale = pixel_deviation(X_train)
        return course_dictionary(X_train, y_train, X_val, y_val, self.X_test, self.y_test, subtract_mean, scale)

    def _carve(self, where: str, wanted: int | None) -> tuple[ByteImages, np.ndarray, ByteImages, np.ndarray]:
        """The training and the validation part."""
        if self.X_val is not None and self.y_val is not None:
            own = len(self.y_val)
            count = take(where, "num_validation", own if wanted is None else wanted, own, "images are for validation")
            return self.X_train, self.y_train, self.X_val.select(slice(count)), self.y_val[:count]
        N = len(self.y_train)
        if wanted is None:
            wanted = max(1, N // 10)
        count = take(where, "num_validation", wanted, N - 1, f"of {N} images can be spared from training")
        left = N - count
        train, val = slice(left), slice(left, N)
        return self.X_train.select(train), self.y_train[train], self.X_train.select(val), self.y_train[val]


def take(where: str, name: str, wanted: Any, most: int, of_what: str) -> int:
    """A number of images, from 1 to as many as there are."""
    count = check.whole_number(where, name, wanted, least=1)
    if count > most:
        raise ValueError(f"{where}: {name} is {count}, but only {most} {of_what}; ask for fewer")
    return count


def course_dictionary(
    X_train: ByteImages,
    y_train: np.ndarray,
    X_val: ByteImages,
    y_val: np.ndarray,
    X_test: ByteImages,
    y_test: np.ndarray,
    subtract_mean: bool,
    scale: float = 1.0,
) -> dict[str, Any]:
    """The parts under the course's names, all X less the mean image of X_train and divided by scale."""
    mean = mean_image(X_train) if subtract_mean else None
    return {
        "X_train": ByteImages(X_train.pixels, mean, scale),
        "y_train": y_train,
        "X_val": ByteImages(X_val.pixels, mean, scale),
        "y_val": y_val,
        "X_test": ByteImages(X_test.pixels, mean, scale),
        "y_test": y_test,
    }
