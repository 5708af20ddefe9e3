"""Drawings for lessons: volumes of neurons one behind the other, matrices whose numbers one can read, a sliding window.

Diagrams of what is computed in which order are in `diagrams.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import check
from pellucid.inspect.runs import COLOURS
from pellucid.layers import conv_forward_naive
from pellucid.shapes import window

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SLANT = 0.5, 0.35
"""Where a unit of depth goes on the paper: right, and up."""
GAP = 1.6
MARK = "#FFD24D"
GROUPS = ("#CFE3F3", "#FBD9C6", "#CDEBDD", "#F0D9E7", "#FCE9C2")
"""Pale, so that numbers can be read on them; in the order of `pellucid.inspect.runs.COLOURS`."""
CELL_IN = 0.42
LEAST_SHARE = 0.1
"""Of a side: a part that is smaller is drawn as large as that, since one could not see it."""
NEURON = 0.15
MOST_SIDE = 12
"""So many cells a side at most, where every number is to be read."""


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
        Circles along the depth: neurons that see the same part, which two lines join to them.
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
    sizes = [_drawn(volume) for volume in volumes]
    width = sum(w + SLANT[0] * d + GAP for _, w, d in sizes)
    below = 0.35 + 0.4 * max(volume.label.count("\n") + 1 for volume in volumes)
    height = max(h + SLANT[1] * d for h, _, d in sizes) + below + 0.3
    scale = min(0.62, 12 / width)
    figure = Figure(figsize=(scale * width, scale * height))
    axes = figure.add_axes((0, 0, 1, 1))
    x, seen = 0.3, None
    for number, (volume, size) in enumerate(zip(volumes, sizes, strict=True)):
        corners = _draw_volume(axes, x, volume, size, COLOURS[number % 2])
        _draw_neurons(axes, x, volume, size, seen)
        right, seen = x + size[1] + SLANT[0] * size[2], corners
        if volume.operation:
            axes.annotate("", (right + GAP * 0.85, 1.0), (right + GAP * 0.05, 1.0), arrowprops={"arrowstyle": "->"})
            axes.text(right + GAP * 0.45, 1.15, volume.operation, ha="center", va="bottom", fontsize=8.5)
        x = right + GAP
    axes.set(xlim=(0, width), ylim=(-below, height - below), aspect="equal")
    axes.axis("off")
    return figure


def _drawn(volume: Volume) -> tuple[float, float, float]:
    """How long the sides are on paper; neurons need room along the depth."""
    sides = [check.whole_number("volumes_figure", "a volume's side", side, least=1) for side in volume.shape]
    h, w, d = (0.6 + float(np.log2(side)) * 0.55 for side in sides)
    return h, w, max(d, 0.5 * volume.neurons)


def _draw_volume(axes: Axes, x: float, volume: Volume, size: tuple[float, float, float], colour: str) -> Any:
    """Draws it, and returns the corners of its part that lines to neurons leave from."""
    h, w, d = size
    _box(axes, (x, 0), size, colour, 0.18)
    axes.text(x + (w + SLANT[0] * d) / 2, -0.2, volume.label, ha="center", va="top", fontsize=9)
    if volume.part is None:
        return None
    share = [part / whole for part, whole in zip(volume.part, volume.shape, strict=True)]
    inner = h * max(share[0], LEAST_SHARE), w * max(share[1], LEAST_SHARE), d * share[2]
    _box(axes, (x, h - inner[0]), inner, MARK, 0.75)
    right, back = x + inner[1], SLANT[0] * inner[2]
    return (right + back, h + SLANT[1] * inner[2]), (right, h - inner[0])


def _draw_neurons(axes: Axes, x: float, volume: Volume, size: tuple[float, float, float], seen: Any) -> None:
    from matplotlib.patches import Circle

    h, w, d = size
    for k in reversed(range(volume.neurons)):  # the one in front is drawn last
        at = d * (k + 0.5) / volume.neurons
        centre = x + w * 0.45 + SLANT[0] * at, h * 0.62 + SLANT[1] * at
        axes.add_patch(Circle(centre, NEURON, facecolor="white", edgecolor="0.2", linewidth=1, zorder=5))
        if k == 0 and seen:
            for corner in seen:
                axes.plot(*zip(corner, centre, strict=True), color="0.35", linewidth=0.7, zorder=4)


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
    groups : array (rows, columns) of int, optional
        Cells of the same number have the same pale ground: the windows that they belong to. Below zero: white.
    """

    values: Any
    title: str = ""
    marked: Sequence[tuple[int, int]] = ()
    sign: str = ""
    groups: Any = None


def matrices_figure(matrices: Sequence[Matrix]) -> Figure:
    """Matrices side by side, their numbers written out.

    Parameters
    ----------
    matrices : sequence of Matrix
    """

    if not matrices or not all(isinstance(matrix, Matrix) for matrix in matrices):
        raise TypeError("matrices_figure: matrices must be a list of Matrix, at least one")
    return _rows_figure([matrices])


