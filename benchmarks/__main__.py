"""Ours and the peers, side by side: `python -m benchmarks`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # no pool of compilers that stays and takes processor time

from cyclopts import App, Parameter
from rich.console import Console
from rich.live import Live

from benchmarks import chart, convolutions, inference, memory, pages, results, small_layers, steps, table, updates
from benchmarks.case import Case
from benchmarks.targets import TARGETS
from benchmarks.timing import QUICK, Settings
from benchmarks.verdict import Row, Verdict, judge

DOCS = Path(__file__).parents[1] / "docs"
app = App(name="python -m benchmarks", help_format="plaintext", version_flags=[])


def all_cases() -> list[Case]:
    """Every row of the table, in its order."""
    modules = (convolutions, small_layers, updates, steps, inference, memory)
    cases = [case for module in modules for case in module.cases()]
    return sorted(cases, key=lambda case: list(TARGETS).index(case.group))


def selected(cases: list[Case], only: list[str]) -> list[Case]:
    """The cases whose group and name hold every word of one of the selections; all, where there is none."""

    def fits(case: Case) -> bool:
        return any(all(word in case.full_name for word in words.split()) for words in only)

    return [case for case in cases if not only or fits(case)]


@app.default
def main(
    *,
    only: Annotated[list[str] | None, Parameter(negative="")] = None,
    quick: Annotated[bool, Parameter(negative="")] = False,
    write: Annotated[bool, Parameter(negative="")] = False,
    compiled: Annotated[bool, Parameter(name="--compile")] = True,
    threads: int = 2,
    docs: Path = DOCS,
    names: Annotated[bool, Parameter(name="--list", negative="")] = False,
) -> int:
    """Measure ours beside PyTorch (NCHW, channels_last, torch.compile) and ONNX Runtime, in turn, on the same inputs.

    Parameters
    ----------
    only
        Words that must occur in a row's group and name, such as "conv3x3 64,64,32,32 forward". May be given again.
    quick
        3 short repetitions instead of 7, and no torch.compile, whose compilation takes longest.
    write
        Put the rows into docs/benchmarks.json, .md, .zh-CN.md and images/benchmarks.png; rows not measured now stay.
    compiled
        Have torch.compile as a peer. It needs a C++ compiler; where it fails, the row says so.
    threads
        For all sides.
    docs
        The folder that `--write` writes to.
    names
        Only list the rows.
    """
    cases = all_cases()
    chosen = selected(cases, only or [])
    if names or not chosen:
        print("\n".join(case.full_name for case in (chosen or cases)))
        return 0 if chosen else 2
    if quick and write:
        print("benchmarks: --quick is for a look, not for the record; leave out --quick or --write", file=sys.stderr)
        return 2
    settings = QUICK if quick else Settings()
    about, rows = measure_all(cases, chosen, settings, compiled and not quick, threads)
    if write:
        keep(docs, {"machine": about, "rows": rows}, [(case.group, case.name) for case in cases])
    return 1 if any(row["status"] == "wrong" for row in rows) else 0


def measure_all(
    cases: list[Case], chosen: list[Case], settings: Settings, compiled: bool, threads: int
) -> tuple[dict[str, Any], list[Row]]:
    """Measure and show the chosen ones of all cases. Returns the machine and the rows."""
    from benchmarks import machine, run

    console = Console(width=None if sys.stdout.isatty() else 140)
    machine.set_threads(threads)
    about = machine.describe(threads) | machine.measure(threads)
    console.print(pages.machine_line(about))
    rows: list[Row] = []
    verdicts: dict[str, Verdict] = {}
    for group in dict.fromkeys(case.group for case in chosen):
        expected = sum(case.group == group for case in cases)
        done: list[Row] = []
        with Live(console=console, refresh_per_second=2, vertical_overflow="visible") as live:
            for case in (case for case in chosen if case.group == group):
                done.append(run.measure(case, settings, threads, compiled))
                verdicts[group] = judge(done, TARGETS[group], expected)
                live.update(table.group_table(group, done, about, verdicts[group]))
        console.print()
        for row in done:
            for note in row["notes"]:
                console.print(f"  {row['name']}: {note}", markup=False, highlight=False)
        rows += done
    console.print(table.summary_table(verdicts))
    return about, rows


def keep(docs: Path, new: results.Results, order: list[tuple[str, str]]) -> None:
    """The new rows among the old ones: JSON, both pages, the chart."""
    merged = results.merged(results.read(docs / "benchmarks.json"), new, order)
    (docs / "images").mkdir(parents=True, exist_ok=True)
    results.write(docs / "benchmarks.json", merged)
    pages.write(docs, merged, order)
    chart.write(docs / "images" / "benchmarks.png", merged)


if __name__ == "__main__":
    app()
