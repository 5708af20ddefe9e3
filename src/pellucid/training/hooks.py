"""Hooks: what is done beside training, told of each step by the `Solver`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pellucid import check

if TYPE_CHECKING:
    from pellucid.training.solver import Solver


class Hook:
    """Something to do while a `Solver` trains. Override what you need; every method gets the solver.

    A hook may read everything of the solver and call ``solver.stop()`` to end training after this step. Whatever a
    hook raises comes out of ``train``.
    """

    def on_train_begin(self, solver: Solver) -> None:
        """Before the first step, also of a run that goes on."""

    def on_step(self, solver: Solver) -> None:
        """After each step; ``solver.loss_history[-1]`` is its loss, ``solver.iteration`` counts it."""

    def on_epoch(self, solver: Solver) -> None:
        """After each look at the accuracies, that is after the first step and each epoch's last, after ``on_step``."""

    def on_save(self, solver: Solver, path: str) -> None:
        """After a checkpoint was written."""

    def on_train_end(self, solver: Solver) -> None:
        """After the last step, also where training was stopped early; the model still has that step's weights."""

    def on_exit(self, solver: Solver) -> None:
        """At the very end of ``train``, even if an error ended it: the place to tidy up."""


class PrintHook(Hook):
    """The course's printed lines; ``solver.print_every`` says how often a loss is printed."""

    def on_step(self, solver: Solver) -> None:
        if (solver.iteration - 1) % solver.print_every == 0:
            loss = solver.loss_history[-1]
            print(f"(Iteration {solver.iteration} / {solver.num_iterations}) loss: {loss:f}", flush=True)

    def on_epoch(self, solver: Solver) -> None:
        val_acc = f"; val_acc: {solver.val_acc_history[-1]:f}" if solver.val_acc_history else ""
        epochs = f"(Epoch {solver.epoch} / {solver.end_epoch})"
        print(f"{epochs} train acc: {solver.train_acc_history[-1]:f}{val_acc}", flush=True)

    def on_save(self, solver: Solver, path: str) -> None:
        if path != solver.checkpoint_path:  # that one file is written again and again
            print(f'Saving checkpoint to "{path}"', flush=True)


class CheckpointHook(Hook):
    """One checkpoint file, always the newest state of the run.

    It is also written where training ends at a step that no checkpoint of the run holds yet.

    Parameters
    ----------
    path : str or path
        The file; each checkpoint replaces the one before.
    every : int, optional
        Write it after so many steps.
    each_epoch : bool
        Write it after each look at the accuracies.
    """

    def __init__(self, path: str | os.PathLike[str], every: int | None = None, each_epoch: bool = True) -> None:
        self.path = os.fspath(path)
        self.every = None if every is None else check.whole_number("CheckpointHook", "every", every, least=1)
        self.each_epoch = each_epoch
        self._saved_iteration = 0

    def on_train_begin(self, solver: Solver) -> None:
        self._saved_iteration = solver.iteration

    def on_step(self, solver: Solver) -> None:
        epoch_will_save = self.each_epoch and solver.evaluated
        if self.every and solver.iteration % self.every == 0 and not epoch_will_save:
            solver.save(self.path)

    def on_epoch(self, solver: Solver) -> None:
        if self.each_epoch:
            solver.save(self.path)

    def on_save(self, solver: Solver, path: str) -> None:
        self._saved_iteration = solver.iteration

    def on_train_end(self, solver: Solver) -> None:
        if self._saved_iteration != solver.iteration:
            solver.save(self.path)


class EpochCheckpointHook(Hook):
    """A checkpoint of its own at each look at the accuracies, NAME_epoch_NUMBER.safetensors, as the course has them."""

    def __init__(self, name: str) -> None:
        self.name = name

    def on_epoch(self, solver: Solver) -> None:
        solver.save(f"{self.name}_epoch_{solver.epoch}.safetensors")


def standard_hooks(solver: Solver) -> list[Hook]:
    """The hooks that the solver's own settings ask for, in the order in which they are told."""
    from pellucid.training.progress import ProgressHook

    if solver.together.rank > 0:  # the first of several processes prints and writes for all
        return []
    hooks: list[Hook] = []
    if solver.checkpoint_name is not None:
        hooks.append(EpochCheckpointHook(solver.checkpoint_name))
    if solver.progress is not False:
        hooks.append(ProgressHook())
    if solver.verbose:
        hooks.append(PrintHook())
    if solver.checkpoint_path is not None:
        hooks.append(CheckpointHook(solver.checkpoint_path, solver.checkpoint_every))
    elif solver.checkpoint_name is not None:
        hooks.append(CheckpointHook(f"{solver.checkpoint_name}_last.safetensors", each_epoch=False))
    return hooks
