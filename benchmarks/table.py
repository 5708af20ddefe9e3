"""What stands in a table, on the terminal and in the pages: the same columns from the same rows."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from benchmarks.targets import TARGETS, Target
from benchmarks.verdict import Row, Verdict

PEAKS = {"GFLOP/s": "peak_gflops", "GB/s": "copy_gb_s"}
"""What of the machine's figures a rate is compared with."""
MARKS = {"PASS": "green", "short": "yellow", "WRONG": "bold red", "not": "dim"}


def peers_of(rows: list[Row]) -> list[str]:
    """Every peer of a group, in order of appearance."""
    return list(dict.fromkeys(peer for row in rows for peer in row.get("peers", {})))


def cells(row: Row, peers: list[str], machine: dict[str, Any]) -> list[str]:
    """name, ours, one for each peer, ratio, rate, share of the machine."""
    if row["ratio"] is None:
        return [row["name"], row["status"], *["" for _ in peers], "", "", ""]
    values = [number(row["peers"].get(peer)) for peer in peers]
    rate = f"{number(row['rate'])} {row['rate_unit']}" if "rate" in row else ""
    share = f"{row['rate'] / machine[PEAKS[row['rate_unit']]]:.0%}" if "rate" in row else ""
    return [row["name"], number(row["ours"]), *values, f"{row['ratio']:.2f}", rate, share]


def number(value: float | None) -> str:
    """Three digits, without an exponent."""
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.4f}"


def unit_of(rows: list[Row]) -> str:
    """Milliseconds or megabytes."""
    return next((row["unit"] for row in rows), "ms")


def asked(target: Target) -> str:
    """The target in words."""
    if target.mean == target.floor:
        return f"each ≥ {target.floor:g}, aim {target.aim:g}"
    return f"mean ≥ {target.mean:g}, each ≥ {target.floor:g}, aim {target.aim:g}"


def reached(verdict: Verdict) -> str:
    """The verdict in words."""
    if verdict.mean is None:
        return verdict.mark
    of = f"{verdict.measured} of {verdict.expected} rows"
    return f"mean {verdict.mean:.2f}, worst {verdict.worst:.2f} ({of}): {verdict.mark}"


def group_table(group: str, rows: list[Row], machine: dict[str, Any], verdict: Verdict) -> Table:
    """One group for the terminal, the verdict below."""
    target, peers, unit = TARGETS[group], peers_of(rows), unit_of(rows)
    table = Table(title=f"{target.title}  [dim]({group}; {asked(target)})[/dim]", title_justify="left", expand=False)
    table.add_column(unit, overflow="fold")
    for heading in ("ours", *peers, "ratio", "ours reached", "of peak"):
        table.add_column(heading, justify="right", style="bold" if heading == "ratio" else "")
    for row in rows:
        style = "" if row["ratio"] is None or row["ratio"] >= target.floor else "yellow"
        table.add_row(*cells(row, peers, machine), style="bold red" if row["status"] == "wrong" else style)
    colour = next(colour for start, colour in MARKS.items() if verdict.mark.startswith(start))
    table.caption = f"[{colour}]{reached(verdict)}[/{colour}]"
    table.caption_justify = "left"
    return table


def summary_table(verdicts: dict[str, Verdict]) -> Table:
    """One line a group."""
    table = Table(title="Best peer divided by ours", title_justify="left")
    for heading in ("", "asked", "mean", "worst", "rows", ""):
        table.add_column(heading)
    for group, verdict in verdicts.items():
        colour = next(colour for start, colour in MARKS.items() if verdict.mark.startswith(start))
        mean, worst = ("–" if value is None else f"{value:.2f}" for value in (verdict.mean, verdict.worst))
        rows = f"{verdict.measured}/{verdict.expected}"
        target = TARGETS[group]
        table.add_row(target.title, asked(target), mean, worst, rows, f"[{colour}]{verdict.mark}[/{colour}]")
    return table
