"""Several training runs on one figure, and what they reached against the time they took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import check
from pellucid.inspect.labels import place_labels
from pellucid.metrics import Metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Told apart by the colour-blind, too: Okabe and Ito, Color Universal Design (2008), without their yellow."""

DASHES = ("-", "--", ":", "-.")
"""Runs beyond the colours' number begin again with the first, dashed."""

UNITS = {"minutes": "minutes", "epochs": "epoch", "steps": "step"}

SMOOTHED_TO = 80
"""A smoothed curve is the mean over a window of one in so many of its points."""

WIDE_RANGE = 8
"""Where a loss falls to less than one in so many of its first value, a linear axis hides how it goes on."""

RAW_POINTS = 3000
"""Points of a raw curve: a picture has no more pixels across."""

TICKS_MIN = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 240, 480, 960, 1440, 2880)

Numbers = float | Sequence[float]


def runs_figure(runs: Mapping[str, Metrics], x: str = "minutes") -> Figure:
    """The loss of several runs above, their accuracies below.

    Parameters
    ----------
    runs : dict of Metrics by label
        Each as `pellucid.training.read_metrics` gives it. A run may be young or without validation.
    x : str
        What stands across: minutes, epochs or steps.

    Raises
    ------
    ValueError, TypeError
        No runs, something else than metrics, or another unit.
    """
    from matplotlib.figure import Figure

    where = "runs_figure"
    check.one_of(where, "x", x, tuple(UNITS))
    if not isinstance(runs, Mapping) or not all(isinstance(run, Metrics) for run in runs.values()):
        raise TypeError(
            f"{where}: runs is {type(runs).__name__}; it must be a dictionary: {{label: read_metrics(path)}}"
        )
    if not runs:
        raise ValueError(f"{where}: runs is empty; give at least one")
    figure = Figure(figsize=(9, 9))
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.1)  # inches
    upper, lower = figure.subplots(2, 1, sharex=True)
    for number, run in enumerate(runs.values()):
        style = {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number // len(COLOURS) % len(DASHES)]}
        _draw_loss(upper, run, x, style)
        _draw_accuracies(lower, run, x, style)
    upper.set_ylabel("loss")
    lower.set(xlabel=UNITS[x], ylabel="accuracy", ylim=(0, 1.02))
    upper.tick_params(labelbottom=True)
    _show_whole_curves(upper, runs)
    _explain(upper, lower, list(runs))
    for axes in (upper, lower):
        _tidy(axes)
    return figure


def _across(run: Metrics, part: str, x: str) -> np.ndarray:
    """Where the run's steps, or its looks at the accuracies, stand on the axis."""
    columns: Any = getattr(run, part)
    return {"minutes": columns.time_s / 60, "epochs": columns.epoch, "steps": columns.step}[x]


def _draw_loss(axes: Axes, run: Metrics, x: str, style: dict[str, Any]) -> None:
    """A faint line through the steps, and a strong one through the mean of their neighbourhood."""
    at, loss = _across(run, "steps", x), run.steps.loss
    known = np.isfinite(at) & np.isfinite(loss)
    at, loss = at[known], loss[known]
    step = -(-max(1, len(at)) // RAW_POINTS)
    axes.plot(at[::step], loss[::step], color=style["color"], alpha=0.25, linewidth=0.7)
    axes.plot(at, smoothed(loss), linewidth=1.8, marker="o" if len(at) == 1 else None, **style)


def smoothed(values: np.ndarray) -> np.ndarray:
    """The mean of each value and its neighbours, as many on both sides; near the end only those before. (N,) → (N,)"""
    N = len(values)
    half = N // (2 * SMOOTHED_TO)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    i = np.arange(N)
    before = np.minimum(half, i)
    after = np.minimum(before, N - 1 - i)  # at the steep beginning no further than before, or it would be drawn too low
    return (sums[i + after + 1] - sums[i - before]) / (after + before + 1)


def _draw_accuracies(axes: Axes, run: Metrics, x: str, style: dict[str, Any]) -> None:
    """Validation with dots, training thin."""
    at = _across(run, "epochs", x)
    marker = "o" if len(at) <= SMOOTHED_TO else None
    axes.plot(
        at, run.epochs.train_accuracy, color=style["color"], linestyle=style["linestyle"], linewidth=0.9, alpha=0.6
    )
    axes.plot(at, run.epochs.val_accuracy, linewidth=1.8, marker=marker, markersize=4, **style)


def _show_whole_curves(axes: Axes, runs: Mapping[str, Metrics]) -> None:
    """Let the strong lines fill the height: single steps may lie far away. Wide ranges are drawn by their logarithm."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    curves = [smoothed(run.steps.loss[np.isfinite(run.steps.loss)]) for run in runs.values()]
    values = np.concatenate(curves)
    if not len(values):
        return
    lowest, highest = float(values.min()), float(values.max())
    if 0 < lowest < highest / WIDE_RANGE:
        axes.set_yscale("log")
        marks = (1, 2, 3, 5) if highest < 300 * lowest else (1,)
        axes.yaxis.set_major_locator(LogLocator(subs=marks))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, position: f"{value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylim(0.85 * lowest, 1.15 * highest)
    elif lowest >= 0 and highest > 0:
        axes.set_ylim(0, 1.15 * highest)


def _explain(upper: Axes, lower: Axes, labels: list[str]) -> None:
    """Which colour is which run, above; which line is which accuracy, below."""
    from matplotlib.lines import Line2D

    strong = [line for line in upper.get_lines() if line.get_linewidth() > 1]
    legend = upper.legend(strong, [" " + label for label in labels], loc="upper right", fontsize=9)  # "_" would hide it
    for text in legend.get_texts():
        text.set_parse_math(False)
    lines = [
        Line2D([], [], color="0.3", linewidth=1.8, marker="o", markersize=4),
        Line2D([], [], color="0.3", linewidth=0.9, alpha=0.6),
    ]
    lower.legend(lines, ["validation", "training"], loc="lower right", fontsize=9)


def _tidy(axes: Axes) -> None:
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


@dataclass(frozen=True)
class AccuracyPoint:
    """What one recipe reached, and how long it took: see `accuracy_figure`.

    Attributes
    ----------
    label : str
    minutes, accuracy : float, or a sequence with one for each seed
        Accuracies from 0 to 1.
    kind : str
        Points of a kind share a colour, such as all that one program trained; "" is a kind of its own for each point.
    curve : (minutes, accuracies), optional
        The accuracy after each epoch of one run, as two sequences.
    """

    label: str
    minutes: Numbers
    accuracy: Numbers
    kind: str = ""
    curve: tuple[Sequence[float], Sequence[float]] | None = None


def accuracy_figure(points: Sequence[AccuracyPoint], title: str = "", least: float | None = None) -> Figure:
    """Accuracy against minutes on a logarithmic axis: a labelled marker for each recipe, at the mean over its seeds.

    Bars reach from the lowest to the highest of several seeds, whose own places are small dots.

    Parameters
    ----------
    points : sequence of AccuracyPoint
    title : str
        What was measured and on which data: the figure is read without its text.
    least : float, optional
        The accuracy at the bottom of the figure. None: a little below the lowest of the markers.

    Raises
    ------
    ValueError, TypeError
        No points; accuracies outside 0 ... 1; minutes that are not above 0; not as many minutes as accuracies.
    """
    from matplotlib.figure import Figure

    where = "accuracy_figure"
    measured = _checked_points(where, points)
    figure = Figure(figsize=(9, 6))
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.1)  # inches
    axes = figure.subplots()
    kinds = list(dict.fromkeys(point.kind or f"\0{i}" for i, point in enumerate(points)))
    colours = [COLOURS[kinds.index(point.kind or f"\0{i}") % len(COLOURS)] for i, point in enumerate(points)]
    for point, (minutes, accuracy), colour in zip(points, measured, colours, strict=True):
        _draw_point(axes, point, minutes, accuracy, colour)
    if least is None:
        lowest, highest = (f([f(accuracy) for _, accuracy in measured]) for f in (min, max))
        bottom = lowest - max(0.03, 0.5 * (highest - lowest))
    else:
        bottom = check.number(where, "least", least, least=0, most=1)
    _frame(axes, measured, max(0.0, bottom))
    axes.set_title(title, fontsize=11, parse_math=False)
    _name_kinds(axes, [point.kind for point in points], colours)
    means = [(float(np.mean(minutes)), 100 * float(np.mean(accuracy))) for minutes, accuracy in measured]
    taken = [tuple(place) for line in axes.get_lines() for place in np.column_stack(line.get_data())]
    texts = [_described(point.label, *place) for point, place in zip(points, measured, strict=True)]
    place_labels(axes, means, texts, colours, [place for place in taken if np.isfinite(place).all()])
    return figure


def _checked_points(where: str, points: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """(minutes, accuracies) of each point, (seeds,) each."""
    if not isinstance(points, Sequence) or not all(isinstance(point, AccuracyPoint) for point in points):
        raise TypeError(f"{where}: points is {points!r}; it must be a list of AccuracyPoint")
    if not points:
        raise ValueError(f"{where}: points is empty; give at least one")
    measured = []
    for point in points:
        measured.append(_checked_place(where, point.label, point.minutes, point.accuracy))
        if point.curve is not None:
            _checked_place(where, f"the curve of {point.label}", *point.curve)
    return measured


def _checked_place(where: str, label: str, minutes: Any, accuracy: Any) -> tuple[np.ndarray, np.ndarray]:
    columns = []
    for name, values in (("minutes", minutes), ("accuracy", accuracy)):
        column = np.atleast_1d(np.asarray(values))
        if column.ndim != 1 or column.dtype.kind not in "fiu" or not column.size or not np.isfinite(column).all():
            raise ValueError(f"{where}: {name} of {label} is {values!r}; it must be a number, or one for each seed")
        columns.append(column.astype(np.float64))
    t, a = columns
    if len(t) != len(a):
        raise ValueError(f"{where}: {label} has {len(t)} minutes but {len(a)} accuracies; give as many of both")
    if t.min() <= 0:
        raise ValueError(f"{where}: minutes of {label} are {minutes!r}; they must be above 0")
    if a.min() < 0 or a.max() > 1:
        raise ValueError(f"{where}: accuracy of {label} is {accuracy!r}; it must be from 0 to 1")
    return t, a


def _draw_point(axes: Axes, point: AccuracyPoint, minutes: np.ndarray, accuracy: np.ndarray, colour: str) -> None:
    if point.curve is not None:
        t, a = (np.asarray(values, dtype=float) for values in point.curve)
        axes.plot(t, 100 * a, color=colour, linewidth=1.1, alpha=0.45)
    if len(accuracy) > 1:
        axes.plot(minutes, 100 * accuracy, "o", color=colour, markersize=3, alpha=0.5)
    mean = float(accuracy.mean())
    spread = [[100 * (mean - accuracy.min())], [100 * (accuracy.max() - mean)]] if len(accuracy) > 1 else None
    axes.errorbar(
        [minutes.mean()],
        [100 * mean],
        yerr=spread,
        fmt="o",
        color=colour,
        markersize=8,
        capsize=4,
        markeredgecolor="white",
    )


def _described(label: str, minutes: np.ndarray, accuracy: np.ndarray) -> str:
    t = float(minutes.mean())
    text = f"{label}\n{100 * accuracy.mean():.1f} % in {t:.{1 if t < 10 else 0}f} min"
    if len(accuracy) > 1:
        text += f"\n{len(accuracy)} seeds: {100 * accuracy.min():.1f} to {100 * accuracy.max():.1f} %"
    return text


def _frame(axes: Axes, measured: list[tuple[np.ndarray, np.ndarray]], bottom: float) -> None:
    """The axes' limits, with room for labels, and minutes as one says them."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    shortest, longest = min(t.min() for t, _ in measured), max(t.max() for t, _ in measured)
    highest = max(a.max() for _, a in measured)
    axes.set_xscale("log")
    axes.set_xlim(shortest / 2.5, longest * 2.5)
    axes.set_ylim(100 * bottom, 100 * (highest + 0.25 * (highest - bottom)))
    axes.xaxis.set_major_locator(FixedLocator(TICKS_MIN))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in TICKS_MIN]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="minutes of training", ylabel="accuracy in %")
    _tidy(axes)


def _name_kinds(axes: Axes, kinds: list[str], colours: list[str]) -> None:
    from matplotlib.lines import Line2D

    named = {kind: colour for kind, colour in zip(kinds, colours, strict=True) if kind}
    if named:
        dots = [Line2D([], [], color=colour, marker="o", linestyle="") for colour in named.values()]
        legend = axes.legend(dots, [" " + kind for kind in named], loc="lower right", fontsize=9)
        for text in legend.get_texts():
            text.set_parse_math(False)
