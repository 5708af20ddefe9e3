"""The tutorial's picture: photographs as a greyscale filter and an edge filter see them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import check
from pellucid.data.pictures import decode_picture
from pellucid.inspect.figures import draw_image
from pellucid.layers import conv_forward_fast

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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

    Parameters
    ----------
    image : uint8 array (H, W, 3)
    size : int
        Height and width of the result, in pixels.

    Returns
    -------
    uint8 array (size, size, 3)
    """
    from PIL import Image, ImageOps

    where = "square_photo"
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"{where}: image has shape {image.shape} and type {image.dtype}; it must be uint8 (H, W, 3)")
    size = check.whole_number(where, "size", size, least=1)
    photo = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(ImageOps.fit(photo, (size, size), Image.Resampling.BILINEAR))


def bundled_photographs() -> list[np.ndarray]:
    """The two photographs that come with scikit-learn, uint8 (H, W, 3): a temple and a flower."""
    from sklearn.datasets import load_sample_images

    return [np.asarray(image) for image in load_sample_images().images]


def filter_figure(images: Sequence[str | Path] | None = None, size: int = 200) -> Figure:
    """Photographs, and what the two filters make of them: a row each.

    Parameters
    ----------
    images : list of paths, optional
        PNG, JPEG, BMP or WebP files; the bundled photographs where absent.
    size : int
        Height and width that the photographs are brought to, in pixels.

    Raises
    ------
    ValueError, OSError
        A file that is missing or is no image, by its name.
    """
    from matplotlib.figure import Figure

    photos = bundled_photographs() if images is None else [_read(Path(path)) for path in images]
    squares = np.stack([square_photo(photo, size) for photo in photos])
    w, b = photograph_filters()
    out, _ = conv_forward_fast(squares.transpose(0, 3, 1, 2), w, b, {"stride": 1, "pad": 1})

    figure = Figure(figsize=(9, 3 * len(squares) + 0.3), layout="constrained")
    axes = figure.subplots(len(squares), 3, squeeze=False)
    for title, column in zip(("Original image", "Grayscale", "Edges"), axes[0], strict=True):
        column.set_title(title)
    for row, photo, (grey, edges) in zip(axes, squares, out, strict=True):
        draw_image(row[0], photo, normalize=False)
        draw_image(row[1], grey)
        draw_image(row[2], edges)
    return figure


def _read(path: Path) -> np.ndarray:
    return decode_picture("filters", str(path), path.read_bytes())
