"""Images as bytes in memory, as float32 by the batch.

All of CIFAR-10 is 184 MB as bytes and 737 MB as float32. Only the batch in hand needs to be floats, so the pixels stay
bytes, and subtracting the mean is put off until a batch is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import EllipsisType
from typing import Any

import numpy as np

from pellucid import check

# Numbers turned into floats at a time when all of them are wanted: 16 MB, small beside the result.
_BLOCK = 2**22


class ByteImages:
    """uint8 images that look like a float32 array (N, C, H, W): ``images[index]`` is ``(pixels - mean) / scale``.

    It never changes: it cannot be assigned to, and ``select`` returns another one. An index (an integer, a slice, an
    array or list of integers, a mask, or a tuple that starts with one of them) returns a real float32 array of the
    shape that a NumPy array of this shape would give. Batches are NCHW views of channels-last (N, H, W, C) buffers,
    which the fast layers take without copying.

    Parameters
    ----------
    pixels : uint8 array (N, H, W, C), channels last. It is not copied, so do not change it afterwards.
    mean : what to subtract: None, a number, one for each channel (C,), or a mean image (C, H, W).
    scale : what to divide by, after subtracting: a number above zero, or one for each channel (C,).

    Raises
    ------
    TypeError
        If pixels are not bytes.
    ValueError
        If a shape does not fit or scale is not above zero.
    """

    ndim = 4
    dtype = np.dtype(np.float32)

    def __init__(self, pixels: np.ndarray, mean: Any = None, scale: Any = 1.0) -> None:
        where = "ByteImages"
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
            kind = f"{pixels.dtype} array" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise TypeError(f"{where}: pixels is a {kind}; it must be a uint8 array (N, H, W, C)")
        if pixels.ndim != 4 or 0 in pixels.shape[1:]:
            raise ValueError(
                f"{where}: pixels has shape {pixels.shape}; it must have four axes (N, H, W, C), channels last, and "
                "at least one pixel: images.transpose(0, 2, 3, 1) makes it from (N, C, H, W)"
            )
        N, H, W, C = pixels.shape
        self._pixels = pixels.view()
        self._pixels.flags.writeable = False
        self._mean = _checked_mean(where, mean, (C, H, W))
        self._scale = _checked_scale(where, scale, C)
        self._affine: tuple[np.ndarray, np.ndarray] | None = None
        self.shape = (N, C, H, W)

    @property
    def pixels(self) -> np.ndarray:
        """The bytes themselves, uint8 (N, H, W, C): a view that cannot be written to."""
        return self._pixels

    @property
    def mean(self) -> np.ndarray | float | None:
        """What is subtracted: None, a number, float32 (C,), or a float32 mean image (C, H, W)."""
        if isinstance(self._mean, np.ndarray) and self._mean.ndim == 3:
            return self._mean.transpose(2, 0, 1)
        return self._mean

    @property
    def scale(self) -> Any:
        """What is divided by: a number, or float32 (C,)."""
        return self._scale

    @property
    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """What turns bytes into numbers: float32 (H, W, C), which is subtracted, and (C,), which is then divided by.

        Both are contiguous and cannot be written to. For code that normalises ``pixels`` itself:
        ``(pixels - mean) / scale`` in float32 is bit by bit what an index gives.
        """
        if self._affine is None:
            N, C, H, W = self.shape
            mean = np.empty((H, W, C), self.dtype)
            mean[:] = 0 if self._mean is None else self._mean
            scale = np.empty(C, self.dtype)
            scale[:] = self._scale
            for array in (mean, scale):
                array.flags.writeable = False
            self._affine = mean, scale
        return self._affine

    @property
    def size(self) -> int:
        """How many numbers there are: N * C * H * W."""
        return self._pixels.size

    @property
    def nbytes(self) -> int:
        """The bytes really held: a quarter of what a float32 array of this shape holds, and the mean image."""
        return self._pixels.nbytes + (self._mean.nbytes if isinstance(self._mean, np.ndarray) else 0)

    def __len__(self) -> int:
        return len(self._pixels)

    def __repr__(self) -> str:
        mean: Any = self.mean
        if isinstance(mean, np.ndarray):
            mean = mean.tolist() if mean.ndim == 1 else f"image of shape {mean.shape}"
        scale = self._scale.tolist() if isinstance(self._scale, np.ndarray) else self._scale
        return f"ByteImages(shape={self.shape}, mean={mean}, scale={scale}, {self.nbytes:,} bytes)"

    def __getitem__(self, key: Any) -> np.ndarray:
        first, *rest = key if isinstance(key, tuple) and key else (key,)
        index = _checked_index(first, len(self))
        taken = self._floats(self._pixels[index])
        images = np.moveaxis(taken, -1, -3)
        if not rest:
            return images
        _check_rest(rest)
        return images[(slice(None),) * (images.ndim - 3) + tuple(rest)]

    def select(self, indices: Any) -> ByteImages:
        """The images of an index (a slice, integers or a mask), with the same mean and scale, still as bytes.

        A slice shares the memory; integers and masks copy the chosen bytes.
        """
        index = _checked_index(indices, len(self))
        pixels = self._pixels[index]
        if pixels.ndim != 4:
            raise ValueError(
                f"ByteImages.select: indices is {indices!r}; it must choose a row of images: a slice, a list of "
                "integers or a mask"
            )
        return ByteImages(pixels, self.mean, self._scale)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All images as one array, float32 unless ``dtype`` says otherwise.

        This is what the class is there to avoid: it takes four bytes (float64: eight) for every byte held.
        """
        if copy is False:
            raise ValueError(
                "ByteImages: the images are bytes and become floats only in a copy; leave out copy=False, or take a "
                "batch with images[start:stop]"
            )
        return self._all(dtype).transpose(0, 3, 1, 2)

    def astype(self, dtype: Any, copy: bool = True) -> np.ndarray:
        """All images as one array of a floating type, always a new one. Costs what ``np.asarray`` of them costs."""
        return self.__array__(dtype)

    def reshape(self, *shape: Any) -> np.ndarray:
        """All images as one float32 array of another shape, in NCHW order: four bytes for every byte held."""
        N, C, H, W = self.shape
        out = np.empty((N, C, H, W), self.dtype)
        for block in blocks(self._pixels, _BLOCK):
            out[block] = self[block]
        return out.reshape(*shape)

    def _all(self, dtype: Any) -> np.ndarray:
        """All images, channels last, a block at a time so that nothing but the result is large."""
        wanted = self.dtype if dtype is None else np.dtype(dtype)
        if wanted.kind != "f":
            raise TypeError(
                f"ByteImages: dtype is {wanted}; it must be float32 or float64, for pixels less their mean are no "
                "whole numbers: the bytes themselves are in .pixels"
            )
        out = np.empty(self._pixels.shape, wanted)
        for block in blocks(self._pixels, _BLOCK):
            out[block] = self._floats(self._pixels[block])
        return out

    def _floats(self, pixels: np.ndarray) -> np.ndarray:
        """(pixels - mean) / scale in float32, for bytes of shape (..., H, W, C)."""
        out = pixels.astype(self.dtype)
        if self._mean is not None:
            out -= self._mean
        if isinstance(self._scale, np.ndarray) or self._scale != 1.0:
            out /= self._scale
        return out


