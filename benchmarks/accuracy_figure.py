"""Test accuracy against minutes of training, ours and PyTorch's, from run folders: docs/images/accuracy.png and .json.

    python -m benchmarks.accuracy_figure "94=runs/94-0" "94=runs/94-1" "94 in PyTorch=runs/torch-94-0" ...

Runs of one name are seeds of one recipe; a run without a name goes by its recipe's, or by its folder's less the number
at the end. `pellucid train` and `benchmarks.recipe_torch` make the folders.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from matplotlib.figure import Figure

from benchmarks import results
from pellucid.inspect import AccuracyPoint, accuracy_figure, save_figure

DATA = "CIFAR-10, JPEG copy"
"""What the accuracies are of; they are lower than on the original images, which have more detail."""
DOCS = Path(__file__).parents[1] / "docs"
SAME = ("recipe", "threads", "machine")
"""What seeds of one recipe must have in common."""
app = App(name="python -m benchmarks.accuracy_figure", help_format="plaintext", version_flags=[])

Record = dict[str, Any]


def read_run(argument: str) -> tuple[str, Record, Record]:
    """The name, run.json and result.json of ``RUN`` or ``NAME=RUN``.

    Raises
    ------
    OSError, ValueError
        There is no finished run there.
    """
    name, equals, folder = argument.rpartition("=")
    path = Path(folder)
    record, result = (_read_json(path / file) for file in ("run.json", "result.json"))
    for key in ("test_accuracy", "train_time_s"):
        if not isinstance(result.get(key), int | float):
            raise ValueError(f"accuracy_figure: {path / 'result.json'} has no {key}; give a run that was tested")
    return (name if equals else _name_of(record, path)), record, result


def _read_json(path: Path) -> Record:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"accuracy_figure: {path} is missing; give the folder of a finished run") from None
    except ValueError as error:
        raise ValueError(f"accuracy_figure: {path} is damaged ({error})") from None
    if not isinstance(content, dict):
        raise ValueError(f"accuracy_figure: {path} is damaged (it holds a {type(content).__name__})")
    return content


def _name_of(record: Record, path: Path) -> str:
    """As the recipe calls itself, or the folder without its number."""
    recipe = record.get("recipe")
    own = recipe.get("name") if isinstance(recipe, dict) else None
    return own if isinstance(own, str) else path.resolve().name.rstrip("0123456789").rstrip("-_") or path.resolve().name


def gathered(arguments: list[str]) -> list[Record]:
    """One entry a recipe: its name, and mean, spread and number of its seeds; the quickest recipe first.

    Raises
    ------
    OSError, ValueError
        A folder has no finished run; runs of one name differ in more than their seeds.
    """
    runs: dict[str, list[tuple[Record, Record]]] = {}
    for argument in arguments:
        name, record, result = read_run(argument)
        runs.setdefault(name, []).append((record, result))
    return sorted((_summary(name, each) for name, each in runs.items()), key=lambda entry: entry["minutes"])


def _summary(name: str, runs: list[tuple[Record, Record]]) -> Record:
    first = runs[0][0]
    for record, _ in runs:
        for key in SAME:
            if record.get(key) != first.get(key):
                raise ValueError(
                    f"accuracy_figure: runs of {name!r} differ in their {key}; they are no seeds of one recipe: give "
                    "them different names, NAME=RUN"
                )
    seeds = [record.get("seed") for record, _ in runs]
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"accuracy_figure: the seeds of {name!r} are {seeds}; no run counts twice")
    accuracies = [result["test_accuracy"] for _, result in runs]
    minutes = [result["train_time_s"] / 60 for _, result in runs]
    plain = [each for _, result in runs if (each := result.get("test_accuracy_plain")) is not None]
    return {
        "name": name,
        "seeds": seeds,
        "test_accuracy": statistics.mean(accuracies),
        "test_accuracy_spread": statistics.stdev(accuracies) if len(runs) > 1 else None,
        "test_accuracy_plain": statistics.mean(plain) if len(plain) == len(runs) else None,
        "minutes": statistics.mean(minutes),
        "minutes_spread": statistics.stdev(minutes) if len(runs) > 1 else None,
        "test_accuracy_each": accuracies,
        "minutes_each": minutes,
        "by": "PyTorch" if "torch" in first.get("versions", {}) else "pellucid",
        "threads": first.get("threads"),
        "machine": first.get("machine"),
        "versions": first.get("versions"),
    }


def line(entry: Record) -> str:
    """An entry to read: ``94: 90.41 % +- 0.12 (3 seeds), 11.2 min``."""
    spread, seeds = entry["test_accuracy_spread"], len(entry["seeds"])
    deviation = "" if spread is None else f" +- {100 * spread:.2f}"
    many = f"{seeds} seeds" if seeds > 1 else "1 seed"
    return f"{entry['name']}: {100 * entry['test_accuracy']:.2f} %{deviation} ({many}), {entry['minutes']:.1f} min"


def draw(entries: list[Record]) -> Figure:
    """The entries as one figure."""
    points = [
        AccuracyPoint(entry["name"], entry["minutes_each"], entry["test_accuracy_each"], kind=entry["by"])
        for entry in entries
    ]
    machine = entries[0]["machine"] or {}
    where = f"{machine.get('processor', 'one machine')}, {entries[0]['threads']} threads"
    return accuracy_figure(points, f"Test accuracy on {DATA}, with test-time augmentation\n{where}")


@app.default
def main(*runs: str, docs: Annotated[Path, Parameter(help="The folder to write to.")] = DOCS) -> int:
    """Draw test accuracy against minutes of training, and write down the numbers.

    Parameters
    ----------
    runs
        Folders of finished runs, or NAME=FOLDER; those of one name are seeds of one recipe.
    """
    if not runs:
        print("accuracy_figure: name the folder of at least one run", file=sys.stderr)
        return 2
    try:
        entries = gathered(list(runs))
        (docs / "images").mkdir(parents=True, exist_ok=True)
        results.write(docs / "accuracy.json", {"data": DATA, "recipes": entries})
        save_figure(draw(entries), docs / "images" / "accuracy.png", dpi=130)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(line(entry) for entry in entries))
    return 0


if __name__ == "__main__":
    sys.exit(app())
