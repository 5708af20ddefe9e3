"""From a picture to what a network reads: the same way that its training images went.

file, bytes, Pillow image or array -> upright, RGB or grey, brought to size -> uint8 (N, H, W, C)
uint8 (N, H, W, C) -> (pixels - mean) / scale -> float32 (N, C, H, W)
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import check
from pellucid.data import ByteImages
from pellucid.data.decoding import quiet_pillow
from pellucid.data.pictures import FITS, MOST_FILE_BYTES, MOST_PIXELS, decode_picture, in_grey, picture_of
from pellucid.data.places import opened

ADVICE = (
    "give paths, the content of picture files, Pillow images, or uint8 arrays (H, W, C) or (N, H, W, C), channels last"
)


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """How pictures become a network's input.

    Parameters
    ----------
    size : (int, int)
        Height and width that every picture is brought to.
    channels : int
        3 for RGB, 1 for grey. Another number is for arrays that have as many.
    mean : None, number, array (C,) or (C, H, W)
        What is subtracted from the bytes.
    scale : number or array (C,)
        What they are divided by, after that.
    fit : 'crop', 'stretch' or 'pad'
        What happens to a picture of other proportions: see `pellucid.data.pictures.decode_picture`.

    Raises
    ------
    ValueError, TypeError
        Settings that do not fit together.
    """

    size: tuple[int, int]
    channels: int = 3
    mean: Any = None
    scale: Any = 1.0
    fit: str = "crop"

    def __post_init__(self) -> None:
        where = "Preprocessing"
        if not isinstance(self.size, tuple | list) or len(self.size) != 2:
            raise TypeError(f"{where}: size is {self.size!r}; it must be (height, width)")
        size = tuple(check.whole_number(where, "size", side, least=1) for side in self.size)
        channels = check.whole_number(where, "channels", self.channels, least=1)
        if size[0] * size[1] * channels > MOST_PIXELS:
            raise ValueError(f"{where}: size is {size} with {channels} channels, more than {MOST_PIXELS:,} numbers")
        check.one_of(where, "fit", self.fit, FITS)
        object.__setattr__(self, "size", size)
        for name in ("mean", "scale"):
            value = getattr(self, name)
            if isinstance(value, Sequence) and not isinstance(value, str):
                object.__setattr__(self, name, np.array(value))
        self.floats(np.zeros((1, *size, channels), np.uint8))  # checks mean and scale

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of what the network reads."""
        return (self.channels, *self.size)

    def pixels(self, images: Any, where: str = "Preprocessing.pixels") -> np.ndarray:
        """The pictures as bytes of the right size.

        Parameters
        ----------
        images : path, bytes, Pillow image, uint8 array, or several of them
            An array is (H, W), (H, W, C) or (N, H, W, C), channels last as image libraries have them.

        Returns
        -------
        uint8 array (N, H, W, C)

        Raises
        ------
        ValueError, TypeError, OSError
            What is no picture, by its name or number.
        """
        shape = (*self.size, self.channels)
        if isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape[1:] == shape and len(images):
            return images
        with quiet_pillow():
            found = [self._one(where, f"image {i}", image) for i, image in enumerate(_several(images))]
        if not found:
            raise ValueError(f"{where}: there are no images; {ADVICE}")
        return np.stack(found)

    def floats(self, pixels: np.ndarray) -> np.ndarray:
        """What the network reads: uint8 (N, H, W, C) -> float32 (N, C, H, W), channels-last in memory."""
        return ByteImages(pixels, self.mean, self.scale)[:]

    def _one(self, where: str, name: str, image: Any) -> np.ndarray:
        """One picture, uint8 (H, W, C)."""
        if isinstance(image, str | os.PathLike):
            return self._in_channels(_decoded(where, Path(image), self.size, self.fit))
        if isinstance(image, bytes | bytearray | memoryview):
            return self._in_channels(decode_picture(where, name, bytes(image), self.size, self.fit))
        if isinstance(image, np.ndarray):
            return self._from_array(where, name, image)
        from PIL import Image

        if isinstance(image, Image.Image):
            return self._in_channels(picture_of(image, self.size, self.fit))
        raise TypeError(f"{where}: {name} is a {type(image).__name__}; {ADVICE}")

    def _from_array(self, where: str, name: str, image: np.ndarray) -> np.ndarray:
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.size == 0:
            raise TypeError(f"{where}: {name} is a {image.dtype} array of shape {image.shape}; {ADVICE}")
        H, W, *rest = image.shape
        channels = rest[0] if rest else 1
        if (H, W, channels) == (*self.size, self.channels):
            return image.reshape(H, W, channels)
        from PIL import Image

        if channels not in (1, 3, 4):
            raise ValueError(
                f"{where}: {name} has shape {image.shape}; it must be {(*self.size, self.channels)}, or a picture of "
                "another size with 1, 3 or 4 channels, which stand last"
            )
        picture = Image.fromarray(image.reshape(H, W) if channels == 1 else image)
        return self._in_channels(picture_of(picture, self.size, self.fit))

    def _in_channels(self, rgb: np.ndarray) -> np.ndarray:
        """An RGB picture with the channels that the network reads."""
        if self.channels == 3:
            return rgb
        if self.channels != 1:
            raise ValueError(
                f"Preprocessing: the network reads {self.channels} channels, and a picture has 1 or 3; give uint8 "
                f"arrays (N, {self.size[0]}, {self.size[1]}, {self.channels})"
            )
        return in_grey(rgb)


def _several(images: Any) -> Iterator[Any]:
    """The images one by one, where one was given alone, too."""
    if isinstance(images, str | os.PathLike | bytes | bytearray | memoryview) or hasattr(images, "getbands"):
        yield images
    elif isinstance(images, np.ndarray):
        yield from images if images.ndim == 4 else [images]
    elif isinstance(images, Sequence | Iterator):
        yield from images
    else:
        yield images


def _decoded(where: str, path: Path, size: tuple[int, int], fit: str) -> np.ndarray:
    """A picture file, no larger than any picture that is let through."""
    if not path.exists():
        raise FileNotFoundError(f"{where}: {path} does not exist (looked from {Path.cwd()})")
    with opened(where, path) as file:
        size_bytes = os.fstat(file.fileno()).st_size
        if size_bytes > MOST_FILE_BYTES:
            raise ValueError(f"{where}: {path} has more than {MOST_FILE_BYTES:,} bytes; no picture is that large")
        content = file.read(size_bytes)
    return decode_picture(where, str(path), content, size, fit)
