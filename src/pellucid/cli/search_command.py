"""The command ``pellucid search``: its arguments and help. What it does stands in ``search.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from pellucid.cli.commands import Whole, whole_numbers


def search(
    data: str,
    /,
    *,
    space: Path,
    trials: Whole,
    recipe: str | None = None,
    set: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=False, show_default=False)] = (),
    start: Annotated[str | None, Parameter(name="--from")] = None,
    epochs: Whole | None = None,
    batch_size: Whole | None = None,
    validation: Whole | None = None,
    image_size: Annotated[tuple[int, int] | None, Parameter(converter=whole_numbers)] = None,
    sampler: Literal["tpe", "random", "grid"] = "tpe",
    pruner: Literal["median", "hyperband", "none"] = "median",
    seed: Whole | None = None,
    threads: Whole | None = None,
    cache: str | None = None,
    memory: float | None = None,
    out: Path | None = None,
) -> int:
    """Search for better settings of a recipe: many trainings with other values, each judged on held-out images.

    Start the same command several times, also on other machines that share the folder, and they take part in one
    search; start it again after a crash, and it goes on. The best recipe is in FOLDER/best.toml. Test images are not
    looked at. Needs pip install 'pellucid[search]'.

    Parameters
    ----------
    data
        What to train on, as for train: a data set or a path.
    space
        A TOML file that says what to vary: "optimizer.learning_rate" = {low = 1e-4, high = 1e-2, log = true}, or a list
        of choices.
    trials
        How many trainings the search has in all, those of other processes, pruned and failed ones included.
    recipe
        A recipe of the package by its name, or a TOML file (default tutorial).
    set
        Change one key of the recipe for all trials, as for train; may be repeated.
    start
        Fine-tune: start each trial from this model file, as for train.
    epochs
        How often every training image is seen in a trial (train.epochs).
    batch_size
        Images a step (train.batch_size).
    validation
        How many training images to hold out and judge by (data.validation; a tenth, at most 1000, where the recipe
        holds none out).
    image_size
        Height and width to bring images to, for folders and zips of images of several sizes (data.image_size).
    sampler
        How settings are proposed: tpe goes by what was found so far, random does not, grid tries every combination.
    pruner
        What ends trials early: median, those that are worse than half of the others were by then; hyperband; or none.
    seed
        For the proposals, and for the training of every trial (default 231).
    threads
        Threads to compute with (default: all processors this process may use).
    cache
        A file or folder to keep decoded pictures in, for folders and zips larger than memory.
    memory
        A trial whose batch would need more than so many GB has failed (default: what is available).
    out
        The folder of the search (default searches/NAME-NUMBER, the first that is free or is this very search).
    """
    given = {key: value for key, value in locals().items() if value is not None}
    for key in ("space", "trials", "recipe", "set", "sampler", "pruner", "memory", "out"):
        given.pop(key, None)
    from pellucid.cli.search import Asked, search_command

    return search_command(Asked(given, recipe, set, space, trials, sampler, pruner, memory, out))
