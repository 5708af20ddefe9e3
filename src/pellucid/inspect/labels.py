"""Labels beside points of a figure, where they cover nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

DIRECTIONS = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1), (2, 1), (2, -1), (-2, 1), (-2, -1)]
DISTANCES = (10, 17, 26, 38, 52, 70, 90)
"""From a point to its label, in points of 1/72 inch."""

LED_FROM = 24
"""From this distance on, a thin line leads from the label to its point."""

ON_LABEL, ON_POINT, OUTSIDE, FAR = 10.0, 3.0, 30.0, 0.02
"""What it costs to touch another label, to cover a point or a curve's vertex, to leave the axes with all of the label,
and each 1/72 inch of distance: so a label goes further away before it covers anything."""

PASSES = 4
"""Each label is placed so many times, with regard to where the others were put meanwhile."""


def place_labels(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    colours: Sequence[str],
    taken: Iterable[tuple[float, float]] = (),
) -> list[Annotation]:
    """Write each text near its point, where it covers least.

    Call it when everything else is drawn and the limits of the axes are as they will be.

    Parameters
    ----------
    axes : matplotlib Axes
    points : sequence of (x, y)
        In the units of the axes.
    texts, colours : sequences of str
        One each for a point.
    taken : (x, y), ...
        Other places to keep free, such as the vertices of curves.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # which settles where the axes are
    occupied = axes.transData.transform(np.array([*points, *taken], dtype=float).reshape(-1, 2))
    frame = np.array(axes.bbox.extents)
    labels = [_annotation(axes, *one) for one in zip(points, texts, colours, strict=True)]
    choices = [_choices(label, place, occupied, frame) for label, place in zip(labels, occupied, strict=False)]
    boxes: dict[int, np.ndarray] = {}
    distances = [0.0] * len(labels)
    for _ in range(PASSES):
        for i, label in enumerate(labels):
            others = [box for j, box in boxes.items() if j != i]
            best = min(choices[i], key=lambda choice: _cost(choice, others))
            _, direction, distances[i], boxes[i], _ = best
            _move(label, direction, distances[i])
    for label, distance in zip(labels, distances, strict=True):
        if distance >= LED_FROM:
            _lead(axes, label)
    return labels


Choice = tuple[float, tuple[int, int], float, np.ndarray, np.ndarray]
"""What a place costs by itself, the direction and distance from the point, the box (left, bottom, right, top), and
places (8, 2) on the line that leads there; both in pixels."""


def _annotation(axes: Axes, point: tuple[float, float], text: str, colour: str) -> Annotation:
    label = axes.annotate(
        text, point, (0, 0), textcoords="offset points", fontsize=9, color=colour, parse_math=False, zorder=5
    )
    label.set_in_layout(False)  # the axes stay where they are
    return label


def _choices(label: Annotation, place: np.ndarray, occupied: np.ndarray, frame: np.ndarray) -> list[Choice]:
    choices: list[Choice] = []
    for distance in DISTANCES:
        for direction in DIRECTIONS:
            _move(label, direction, distance)
            box = np.array(label.get_window_extent().extents)
            outside = 1 - _area(np.maximum(box[:2], frame[:2]), np.minimum(box[2:], frame[2:])) / _area(
                box[:2], box[2:]
            )
            inside = np.all((occupied > box[:2] - (5, 3)) & (occupied < box[2:] + (5, 3)), axis=1)
            cost = OUTSIDE * outside + ON_POINT * np.count_nonzero(inside) + FAR * distance
            line = place + np.linspace(0, 1, 8)[:, None] * (np.clip(place, box[:2], box[2:]) - place)
            choices.append((cost, direction, float(distance), box, line))
    return choices


def _cost(choice: Choice, others: list[np.ndarray]) -> float:
    """What the place costs among the other labels."""
    cost, _, _, box, line = choice
    for other in others:
        shared = _area(np.maximum(box[:2], other[:2]) - (6, 2), np.minimum(box[2:], other[2:]) + (6, 2))
        if shared > 0:
            cost += ON_LABEL * (1 + shared / _area(box[:2], box[2:]))
        if np.any(np.all((line > other[:2]) & (line < other[2:]), axis=1)):
            cost += ON_POINT
    return cost


def _area(corner: np.ndarray, opposite: np.ndarray) -> float:
    width, height = np.maximum(opposite - corner, 0)
    return float(width * height)


def _move(label: Annotation, direction: tuple[int, int], distance: float) -> None:
    """So far away from its point, and growing away from it."""
    dx, dy = direction
    length = float(np.hypot(dx, dy))
    label.set_position((dx * distance / length, dy * distance / length))
    across: Literal["left", "center", "right"] = "left" if dx > 0 else "right" if dx else "center"
    up: Literal["bottom", "center", "top"] = "bottom" if dy > 0 else "top" if dy else "center"
    label.set(horizontalalignment=across, verticalalignment=up)


def _lead(axes: Axes, label: Annotation) -> None:
    """A thin line from the label to its point."""
    arrow = {"arrowstyle": "-", "color": label.get_color(), "linewidth": 0.6, "alpha": 0.7, "shrinkA": 0, "shrinkB": 4}
    line = axes.annotate("", label.xy, label.get_position(), textcoords="offset points", arrowprops=arrow)
    line.set_in_layout(False)
