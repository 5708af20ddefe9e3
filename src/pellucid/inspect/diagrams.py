"""Diagrams for lessons: one neuron with its numbers, and layers in a row with what goes forward and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pellucid import check
from pellucid.inspect.drawings import GROUPS
from pellucid.inspect.runs import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_INPUTS = 9
"""So many fit below each other and can be read."""
STAGE_IN = 2.0
BOX = 1.25, 0.9


def neuron_figure(x: Any, w: Any, b: float = 0.0) -> Figure:
    """One neuron: its inputs times its weights, their sum with the bias, and what ReLU makes of it.

    Parameters
    ----------
    x : array (n,)
        What the neuron sees, up to nine numbers.
    w : array (n,)
        Its weights.
    b : float
        Its bias.

    Raises
    ------
    ValueError, TypeError
        Other than one to nine inputs, or another number of weights than of inputs.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle

    where = "neuron_figure"
    x, w = check.floats(where, x=x, w=w)
    b = check.number(where, "b", b)
    if x.ndim != 1 or not 1 <= x.size <= MOST_INPUTS:
        raise ValueError(f"{where}: x has shape {x.shape}; it must be a row of 1 to {MOST_INPUTS} numbers")
    check.shape(where, "w", w, x.shape, "there is a weight for each of x")
    z = float(x @ w) + b
    high = 0.6 * max(x.size, 3)
    figure = Figure(figsize=(7.2, 0.9 * high))
    axes = figure.add_axes((0, 0, 1, 1))
    middle = high / 2
    for k, (value, weight) in enumerate(zip(x, w, strict=True)):
        y = middle + ((x.size - 1) / 2 - k) * 0.6
        axes.text(0.55, y, f"{value:.3g}", ha="right", va="center", fontsize=10)
        axes.text(1.1, y, f"× {weight:.3g}", ha="center", va="center", fontsize=10, color=COLOURS[1])
        axes.plot([1.5, 2.95], [y, middle], color="0.5", linewidth=0.8, zorder=0)
    axes.add_patch(Circle((3.5, middle), 0.62, facecolor=GROUPS[0], edgecolor="0.3"))
    axes.text(3.5, middle, "Σ x w + b", ha="center", va="center", fontsize=10)
    _arrow(axes, (4.15, middle), (5.35, middle))
    axes.text(4.72, middle + 0.1, f"{z:.4g}", ha="center", va="bottom", fontsize=10)
    axes.text(3.5, middle - 0.75, f"{float(x @ w):.4g} + {b:.4g}", ha="center", va="top", fontsize=9)
    axes.add_patch(Circle((5.95, middle), 0.58, facecolor=GROUPS[1], edgecolor="0.3"))
    axes.text(5.95, middle, "max(0, ·)", ha="center", va="center", fontsize=9)
    _arrow(axes, (6.55, middle), (7.45, middle))
    axes.text(7.6, middle, f"{max(z, 0.0):.4g}", ha="left", va="center", fontsize=11)
    axes.set(xlim=(0, 8.2), ylim=(0, high), aspect="equal")
    axes.axis("off")
    return figure


@dataclass(frozen=True)
class Stage:
    """A layer in a row of layers.

    Attributes
    ----------
    name : str
    cache : str
        What it keeps for the way back, written in it.
    gives : str
        The gradients for its own parameters, which leave the row below it.
    """

    name: str
    cache: str = ""
    gives: str = ""


def flow_figure(stages: Sequence[Stage], values: Sequence[str], gradients: Sequence[str] | None = None) -> Figure:
    """Layers in a row: above, what goes forward; below, the gradients that come back.

    Parameters
    ----------
    stages : sequence of Stage
    values : sequence of str
        What stands before the first stage, between the stages and behind the last: one more than there are stages.
    gradients : sequence of str, optional
        The same for the way back, in the same order, from left to right; an empty one is not computed.

    Raises
    ------
    ValueError, TypeError
        No stages or something else, or other than one name more than stages.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch

    where = "flow_figure"
    if not stages or not all(isinstance(stage, Stage) for stage in stages):
        raise TypeError(f"{where}: stages must be a list of Stage, at least one")
    for name, words in (("values", values), ("gradients", gradients)):
        if words is not None and len(words) != len(stages) + 1:
            raise ValueError(f"{where}: {name} has {len(words)} names; {len(stages)} stages need {len(stages) + 1}")
    width = STAGE_IN * len(stages) + 1.5
    figure = Figure(figsize=(min(width, 12.0), min(width, 12.0) / width * 2.1))
    axes = figure.add_axes((0, 0, 1, 1))
    for number, stage in enumerate(stages):
        x, (w, h) = 1.15 + STAGE_IN * number, BOX
        corners = FancyBboxPatch(
            (x, 1 - h / 2), w, h, boxstyle="round,pad=0.02", facecolor=GROUPS[number % 2], edgecolor="0.3"
        )
        axes.add_patch(corners)
        axes.text(x + w / 2, 1.18 if stage.cache else 1, stage.name, ha="center", va="center", fontsize=10)
        if stage.cache:
            axes.text(x + w / 2, 0.78, f"keeps {stage.cache}", ha="center", va="center", fontsize=8, color="0.3")
        if stage.gives:
            _arrow(axes, (x + w / 2, 0.52), (x + w / 2, 0.18), COLOURS[1])
            axes.text(x + w / 2, 0.13, stage.gives, ha="center", va="top", fontsize=9.5, color=COLOURS[1])
    _draw_ways(axes, values, gradients)
    axes.set(xlim=(0, width), ylim=(-0.25, 1.85), aspect="equal")
    axes.axis("off")
    return figure


def _draw_ways(axes: Axes, values: Sequence[str], gradients: Sequence[str] | None) -> None:
    gap = STAGE_IN - BOX[0]
    for number, value in enumerate(values):
        left = 1.15 + STAGE_IN * number - gap + 0.05
        right, centre = left + gap - 0.1, left + gap / 2 - 0.05
        _arrow(axes, (left, 1.22), (right, 1.22), COLOURS[0])
        axes.text(centre, 1.28, value, ha="center", va="bottom", fontsize=9.5, color=COLOURS[0])
        if gradients is not None and gradients[number]:
            _arrow(axes, (right, 0.78), (left, 0.78), COLOURS[1])
            axes.text(centre, 0.7, gradients[number], ha="center", va="top", fontsize=9.5, color=COLOURS[1])


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = "0.2") -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": colour})
