"""The confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import check

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NUMBERED = 25
"""Up to so many classes the cells hold numbers; beyond, only colours."""

MOST_NAMED = 120
"""Up to so many classes have their names at the edges."""

LONGEST_NAME = 24

MOST_MISTAKEN = 0.2
"""From this share of a row on, a mistake has the darkest orange."""

MISTAKES, RIGHT = "Oranges", "Blues"
"""Colour maps that also the colour-blind tell apart. The diagonal has its own: next to shares of 0.9, mistakes of 0.01
would all look white."""


def confusion_figure(confusion: Any, classes: Sequence[str]) -> Figure:
    """What was taken for what: the right classes down, the classes that images were taken for across.

    Right answers are blue, by their share of the row; mistakes are orange, by the square root of their share, so that a
    few can be seen, too. Up to 25 classes the cells hold the counts, and each row ends with its share of right answers.

    Parameters
    ----------
    confusion : integer array (K, K)
        ``confusion[i, j]``: images of class i that were taken for class j, as `pellucid.training.evaluate` counts them.
    classes : sequence of K str

    Raises
    ------
    ValueError, TypeError
        Not square, not counts, or not a name for each class.
    """
    from matplotlib.figure import Figure

    counts, names = _checked("confusion_figure", confusion, classes)
    K = len(counts)
    cell = 0.55 if K <= MOST_NUMBERED else max(0.09, 12 / K)  # inches
    side = max(2.2, cell * min(K, MOST_NAMED))
    margin = 0.9 + 0.075 * max(map(len, names)) if K <= MOST_NAMED else 0.9
    figure = Figure(figsize=(side + margin + 1.0, side + margin + 0.4))
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.1)  # inches
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    colours = _colours(shares)
    axes.imshow(colours, interpolation="nearest")
    _label(axes, names, points=min(10.0, 0.72 * 72 * side / K))
    if K <= MOST_NUMBERED:
        _number(axes, counts, colours, inches=side / K)
        _end_rows(axes, counts, shares)
    right, N = int(np.trace(counts)), int(counts.sum())
    reached = f"{100 * right / N:.2f} % right: " if N else ""
    axes.set_title(f"{reached}{right:,} of {N:,} images", fontsize=11, pad=10)
    return figure


def _checked(where: str, confusion: Any, classes: Any) -> tuple[np.ndarray, list[str]]:
    counts = np.asarray(confusion)
    if isinstance(classes, str) or not isinstance(classes, Sequence) or not all(isinstance(c, str) for c in classes):
        raise TypeError(f"{where}: classes is {classes!r}; it must be a list of names, such as ['cat', 'dog']")
    if counts.dtype.kind not in "iu" or (counts.size and counts.min() < 0):
        raise ValueError(f"{where}: confusion has type {counts.dtype}; it must hold counts: integers from 0")
    if not classes:
        raise ValueError(f"{where}: classes is empty; give at least one name")
    check.shape(where, "confusion", counts, (len(classes), len(classes)), f"{len(classes)} classes were named")
    names = [name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…" for name in classes]
    return counts.astype(np.int64), names


def _colours(shares: np.ndarray) -> np.ndarray:
    """(K, K) shares of the row → (K, K, 3) colours."""
    from matplotlib import colormaps

    colours = colormaps[MISTAKES](0.65 * np.sqrt(np.minimum(shares / MOST_MISTAKEN, 1)))[..., :3]
    colours[shares == 0] = 1.0
    diagonal = np.arange(len(shares))
    colours[diagonal, diagonal] = colormaps[RIGHT](0.1 + 0.75 * shares[diagonal, diagonal])[..., :3]
    return colours


def _label(axes: Axes, names: list[str], points: float) -> None:
    """Names at the edges, as large as the cells let them be; fine lines between the cells."""
    K = len(names)
    axes.set(xlabel="taken for", ylabel="class", xticks=[], yticks=[])
    if K <= MOST_NAMED:
        axes.set_xticks(range(K), names, rotation=90 if K > MOST_NUMBERED else 45, fontsize=points)
        axes.set_yticks(range(K), names, fontsize=points)
        if K <= MOST_NUMBERED:
            for label in axes.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
        for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
            label.set_parse_math(False)  # a class may be called "$"
        axes.set_xticks(np.arange(K + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(K + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="0.9", linewidth=0.8 if K <= MOST_NUMBERED else 0.3)
        axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def _number(axes: Axes, counts: np.ndarray, colours: np.ndarray, inches: float) -> None:
    """The counts in their cells, dark on light or light on dark; no zeros but on the diagonal."""
    digits = len(str(counts.max()))
    points = min(10.0, 0.85 * 72 * inches / (0.65 * digits))
    brightness = colours @ (0.299, 0.587, 0.114)
    for i, j in np.ndindex(counts.shape):
        if counts[i, j] or i == j:
            colour = "white" if brightness[i, j] < 0.55 else "0.15"
            axes.text(j, i, str(counts[i, j]), ha="center", va="center", fontsize=points, color=colour)


def _end_rows(axes: Axes, counts: np.ndarray, shares: np.ndarray) -> None:
    """Each class's share of right answers, to the right of its row."""
    K = len(counts)
    for i in range(K):
        text = f"{100 * shares[i, i]:.1f} %" if counts[i].any() else "no images"
        axes.annotate(text, (K - 0.5, i), (6, 0), textcoords="offset points", va="center", fontsize=9, color="0.35")
