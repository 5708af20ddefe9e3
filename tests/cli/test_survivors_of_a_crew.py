"""What processes agree on when one of them is lost; `tests/launch/test_survivors.py` loses them for real."""

import pytest

from pellucid.cli.survivors import Survivors
from pellucid.training import RankLost


class Crew:
    """Four processes, of which one is lost each time they close ranks, and this one becomes the first in the end."""

    def __init__(self, newest, interruptions=0, may_lose=True, rank=1, least=1):
        self.size, self.rank, self.may_lose = 4, rank, may_lose
        self.newest, self.interruptions, self.least = newest, interruptions, least

    @property
    def is_too_small(self):
        return self.size < self.least

    def close_ranks(self):
        self.size, self.rank = self.size - 1, max(0, self.rank - 1)

    def gathered(self, text):
        if self.interruptions:
            self.interruptions -= 1
            raise RankLost("one more")
        return [text, *self.newest]

    def agreed(self, work, mine):
        return work() if mine else None


class Folder:
    held = 0
    checkpoint = "c"

    def hold(self):
        self.held += 1


class Solver:
    saved = None

    def save(self, path):
        self.saved = path


def survivors(monkeypatch, crew, folder=None, newest=7):
    made = Survivors(crew, folder or Folder())
    monkeypatch.setattr(type(made._steps), "newest", newest)
    monkeypatch.setattr(made._steps, "go_back", lambda solver, step: setattr(solver, "step", step))
    return made


@pytest.mark.parametrize("newest, common", [(["7", "8"], 7), (["6", "7"], 6)])
def test_they_go_on_from_the_last_step_that_all_have(monkeypatch, capsys, newest, common):
    folder = Folder()
    left = survivors(monkeypatch, Crew(newest), folder)
    assert not left.have_lost
    left.after(RankLost())
    assert left.have_lost
    assert capsys.readouterr().out == f"lost 1 of 4 processes; 3 go on after step {common}\n"
    assert folder.held == 1, "the new first process takes the folder over"
    solver = Solver()
    left.take(solver)
    assert (solver.step, solver.saved) == (common, "c")


def test_who_is_not_the_first_leaves_the_folder_alone(monkeypatch):
    folder, solver = Folder(), Solver()
    left = survivors(monkeypatch, Crew([], rank=3), folder)
    left.after(RankLost())
    left.take(solver)
    assert (folder.held, solver.saved) == (0, None)


def test_more_are_lost_while_they_agree(monkeypatch, capsys):
    left = survivors(monkeypatch, Crew(["7"], interruptions=2))
    left.after(RankLost())
    assert capsys.readouterr().out == "lost 3 of 4 processes; the other one goes on after step 7\n"


def test_when_they_cannot_agree_the_loss_is_what_was_wrong(monkeypatch):
    loss = RankLost("the first")
    with pytest.raises(RankLost, match="the first"):
        survivors(monkeypatch, Crew([], interruptions=99)).after(loss)


@pytest.mark.parametrize("may_lose, newest", [(False, 7), (True, None)], ids=["not asked for", "nothing to go on from"])
def test_without_a_step_or_without_being_asked_the_loss_goes_on(monkeypatch, may_lose, newest):
    loss = RankLost("it")
    crew = Crew([], may_lose=may_lose)
    with pytest.raises(RankLost, match="it"):
        survivors(monkeypatch, crew, newest=newest).after(loss)
    assert crew.size == 4
    assert bool(survivors(monkeypatch, crew).hooks) == may_lose


def test_too_few_leave_the_folder_to_a_new_attempt(monkeypatch):
    folder = Folder()
    with pytest.raises(RankLost, match="3 of 4 processes are left, fewer than --min-ranks"):
        survivors(monkeypatch, Crew(["7"], least=4), folder).after(RankLost())
    assert folder.held == 0
