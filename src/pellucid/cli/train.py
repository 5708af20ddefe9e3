"""``pellucid train``: from files to a trained network, its figures and its accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from pellucid import check, recipes
from pellucid.cli.console import progress_bar, say
from pellucid.cli.report import evaluated, write_report
from pellucid.data import Dataset
from pellucid.data.memory import available_bytes
from pellucid.inspect import filters_figure, save_figure, training_figure
from pellucid.kernels.jit import at_most_threads
from pellucid.runs.film_hook import FilmHook, shown_filters
from pellucid.runs.folder import RunFolder
from pellucid.runs.opening import absolute, model_of, open_data
from pellucid.runs.settings import Settings
from pellucid.runs.start import from_model_file, with_own_start
from pellucid.training import Hook, Solver
from pellucid.training.curves import CurvesHook
from pellucid.training.metrics import MetricsHook

IMAGES_PER_CHECKPOINT = 10_000
"""How much work a killed process can lose, in training images: some seconds of it."""


@dataclass(frozen=True)
class Asked:
    """What stood on the command line."""

    given: dict[str, Any]
    """The options that were there, but for those below."""
    recipe: str | None
    changes: Sequence[str]
    run: Path | None
    resume: bool
    overwrite: bool
    tensorboard: bool
    memory: float | None


def train_command(asked: Asked) -> int:
    """Everything that ``pellucid train`` does."""
    settings, folder = _settings_and_folder(asked)
    try:
        return _train_in(settings, folder, asked)
    finally:
        folder.release()


def _train_in(settings: Settings, folder: RunFolder, asked: Asked) -> int:
    """Read the data, train, and leave what came of it in the folder."""
    start = None
    if not asked.resume and settings.recipe["network"]["name"] == "file":
        settings, start = from_model_file(settings)
    tensorboard = _tensorboard_hook(folder) if asked.tensorboard else None
    with threadpool_limits(settings.threads), at_most_threads(settings.threads):
        dataset = opened_data(settings)
        data = recipes.split(settings.recipe, dataset)
        say(f"{dataset.name}: {describe(data, len(dataset.classes))}")
        metrics = MetricsHook(folder.metrics)
        curves = CurvesHook(folder.curves, _draw_curves)
        film = FilmHook(folder.film, data["X_train"].shape[1:])
        hooks = [metrics, curves, film, *([tensorboard] if tensorboard else [])]
        solver = build(settings, data, dataset, folder, hooks)
        _check_memory(settings, solver, asked.memory)
        if asked.resume:
            folder.hold()
            if folder.checkpoint.exists():
                solver.resume(folder.checkpoint)
                say(f"going on after iteration {solver.iteration} of {solver.num_iterations}")
        else:
            folder.create(settings.record(), start)
        say(f"run folder: {folder.path}")
        _train(solver, folder)
        if film.error is not None:
            say(f"the film of the filters has gaps: {film.error}")
        _finish(solver, settings, data, dataset, folder, metrics, curves)
    return 0


def _settings_and_folder(asked: Asked) -> tuple[Settings, RunFolder]:
    """What to run and where, before anything is read or written."""
    given = dict(asked.given)
    for name in ("data", "cache", "start"):
        if name in given:
            given[name] = absolute(given[name])
    if asked.memory is not None:
        check.number("train", "--memory", asked.memory, above=0)
    if asked.resume:
        if asked.run is None:
            raise ValueError("train: --resume needs --run, the folder of the run to go on with")
        if asked.overwrite:
            raise ValueError("train: --resume goes on with a run and --overwrite replaces it; give one of them")
        if asked.recipe is not None:
            raise ValueError("train: --resume goes on with the run's own recipe; leave --recipe out")
        folder = RunFolder(asked.run)
        recorded = Settings.from_record(str(folder.record), folder.recorded())
        return with_own_start(recorded.with_options(given, asked.changes), folder), folder
    if "data" not in given:
        raise ValueError("train: say what to train on: a data set such as digits or cifar10, or a folder of images")
    settings = Settings.from_options(asked.recipe, given, asked.changes)
    folder = RunFolder(asked.run) if asked.run else RunFolder.next_free(Path("runs"), Path(settings.data).stem)
    folder.check_free(asked.overwrite)
    return settings, folder


def opened_data(settings: Settings) -> Dataset:
    """The data set, and a line for each file of it that was left out."""
    with progress_bar(f"reading {Path(settings.data).name}") as progress:
        dataset = open_data(settings, progress)
    for name, reason in dataset.skipped:
        say(f"left out {name}: {reason}")
    return dataset


def build(
    settings: Settings, data: dict[str, Any], dataset: Dataset, folder: RunFolder, hooks: Sequence[Hook]
) -> Solver:
    """The network and the solver: everything is checked here, before the first step."""
    return recipes.build_solver(
        settings.recipe,
        data,
        len(dataset.classes),
        settings.seed,
        dataset.classes,
        hooks=hooks,
        print_every=settings.print_every,
        checkpoint_path=folder.checkpoint,
        checkpoint_every=max(1, IMAGES_PER_CHECKPOINT // settings.recipe["train"]["batch_size"]),
    )


def _check_memory(settings: Settings, solver: Solver, limit_gb: float | None) -> None:
    """Refuse a batch that cannot fit, with the estimate."""
    needed = recipes.memory_needed(settings.recipe, solver.model, solver.X_train.shape[1:], len(solver.y_train))
    recipes.check_memory(needed, available_bytes() if limit_gb is None else limit_gb * 1e9)


def _tensorboard_hook(folder: RunFolder) -> Hook:
    from pellucid.extras.tensorboard import TensorBoardHook

    try:
        return TensorBoardHook(folder.events)
    except ImportError as error:
        raise ValueError(f"train: --tensorboard: {error}") from None


def describe(data: dict[str, Any], num_classes: int) -> str:
    """How many images of what size, in a line."""
    C, H, W = data["X_train"].shape[1:]
    parts = (("train", "to train"), ("val", "to validate"), ("test", "to test"))
    counts = ", ".join(f"{len(data[f'y_{part}']):,} {purpose}" for part, purpose in parts if f"y_{part}" in data)
    return f"{counts}; {num_classes} classes; {H}x{W} pixels, {'grey' if C == 1 else f'{C} channels'}"


def _draw_curves(solver: Solver, path: str) -> None:
    figure = training_figure(solver.loss_history, solver.train_acc_history, solver.val_acc_history)
    save_figure(figure, path)


def _train(solver: Solver, folder: RunFolder) -> None:
    try:
        solver.train(stop_on_sigterm=True)
    except KeyboardInterrupt:
        say(f"stopped after iteration {solver.iteration}; go on with: pellucid train --run {folder.path} --resume")
        raise


def _finish(
    solver: Solver,
    settings: Settings,
    data: dict[str, Any],
    dataset: Dataset,
    folder: RunFolder,
    metrics: MetricsHook,
    curves: CurvesHook,
) -> None:
    """The kept weights' accuracies, figures and the result; the test images are looked at here and nowhere else."""
    report, plain = evaluated(settings.recipe, solver.model, data["X_test"], data["y_test"], dataset.classes)
    if curves.error is not None:
        raise curves.error
    save_figure(filters_figure(shown_filters(solver.model, data["X_train"].shape[1:]).filters), folder.weights)
    written = [folder.curves, folder.weights, *write_report(folder, "test", "best", settings, report, plain)]
    val_accuracy = solver.best_val_acc if solver.val_acc_history else None
    reached = {"epochs": solver.epoch, "val_accuracy": val_accuracy, "test_accuracy": report.accuracy}
    model_of(settings, dataset, data, solver.model, reached).save(folder.model)
    folder.write(
        folder.result,
        {
            "val_accuracy": val_accuracy,
            "test_accuracy": report.accuracy,
            "test_accuracy_plain": plain,
            "epochs": solver.epoch,
            "iterations": solver.iteration,
            "final_loss": solver.loss_history[-1],
            "train_time_s": metrics.time_s,
            "val_accuracy_by_epoch": solver.val_acc_history,
        },
    )
    say(str(report))
    keep = settings.recipe["train"]["keep"]
    validated = "" if val_accuracy is None else f"validation accuracy {val_accuracy:.4f} ({keep} epoch), "
    in_views = "" if plain == report.accuracy else f" ({plain:.4f} in a single view)"
    say(f"{validated}test accuracy {report.accuracy:.4f}{in_views}")
    say(f"wrote {folder.checkpoint}, {folder.model}, " + ", ".join(map(str, written)))
