"""From measured numbers to a judgement. Plain arithmetic on the rows that `run` makes and `results` keeps."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from benchmarks.targets import Target

Row = dict[str, Any]
"""group, name, unit; ours and peers (medians); best, ratio; errors; more for the reader. A row that could not be
measured has ``ratio`` None and ``status`` "skipped" or "wrong", with the reason in ``notes``."""


def geometric_mean(ratios: Iterable[float]) -> float:
    """The n-th root of the product: twice as fast here and half as fast there is 1."""
    logs = [math.log(ratio) for ratio in ratios]
    if not logs:
        raise ValueError("geometric_mean: no ratios; it needs at least one")
    return math.exp(sum(logs) / len(logs))


def best_peer(peers: dict[str, float]) -> str:
    """The peer that took least."""
    return min(peers, key=lambda name: peers[name])


class Verdict(NamedTuple):
    """How a group did."""

    measured: int
    expected: int
    mean: float | None
    worst: float | None
    mark: str
    """PASS; PASS, aim reached; short of target; WRONG RESULT; not measured. With "so far" where rows are missing."""

    @property
    def passed(self) -> bool:
        """Whether everything was measured and the target is reached."""
        return self.mark.startswith("PASS") and self.measured == self.expected


def judge(rows: list[Row], target: Target, expected: int) -> Verdict:
    """The judgement on the rows of one group.

    Parameters
    ----------
    rows : list of rows
        Of this group, measured or not.
    target : Target
    expected : int
        How many rows the whole group has.
    """
    ratios = [row["ratio"] for row in rows if row["ratio"] is not None]
    wrong = any(row["status"] == "wrong" for row in rows)
    if not ratios:
        return Verdict(0, expected, None, None, "WRONG RESULT" if wrong else "not measured")
    mean, worst = geometric_mean(ratios), min(ratios)
    if wrong:
        mark = "WRONG RESULT"
    elif mean < target.mean or worst < target.floor:
        mark = "short of target"
    else:
        mark = "PASS, aim reached" if mean >= target.aim else "PASS"
    if len(ratios) < expected:
        mark += " so far"
    return Verdict(len(ratios), expected, mean, worst, mark)
