"""The tutorial's picture: photographs as a greyscale filter and an edge filter see them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import check
from pellucid.data.pictures import MOST_FILE_BYTES, decode_picture
from pellucid.inspect.figures import draw_image
from pellucid.layers import conv_forward_fast

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Convolution = Callable[[Any, Any, Any, dict[str, Any]], tuple[np.ndarray, Any]]

MOST_SIDE = 1000
"""So many pixels a side at most: a panel is some 300 wide, and two photographs of 1000 take 0.7 GB to draw."""


def photograph_filters() -> tuple[np.ndarray, np.ndarray]:
    """Two filters (2, 3, 3, 3) and their biases (2,).

    The first makes an image grey: 0.3 of the red, 0.6 of the green and 0.1 of the blue of the pixel itself. The second
    finds horizontal edges in the blue channel: the row above less the row below; its bias of 128 makes no edge
    mid-grey.
    """
    w = np.zeros((2, 3, 3, 3))
    w[0, :, 1, 1] = [0.3, 0.6, 0.1]
    w[1, 2] = [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]
    return w, np.array([0.0, 128.0])


def square_photo(image: Any, size: int = 200) -> np.ndarray:
    """The largest square in the middle of a photograph, brought to size x size pixels.

    Where the margins cannot be equal, the one above or to the left is a pixel narrower.

    Parameters
    ----------
    image : uint8 array (H, W, 3)
    size : int
        Height and width of the result, in pixels, up to 1000.

    Returns
    -------
    uint8 array (size, size, 3)
    """
    from PIL import Image

    where = "square_photo"
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"{where}: image has shape {image.shape} and type {image.dtype}; it must be uint8 (H, W, 3)")
    size = check.whole_number(where, "size", size, least=1)
    if size > MOST_SIDE:
        raise ValueError(f"{where}: size is {size}; it must be at most {MOST_SIDE}")
    H, W, _ = image.shape
    side = min(H, W)
    top, left = (H - side) // 2, (W - side) // 2
    square = np.ascontiguousarray(image[top : top + side, left : left + side])
    return np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.BILINEAR))


def bundled_photographs() -> list[np.ndarray]:
    """The two photographs that come with scikit-learn, uint8 (H, W, 3): a temple and a flower."""
    from sklearn.datasets import load_sample_images

    return [np.asarray(image) for image in load_sample_images().images]


def filter_figure(
    images: Sequence[str | Path | np.ndarray] | None = None,
    names: Sequence[str] | None = None,
    convolve: Convolution = conv_forward_fast,
    *,
    size: int = 200,
) -> Figure:
    """Photographs, and what the two filters make of them: a row each.

    Parameters
    ----------
    images : list of paths or uint8 arrays (H, W, 3), optional
        Files are PNG, JPEG, BMP or WebP, turned upright as their EXIF note says; the bundled photographs where absent.
    names : list of str, optional
        Written beside the rows.
    convolve : function
        ``convolve(x, w, b, {"stride": 1, "pad": 1}) -> (out, cache)``; pass ``conv_forward_naive`` to see that it draws
        the same.
    size : int
        Height and width that the photographs are brought to, in pixels, up to 1000.

    Raises
    ------
    ValueError, TypeError, OSError
        No images, another number of names than of images, or a file that is missing or is no image, by its name.
    """
    from matplotlib.figure import Figure

    where = "filter_figure"
    photos = bundled_photographs() if images is None else _photographs(where, images)
    if names is not None and (not isinstance(names, list | tuple) or len(names) != len(photos)):
        raise ValueError(f"{where}: names is {names!r}; it must be a list of {len(photos)}, one for each image")
    squares = np.stack([square_photo(photo, size) for photo in photos])
    w, b = photograph_filters()
    out, _ = convolve(squares.transpose(0, 3, 1, 2), w, b, {"stride": 1, "pad": 1})

    figure = Figure(figsize=(9, 3 * len(squares) + 0.3), layout="constrained")
    axes = figure.subplots(len(squares), 3, squeeze=False)
    for title, column in zip(("Original image", "Grayscale", "Edges"), axes[0], strict=True):
        column.set_title(title)
    for row, photo, (grey, edges) in zip(axes, squares, out, strict=True):
        draw_image(row[0], photo, normalize=False)
        draw_image(row[1], grey)
        draw_image(row[2], edges)
    for row, name in zip(axes, names or (), strict=False):
        first = row[0]
        first.text(-0.03, 0.5, name, rotation=90, ha="right", va="center", size="large", transform=first.transAxes)
    return figure


def _photographs(where: str, images: Any) -> list[np.ndarray]:
    if isinstance(images, str | os.PathLike) or not isinstance(images, Iterable):
        raise TypeError(
            f"{where}: images is {images!r}; it must be a list of paths or arrays: put a single one in a list"
        )
    photos = [_photograph(where, n, image) for n, image in enumerate(images)]
    if not photos:
        raise ValueError(f"{where}: images is empty; give at least one, or None for the bundled photographs")
    return photos


def _photograph(where: str, n: int, image: Any) -> np.ndarray:
    if isinstance(image, np.ndarray):
        return image
    if not isinstance(image, str | os.PathLike):
        raise TypeError(f"{where}: images[{n}] is a {type(image).__name__}; it must be a path or an array (H, W, 3)")
    return _read(where, Path(image))


def _read(where: str, path: Path) -> np.ndarray:
    with path.open("rb") as stream:
        content = stream.read(MOST_FILE_BYTES + 1)
    if len(content) > MOST_FILE_BYTES:
        raise ValueError(f"{where}: {path} has more than {MOST_FILE_BYTES:,} bytes; replace it or take it out")
    return decode_picture(where, str(path), content)
