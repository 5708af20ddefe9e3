"""``pellucid train``: from files to a trained network, its figures and its accuracy."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from pellucid import check
from pellucid.cli.console import progress_bar, say
from pellucid.cli.run_folder import RunFolder
from pellucid.cli.settings import Settings
from pellucid.data import Dataset, open_dataset
from pellucid.data.catalogue import CATALOGUE
from pellucid.inspect import filters_figure, save_figure, training_figure
from pellucid.kernels.jit import at_most_threads
from pellucid.training import Solver, schedules

IMAGES_PER_CHECKPOINT = 10_000
"""How much work a killed process can lose, in training images: some seconds of it."""

MOST_VALIDATION = 1000
"""Validation images where none are asked for: a tenth of the training images, but no more than the tutorial's."""


def train_command(given: dict[str, Any], run: Path | None, resume: bool, overwrite: bool) -> int:
    """Everything that ``pellucid train`` does. ``given`` holds the options that were on the command line."""
    settings, folder = _settings_and_folder(given, run, resume, overwrite)
    with threadpool_limits(settings.threads), at_most_threads(settings.threads):
        dataset = _open(settings)
        solver, data = build(settings, dataset, folder)
        say(f"{dataset.name}: {describe(data, dataset)}")
        if resume:
            folder.hold()
            if folder.checkpoint.exists():
                solver.resume(folder.checkpoint)
                say(f"going on after iteration {solver.iteration} of {solver.num_iterations}")
        else:
            folder.create(asdict(settings))
        say(f"run folder: {folder.path}")
        _train(solver, folder)
        _finish(solver, data, dataset, folder)
    return 0


def _settings_and_folder(given: dict, run: Path | None, resume: bool, overwrite: bool) -> tuple[Settings, RunFolder]:
    """What to run and where, before anything is read or written."""
    if "data" in given:
        given["data"] = _absolute(given["data"])
    if resume:
        if run is None:
            raise ValueError("train: --resume needs --run, the folder of the run to go on with")
        if overwrite:
            raise ValueError("train: --resume goes on with a run and --overwrite replaces it; give one of them")
        folder = RunFolder(run)
        return Settings.from_record(folder.recorded_settings()).with_given(given), folder
    if "data" not in given:
        raise ValueError("train: say what to train on: a data set such as digits or cifar10, or a folder of images")
    settings = Settings(**given)
    folder = RunFolder(run) if run else RunFolder.next_free(Path("runs"), Path(settings.data).stem)
    folder.check_free(overwrite)
    return settings, folder


def _absolute(data: str) -> str:
    """A path that still means the same when the run is resumed from another folder; a data set's name as it is."""
    return str(Path(data).resolve()) if data not in CATALOGUE and Path(data).exists() else data


def _open(settings: Settings) -> Dataset:
    with progress_bar(f"reading {Path(settings.data).name}") as progress:
        return open_dataset(settings.data, size=settings.image_size, progress=progress)


def build(settings: Settings, dataset: Dataset, folder: RunFolder) -> tuple[Solver, dict[str, Any]]:
    """The network, the split data and the solver: everything is checked here, before the first step."""
    validation = settings.validation
    if validation is None and dataset.X_val is None:
        validation = min(MOST_VALIDATION, max(1, len(dataset.X_train) // 10))
    data = dataset.split(validation, scale=settings.scale)
    model_rng, solver_rng = (np.random.default_rng(s) for s in np.random.SeedSequence(settings.seed).spawn(2))
    model = settings.build_model(dataset.image_shape, len(dataset.classes), model_rng)
    learning_rate = check.number("train", "--learning-rate", settings.learning_rate, above=0)
    solver = Solver(
        model,
        data,
        update_rule=settings.rule,
        optim_config={"learning_rate": learning_rate},
        lr_decay=settings.lr_decay,
        schedule=None if settings.schedule == "constant" else getattr(schedules, settings.schedule)(),
        batch_size=settings.batch_size,
        num_epochs=settings.epochs,
        print_every=settings.print_every,
        shuffle=True,
        rng=solver_rng,
        checkpoint_path=folder.checkpoint,
        checkpoint_every=max(1, IMAGES_PER_CHECKPOINT // settings.batch_size),
    )
    return solver, data


def describe(data: dict[str, Any], dataset: Dataset) -> str:
    """How many images of what size, in a line."""
    C, H, W = dataset.image_shape
    parts = (("train", "to train"), ("val", "to validate"), ("test", "to test"))
    counts = ", ".join(f"{len(data[f'y_{part}']):,} {purpose}" for part, purpose in parts)
    return f"{counts}; {len(dataset.classes)} classes; {H}x{W} pixels, {'grey' if C == 1 else f'{C} channels'}"


def _train(solver: Solver, folder: RunFolder) -> None:
    try:
        solver.train(stop_on_sigterm=True)
    except KeyboardInterrupt:
        say(f"stopped after iteration {solver.iteration}; go on with: pellucid train --run {folder.path} --resume")
        raise


def _finish(solver: Solver, data: dict[str, Any], dataset: Dataset, folder: RunFolder) -> None:
    """Accuracies of the best weights, figures and the result; the test images are looked at here and nowhere else."""
    test_accuracy = solver.check_accuracy(data["X_test"], data["y_test"])
    figure = training_figure(solver.loss_history, solver.train_acc_history, solver.val_acc_history)
    save_figure(figure, folder.curves)
    written = [folder.curves]
    W1 = solver.model.params["W1"]
    if W1.ndim == 2:  # a fully connected first layer: each hidden unit's weights, laid out as an image
        W1 = W1.T.reshape(-1, *dataset.image_shape)[:100]
    save_figure(filters_figure(W1), folder.weights)
    written.append(folder.weights)
    folder.write(
        folder.result,
        {
            "val_accuracy": solver.best_val_acc,
            "test_accuracy": test_accuracy,
            "epochs": solver.epoch,
            "iterations": solver.iteration,
            "final_loss": solver.loss_history[-1],
            "val_accuracy_by_epoch": solver.val_acc_history,
        },
    )
    say(f"validation accuracy {solver.best_val_acc:.4f} (best epoch), test accuracy {test_accuracy:.4f}")
    say(f"wrote {folder.checkpoint}, " + ", ".join(map(str, written)))
