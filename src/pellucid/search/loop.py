"""The search itself: begin a trial, train, tell how it ended, until as many were begun as were asked for."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from pellucid.inspect import save_figure
from pellucid.recipes import Recipe
from pellucid.search.figures import history_figure, importance_figure, settings_figure
from pellucid.search.results import Judged, percent, settings_line, write_results
from pellucid.search.rows import COMPLETE, FAILED, PRUNED, Row, best_first, counted
from pellucid.search.space import Space
from pellucid.search.study import LOST, Claim, GivenUp, Method, Study
from pellucid.search.trial import Bench, Outcome, TrialHook, looks_an_epoch
from pellucid.training.interrupt import HeldSignals, Terminated

Say = Callable[[str], object]
Progress = Callable[[str], AbstractContextManager[Callable[[int, int], None] | None]]
"""A bar with a title, while a context lasts: called (done, in all)."""

POLL_S, POLLS = 0.25, 4
"""While other processes finish the last trials: how often to look whether this one is stopped, and they are done."""

WARM_UP = 3
"""Of so many looks the first ends no trial: rates that are good in the end may be slow at first."""

LARGEST_SHARE = 0.05
"""So much of the time may go into drawing: where trials are short, figures after each would take longer than they."""

NOT_COUNTED = "another process has given it up, since it did not get on; its result does not count"

LEAST_FOR_IMPORTANCE = 4
"""Trials that were complete or pruned."""


@dataclass(frozen=True)
class Task:
    """What is to be done, and how it is told."""

    study: Study
    bench: Bench
    judged: Judged
    total: int
    say: Say
    progress: Progress
    looks_an_epoch: int


def method_of(space: Space, sampler: str, pruner: str, seed: int) -> tuple[Method, int]:
    """How to search a space, and how many looks at the accuracy an epoch of a trial has."""
    least, most = space.ends("train.epochs")
    looks = 1 if pruner == "none" else looks_an_epoch(least)
    return Method(sampler, pruner, seed, looks * most, max(1, looks * least // WARM_UP)), looks


def search(task: Task) -> list[Row]:
    """Take part in the search until it is done; returns all trials.

    Raises
    ------
    KeyboardInterrupt
        A signal. The trial in progress has failed, and its settings are tried again when the search goes on.
    Hopeless
        All trials fail in the same way.
    OSError
        The folder cannot be written any more. All trials that ended before are in it.
    """
    return _Searching(task).run()


class _Searching:
    def __init__(self, task: Task) -> None:
        self.task, self.study = task, task.study
        self._held = HeldSignals(sigterm=True)
        self._trouble: OSError | None = None  # of the folder, apart from those of a trial
        self._drawn_at, self._drawing_took_s = 0.0, 0.0
        self._figure_error: Exception | None = None

    def run(self) -> list[Row]:
        with self._held:
            self._all_trials()
            rows = self._write(at_the_end=True)
        if self._figure_error is not None:
            self.task.say(f"the figures are not up to date: {self._figure_error}")
        return rows

    def _all_trials(self) -> None:
        was_idle = told = False
        while True:
            self._stop_if_asked()
            claim = self.study.claim(self.task.total)
            if claim is not None:
                was_idle = False
                self._one(claim)
                self._write()
                continue
            left = self.study.others()
            if not left and was_idle:  # twice: one that was given up in between may be to be tried again
                return
            was_idle = not left
            if left and not told:
                told = True
                self.task.say(f"waiting for {left} trial{'s'[: left > 1]} of other processes")
            for _ in range(POLLS if left else 0):
                time.sleep(POLL_S)
                self._stop_if_asked()

    def _one(self, claim: Claim) -> None:
        """One trial, from its settings to its end."""
        began = time.perf_counter()
        name = f"trial {claim.number}"
        settings = "the recipe itself" if claim.is_the_recipe else settings_line(self.study.space.values(claim.params))
        try:
            outcome = self._trained(claim, self.study.space.recipe_of(claim.params))
        except GivenUp:
            self.study.end(claim.number, FAILED)
            self.task.say(f"{name}: {NOT_COUNTED}")
            return
        except KeyboardInterrupt as stop:
            raise self._stopped(claim, stop) from None
        except Exception as error:
            if error is self._trouble:
                raise
            reason = _reason(error)
            self._end(claim, FAILED, None, began, reason=reason)
            self.task.say(f"{name}: failed: {reason} ({settings})")
            return
        if outcome.end == "asked":
            raise self._stopped(claim, None)
        state = PRUNED if outcome.end == "pruned" else COMPLETE
        accuracy = outcome.accuracy if state == COMPLETE else None
        counts = self._end(claim, state, accuracy, began, epochs=outcome.epochs, steps=outcome.steps)
        took = f"{time.perf_counter() - began:.1f} s"
        rows = self.study.rows()
        if not counts:
            self.task.say(f"{name}: {NOT_COUNTED}")
        elif state == PRUNED:
            last = next(row.accuracy for row in rows if row.number == claim.number)
            self.task.say(f"{name}: pruned at {percent(last)} after {outcome.steps:,} steps, {took} ({settings})")
        else:
            best = best_first(rows)[0].number == claim.number
            self.task.say(f"{name}: {percent(accuracy)}{', the best so far,' if best else ''} in {took} ({settings})")

    def _trained(self, claim: Claim, recipe: Recipe) -> Outcome:
        with self.task.progress(f"trial {claim.number}") as bar:

            def on_step(done: int, steps: int) -> None:
                self._of_the_folder(claim.beat)
                if bar is not None:
                    bar(done, steps)

            def report(look: int, accuracy: float) -> bool:
                return bool(self._of_the_folder(lambda: claim.report(look, accuracy)))

            hook = TrialHook(report, self.task.looks_an_epoch, on_step, lambda: self._held.signum is not None)
            return self.task.bench.train(recipe, hook)

    def _of_the_folder(self, act: Callable[[], object]) -> object:
        """Do something in the folder; an error there ends the search, not the trial alone."""
        try:
            return act()
        except OSError as error:
            self._trouble = error
            raise

    def _end(self, claim: Claim, state: str, accuracy: float | None, began: float, **about: object) -> bool:
        about |= {"seconds": round(time.perf_counter() - began, 3)}
        about |= {"seed": self.task.judged.seed, "threads": self.task.judged.threads}
        return self.study.end(claim.number, state, accuracy, **about)

    def _stopped(self, claim: Claim, stop: KeyboardInterrupt | None) -> KeyboardInterrupt:
        """Count the trial as failed, have its settings tried again, and say so."""
        held = self._held.signum
        number = int(getattr(stop, "signum", signal.SIGINT) if held is None else held)
        reason = f"stopped by {signal.Signals(number).name}"
        self.study.end(claim.number, FAILED, reason=reason, **{LOST: True})
        self._write(at_the_end=True)
        return _interrupt(number, f"{reason} in trial {claim.number}, whose settings are tried again")

    def _stop_if_asked(self) -> None:
        if self._held.signum is not None:
            self._write(at_the_end=True)
            raise _interrupt(self._held.signum, f"stopped by {signal.Signals(self._held.signum).name}")

    def _write(self, at_the_end: bool = False) -> list[Row]:
        """Table and best recipe; figures too, but not so often that they cost more than the trials."""
        folder, judged = self.study.folder, self.task.judged
        with folder.locked("results"):
            rows = self.study.rows()
            write_results(folder, rows, self.study.space, judged)
            began = time.perf_counter()
            if at_the_end or began - self._drawn_at > self._drawing_took_s / LARGEST_SHARE:
                self._draw(rows)
                self._drawn_at = time.perf_counter()
                self._drawing_took_s = self._drawn_at - began
        return rows

    def _draw(self, rows: list[Row]) -> None:
        folder, counts = self.study.folder, counted(rows)
        done, judged = counts[COMPLETE], counts[COMPLETE] + counts[PRUNED]
        try:
            if rows:
                save_figure(history_figure(rows), folder.history)
            if done:
                save_figure(settings_figure(rows, self.study.space), folder.settings)
            importances = self.study.importances() if judged >= LEAST_FOR_IMPORTANCE else {}
            if importances:
                save_figure(importance_figure(importances, judged), folder.importance)
            self._figure_error = None
        except Exception as error:  # a picture that cannot be drawn ends no search
            self._figure_error = error.with_traceback(None)


def _interrupt(number: int, text: str) -> KeyboardInterrupt:
    text += "; the same command goes on"
    return Terminated(text) if number == signal.SIGTERM else KeyboardInterrupt(text)


def _reason(error: Exception) -> str:
    """Why a trial failed, in a line."""
    text = " ".join(str(error).split())
    known = isinstance(error, ValueError | ArithmeticError | TypeError) or (isinstance(error, MemoryError) and text)
    return text if known and text else f"{type(error).__name__}: {text}".removesuffix(": ")
