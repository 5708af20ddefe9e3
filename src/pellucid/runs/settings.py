"""What a training run is made of: a recipe, the data, a seed, and how many threads compute it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pellucid import check, recipes
from pellucid.recipes import Recipe
from pellucid.recipes.changes import flattened
from pellucid.runs.folder import START, processors

DEFAULT_RECIPE = "tutorial"
FINE_TUNING = "finetune"
"""Where a run starts from a model file."""

SHORTHANDS = {
    "model": "network.name",
    "start": "network.path",
    "freeze": "network.freeze",
    "filters": "network.filters",
    "filter_size": "network.filter_size",
    "hidden": "network.hidden",
    "normalization": "network.normalization",
    "keep": "network.keep",
    "weight_scale": "network.weight_scale",
    "reg": "loss.reg",
    "rule": "optimizer.rule",
    "learning_rate": "optimizer.learning_rate",
    "schedule": "schedule.name",
    "epochs": "train.epochs",
    "batch_size": "train.batch_size",
    "lr_decay": "train.lr_decay",
    "validation": "data.validation",
    "image_size": "data.image_size",
    "scale": "data.scale",
}
"""Options that are a key of the recipe."""

FREE_ON_RESUME = ("train.epochs",)
"""What may differ in the recipe when a run goes on; beside it threads, print_every and where a cache is."""

LEAST = {"seed": 0, "threads": 1, "print_every": 1}


@dataclass(frozen=True)
class Settings:
    """Everything that a run depends on, and how it is run."""

    recipe: Recipe
    data: str
    seed: int = recipes.SEED
    threads: int = field(default_factory=processors)
    print_every: int = 20
    cache: str | None = None
    start: Mapping[str, str] | None = None
    """The name and SHA-256 of the model file that the run started from; the run folder has a copy."""

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            check.whole_number("train", f"--{name.replace('_', '-')}", getattr(self, name), least=least)

    def record(self) -> dict[str, Any]:
        """As run.json keeps it."""
        others = {name: getattr(self, name) for name in ("data", "seed", "threads", "print_every", "cache")}
        if self.start is None:
            return {"recipe": self.recipe.resolved()} | others
        own_copy = self.recipe.with_changes({"network.path": START})  # wherever the file itself will be
        return {"recipe": own_copy.resolved(), "start": dict(self.start)} | others

    @classmethod
    def from_record(cls, where: str, record: Mapping[str, Any]) -> Settings:
        """What a run folder recorded; ``where`` is the file, for messages."""
        for name in ("recipe", "data", "seed", "threads"):
            if name not in record:
                raise ValueError(f"{where} is damaged: it lacks the key {name!r}")
        if not isinstance(record["data"], str):
            raise ValueError(f"{where} is damaged: data is {record['data']!r}; it must be a name or a path")
        others = {name: record[name] for name in ("data", "seed", "threads", "print_every", "cache") if name in record}
        recipe = recipes.from_dict(record["recipe"], f"the recipe in {where}")
        start = record.get("start")
        if recipe["network"]["name"] == "file" and not (isinstance(start, dict) and start.keys() == {"file", "sha256"}):
            raise ValueError(f"{where} is damaged: start is {start!r}; it must be a model file's name and SHA-256")
        return cls(recipe, **others, start=start)

    @classmethod
    def from_options(cls, recipe: str | None, given: dict[str, Any], changes: Sequence[str]) -> Settings:
        """What the command line asks for.

        Parameters
        ----------
        recipe : str, optional
            A recipe's name or file.
        given : dict
            The options that were there, with their values.
        changes : sequence of str
            Of --set: "train.epochs=4".
        """
        values, called = _as_changes(given, changes)
        if "start" in given:
            values = {"network.name": "file", "data.normalise": "model", "data.scale": "deviation"} | values
        chosen = recipes.load(recipe or (FINE_TUNING if "start" in given else DEFAULT_RECIPE))
        chosen = chosen.with_changes(values, called)
        return cls(chosen, **_beside_the_recipe(given))

    def with_options(self, given: dict[str, Any], changes: Sequence[str]) -> Settings:
        """The recorded settings with those given on the command line, of which only a few may differ."""
        values, called = _as_changes(given, changes)
        changed = self.recipe.with_changes(values, called)
        before, after = flattened(self.recipe.resolved()), flattened(changed.resolved())
        for path in before | after:
            if path not in FREE_ON_RESUME and before.get(path) != after.get(path):
                self._refuse(path, before.get(path), after.get(path))
        others = _beside_the_recipe(given)
        for name in ("data", "seed"):
            if others.get(name, getattr(self, name)) != getattr(self, name):
                self._refuse(name, getattr(self, name), others[name])
        return replace(self, recipe=changed, **others)

    def _refuse(self, name: str, here: Any, given: Any) -> None:
        raise ValueError(
            f"train: --resume goes on with the run's own settings, and {name} is {here!r} there, not {given!r}; leave "
            "it out, or start a new run"
        )


def _as_changes(given: Mapping[str, Any], changes: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The changes to the recipe that options and --set ask for, and what messages call them."""
    values = {SHORTHANDS[name]: value for name, value in given.items() if name in SHORTHANDS}
    called = {SHORTHANDS[name]: _option(name) for name in given if name in SHORTHANDS}
    for change in changes:
        path, value = recipes.parsed(change)
        if path in values:
            first = called.get(path, "another --set")
            raise ValueError(f"recipe: {path} is given twice, by --set and by {first}; give it once")
        values[path] = value
    return {path: list(value) if isinstance(value, tuple) else value for path, value in values.items()}, called


def _option(name: str) -> str:
    return "--from" if name == "start" else f"--{name.replace('_', '-')}"


def _beside_the_recipe(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in SHORTHANDS}
