"""What a search leaves: the best recipe as a file that is ready to train, and a table of all trials."""

from __future__ import annotations

import csv
import io
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pellucid.files import write_atomically
from pellucid.recipes.written import recipe_text, value_text
from pellucid.search.folder import SearchFolder
from pellucid.search.rows import COMPLETE, Row, best_first, counted
from pellucid.search.space import Space

SHOWN = 5
"""Trials in the printed table."""
UNKNOWN = "–"


@dataclass(frozen=True)
class Judged:
    """How trials are judged, for whoever reads the results.

    Attributes
    ----------
    data : str
        A data set's name, or a path.
    held_out : int
        Training images that accuracies are measured on.
    seed, threads : int
    holds_out : bool
        Whether the recipe itself holds images out, or only this search does.
    """

    data: str
    held_out: int
    seed: int
    threads: int
    holds_out: bool


def write_results(folder: SearchFolder, rows: Sequence[Row], space: Space, judged: Judged) -> None:
    """Write trials.csv, and best.toml where a trial has gone to its end."""
    write_atomically(folder.trials, table_text(rows, space).encode())
    best = best_first(rows)
    if best:
        write_atomically(folder.best, best_text(folder, best[0], rows, space, judged).encode())


def best_text(folder: SearchFolder, best: Row, rows: Sequence[Row], space: Space, judged: Judged) -> str:
    """The best recipe, with what there is to know of it above it."""
    right, chance = (
        f"{percent(best.accuracy)} of {judged.held_out:,} held-out training images right",
        margin(best, judged),
    )
    comments = [
        f"The best of {len(rows)} trial{'s'[: len(rows) != 1]} ({words(counted(rows))}): trial {best.number}.",
        f"It had {right} ({chance} by chance).",
        "It was chosen from many by these very images: expect somewhat less of others.",
        *(f"  {key} = {value_text(value)}" for key, value in best.values.items()),
        f"The same run again: {train_command(folder, best, judged)}",
    ]
    if not judged.holds_out:
        comments.append("The recipe itself holds no images out: to train on all of them, add --validation 0.")
    about = f"Trial {best.number} of a search, {percent(best.accuracy)} of {judged.held_out:,} held-out images right."
    return recipe_text(space.recipe_of(best.params).with_changes({"about": about, "cost": ""}), comments)


def train_command(folder: SearchFolder, best: Row, judged: Judged) -> str:
    """What trains by the best recipe, as the trial did."""
    data, recipe = shlex.quote(judged.data), shlex.quote(str(folder.best))
    threads = best.about.get("threads", judged.threads)
    return f"pellucid train {data} --recipe {recipe} --seed {judged.seed} --threads {threads}"


def table_text(rows: Sequence[Row], space: Space) -> str:
    """All trials as comma-separated values: a row a trial, a column a setting."""
    file = io.StringIO()
    notes = ("seconds", "epochs", "steps", "seed", "threads")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["trial", "state", "accuracy", *space.entries, *notes, "host", "process", "looks", "reason"])
    for row in rows:
        owner: Mapping[str, Any] = row.about.get("owner") or {}
        looks = " ".join(f"{look}:{accuracy:.4f}" for look, accuracy in sorted(row.looks.items()))
        writer.writerow(
            [
                row.number,
                row.state,
                "" if row.accuracy is None else repr(row.accuracy),
                *(written(row.values.get(key)) for key in space.entries),
                *(row.about.get(note, "") for note in notes),
                owner.get("host", ""),
                owner.get("pid", ""),
                looks,
                row.reason,
            ]
        )
    return file.getvalue()


def written(value: Any) -> str:
    """A value of a recipe in a cell: words without quotes; nothing where there is none."""
    if value is None:
        return ""
    return value if isinstance(value, str) else value_text(value)


def short(value: Any) -> str:
    """The same, with four digits, for people."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list) and len(value) == 1:
        return short(value[0])
    return written(value) or UNKNOWN


def settings_line(values: Mapping[str, Any]) -> str:
    """What a trial changes, in a line; keys without their table where that is clear."""
    return ", ".join(f"{name} {short(value)}" for name, value in zip(short_names(values), values.values(), strict=True))


def short_names(keys: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """Keys without their tables; with as much of them as tells them apart, and for the names of things."""
    last = [key.rpartition(".")[2] for key in keys]
    return [
        key if last.count(name) > 1 or name in ("name", "rule") else name for key, name in zip(keys, last, strict=True)
    ]


def best_table(rows: Sequence[Row], space: Space) -> list[str]:
    """The best trials, and the recipe itself, as lines."""
    done = best_first(rows)
    shown = [*done[:SHOWN], *(row for row in done[SHOWN:] if row.is_the_recipe)]
    keys = list(space.entries)
    table = [["trial", "right", *short_names(keys), "seconds"]]
    for row in shown:
        seconds = row.about.get("seconds")
        name = f"{row.number}, the recipe itself" if row.is_the_recipe else str(row.number)
        settings = [short(row.values.get(key)) for key in keys]
        table.append([name, percent(row.accuracy), *settings, UNKNOWN if seconds is None else f"{seconds:.1f}"])
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]


def words(counts: Mapping[str, int]) -> str:
    """27 complete, 2 pruned, 1 failed."""
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count or state == COMPLETE)


def percent(accuracy: float | None) -> str:
    """An accuracy for people."""
    return UNKNOWN if accuracy is None else f"{100 * accuracy:.2f} %"


def margin(row: Row, judged: Judged) -> str:
    """The standard deviation of a share that was counted on so many images, also where all of them are right."""
    share = ((row.accuracy or 0.0) * judged.held_out + 1) / (judged.held_out + 2)  # Laplace's rule of succession
    return f"± {100 * math.sqrt(share * (1 - share) / judged.held_out):.2f} %"
