"""Results on disk: the machine and the rows, as JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from benchmarks.verdict import Row
from pellucid.files import write_atomically

SAME_MACHINE = ("processor", "cores", "threads", "vector_bits", "system")
"""What must not differ between rows that stand in one table."""

MACHINE_RATES = ("peak_gflops", "read_gb_s", "write_gb_s", "copy_gb_s")
"""What the machine can do: the best that was ever measured counts, because others may be busy at any time."""

Results = dict[str, Any]
"""machine: dict, rows: list of rows."""


def merged(old: Results | None, new: Results, order: list[tuple[str, str]]) -> Results:
    """New rows in the place of old ones, in the order of the cases; rows that are no case any more are dropped.

    Parameters
    ----------
    old, new : results
        ``old`` None: there are none.
    order : list of (group, name)

    Raises
    ------
    ValueError
        The old ones are of another machine or another number of threads: their rows can't stand in one table.
    """
    if old is None:
        return new | {"rows": _in_order(new["rows"], order)}
    for key in SAME_MACHINE:
        if old["machine"].get(key) != new["machine"][key]:
            raise ValueError(
                f"merged: {key} was {old['machine'].get(key)!r} and is {new['machine'][key]!r}; remove the old "
                f"file and measure everything anew, without --only"
            )
    best = {key: max(old["machine"][key], new["machine"][key]) for key in MACHINE_RATES}
    return {"machine": new["machine"] | best, "rows": _in_order(old["rows"] + new["rows"], order)}


def _in_order(rows: list[Row], order: list[tuple[str, str]]) -> list[Row]:
    newest = {(row["group"], row["name"]): row for row in rows}
    return [newest[key] for key in order if key in newest]


def read(path: Path) -> Results | None:
    """What is there, or None."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def write(path: Path, results: Results) -> None:
    """Whole or not at all; numbers to four digits, which is more than a timing has; infinity as null."""
    text = json.dumps(_rounded(results), indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, [text.encode() + b"\n"])


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value
