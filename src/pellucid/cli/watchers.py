"""Who looks on while ``pellucid train`` trains: what is written, drawn and told of each step."""

from __future__ import annotations

from pellucid.cli.console import say
from pellucid.cli.crew import Crew
from pellucid.inspect import save_figure, training_figure
from pellucid.runs.film_hook import FilmHook
from pellucid.runs.folder import RunFolder
from pellucid.runs.watched import WatchedHook
from pellucid.training import Hook, Solver
from pellucid.training.curves import CurvesHook
from pellucid.training.metrics import MetricsHook


class Watchers:
    """The hooks of a run in a folder. Where several processes train, the first one writes for all.

    Parameters
    ----------
    folder : RunFolder
    crew : Crew
    tensorboard : bool
        Write event files for TensorBoard, too.

    Raises
    ------
    ValueError
        tensorboardX is not installed.
    """

    def __init__(self, folder: RunFolder, crew: Crew, tensorboard: bool) -> None:
        self.folder, self.crew = folder, crew
        self.metrics = MetricsHook(folder.metrics)
        self.curves = CurvesHook(folder.curves, _draw_curves)
        self.film: FilmHook | None = None
        self.tensorboard = _tensorboard_hook(folder) if tensorboard else None

    def hooks(self, image_shape: tuple[int, int, int]) -> list[Hook]:
        """For images (C, H, W)."""
        told = WatchedHook(self.crew.progress)
        if self.crew.rank > 0:
            return [told]
        self.film = FilmHook(self.folder.film, image_shape)
        return [self.metrics, self.curves, self.film, *([self.tensorboard] if self.tensorboard else []), told]

    def check(self) -> None:
        """At the end: say what is missing, or raise what kept the curves from being drawn."""
        if self.film is not None and self.film.error is not None:
            say(f"the film of the filters has gaps: {self.film.error}")
        if self.curves.error is not None:
            raise self.curves.error


def _draw_curves(solver: Solver, path: str) -> None:
    figure = training_figure(solver.loss_history, solver.train_acc_history, solver.val_acc_history)
    save_figure(figure, path)


def _tensorboard_hook(folder: RunFolder) -> Hook:
    from pellucid.extras.tensorboard import TensorBoardHook

    try:
        return TensorBoardHook(folder.events)
    except ImportError as error:
        raise ValueError(f"train: --tensorboard: {error}") from None
