"""``pellucid search``: from a recipe and a space to the best recipe that was found."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from pellucid import check, recipes
from pellucid.cli import FAILED
from pellucid.cli.console import progress_bar, say
from pellucid.cli.train import opened_data
from pellucid.data import Dataset
from pellucid.data.memory import available_bytes
from pellucid.kernels.jit import at_most_threads
from pellucid.recipes import Recipe
from pellucid.runs.opening import absolute
from pellucid.runs.settings import SHORTHANDS, Settings
from pellucid.runs.start import from_model_file
from pellucid.search.folder import SearchFolder, next_folder
from pellucid.search.results import Judged, best_table, margin, percent, train_command, words
from pellucid.search.rows import Row, best_first, counted
from pellucid.search.space import Space
from pellucid.search.space_file import read_space
from pellucid.search.trial import Bench

PARENT = Path("searches")
LOOKED_AT = 64
"""Images that tell one data set from another, beside all labels."""
SHOWN_DIFFERENCES = 4


@dataclass(frozen=True)
class Asked:
    """What stood on the command line."""

    given: dict[str, Any]
    """The options that were there, but for those below."""
    recipe: str | None
    changes: Sequence[str]
    space: Path
    trials: int
    sampler: str
    pruner: str
    memory: float | None
    out: Path | None


def search_command(asked: Asked) -> int:
    """Everything that ``pellucid search`` does."""
    _check_optuna()
    check.whole_number("search", "--trials", asked.trials, least=1)
    if asked.memory is not None:
        check.number("search", "--memory", asked.memory, above=0)
    settings = _settings(asked)
    fixed = [SHORTHANDS[name] for name in asked.given if name in SHORTHANDS]
    fixed += [recipes.parsed(change)[0] for change in asked.changes]
    space = read_space(asked.space, settings.recipe, fixed)
    if asked.sampler == "grid":
        say(f"the grid has {len(space.points()):,} points")
    if asked.out is not None:
        SearchFolder(asked.out).check_place()
    with threadpool_limits(settings.threads), at_most_threads(settings.threads):
        return _search(asked, settings, space)


def _search(asked: Asked, settings: Settings, space: Space) -> int:
    """Read the images, join the search and take part in it."""
    from pellucid.search.loop import Task, method_of, search
    from pellucid.search.study import Study

    dataset = opened_data(settings)
    space, holds_out = _holding_out(space, dataset)
    most_bytes = available_bytes() if asked.memory is None else asked.memory * 1e9
    bench = Bench(space.recipe, dataset, settings.seed, most_bytes)
    say(f"{dataset.name}: {bench.images:,} images to train, {bench.held_out:,} held out to judge by")
    folder = _joined(asked, settings, space, dataset)
    say(f"search folder: {folder.path}")
    judged = Judged(settings.data, bench.held_out, settings.seed, settings.threads, holds_out)
    method, looks = method_of(space, asked.sampler, asked.pruner, settings.seed)
    study = Study(folder, space, method)
    rows = search(Task(study, bench, judged, asked.trials, say, progress_bar, looks))
    return _report(rows, folder, space, judged)


def _check_optuna() -> None:
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise ValueError(
            "search: the package optuna is not installed; it comes with: pip install 'pellucid[search]'"
        ) from None


def _settings(asked: Asked) -> Settings:
    """The recipe that all trials share, the data, the seed."""
    given = dict(asked.given)
    for name in ("seed", "threads"):
        if name in given:
            check.whole_number("search", f"--{name}", given[name], least=0 if name == "seed" else 1)
    for name in ("data", "cache", "start"):
        if name in given:
            given[name] = absolute(given[name])
    settings = Settings.from_options(asked.recipe, given, asked.changes)
    if settings.recipe["network"]["name"] != "file":
        return settings
    path = absolute(settings.recipe["network"]["path"])  # best.toml is not where this command was started
    settings, _ = from_model_file(replace(settings, recipe=settings.recipe.with_changes({"network.path": path})))
    return settings


def _holding_out(space: Space, dataset: Dataset) -> tuple[Space, bool]:
    """The space with a recipe that holds images out, and whether it did so by itself."""
    if space.recipe["data"]["validation"] != 0:
        return space, True
    what = "the data's own validation images" if dataset.X_val is not None else "a tenth, at most 1,000"
    say(f"the recipe holds no images out to judge by; the search takes {what}")
    recipe = space.recipe.with_changes({"data.validation": "tenth"})
    return replace(space, recipe=recipe), False


def _joined(asked: Asked, settings: Settings, space: Space, dataset: Dataset) -> SearchFolder:
    """The folder of this search, begun or joined."""
    identity = {
        "recipe": _told_apart(space.recipe, settings),
        "space": space.described(),
        "data": _fingerprint(dataset),
        "sampler": asked.sampler,
        "pruner": asked.pruner,
        "seed": settings.seed,
    }
    remarks = {"where": settings.data, "recipe name": space.recipe.name}
    if asked.out is None:
        return next_folder(PARENT, Path(settings.data).stem, identity, remarks)
    folder = SearchFolder(asked.out)
    differs = folder.join(identity, remarks)
    if differs:
        shown = [f"{key.removeprefix('recipe.')} is {there!r} there and {here!r} here"
                 for key, (there, here) in list(differs.items())[:SHOWN_DIFFERENCES]]  # fmt: skip
        more = f", and {len(differs) - len(shown)} more" if len(differs) > len(shown) else ""
        raise ValueError(
            f"search: {folder.path} is another search: {', '.join(shown)}{more}; take part with its settings, or name "
            "another folder with --out"
        )
    return folder


def _told_apart(recipe: Recipe, settings: Settings) -> dict[str, Any]:
    """What a recipe does; a model file by its content, since it may stand elsewhere on each machine."""
    tables = {name: table for name, table in recipe.resolved().items() if name not in ("name", "about", "cost")}
    if settings.start is not None:
        tables["network"] |= {"path": settings.start["sha256"]}
    return tables


def _fingerprint(dataset: Dataset) -> dict[str, Any]:
    """What tells these training images from others, wherever they are."""
    digest = hashlib.sha256("\n".join(dataset.classes).encode())
    for X, y in ((dataset.X_train, dataset.y_train), (dataset.X_val, dataset.y_val)):
        if X is not None and y is not None:
            digest.update(np.asarray(y, np.int64).tobytes())
            some = np.linspace(0, len(y) - 1, LOOKED_AT).astype(int)
            digest.update(np.ascontiguousarray(X.pixels[some]).tobytes())
    return {
        "images": len(dataset.y_train),
        "shape": list(dataset.image_shape),
        "classes": len(dataset.classes),
        "digest": digest.hexdigest()[:16],
    }


def _report(rows: Sequence[Row], folder: SearchFolder, space: Space, judged: Judged) -> int:
    """The best trials, and what to do with them."""
    say(f"{len(rows)} trial{'s'[: len(rows) != 1]}: {words(counted(rows))}")
    best = best_first(rows)
    if not best:
        say(f"none went to its end; {folder.trials} says why")
        return FAILED
    for line in best_table(rows, space):
        say(line)
    right = (
        f"{percent(best[0].accuracy)} of {judged.held_out:,} held-out images right, {margin(best[0], judged)} by chance"
    )
    say(f"the best has {right}; as the best of many on these very images, it is likely to have less of others")
    written = [folder.best, folder.trials, folder.history, folder.importance, folder.settings]
    say("wrote " + ", ".join(str(file) for file in written if file.exists()))
    say(f"train it: {train_command(folder, best[0], judged)}")
    return 0
