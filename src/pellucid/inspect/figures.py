"""Figures of a training run, and how figures are written.

Everything but `imshow_noax`, which draws where the course's notebooks draw, goes through matplotlib's ``Figure``
itself: nothing global changes and no display is needed.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import check
from pellucid.files import write_atomically
from pellucid.inspect.grid import stretched, visualize_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

MARKED_POINTS = 60
"""A curve of up to so many points has a dot on each; a longer one is a line, and a thicker one through its means."""

MOST_DRAWN = 1e100
"""A loss beyond it is a run that has diverged; matplotlib's axes overflow near the largest float."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".svg", ".pdf")

JPEG_OPTIONS = {"quality": 92, "subsampling": 0}
"""Pillow's own setting stores colours at half the size, and those of the filters run into one another."""


def imshow_noax(img: Any, normalize: bool = True) -> None:
    """Show an image on matplotlib's current axes, without ticks.

    Parameters
    ----------
    img : array (H, W) or (H, W, C)
        Brightness from 0 to 255; one channel is shown in grey.
    normalize : bool
        Stretch it to 0 ... 255 by its own smallest and largest value; an image of a single value is mid-grey.
    """
    from matplotlib import pyplot

    picture = _picture("imshow_noax", img, normalize)
    # As pyplot's own imshow does, so that a colorbar finds the image.
    pyplot.sci(_draw(pyplot.gca(), picture))


imshow_no_ax = imshow_noax
"""The course's later spelling."""


def draw_image(axes: Axes, img: Any, normalize: bool = True) -> None:
    """Draw an image into the given axes, without ticks: see `imshow_noax`."""
    _draw(axes, _picture("draw_image", img, normalize))


def _picture(where: str, img: Any, normalize: bool) -> np.ndarray:
    """The bytes to show: (H, W), (H, W, 3) or (H, W, 4)."""
    img = np.asarray(img)
    if img.ndim not in (2, 3) or img.size == 0 or (img.ndim == 3 and img.shape[2] not in (1, 3, 4)):
        raise ValueError(f"{where}: img has shape {img.shape}; it must be (H, W) or (H, W, C) with 1, 3 or 4 channels")
    if img.dtype.kind not in "fiub":
        raise TypeError(f"{where}: img has type {img.dtype}; it must be real numbers")
    check.all_finite(where, "img", img)
    img = stretched(img) if normalize else img.astype(np.float64)
    return _one_channel_is_grey(np.clip(img, 0, 255).astype(np.uint8))


def _one_channel_is_grey(img: np.ndarray) -> np.ndarray:
    """(H, W, 1) as (H, W), which is how matplotlib takes it."""
    return img[:, :, 0] if img.shape[2:] == (1,) else img


def _draw(axes: Axes, picture: np.ndarray) -> AxesImage:
    drawn = axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
    axes.axis("off")
    return drawn


def training_figure(
    loss_history: Sequence[float], train_acc_history: Sequence[float], val_acc_history: Sequence[float]
) -> Figure:
    """The loss against the iteration above, the training and validation accuracy against the epoch below.

    Parameters
    ----------
    loss_history : sequence of floats, one for each iteration
        Where it is NaN or infinite, as when a run diverges, the curve has a gap.
    train_acc_history, val_acc_history : sequences of floats from 0 to 1
        Before the first epoch, and after each.
    """
    from matplotlib.figure import Figure

    losses = _history("loss_history", loss_history)
    train_accuracies = _history("train_acc_history", train_acc_history)
    val_accuracies = _history("val_acc_history", val_acc_history)

    figure = Figure(figsize=(9, 9), layout="constrained")
    upper, lower = figure.subplots(2, 1)
    _draw_loss(upper, losses)
    lower.plot(train_accuracies, "-o", label="train")
    if val_accuracies.size or not train_accuracies.size:  # a run may do without validation images
        lower.plot(val_accuracies, "-o", label="validation")
    lower.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1.02))
    lower.xaxis.get_major_locator().set_params(integer=True)
    lower.legend(loc="lower right")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _history(name: str, values: Any) -> np.ndarray:
    """One number after the other, float64, with NaN for whatever cannot be drawn."""
    history = np.asarray(values)
    if history.ndim != 1 or (history.dtype.kind not in "fiu" and history.size):
        raise ValueError(
            f"training_figure: {name} has shape {history.shape} and type {history.dtype}; it must be a list of "
            f"numbers, such as solver.{name}"
        )
    history = history.astype(np.float64)
    history[~(np.abs(history) < MOST_DRAWN)] = np.nan
    return history


def _draw_loss(axes: Axes, losses: np.ndarray) -> None:
    iterations = np.arange(1, len(losses) + 1)
    if len(losses) <= MARKED_POINTS:
        axes.plot(iterations, losses, "-o")
    else:
        width = -(-len(losses) // MARKED_POINTS)
        starts = range(0, len(losses), width)
        means = [losses[start : start + width].mean() for start in starts]
        middles = [iterations[start : start + width].mean() for start in starts]
        axes.plot(iterations, losses, color="C0", alpha=0.25, linewidth=0.8, label="each step")
        axes.plot(middles, means, "-o", color="C0", markersize=4, label=f"mean of {width} steps")
        axes.legend(loc="upper right")
    axes.set(xlabel="iteration", ylabel="loss")


def filters_figure(w: Any) -> Figure:
    """First-layer filters as a grid of small images.

    Parameters
    ----------
    w : array (F, C, HH, WW)
        Three channels are shown as red, green and blue, one as grey; of any other number the mean over the channels is
        shown, in grey. Each filter is stretched to the whole range of brightness.
    """
    from matplotlib.figure import Figure

    where = "filters_figure"
    (w,) = check.floats(where, w=w)
    check.images(where, "w", w)
    check.all_finite(where, "w", w)
    C = w.shape[1]
    if C not in (1, 3):
        w = (w / C).sum(axis=1, keepdims=True)  # the mean; a sum first could overflow
    figure = Figure(figsize=(5, 5), layout="constrained")
    grid = visualize_grid(w.transpose(0, 2, 3, 1))
    axes = figure.subplots()
    _draw(axes, _one_channel_is_grey(grid.astype(np.uint8))).set_interpolation("nearest")
    return figure


def save_figure(figure: Figure, path: Any, dpi: int = 100) -> None:
    """Write a figure, whole or not at all.

    Parameters
    ----------
    figure : matplotlib Figure
        It is left as it was, also one that a window shows.
    path : str or path
        Its ending says the format: PNG, JPEG, SVG or PDF. A file that is there is replaced; the folder must exist.
    dpi : int
        Pixels to the inch.

    Raises
    ------
    TypeError, ValueError, OSError
        No figure; another ending; what the system reports, naming the file.
    """
    from matplotlib.figure import Figure

    where = "save_figure"
    if not isinstance(figure, Figure):
        raise TypeError(f"{where}: figure is a {type(figure).__name__}; it must be a matplotlib Figure")
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{where}: path is a {type(path).__name__}; it must be a file's name, such as 'train.png'")
    dpi = check.whole_number(where, "dpi", dpi, least=1)
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{where}: {path} ends in {path.suffix!r}; it must end in {', '.join(SUFFIXES)}")
    content = io.BytesIO()
    options: dict[str, Any] = {"pil_kwargs": JPEG_OPTIONS} if suffix in (".jpg", ".jpeg") else {}
    figure.savefig(content, format=suffix[1:], dpi=dpi, facecolor="white", **options)
    write_atomically(path, content.getvalue())