def blocks(pixels: np.ndarray, most: int) -> Iterator[slice]:
    """Slices of images that hold at most so many numbers each (and at least one image), from first to last."""
    step = max(1, most // max(1, int(np.prod(pixels.shape[1:]))))
    for start in range(0, len(pixels), step):
        yield slice(start, min(start + step, len(pixels)))


def _checked_mean(where: str, mean: Any, shape: tuple[int, int, int]) -> np.ndarray | float | None:
    """None, a float, one number a channel (C,), or a mean image turned channels last (H, W, C); float32 and our own."""
    if mean is None:
        return None
    array = np.asarray(mean)
    if array.dtype.kind not in "fiu":
        raise TypeError(
            f"{where}: mean is {mean!r}; it must be None, a number, {shape[0]} numbers or a mean image {shape}"
        )
    check.all_finite(where, "mean", array.reshape(-1))
    if array.ndim == 0:
        return float(array)
    if array.ndim == 1:
        check.shape(where, "mean", array, shape[:1], f"one number for each channel, or a mean image {shape}")
    else:
        check.shape(where, "mean", array, shape, "one number for each pixel and channel of an image (C, H, W)")
    channels_last = np.array(np.moveaxis(array, 0, -1), np.float32, order="C")
    channels_last.flags.writeable = False
    return channels_last


def _checked_scale(where: str, scale: Any, C: int) -> np.ndarray | float:
    """A float above zero, or one for each channel (C,), float32 and our own."""
    if np.ndim(scale) == 0:
        return check.number(where, "scale", scale, above=0)
    array = np.array(scale)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{where}: scale is {scale!r}; it must be a number, or one number for each channel")
    check.shape(where, "scale", array, (C,), "one number for each channel")
    with np.errstate(over="ignore", under="ignore"):
        array = array.astype(np.float32)
    if not np.all(np.isfinite(array) & (array > 0)):
        raise ValueError(f"{where}: scale is {array.tolist()}; every channel's must be above 0 and finite")
    array.flags.writeable = False
    return array


def _checked_index(index: Any, count: int) -> Any:
    """An integer, a slice, an array of integers, or a mask of the right length; anything else is refused."""
    if isinstance(index, slice):
        return index
    array = np.asarray(index) if isinstance(index, Sequence | np.ndarray | np.generic | int) else np.asarray(None)
    if array.size == 0 and isinstance(index, list):
        return array.astype(np.intp)
    if array.dtype == bool and array.shape == (count,):
        return array
    if array.dtype == bool and array.ndim:
        raise IndexError(
            f"ByteImages: the mask has shape {array.shape}; it must be ({count},), one value for each image"
        )
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"ByteImages: the first index is {index!r}; it must be an integer, a slice, integers or a mask of images"
        )
    return array if array.ndim else int(array)


def _check_rest(rest: list[Any]) -> None:
    """Arrays behind the first index would pair up with it; only np.asarray's own indexing does that right."""
    for item in rest:
        if isinstance(item, bool) or not isinstance(item, slice | int | np.integer | EllipsisType | None):
            raise TypeError(
                f"ByteImages: an index behind the first is {item!r}; only integers and slices may stand there: take "
                "the images first, images[i][:, channels]"
            )
