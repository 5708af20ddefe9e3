"""``pellucid check``: the table of checks, a row at a time."""

from __future__ import annotations

from pellucid.checks import Row, run_checks
from pellucid.cli.console import say

WIDTHS = (46, 28, 28, 9)


def check_command() -> int:
    """Print every row as soon as it is known; 1 if any failed."""
    say(_line("check", "tutorial or course", "ours", "at most"))
    rows = run_checks(lambda row: say(row_text(row)))
    failed = sum(not row.passed for row in rows)
    say(f"{len(rows)} checks, {failed} failed" if failed else f"all {len(rows)} checks passed")
    return 1 if failed else 0


def row_text(row: Row) -> str:
    """One row as a line of text."""
    return _line(row.what, row.theirs, row.ours, row.bound) + ("  pass" if row.passed else "  FAIL")


def _line(*cells: object) -> str:
    return "  ".join(f"{cell!s:{width}}" for cell, width in zip(cells, WIDTHS, strict=True))
