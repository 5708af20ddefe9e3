"""Recipes: how a network is built and trained, as a TOML file that can be read, printed, copied and changed."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from pellucid import check
from pellucid.recipes.changes import changed
from pellucid.recipes.resolve import Resolver

SUFFIX = ".toml"
MOST_BYTES = 1_000_000
"""A larger file is no recipe."""
MOST_DOTS = 100
"""In one line: of a key with many dots, a.b.c, TOML's reader keeps every beginning, which takes the square of them."""


@dataclass(frozen=True)
class Recipe:
    """A recipe: what was written, and what it means.

    Parameters
    ----------
    name : str
        Of the package's recipe, or the path of a file: for messages.
    given : dict
        The tables as they were written.
    called : dict
        What messages call a key that the user gave under another name.
    source : str
        What messages call the recipe, where it is not "recipe NAME".

    Raises
    ------
    ValueError, TypeError
        An unknown table or key, a value of the wrong type or out of range: with the recipe, the table and the key.
    """

    name: str
    given: Mapping[str, Any]
    called: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        _ = self._tables

    @cached_property
    def _tables(self) -> dict[str, Any]:
        return Resolver(self.source or f"recipe {self.name}", self.called).recipe(self.given)

    def __getitem__(self, table: str) -> Any:
        """A table with every default filled in: ``recipe["train"]["epochs"]``."""
        return self._tables[table]

    @property
    def about(self) -> str:
        """What it is, in a line."""
        return self._tables["about"]

    @property
    def cost(self) -> str:
        """What it costs and what it gives, in a line."""
        return self._tables["cost"]

    def resolved(self) -> dict[str, Any]:
        """Its name and all tables with every default filled in: nested plain data, for JSON; `from_dict` reads it."""
        return {"name": self.name} | copy.deepcopy(self._tables)

    def with_changes(self, changes: Mapping[str, Any], called: Mapping[str, str] | None = None) -> Recipe:
        """The recipe with other values: ``with_changes({"train.epochs": 3, "network.name": "vgg"})``.

        Where another network, rule or schedule is chosen, its table starts from that one's defaults; a learning rate
        stays. ``average=False`` and ``optimizer.groups.NAME=False`` take that table out.

        Parameters
        ----------
        changes : dict
            Values by dotted path.
        called : dict, optional
            What messages call them: {"train.epochs": "--epochs"}.
        """
        for path in changes:
            if not isinstance(path, str) or not all(path.split(".")):
                raise ValueError(f"recipe {self.name}: {path!r} is no key; write table.key, such as 'train.epochs'")
        return replace(self, given=changed(self.given, changes), called={**self.called, **(called or {})})


def names() -> list[str]:
    """The package's recipes, the quickest first."""
    found = {file.name.removesuffix(SUFFIX) for file in _folder().iterdir() if file.name.endswith(SUFFIX)}
    order = ("tutorial", "quick", "94", "96", "finetune")
    return [name for name in order if name in found] + sorted(found - set(order))


def text(name: str) -> str:
    """One of the package's recipes, by its ``name``, as it is written."""
    check.one_of("recipe", "the name", name, names())
    return _folder().joinpath(name + SUFFIX).read_text(encoding="utf-8")


def load(name_or_path: str | Path) -> Recipe:
    """A recipe of the package by its name, or a file.

    Where both are there, ``name_or_path`` means the package's; write ``./94`` for the file.

    Raises
    ------
    ValueError, TypeError
        No such recipe; a file that is not TOML or holds what no recipe has. Each message names the recipe.
    OSError
        The file cannot be read.
    """
    name = str(name_or_path)
    if name in names():
        return from_text(name, text(name))
    path = Path(name_or_path)
    if not path.exists():
        if path.suffix or path.name != name:
            raise FileNotFoundError(f"recipe {name}: there is no such file (looked from {Path.cwd()})")
        near = check.did_you_mean(name, names())
        raise ValueError(f"recipe {name}: there is none{near}; there are {', '.join(names())}, or give a TOML file")
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        raise ValueError(f"recipe {name}: this is no recipe; give a TOML file of less than {MOST_BYTES:,} bytes")
    try:
        content = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"recipe {name}: it is not UTF-8 text ({error.reason} at byte {error.start})") from None
    return from_text(name, content)


def from_text(name: str, content: str) -> Recipe:
    """A recipe called ``name`` from the ``content`` of a TOML file."""
    if any(line.count(".") > MOST_DOTS for line in content.split("\n")):
        raise ValueError(f"recipe {name}: a line has more than {MOST_DOTS} dots; no recipe has")
    try:
        tables = tomllib.loads(content)
    except (ValueError, RecursionError) as error:  # ValueError: also integers of more than 4,300 digits
        raise ValueError(f"recipe {name}: it is not TOML: {error}") from None
    return Recipe(name, tables)


def from_dict(tables: Any, source: str = "recipe") -> Recipe:
    """A recipe from nested plain data, ``tables``, as `Recipe.resolved` gave; ``source`` is what messages call it."""
    if not isinstance(tables, Mapping):
        raise TypeError(f"{source}: it is a {type(tables).__name__}; it must be a dictionary of tables")
    rest = {key: value for key, value in tables.items() if key != "name"}
    return Recipe(str(tables.get("name", "")), rest, source=source)


def _folder() -> Any:
    return resources.files("pellucid.recipes")
