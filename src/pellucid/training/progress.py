"""A progress bar at the bottom of the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pellucid.training.hooks import Hook

if TYPE_CHECKING:
    from rich.progress import Progress

    from pellucid.training.solver import Solver


class ProgressHook(Hook):
    """Steps, loss, accuracy, images a second and the time left, as a bar below what is printed.

    The accuracy is that of the validation images, or of the training images where nothing is validated.
    The bar is on standard output if that is a terminal, else on standard error if that is one, else nowhere. Lines
    printed to the same terminal while it stands appear above it; output that goes to a file is left alone.
    """

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: Any = None

    def on_train_begin(self, solver: Solver) -> None:
        streams = [stream for stream in (sys.stdout, sys.stderr) if stream is not None and stream.isatty()]
        if not streams:
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            MofNCompleteColumn(),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=Console(file=streams[0]),
            redirect_stdout=sys.stdout in streams,
            redirect_stderr=sys.stderr in streams,
        )
        self._task = self._bar.add_task("", total=solver.num_iterations, completed=solver.iteration, figures="")
        self._bar.start()

    def on_step(self, solver: Solver) -> None:
        if self._bar is None:
            return
        speed = self._bar.tasks[0].speed
        figures = [f"loss {solver.loss_history[-1]:.4f}"]
        if solver.val_acc_history:
            figures.append(f"val {solver.val_acc_history[-1]:.4f}")
        elif solver.train_acc_history:
            figures.append(f"train {solver.train_acc_history[-1]:.4f}")
        if speed:
            images_per_step = len(solver.y_train) / solver.iterations_per_epoch if solver.shuffle else solver.batch_size
            figures.append(f"{speed * images_per_step:,.0f} images/s")
        self._bar.update(self._task, completed=solver.iteration, figures=" ".join(figures))

    def on_exit(self, solver: Solver) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
