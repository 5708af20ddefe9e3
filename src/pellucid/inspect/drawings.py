"""Drawings for lessons: volumes of neurons one behind the other, and matrices whose numbers one can read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import check
from pellucid.inspect.runs import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SLANT = 0.5, 0.35
"""Where a unit of depth goes on the paper: right, and up."""
GAP = 1.6
MARK = "#FFD24D"
CELL_IN = 0.42


@dataclass(frozen=True)
class Volume:
    """A block of numbers, drawn as a box.

    Attributes
    ----------
    shape : (int, int, int)
        Height, width and depth; their logarithms are drawn, so that 224 and 5 go on one page.
    label : str
        Written below.
    part : (int, int, int), optional
        Height, width and depth of a part at its front that is marked: what one neuron sees.
    neurons : int
        Circles along the depth: neurons that see the same part.
    operation : str
        Written on the arrow that leads to the next volume.
    """

    shape: tuple[int, int, int]
    label: str
    part: tuple[int, int, int] | None = None
    neurons: int = 0
    operation: str = ""


def volumes_figure(volumes: Sequence[Volume]) -> Figure:
    """Volumes in a row, with arrows between.

    Parameters
    ----------
    volumes : sequence of Volume

    Raises
    ------
    ValueError, TypeError
        None are given; something else than volumes.
    """
    from matplotlib.figure import Figure

    if not volumes or not all(isinstance(volume, Volume) for volume in volumes):
        raise TypeError("volumes_figure: volumes must be a list of Volume, at least one")
    sizes = [tuple(_drawn(side) for side in volume.shape) for volume in volumes]
    width = sum(w + SLANT[0] * d + GAP for _, w, d in sizes)
    height = max(h + SLANT[1] * d for h, _, d in sizes) + 1.2
    scale = min(0.62, 12 / width)
    figure = Figure(figsize=(scale * width, scale * height))
    axes = figure.add_axes((0, 0, 1, 1))
    x = 0.3
    for number, (volume, size) in enumerate(zip(volumes, sizes, strict=True)):
        _draw_volume(axes, x, volume, size, COLOURS[number % 2])
        right = x + size[1] + SLANT[0] * size[2]
        if volume.operation:
            axes.annotate("", (right + GAP * 0.8, 1.2), (right + GAP * 0.1, 1.2), arrowprops={"arrowstyle": "->"})
            axes.text(right + GAP * 0.45, 1.4, volume.operation, ha="center", va="bottom", fontsize=9)
        x = right + GAP
    axes.set(xlim=(0, width), ylim=(-1.0, height - 0.9), aspect="equal")
    axes.axis("off")
    return figure


def _drawn(side: int) -> float:
    """How long a side is on paper."""
    return 0.6 + float(np.log2(check.whole_number("volumes_figure", "a volume's side", side, least=1))) * 0.55


def _draw_volume(axes: Axes, x: float, volume: Volume, size: tuple[float, ...], colour: str) -> None:
    h, w, d = size
    _box(axes, (x, 0), (h, w, d), colour, 0.18)
    if volume.part is not None:
        share = [part / whole for part, whole in zip(volume.part, volume.shape, strict=True)]
        inner = (h * max(share[0], 0.25), w * max(share[1], 0.25), d * share[2])
        _box(axes, (x, h - inner[0]), inner, MARK, 0.75)
    for k in range(volume.neurons):
        at = (k + 1) / (volume.neurons + 1)
        centre = x + w * 0.5 + SLANT[0] * d * at, h * 0.55 + SLANT[1] * d * at
        axes.add_patch(_circle(centre))
    axes.text(x + (w + SLANT[0] * d) / 2, -0.25, volume.label, ha="center", va="top", fontsize=9)


def _box(axes: Axes, at: tuple[float, float], size: tuple[float, float, float], colour: str, alpha: float) -> None:
    from matplotlib.patches import Polygon

    (x, y), (h, w, d) = at, size
    dx, dy = SLANT[0] * d, SLANT[1] * d
    front = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
    top = [(x, y + h), (x + w, y + h), (x + w + dx, y + h + dy), (x + dx, y + h + dy)]
    side = [(x + w, y), (x + w + dx, y + dy), (x + w + dx, y + h + dy), (x + w, y + h)]
    for face, shade in ((front, 1.0), (top, 0.75), (side, 0.55)):
        axes.add_patch(Polygon(face, facecolor=colour, edgecolor="0.25", alpha=alpha * shade + 0.05, linewidth=0.8))
        axes.add_patch(Polygon(face, fill=False, edgecolor="0.25", linewidth=0.8))


def _circle(centre: tuple[float, float]) -> Any:
    from matplotlib.patches import Circle

    return Circle(centre, 0.16, facecolor="white", edgecolor="0.2", linewidth=1, zorder=5)


@dataclass(frozen=True)
class Matrix:
    """Numbers in a grid.

    Attributes
    ----------
    values : array (rows, columns), or nested lists of strings
    title : str
    marked : sequence of (int, int)
        Cells that are lit.
    sign : str
        Written behind it: "*", "=", "→".
    """

    values: Any
    title: str = ""
    marked: Sequence[tuple[int, int]] = ()
    sign: str = ""


def matrices_figure(matrices: Sequence[Matrix]) -> Figure:
    """Matrices side by side, their numbers written out.

    Parameters
    ----------
    matrices : sequence of Matrix
    """
    from matplotlib.figure import Figure

    if not matrices or not all(isinstance(matrix, Matrix) for matrix in matrices):
        raise TypeError("matrices_figure: matrices must be a list of Matrix, at least one")
    shown = [np.atleast_2d(np.array(matrix.values, dtype=object)) for matrix in matrices]
    if any(values.ndim != 2 for values in shown):
        raise ValueError("matrices_figure: values must have rows and columns; got another number of axes")
    rows = max(len(values) for values in shown)
    width = sum(values.shape[1] + 1.1 for values in shown)
    figure = Figure(figsize=(CELL_IN * width, CELL_IN * (rows + 1.2)))
    axes = figure.add_axes((0, 0, 1, 1))
    x = 0.1
    for matrix, values in zip(matrices, shown, strict=True):
        H, W = values.shape
        top = (rows + H) / 2
        axes.text(x + W / 2, top + 0.25, matrix.title, ha="center", va="bottom", fontsize=9)
        for i, j in np.ndindex(H, W):
            _cell(axes, (x + j, top - 1 - i), _text(values[i, j]), (i, j) in set(matrix.marked))
        axes.text(x + W + 0.5, rows / 2, matrix.sign, ha="center", va="center", fontsize=15)
        x += W + 1.1
    axes.set(xlim=(0, width), ylim=(-0.1, rows + 1.1), aspect="equal")
    axes.axis("off")
    return figure


def _text(value: Any) -> str:
    return value if isinstance(value, str) else f"{float(value):.4g}"


def _cell(axes: Axes, at: tuple[float, float], text: str, marked: bool) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle(at, 1, 1, facecolor=MARK if marked else "white", edgecolor="0.6", linewidth=0.8))
    size = 9 if len(text) < 5 else 6.5
    axes.text(at[0] + 0.5, at[1] + 0.5, text, ha="center", va="center", fontsize=size, color="0.1")
