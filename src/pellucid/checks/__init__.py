"""Every check of the tutorial, and of the course around it, that needs no original photograph: a row each.

`run_checks` is what ``pellucid check`` prints. It draws from generators of its own, with the course's seed 231, and
needs no data but what scikit-learn bundles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pellucid.checks import course, networks_and_rules, normalisation, tutorial
from pellucid.checks.row import Check, Row

__all__ = ["CHECKS", "Row", "run_checks"]

CHECKS = [*tutorial.CHECKS, *course.CHECKS, *normalisation.CHECKS, *networks_and_rules.CHECKS]


def run_checks(on_row: Callable[[Row], None] = lambda row: None) -> list[Row]:
    """Run every check.

    Parameters
    ----------
    on_row : function of a Row
        Called with each row as soon as it is known.

    Returns
    -------
    list of Row
        In the tutorial's order. A check that raises is a failed row with the error's own words; the others go on.
    """
    rows: list[Row] = []
    for check in CHECKS:
        for row in _rows_of(check):
            rows.append(row)
            on_row(row)
    return rows


def _rows_of(check: Check) -> Iterator[Row]:
    """The rows of one check, and a failed one more if it raises; what ``on_row`` raises does not come through here."""
    try:
        yield from check()
    except Exception as error:
        name = getattr(check, "__name__", "a check").replace("_", " ")
        yield Row(name, "-", f"{type(error).__name__}: {error}", "no error", False)