def _rows_figure(rows: Sequence[Sequence[Matrix]]) -> Figure:
    """Rows of matrices, one below the other."""
    from matplotlib.figure import Figure

    shown = [[_values(matrix) for matrix in row] for row in rows]
    heights = [max(len(values) for values in row) + 1.1 for row in shown]
    width = max(sum(values.shape[1] + 1.1 for values in row) for row in shown) - 0.9
    signed = any(row[-1].sign.strip() for row in rows)
    width, height = width + 0.9 * signed, sum(heights)
    figure = Figure(figsize=(CELL_IN * width, CELL_IN * height))
    axes = figure.add_axes((0, 0, 1, 1))
    top = height - 0.1
    for row, values, high in zip(rows, shown, heights, strict=True):
        top -= high
        _draw_row(axes, row, values, top + 0.1, high - 1.1)
    axes.set(xlim=(0, width), ylim=(-0.1, height - 0.1), aspect="equal")
    axes.axis("off")
    return figure


def _values(matrix: Matrix) -> np.ndarray:
    values = np.atleast_2d(np.array(matrix.values, dtype=object))
    if values.ndim != 2:
        raise ValueError("matrices_figure: values must have rows and columns; got another number of axes")
    if matrix.groups is not None and np.shape(matrix.groups) != values.shape:
        raise ValueError(
            f"matrices_figure: groups has shape {np.shape(matrix.groups)} and values {values.shape}; "
            "they must be the same"
        )
    return values


def _draw_row(axes: Axes, matrices: Sequence[Matrix], shown: Sequence[np.ndarray], bottom: float, rows: float) -> None:
    x = 0.1
    for matrix, values in zip(matrices, shown, strict=True):
        H, W = values.shape
        top = bottom + (rows + H) / 2
        axes.text(x + W / 2, top + 0.2, matrix.title, ha="center", va="bottom", fontsize=9)
        for i, j in np.ndindex(H, W):
            group = -1 if matrix.groups is None else int(np.asarray(matrix.groups)[i, j])
            ground = MARK if (i, j) in set(matrix.marked) else "white" if group < 0 else GROUPS[group % len(GROUPS)]
            _cell(axes, (x + j, top - 1 - i), _text(values[i, j]), ground)
        axes.text(x + W + 0.5, bottom + rows / 2, matrix.sign, ha="center", va="center", fontsize=15)
        x += W + 1.1


def _text(value: Any) -> str:
    return value if isinstance(value, str) else f"{float(value) + 0.0:.4g}"  # never "-0"


def _cell(axes: Axes, at: tuple[float, float], text: str, ground: str) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle(at, 1, 1, facecolor=ground, edgecolor="0.6", linewidth=0.8))
    size = 9 if len(text) < 5 else 6.5
    axes.text(at[0] + 0.5, at[1] + 0.5, text, ha="center", va="center", fontsize=size, color="0.1")


def window_figure(
    x: Any, w: Any, b: float = 0.0, *, stride: int = 1, pad: int = 0, stops: Sequence[tuple[int, int]] | None = None
) -> Figure:
    """A window slides over an image: for each stop a row with what it sees, the filter, the products and their sum.

    The results are those of `pellucid.layers.conv_forward_naive`, and appear one after the other.

    Parameters
    ----------
    x : array (H, W)
        One channel.
    w : array (HH, WW)
        One filter.
    b : float
        Its bias.
    stride, pad : int
        As in ``conv_param``. The padded image has 12 rows and columns at most.
    stops : sequence of (int, int), optional
        Rows and columns of the results that are shown, in this order; the first three where absent.

    Raises
    ------
    ValueError, TypeError
        Shapes that do not go together, an image that is too large to be read, a stop that is none.
    """
    where = "window_figure"
    x, w = check.floats(where, x=x, w=w)
    for name, array in (("x", x), ("w", w)):
        if array.ndim != 2:
            raise ValueError(f"{where}: {name} has shape {array.shape}; it must have rows and columns")
    b, pad = check.number(where, "b", b), check.whole_number(where, "pad", pad)
    padded = tuple(side + 2 * pad for side in x.shape)
    if max(padded) > MOST_SIDE:
        raise ValueError(f"{where}: the padded image is {padded}; it must have {MOST_SIDE} rows and columns at most")
    out = conv_forward_naive(x[None, None], w[None, None], np.array([b]), {"stride": stride, "pad": pad})[0][0, 0]
    x_pad = np.pad(x, pad)
    places = list(np.ndindex(out.shape))
    stops = places[:3] if stops is None else list(stops)
    if not stops or not set(stops) <= set(places):
        raise ValueError(f"{where}: stops is {stops!r}; it must be a list of rows and columns below {out.shape}")
    return _rows_figure([_stop_row(x_pad, w, b, stride, out, stops[: n + 1]) for n in range(len(stops))])


def _stop_row(x_pad: Any, w: Any, b: float, stride: int, out: Any, stops: Sequence[tuple[int, int]]) -> list[Matrix]:
    """The last of some stops; the results of all of them are filled in."""
    i, j = stops[-1]
    rows, columns = window(i, len(w), stride), window(j, w.shape[1], stride)
    products = x_pad[rows, columns] * w
    lit = [(r, c) for r in range(rows.start, rows.stop) for c in range(columns.start, columns.stop)]
    filled = np.full(out.shape, "", dtype=object)
    for stop in stops:
        filled[stop] = _text(out[stop])
    return [
        Matrix(x_pad, f"stop ({i}, {j})", lit, "×"),
        Matrix(w, "filter", sign="="),
        Matrix(products, f"products, sum {products.sum():.4g}", sign="→"),
        Matrix(filled, f"{products.sum():.4g} + {_text(b)} = {out[i, j]:.4g}", [(i, j)]),
    ]
