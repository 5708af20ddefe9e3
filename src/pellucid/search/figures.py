"""A search as pictures: how the best was found, which settings mattered, and what each of them did."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pellucid import check
from pellucid.inspect.runs import COLOURS
from pellucid.search.entries import Choices, Entry, Range
from pellucid.search.results import short, short_names
from pellucid.search.rows import COMPLETE, FAILED, PRUNED, Row
from pellucid.search.space import Space

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, RED, GREEN, GREY = COLOURS[0], COLOURS[1], COLOURS[2], "#999999"
ACROSS = 3
"""Settings in a row of the figure of settings."""
MOST_LETTERS = 24
"""Of all labels of choices below one axis; where there are more, they are turned."""
MOST_TICKS = 5
LEGEND_COLUMNS = 4
MARGIN = 0.04
"""Beside a range, as a share of it."""
LEAST_FOR_FLOOR, SPARE = 8, 1.0
CARET_DOWN = "v"


def history_figure(rows: Sequence[Row]) -> Figure:
    """The held-out accuracy of every trial in the order in which they began, and the best so far.

    Parameters
    ----------
    rows : sequence of Row
        At least one.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    if not rows:
        raise ValueError("history_figure: rows is empty; give at least one trial")
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    done, pruned = ([row for row in rows if row.state == state] for state in (COMPLETE, PRUNED))
    best = -math.inf
    line = []
    for row in sorted(done, key=lambda row: row.number):
        best = max(best, _share(row))
        line.append((row.number, best))
    if line:
        line.append((max(row.number for row in rows), best))
        axes.step(*zip(*line, strict=True), where="post", color=BLUE, label="the best so far")
    floor = _floor(done)
    _draw_trials(axes, done, floor, "o", BLUE, "complete")
    _draw_trials(
        axes, [row for row in pruned if row.accuracy is not None], floor, "x", GREY, "pruned, at the last look"
    )
    own = next((row for row in done if row.is_the_recipe), None)
    if own is not None and _share(own) >= floor:
        axes.axhline(_share(own), color=GREEN, linestyle="--", label="the recipe as it is", zorder=0)
    failed = [row.number for row in rows if row.state == FAILED]
    if failed:
        axes.plot(failed, [0.02] * len(failed), "v", color=RED, transform=axes.get_xaxis_transform(), label="failed")
    if floor > 0:
        axes.set_ylim(bottom=floor)
    axes.set_xlabel("trial")
    axes.set_ylabel("held-out images right, %")
    axes.grid(alpha=0.3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside upper center", ncols=LEGEND_COLUMNS, frameon=False)
    return figure


def importance_figure(importances: Mapping[str, float], trials: int) -> Figure:
    """The share that each setting has in how the trials differ.

    Parameters
    ----------
    importances : dict of float by key
        At least one; they add up to 1.
    trials : int
        How many trials they were estimated from.
    """
    from matplotlib.figure import Figure

    if not importances:
        raise ValueError("importance_figure: importances is empty; give at least one setting")
    shares = sorted(importances.items(), key=lambda item: item[1])
    figure = Figure(figsize=(8, 1.4 + 0.45 * len(shares)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh([key for key, _ in shares], [100 * share for _, share in shares], color=BLUE)
    axes.bar_label(bars, fmt="%.0f %%", padding=4)
    axes.set_xlim(0, max(1.0, 115 * shares[-1][1]))
    axes.set_xlabel(f"share in how the trials differ, %, estimated from {trials} trials")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def settings_figure(rows: Sequence[Row], space: Space) -> Figure:
    """For every setting, the held-out accuracy against its value; late trials are darker, pruned ones grey crosses."""
    from matplotlib.figure import Figure

    done = [row for row in rows if row.state == COMPLETE]
    if not done:
        raise ValueError("settings_figure: rows has no complete trial; give at least one")
    keys = list(space.entries)
    down, across = -(-len(keys) // ACROSS), min(len(keys), ACROSS)
    figure = Figure(figsize=(3.4 * across + 0.6, 3.0 * down + 0.2), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    for axes, key, name in zip(grid.flat, keys, short_names(keys), strict=False):
        _draw_setting(axes, key, name, [row for row in rows if key in row.params], space, _floor(done))
    for axes in grid.flat[len(keys) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("right, %")
    return figure


def _draw_setting(axes: Axes, key: str, name: str, rows: Sequence[Row], space: Space, floor: float) -> None:
    entry = space.entries[key]
    axes.set_xlabel(name)
    axes.grid(alpha=0.3)
    if isinstance(entry, Choices):
        labels = list(entry.by_label)
        shown = [short(value) for value in entry.by_label.values()]
        turned = sum(map(len, shown)) > MOST_LETTERS
        axes.set_xticks(range(len(labels)), shown, rotation=30 if turned else 0, ha="right" if turned else "center")
        axes.set_xlim(-0.5, len(labels) - 0.5)
    else:
        _set_scale(axes, entry)
    for state in (PRUNED, COMPLETE):
        drawn = [row for row in rows if row.state == state and row.accuracy is not None]
        if drawn:
            x, y = [_place(entry, row.params[key]) for row in drawn], [max(floor, _share(row)) for row in drawn]
            late = [row.number for row in drawn]
            first = min(late) - max(late) - 1  # the first are not white, but half as dark
            dark: dict[str, Any] = {"c": late, "cmap": "Blues", "vmin": first, "vmax": max(late)}
            how = {"color": GREY, "marker": "x", "s": 18} if state == PRUNED else dark
            axes.scatter(x, y, clip_on=False, zorder=3, **how)
    if floor > 0:
        axes.set_ylim(bottom=floor)


def _place(entry: Entry, param: Any) -> Any:
    """Where a trial stands across."""
    return list(entry.by_label).index(param) if isinstance(entry, Choices) else param


def _set_scale(axes: Axes, entry: Range) -> None:
    """The whole range, also where no trial was; on a logarithmic axis with ticks that have room."""
    margin = MARGIN * (entry.high - entry.low)
    if not entry.log:
        axes.set_xlim(entry.low - margin, entry.high + margin)
        return
    factor = (entry.high / entry.low) ** MARGIN
    axes.set_xscale("log")
    axes.set_xlim(entry.low / factor, entry.high * factor)
    ticks = ticks_between(entry.low, entry.high)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)


def ticks_between(low: float, high: float) -> list[float]:
    """Round numbers for a logarithmic axis, a few: 0.001, 0.01, 0.1; or 20, 50, 100."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for digits in ((1, 2, 5), (1, 3), (1,)):
        found = [float(f"{digit}e{power}") for power in powers for digit in digits]
        found = [tick for tick in found if low <= tick <= high]
        if len(found) <= MOST_TICKS:
            return found or [low, high]
    return found[:: -(-len(found) // MOST_TICKS)]


def _floor(done: Sequence[Row]) -> float:
    """Where the axis of accuracies begins: a few that learnt nothing would press the others into one line."""
    if len(done) < LEAST_FOR_FLOOR:
        return 0.0
    shares = sorted(map(_share, done))
    quarter = shares[len(shares) // 4]
    floor = quarter - max(SPARE * (shares[-1] - quarter), 1.0)
    floor = min([floor, *(_share(row) - 1 for row in done if row.is_the_recipe)])
    return max(0.0, floor) if floor > shares[0] + 1 else 0.0


def _draw_trials(axes: Axes, rows: Sequence[Row], floor: float, marker: str, colour: str, label: str) -> None:
    """Trials at their accuracy; those below the axis on its edge, pointing down."""
    seen = [row for row in rows if _share(row) >= floor]
    below = [row.number for row in rows if _share(row) < floor]
    if seen:
        axes.plot([row.number for row in seen], list(map(_share, seen)), marker, color=colour, label=label)
    if below:
        edge = [floor] * len(below)
        axes.plot(
            below,
            edge,
            CARET_DOWN,
            color=colour,
            clip_on=False,
            label=f"{label.partition(',')[0]}, below {floor:.0f} %",
        )


def _share(row: Row) -> float:
    return 100 * check.number("history_figure", "a trial's accuracy", row.accuracy)
