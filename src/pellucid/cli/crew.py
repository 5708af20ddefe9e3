"""The processes that train together, as the command meets them: what they do one by one, and how they end together."""

from __future__ import annotations

import os
import platform
import sys
import traceback
from collections.abc import Callable
from typing import Any

from pellucid.cli import EXPECTED, console, status_of
from pellucid.extras.mpi import MPIRanks, joined, leave_without_mpi
from pellucid.runs.folder import allowed_processors, processors
from pellucid.runs.progress import ATTEMPT_VARIABLE, SURVIVE_VARIABLE, Progress
from pellucid.runs.watched import end_when_stuck, end_with_parent
from pellucid.training import RankLost, Together
from pellucid.training.together import Alone

SAID = (*EXPECTED, RankLost, KeyboardInterrupt)
"""Errors that become a sentence."""


class Crew:
    """This process and those that were started with it.

    Attributes
    ----------
    ranks : MPIRanks or None
        None where there is one process.
    rank, size : int
    machines : list of str
        The machine of each process, by rank.
    progress : Progress
        What the run tells a supervisor, if there is one.
    has_lost : bool
        Whether there were more of them before.
    """

    def __init__(self, ranks: MPIRanks | None) -> None:
        self.ranks = ranks
        self.rank, self.size = (0, 1) if ranks is None else (ranks.rank, ranks.size)
        self.has_lost = False
        self.machines = self.gathered(platform.node())
        self.progress = Progress.from_environment(self.rank, self.size)
        if self.rank > 0:
            console.be_silent()
        if ATTEMPT_VARIABLE in os.environ:
            end_with_parent()
            end_when_stuck(self.progress)

    def run(self, work: Callable[[Crew], int]) -> int:
        """What ``work`` returns; an error in one process ends all, and one of them says what it was."""
        try:
            status = work(self)
        except BaseException as error:  # also sys.exit: whatever ends one process would leave the others waiting
            status = self._ended_by(error)
        if self.has_lost:
            leave_without_mpi(status)
        return status

    def agreed(self, work: Callable[[], Any], mine: bool = True) -> Any:
        """``work`` in each process that says ``mine``; where it fails in one, it fails in all."""
        if self.ranks is None:
            return work()
        result, error = None, None
        if mine:
            try:
                result = work()
            except EXPECTED as failure:
                error = failure
        messages = self.ranks.gathered("" if error is None else str(error) or repr(error))
        if error is not None:
            raise error
        for message in filter(None, messages):
            raise ValueError(message)
        return result

    def gathered(self, text: str) -> list[str]:
        """What each process gave, in the order of the ranks."""
        return [text] if self.ranks is None else self.ranks.gathered(text)

    def by_first(self, work: Callable[[], str]) -> str:
        """``work`` in the first process alone, whose answer all get."""
        return self.gathered(self.agreed(work, mine=self.rank == 0) or "")[0]

    def in_turn(self, work: Callable[[], Any]) -> Any:
        """``work`` in one process of each machine, which leaves what it fetched and decoded, then in the others."""
        if self.ranks is None:
            return work()
        is_first = self.machines.index(self.machines[self.rank]) == self.rank
        result = self.agreed(work, mine=is_first)
        other = self.agreed(work, mine=not is_first)
        return result if is_first else other

    @property
    def is_under_mpiexec(self) -> bool:
        """Whether there are, or were, others."""
        return self.size > 1 or self.has_lost

    @property
    def neighbours(self) -> int:
        """Processes on this machine, this one among them."""
        return self.machines.count(self.machines[self.rank])

    def threads(self) -> int:
        """Threads for this process: those processors that it may use, shared with the others that may use them."""
        if self.ranks is None:
            return processors()
        allowed = allowed_processors()
        own = f"{platform.node()} {' '.join(map(str, allowed))}"
        sharing = sum(_overlap(own, other) for other in self.gathered(own))
        return max(1, len(allowed) // sharing)

    def check_same(self, what: str) -> None:
        """Raise ValueError where another process trains something else than the first."""
        all_of_them = self.gathered(what)
        others = [str(rank) for rank, other in enumerate(all_of_them) if other != all_of_them[0]]
        if others:
            raise ValueError(
                f"train: rank {', '.join(others)} has other data, another recipe or another version of pellucid than "
                "rank 0; give all machines the same"
            )

    @property
    def may_lose(self) -> bool:
        """Whether the others are to go on when one is lost."""
        return self.ranks is not None and self.ranks.can_lose and bool(os.environ.get(SURVIVE_VARIABLE))

    @property
    def is_too_small(self) -> bool:
        """Whether they are fewer than may go on by themselves."""
        return self.size < int(os.environ.get(SURVIVE_VARIABLE) or 1)

    def close_ranks(self) -> None:
        """One of them was lost: the crew is those that are left, each of which calls this."""
        assert self.ranks is not None
        self.has_lost = True
        self.ranks = self.ranks.without_the_lost()
        self.rank, self.size = self.ranks.rank, self.ranks.size
        if self.size == 1:
            self.ranks = None
        self.machines = self.gathered(platform.node())
        if self.rank == 0:
            console.speak()
            self.progress.take_over(self.size)

    def together(self, synchronise: bool) -> Alone:
        """For the Solver: how the work on a batch is shared."""
        if self.ranks is None:
            return Alone(on_progress=self.progress.beat)
        return Together(self.ranks, synchronise, on_progress=self.progress.beat)

    def _ended_by(self, error: BaseException) -> int:
        status = status_of(error)
        if isinstance(error, EXPECTED):  # first of all: whoever aborts has no time left
            self.progress.failed(status, str(error))
        if self.ranks is not None and not self.ranks.all_fail():
            self._say(error)
            self.ranks.abort(status)
        if self.rank > 0:
            return status
        if not self.has_lost:
            raise error
        self._say(error)
        return status

    def _say(self, error: BaseException) -> None:
        """On standard error, where nobody else will."""
        if isinstance(error, SAID) and not os.environ.get("PELLUCID_TRACEBACK"):
            print(f"pellucid: rank {self.rank} of {self.size}: {error or repr(error)}", file=sys.stderr, flush=True)
        else:
            traceback.print_exception(error)


def join() -> Crew:
    """The crew that this process belongs to."""
    return Crew(joined())


def _overlap(one: str, other: str) -> bool:
    """Whether two processes may use the same processor: each text is a machine and its processors."""
    (machine, *numbers), (other_machine, *other_numbers) = one.split(), other.split()
    return machine == other_machine and bool(set(numbers) & set(other_numbers))
