"""The ratios as bars, group by group, with a line at 1 and each group's target."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.results import Results
from benchmarks.targets import TARGETS
from benchmarks.verdict import Row
from pellucid.files import write_atomically

ROW_INCHES = 0.19
TICKS = (0.125, 0.25, 0.5, 1, 2, 3, 4, 6, 8)
BOX = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
REACHED, SHORT, LINE = "#2a7f62", "#d08a2e", "#444444"


def draw(results: Results) -> Figure:
    """One panel a group. A bar is as long as the logarithm of its ratio: twice as fast is as long as half as fast."""
    groups = {group: [row for row in results["rows"] if row["group"] == group and row["ratio"]] for group in TARGETS}
    groups = {group: rows for group, rows in groups.items() if rows}
    heights = [len(rows) + 1 for rows in groups.values()]
    figure = Figure(figsize=(9, ROW_INCHES * sum(heights) + 0.5 * len(heights) + 0.8), layout="constrained")
    machine = results["machine"]
    figure.suptitle(
        f"Best peer divided by ours ({machine['processor']}, {machine['threads']} threads, float32)",
        fontsize=10,
    )
    panels = figure.subplots(len(groups), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for panel, (group, rows) in zip(panels, groups.items(), strict=True):
        _draw_group(panel, group, rows)
    ratios = [row["ratio"] for rows in groups.values() for row in rows]
    panels[-1].set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    panels[-1].minorticks_off()
    panels[-1].set_xlim(min(0.45, 0.7 * min(ratios)), max(4.5, 1.4 * max(ratios)))
    return figure


def _draw_group(panel: Any, group: str, rows: list[Row]) -> None:
    target = TARGETS[group]
    ratios = [row["ratio"] for row in rows]
    colours = [REACHED if ratio >= target.floor else SHORT for ratio in ratios]
    panel.barh(range(len(rows)), [ratio - 1 for ratio in ratios], left=1, color=colours, height=0.75)
    for place, ratio in enumerate(ratios):
        side = "left" if ratio >= 1 else "right"
        panel.annotate(f"{ratio:.2f}", (ratio, place), (3 if ratio >= 1 else -3, 0), textcoords="offset points",
                       ha=side, va="center", fontsize=7, bbox=BOX)  # fmt: skip
    panel.set_xscale("log", base=2)
    panel.axvline(1, color=LINE, linewidth=1)
    panel.axvline(target.mean, color=LINE, linewidth=1, linestyle="--")
    panel.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize=7)
    panel.set_ylim(len(rows) - 0.4, -0.6)
    panel.set_title(f"{target.title} (dashed: the mean that is asked, {target.mean:g})", fontsize=8, loc="left")
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(axis="x", labelsize=8)


def write(path: Path, results: Results) -> None:
    """As a PNG file."""
    picture = io.BytesIO()
    draw(results).savefig(picture, format="png", dpi=130)
    write_atomically(path, picture.getvalue())
