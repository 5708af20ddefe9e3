"""The last steps of a run, kept in memory: where some of several processes are lost, the others go on from one."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from pellucid.training.hooks import Hook
from pellucid.training.state import HISTORIES, collect_changing, restore_changing

if TYPE_CHECKING:
    from pellucid.training.solver import Solver

KEPT_STEPS = 2
NO_COPY_NEEDED = {"best_params", "best_bn_params", *HISTORIES}
"""The solver replaces its best weights and changes nothing in them; histories are gathered into arrays of their own."""


class LastSteps(Hook):
    """Keep the whole run as it was after each of the last two steps.

    Two are enough. No process begins the step after next before all have told each other that they are done with this
    one, so that at any time the slowest is at most one step behind the fastest. It must be the last hook.
    """

    def __init__(self) -> None:
        self._kept: dict[int, dict[str, Any]] = {}

    @property
    def newest(self) -> int | None:
        """The iteration of the last step that is kept; None before training began."""
        return max(self._kept, default=None)

    def on_train_begin(self, solver: Solver) -> None:
        self._kept = {iteration: run for iteration, run in self._kept.items() if iteration < solver.iteration}
        self._keep(solver)

    def on_step(self, solver: Solver) -> None:
        self._keep(solver)

    def go_back(self, solver: Solver, iteration: int) -> None:
        """Give a new solver, made with the same settings, the run as it was after that step.

        Raises
        ------
        ValueError
            The step is not kept.
        """
        if iteration not in self._kept:
            known = ", ".join(map(str, sorted(self._kept))) or "none"
            raise ValueError(f"LastSteps.go_back: iteration is {iteration}; it must be one of those kept: {known}")
        restore_changing(solver, self._kept[iteration])

    def _keep(self, solver: Solver) -> None:
        newest = sorted(self._kept)[-(KEPT_STEPS - 1) :]  # first of all, so that there is never one more
        self._kept = {at: self._kept[at] for at in newest}
        run = collect_changing(solver)
        for name in run.keys() - NO_COPY_NEEDED:
            run[name] = copy.deepcopy(run[name])
        self._kept[solver.iteration] = run
