"""Figures of a training run, and how figures are written.

Everything but `imshow_noax`, which draws where the course's notebooks draw, goes through matplotlib's ``Figure``
itself: nothing global changes and no display is needed.
"""

from __future__ import annotations

import io
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

MARKED_POINTS = 60
"""A curve of up to so many points has a dot on each; a longer one is a line, and a thicker one through its means."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".svg", ".pdf")


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

    draw_image(pyplot.gca(), img, normalize)


imshow_no_ax = imshow_noax
"""The course's later spelling."""


def draw_image(axes: Axes, img: Any, normalize: bool = True) -> None:
    """Draw an image into the given axes, without ticks: see `imshow_noax`."""
    img = np.asarray(img)
    if img.ndim not in (2, 3) or img.size == 0 or (img.ndim == 3 and img.shape[2] not in (1, 3, 4)):
        raise ValueError(
            f"imshow_noax: img has shape {img.shape}; it must be (H, W) or (H, W, C) with 1, 3 or 4 channels"
        )
    check.all_finite("imshow_noax", "img", img)
    if normalize:
        img = stretched(img)
    axes.imshow(np.clip(img, 0, 255).astype(np.uint8).squeeze(), cmap="gray", vmin=0, vmax=255)
    axes.axis("off")


def training_figure(
    loss_history: Sequence[float], train_acc_history: Sequence[float], val_acc_history: Sequence[float]
) -> Figure:
    """The loss against the iteration above, the training and validation accuracy against the epoch below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 9), layout="constrained")
    upper, lower = figure.subplots(2, 1)
    _draw_loss(upper, np.asarray(loss_history, dtype=float))
    lower.plot(train_acc_history, "-o", label="train")
    lower.plot(val_acc_history, "-o", label="validation")
    lower.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1.02))
    lower.xaxis.get_major_locator().set_params(integer=True)
    lower.legend(loc="lower right")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


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
        shown, in grey.
    """
    from matplotlib.figure import Figure

    w = np.asarray(w)
    check.images("filters_figure", "w", w)
    if w.shape[1] not in (1, 3):
        w = w.mean(axis=1, keepdims=True)
    figure = Figure(figsize=(5, 5), layout="constrained")
    grid = visualize_grid(w.transpose(0, 2, 3, 1))
    axes = figure.subplots()
    axes.imshow(grid.astype(np.uint8).squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.axis("off")
    return figure


def save_figure(figure: Figure, path: Any, dpi: int = 100) -> None:
    """Write a figure as PNG, JPEG, SVG or PDF, by the file's ending, whole or not at all."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"save_figure: {path} ends in {path.suffix!r}; it must end in {', '.join(SUFFIXES)}")
    content = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(content, format=path.suffix[1:].lower(), dpi=dpi, facecolor="white")
    write_atomically(path, content.getvalue())
