"""``pellucid train``: from files to a trained network, its figures and its accuracy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from pellucid import __version__, check, recipes
from pellucid.cli.console import progress_bar, say
from pellucid.cli.crew import Crew, join
from pellucid.cli.report import evaluated, write_report
from pellucid.cli.survivors import Survivors
from pellucid.cli.watchers import Watchers
from pellucid.data import Dataset
from pellucid.data.memory import available_bytes
from pellucid.inspect import filters_figure, save_figure
from pellucid.kernels.jit import at_most_threads
from pellucid.runs.film_hook import shown_filters
from pellucid.runs.folder import RunFolder, processes_of
from pellucid.runs.opening import absolute, model_of, open_data
from pellucid.runs.settings import Settings
from pellucid.runs.start import from_model_file, with_own_start
from pellucid.training import Hook, RankLost, Solver, Together
from pellucid.training.last_steps import KEPT_STEPS
from pellucid.training.state import digest_of

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


@dataclass(frozen=True)
class Work:
    """What there is to do, once the data are read."""

    asked: Asked
    settings: Settings
    start: bytes | None
    """The model file that the run starts from."""
    dataset: Dataset
    data: dict[str, Any]
    """Its parts, as the Solver takes them, and the test images."""
    folder: RunFolder


def train_command(asked: Asked) -> int:
    """Everything that ``pellucid train`` does, in each of the processes that train together."""
    return join().run(lambda crew: _train_asked(asked, crew))


def _train_asked(asked: Asked, crew: Crew) -> int:
    settings, folder = _settings_and_folder(asked, crew)
    try:
        _train_in(settings, folder, asked, crew)
    finally:
        folder.release()
    crew.progress.done()
    return 0


def _train_in(settings: Settings, folder: RunFolder, asked: Asked, crew: Crew) -> None:
    """Read the data, train, and leave what came of it in the folder."""
    start = None
    if not asked.resume and settings.recipe["network"]["name"] == "file":
        settings, start = from_model_file(settings)
    with _threads(settings):
        dataset = crew.in_turn(lambda: opened_data(settings, crew.progress.beat))
        data = recipes.split(settings.recipe, dataset)
        say(f"{dataset.name}: {describe(data, len(dataset.classes))}")
    work = Work(asked, settings, start, dataset, data, folder)
    survivors = Survivors(crew, folder)
    while True:
        try:
            _train_with(work, crew, survivors)
            return
        except RankLost as loss:
            survivors.after(loss)


def _train_with(work: Work, crew: Crew, survivors: Survivors) -> None:
    """Train with the processes that there are."""
    if survivors.have_lost and "threads" not in work.asked.given:
        work = replace(work, settings=replace(work.settings, threads=crew.threads()))
    watchers = Watchers(work.folder, crew, work.asked.tensorboard)
    with _threads(work.settings):
        hooks = [*watchers.hooks(work.data["X_train"].shape[1:]), *survivors.hooks]
        solver = crew.agreed(lambda: build(work, hooks, crew))
        crew.check_same(f"{__version__} {digest_of(solver)}")
        crew.agreed(lambda: _check_memory(work, solver, crew))
        if survivors.have_lost:
            survivors.take(solver)
        else:
            _enter(work, solver, crew)
            say(f"run folder: {work.folder.path}")
        _train(solver, work.folder)
        _finish(solver, work, watchers)


@contextmanager
def _threads(settings: Settings) -> Iterator[None]:
    """So many threads for everything that computes."""
    with threadpool_limits(settings.threads), at_most_threads(settings.threads):
        yield


def _enter(work: Work, solver: Solver, crew: Crew) -> None:
    """Begin the run in its folder, or go on with it. The first process has the folder, the others only read."""
    folder, is_first = work.folder, crew.rank == 0
    if not work.asked.resume:
        crew.agreed(lambda: folder.create(work.settings.record(), work.start, crew.size), mine=is_first)
        return
    crew.agreed(folder.hold, mine=is_first)
    if crew.by_first(lambda: "there" if folder.checkpoint.exists() else ""):
        crew.agreed(lambda: solver.resume(folder.checkpoint))
        say(f"going on after iteration {solver.iteration} of {solver.num_iterations}")


def _settings_and_folder(asked: Asked, crew: Crew) -> tuple[Settings, RunFolder]:
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
        record = folder.recorded()
        if "threads" not in given and crew.size != processes_of(record):
            given["threads"] = crew.threads()
        recorded = Settings.from_record(str(folder.record), record)
        return with_own_start(recorded.with_options(given, asked.changes), folder), folder
    if "data" not in given:
        raise ValueError("train: say what to train on: a data set such as digits or cifar10, or a folder of images")
    if crew.size > 1:
        given = {"threads": crew.threads()} | given
    settings = Settings.from_options(asked.recipe, given, asked.changes)
    return settings, RunFolder(Path(crew.by_first(lambda: str(_free_folder(asked, settings)))))


def _free_folder(asked: Asked, settings: Settings) -> Path:
    """Where a new run goes."""
    folder = RunFolder(asked.run) if asked.run else RunFolder.next_free(Path("runs"), Path(settings.data).stem)
    folder.check_free(asked.overwrite)
    return folder.path


def opened_data(settings: Settings, on_progress: Callable[[], None] = lambda: None) -> Dataset:
    """The data set, and a line for each file of it that was left out."""
    with progress_bar(f"reading {Path(settings.data).name}") as bar:

        def progress(done: int, total: int) -> None:
            on_progress()
            if bar is not None:
                bar(done, total)

        dataset = open_data(settings, progress)
    for name, reason in dataset.skipped:
        say(f"left out {name}: {reason}")
    return dataset


def build(work: Work, hooks: Sequence[Hook], crew: Crew) -> Solver:
    """The network and the solver: everything is checked here, before the first step."""
    settings, classes = work.settings, work.dataset.classes
    synchronise = settings.recipe["train"]["batch_norm"] == "synchronised"
    return recipes.build_solver(
        settings.recipe,
        work.data,
        len(classes),
        settings.seed,
        classes,
        hooks=hooks,
        reduce_gradients=crew.together(synchronise),
        progress=False if crew.is_under_mpiexec else None,  # whose pipes may look like a terminal and are none
        print_every=settings.print_every,
        checkpoint_path=work.folder.checkpoint,
        checkpoint_every=max(1, IMAGES_PER_CHECKPOINT // settings.recipe["train"]["batch_size"]),
    )


def _check_memory(work: Work, solver: Solver, crew: Crew) -> None:
    """Refuse a batch, of which each process has a part, that cannot fit, with the estimate."""
    X, limit_gb = solver.X_train, work.asked.memory
    kept_steps = KEPT_STEPS if crew.may_lose else 0
    needed = recipes.memory_needed(work.settings.recipe, solver.model, X.shape[1:], len(X), crew.size, kept_steps)
    available = available_bytes() if limit_gb is None else limit_gb * 1e9
    recipes.check_memory(needed, available and available / crew.neighbours)


def describe(data: dict[str, Any], num_classes: int) -> str:
    """How many images of what size, in a line."""
    C, H, W = data["X_train"].shape[1:]
    parts = (("train", "to train"), ("val", "to validate"), ("test", "to test"))
    counts = ", ".join(f"{len(data[f'y_{part}']):,} {purpose}" for part, purpose in parts if f"y_{part}" in data)
    return f"{counts}; {num_classes} classes; {H}x{W} pixels, {'grey' if C == 1 else f'{C} channels'}"


def _train(solver: Solver, folder: RunFolder) -> None:
    try:
        solver.train(stop_on_sigterm=True)
    except KeyboardInterrupt:
        say(f"stopped after iteration {solver.iteration}; go on with: pellucid train --run {folder.path} --resume")
        raise


def _finish(solver: Solver, work: Work, watchers: Watchers) -> None:
    """The kept weights' accuracies, figures and the result; the test images are looked at here and nowhere else."""
    settings, data, dataset, folder = work.settings, work.data, work.dataset, work.folder
    test = data["X_test"], data["y_test"], dataset.classes
    report, plain = evaluated(settings.recipe, solver.model, *test, solver.together)
    if solver.together.rank > 0:
        return
    watchers.check()
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
            "train_time_s": watchers.metrics.time_s,
            "val_accuracy_by_epoch": solver.val_acc_history,
        },
    )
    say(str(report))
    keep = settings.recipe["train"]["keep"]
    validated = "" if val_accuracy is None else f"validation accuracy {val_accuracy:.4f} ({keep} epoch), "
    in_views = "" if plain == report.accuracy else f" ({plain:.4f} in a single view)"
    say(f"{validated}test accuracy {report.accuracy:.4f}{in_views}")
    if isinstance(solver.together, Together):
        waited, processes = solver.together.waited_s, solver.together.size
        say(f"{processes} processes; the first waited for the others and the network for {waited:.1f} s")
    say(f"wrote {folder.checkpoint}, {folder.model}, " + ", ".join(map(str, written)))
