"""What is known of a trial, as plain data: what tables, files and figures are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

COMPLETE, PRUNED, FAILED, RUNNING = "complete", "pruned", "failed", "running"
ENDED = (COMPLETE, PRUNED, FAILED)


@dataclass(frozen=True)
class Row:
    """One trial.

    Attributes
    ----------
    number : int
        Optuna's.
    state : str
        complete, pruned (stopped early, because others were better by then), failed or running.
    accuracy : float or None
        The held-out accuracy of the weights that the recipe keeps; where it was pruned, of its last look.
    values : dict
        What it changed in the recipe, by dotted key.
    params : dict
        The same as Optuna has it.
    reason : str
        Why it failed.
    lost : bool
        It did not fail by itself: its process was stopped, killed, or not heard of any more.
    looks : dict
        The accuracies on the way, by the number of the look.
    about : dict
        What else was noted: seconds, epochs, steps, seed, threads, owner.
    """

    number: int
    state: str
    accuracy: float | None
    values: Mapping[str, Any]
    params: Mapping[str, Any]
    reason: str
    lost: bool
    looks: Mapping[int, float]
    about: Mapping[str, Any]

    @property
    def is_the_recipe(self) -> bool:
        """Whether it is the recipe as it was given."""
        return bool(self.about.get("recipe itself"))


def best_first(rows: Iterable[Row]) -> list[Row]:
    """The trials that went to the end, the best first; of equals the earlier one."""
    done = [row for row in rows if row.state == COMPLETE and row.accuracy is not None]
    return sorted(done, key=lambda row: (-(row.accuracy or 0), row.number))


def counted(rows: Iterable[Row]) -> dict[str, int]:
    """How many trials are in each state."""
    states = [row.state for row in rows]
    return {state: states.count(state) for state in (*ENDED, RUNNING)}
