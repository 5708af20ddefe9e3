"""TensorBoard's event files, through tensorboardX: ``pip install 'pellucid[tb]'``."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from pellucid.training.hooks import Hook
from pellucid.training.metrics import Pace

if TYPE_CHECKING:
    from pellucid.training.solver import Solver

FLUSH_S = 10
"""Seconds until what was measured can be seen."""


class TensorBoardHook(Hook):
    """Write the run for TensorBoard: ``tensorboard --logdir FOLDER`` shows it, also while it goes on.

    The scalars are ``loss``, ``learning_rate`` and ``images_per_s`` (of training alone) for each step, and
    ``accuracy/train`` and ``accuracy/validation`` for each look at them, all by the number of the step. Where a run
    goes on from a checkpoint, or begins anew, TensorBoard is told to forget what the folder holds of later steps.

    Parameters
    ----------
    folder : str or path
        Where to; made if it is not there. Each call of ``train`` adds a file.

    Raises
    ------
    ImportError
        tensorboardX is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        if not isinstance(folder, str | os.PathLike):
            raise TypeError(f"TensorBoardHook: folder is a {type(folder).__name__}; it must be a folder's name")
        self.folder = os.fspath(folder)
        self._writer_class = _tensorboardx().SummaryWriter
        self._writer: Any = None
        self._pace = Pace()
        self._rate = 0.0  # of the step to come

    def on_train_begin(self, solver: Solver) -> None:
        first = solver.iteration + 1
        suffix = f".{os.getpid()}.{first}"  # else two writers within a second would share a file
        self._writer = self._writer_class(self.folder, purge_step=first, flush_secs=FLUSH_S, filename_suffix=suffix)
        self._pace.begin()
        self._rate = float(solver.learning_rate)

    def on_step(self, solver: Solver) -> None:
        self._pace.step(solver)
        self._add(solver, "loss", float(solver.loss_history[-1]))
        self._add(solver, "learning_rate", self._rate)
        self._add(solver, "images_per_s", self._pace.images_per_s(solver))
        self._rate = float(solver.learning_rate)
        self._pace.rest()

    def on_epoch(self, solver: Solver) -> None:
        for name, history in (("train", solver.train_acc_history), ("validation", solver.val_acc_history)):
            self._add(solver, f"accuracy/{name}", float(history[-1]) if history else None)
        self._pace.rest(after_look=True)

    def on_save(self, solver: Solver, path: str) -> None:
        self._pace.saved()

    def on_exit(self, solver: Solver) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _add(self, solver: Solver, name: str, value: float | None) -> None:
        if value is not None:
            self._writer.add_scalar(name, value, solver.iteration)


def _tensorboardx() -> Any:
    try:
        return importlib.import_module("tensorboardX")
    except ImportError as error:
        raise ImportError(
            f"TensorBoardHook: it needs the package tensorboardX ({error}); install it with pip install 'pellucid[tb]'"
        ) from error
