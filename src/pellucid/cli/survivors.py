"""Those who are left when one of several processes is lost: they go on from the last step that all of them have."""

from __future__ import annotations

import contextlib

from pellucid.cli.console import say
from pellucid.cli.crew import Crew
from pellucid.runs.folder import RunFolder
from pellucid.training import Hook, LastSteps, RankLost, Solver


class Survivors:
    """What a process keeps so that it can go on without others.

    Parameters
    ----------
    crew : Crew
    folder : RunFolder
        Which the first process holds, whoever that is.
    """

    def __init__(self, crew: Crew, folder: RunFolder) -> None:
        self.crew, self.folder = crew, folder
        self._steps = LastSteps()
        self._common: int | None = None

    @property
    def hooks(self) -> list[Hook]:
        """For the solver, behind all others; nothing is kept where nobody may be lost."""
        return [self._steps] if self.crew.may_lose else []

    @property
    def have_lost(self) -> bool:
        """Whether somebody was: the next solver has to `take` the run out of memory."""
        return self._common is not None

    def after(self, loss: RankLost) -> None:
        """Agree with the others on where to go on, and without whom.

        Raises
        ------
        RankLost
            They cannot go on: this MPI ends with each process, nobody asked for it, training had not begun, or too few
            are left. A new attempt may be made.
        """
        if not self.crew.may_lose or self._steps.newest is None:
            raise loss
        before, was_first = self.crew.size, self.crew.rank == 0
        self._common = self._agreed(loss)
        if self.crew.is_too_small:
            raise RankLost(f"{self.crew.size} of {before} processes are left, fewer than --min-ranks")
        if self.crew.rank == 0 and not was_first:
            self.folder.hold()
        left = f"{self.crew.size} go on" if self.crew.size > 1 else "the other one goes on"
        say(f"lost {before - self.crew.size} of {before} processes; {left} after step {self._common}")

    def take(self, solver: Solver) -> None:
        """Give the solver the run as it was after the common step, of which there may be no checkpoint yet."""
        assert self._common is not None
        self._steps.go_back(solver, self._common)
        self.crew.agreed(lambda: solver.save(self.folder.checkpoint), mine=self.crew.rank == 0)

    def _agreed(self, loss: RankLost) -> int:
        """The last step that all have. Meanwhile more may be lost, though hardly more than there are."""
        for _ in range(self.crew.size):
            with contextlib.suppress(RankLost):
                self.crew.close_ranks()
                return min(map(int, self.crew.gathered(str(self._steps.newest))))
        raise loss
