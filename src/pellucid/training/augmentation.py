"""Augmentation: the same image a little different each time, so that a network learns what matters.

All that is random is drawn at once for an epoch, from a stream that depends on the seed and the number of the epoch
alone: what happens to an image depends on its place in the epoch, not on who asks first, nor on whether the run was
stopped in between. The images are changed on the way from bytes to floats, by `pellucid.kernels.augmentation`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pellucid import check
from pellucid.kernels.arrays import flat
from pellucid.kernels.augmentation import augment
from pellucid.kernels.workspace import empty

FLIPS = ("none", "random", "alternating")
_FLIPS, _EPOCHS = 0, 1  # the streams of a seed


class Changes(NamedTuple):
    """What is done to the images at some places of an epoch."""

    moves: np.ndarray
    """int64 (N, 5): rows down, columns to the right, 1 for a mirror image, first row and column of the cut square."""
    tones: np.ndarray
    """float32 (N, 3): contrast and saturation, which multiply, and brightness, which is added."""


@dataclass(frozen=True)
class Augmentation:
    """How training images are changed, each time anew. All changes are of normalised images.

    Parameters
    ----------
    flip : 'none', 'random' or 'alternating'
        Mirror images: half of them, drawn anew each epoch; or drawn once, and every other epoch all the other way
        round, so that each image is seen both ways in any two epochs (K. Jordan 2024, arXiv:2404.00498).
    shift : int
        Pixels, at most, by which an image moves up, down, left and right; what it leaves is filled by reflection.
    cutout : int
        Height and width of a square that is set to zero, the mean; it lies anywhere in the image (T. DeVries and
        G. Taylor 2017, arXiv:1708.04552, but whole).
    brightness, contrast, saturation : float
        At most so much is added to all pixels; they are multiplied by at most 1 + or - so much, or drawn towards or
        away from the mean of their channels by as much.
    seed : int
    """

    flip: str = "none"
    shift: int = 0
    cutout: int = 0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        where = "Augmentation"
        check.one_of(where, "flip", self.flip, FLIPS)
        for name in ("shift", "cutout", "seed"):
            object.__setattr__(self, name, check.whole_number(where, name, getattr(self, name)))
        object.__setattr__(self, "brightness", check.number(where, "brightness", self.brightness, least=0))
        for name in ("contrast", "saturation"):
            object.__setattr__(self, name, check.number(where, name, getattr(self, name), least=0, most=1))

    def check_images(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError where images of the shape (N, C, H, W) cannot be changed in these ways."""
        if len(shape) != 4:
            raise ValueError(f"Augmentation: the images have shape {shape}; they must be images (N, C, H, W)")
        H, W = shape[2:]
        if self.shift >= min(H, W) or self.cutout > min(H, W):
            raise ValueError(
                f"Augmentation: shift is {self.shift} and cutout {self.cutout}, but the images have {H}x{W} pixels; "
                "shift must be smaller than that, and cutout no larger"
            )

    def draw(self, epoch: int, first: int, chosen: np.ndarray, count: int, size: tuple[int, int]) -> Changes:
        """What happens to some images.

        Parameters
        ----------
        epoch : int
            From 0.
        first : int
            The place in the epoch of the first of them; the others follow.
        chosen : int array (N,)
            Which images of the training set they are.
        count : int
            How many images the training set has, and an epoch places.
        size : (int, int)
            Height and width of the images.
        """
        places = np.arange(first, first + len(chosen)) % count
        epoch_moves, epoch_tones = self._of_epoch(epoch, count, size)
        moves, tones = epoch_moves[places], epoch_tones[places]
        if self.flip == "alternating":
            moves[:, 2] = (self._first_flips(count)[chosen] + epoch) % 2
        return Changes(moves, tones)

    @functools.lru_cache(maxsize=2)  # noqa: B019  the object is small, and so is what is kept
    def _of_epoch(self, epoch: int, count: int, size: tuple[int, int]) -> Changes:
        rng = _stream(self.seed, _EPOCHS, epoch)
        moves = np.zeros((count, 5), np.int64)
        moves[:, :2] = rng.integers(-self.shift, self.shift + 1, (count, 2))
        flips = rng.integers(2, size=count)
        if self.flip == "random":
            moves[:, 2] = flips
        for axis, length in enumerate(size):
            moves[:, 3 + axis] = rng.integers(length - self.cutout + 1, size=count)
        spread = np.array([self.contrast, self.saturation, self.brightness])
        tones = np.array([1, 1, 0]) + spread * rng.uniform(-1, 1, (count, 3))
        return Changes(moves, tones.astype(np.float32))

    @functools.lru_cache(maxsize=2)  # noqa: B019
    def _first_flips(self, count: int) -> np.ndarray:
        return _stream(self.seed, _FLIPS).integers(2, size=count)


def _stream(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def changed(X: Any, chosen: np.ndarray, changes: Changes, cutout: int) -> np.ndarray:
    """The chosen images of X, changed: (N, C, H, W), channels-last in memory.

    X is an array (all images, C, H, W), or has its bytes in ``pixels`` (all images, H, W, C) and says in ``affine``
    what is to be subtracted from them and what they are to be divided by: see `pellucid.data.ByteImages`.
    """
    C, H, W = X.shape[1:]
    if hasattr(X, "pixels"):
        pixels, (mean, scale) = X.pixels, X.affine
    else:
        pixels, chosen = np.ascontiguousarray(X[chosen].transpose(0, 2, 3, 1)), np.arange(len(chosen))
        mean, scale = np.zeros((H, W, C), pixels.dtype), np.ones(C, pixels.dtype)
    out = empty((len(chosen), H, W, C), mean.dtype)
    moves, tones = np.ascontiguousarray(changes.moves), changes.tones.astype(mean.dtype)
    # on one thread, beside the kernels of the step in progress rather than in turn with them
    augment.on_one_thread(
        flat(pixels), chosen.astype(np.int64), flat(moves), flat(tones), flat(mean), np.tile(scale, W), H, W, C,
        cutout, flat(out), 1,
    )  # fmt: skip
    return out.transpose(0, 3, 1, 2)
