"""Every check of the tutorial, and of the course around it, that needs no original photograph: a row each.

`run_checks` is what ``pellucid check`` prints. It draws from generators of its own, with the course's seed 231, and
needs no data but what scikit-learn bundles.
"""

from __future__ import annotations

from collections.abc import Callable

from pellucid.checks import course, networks_and_rules, tutorial
from pellucid.checks.row import Row

__all__ = ["CHECKS", "Row", "run_checks"]

CHECKS = [*tutorial.CHECKS, *course.CHECKS, *networks_and_rules.CHECKS]


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

    def add(row: Row) -> None:
        rows.append(row)
        on_row(row)

    for check in CHECKS:
        try:
            for row in check():
                add(row)
        except Exception as error:
            add(Row(check.__name__.replace("_", " "), "-", f"{type(error).__name__}: {error}", "no error", False))
    return rows
