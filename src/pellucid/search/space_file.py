"""The space, read from its file."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pellucid.data import places
from pellucid.recipes import Recipe
from pellucid.recipes.recipe import MOST_BYTES, MOST_DOTS
from pellucid.search.entries import Entry, entry_of
from pellucid.search.space import Space

VARIED_DATA = ("data.normalise", "data.scale")
"""Of [data]: how the same images are shown to the network."""

NOT_VARIED = {
    "data": "all trials must see the same images, and be judged on the same ones: set it with --set",
    "test": "it is how test images are looked at, and a search never looks at them",
    "network.path": "the images are prepared for one model file: make a search for each file",
    "about": "it is a remark",
    "cost": "it is a remark",
    "name": "it is what the recipe is called",
}


def read_space(path: str | Path, recipe: Recipe, fixed: Collection[str] = ()) -> Space:
    """The space in a file, checked against the recipe from end to end.

    Parameters
    ----------
    path : path
        A TOML file.
    recipe : Recipe
        What is varied.
    fixed : collection of str
        Keys that the command line sets; they cannot be varied, too.

    Raises
    ------
    ValueError, TypeError
        The file is not TOML, empty, or holds what the recipe does not have.
    OSError
        It cannot be read.
    """
    where = f"search: {path}"
    entries: dict[str, Entry] = {}
    for key, given in _leaves(where, _tables(where, Path(path)), ""):
        if key in entries:
            raise ValueError(f"{where}: {key} is there twice; give it once")
        _check_may_vary(where, key, fixed)
        entries[key] = entry_of(where, key, given)
    if not entries:
        raise ValueError(
            f'{where}: it is empty; write what to vary, such as "optimizer.learning_rate" = {{low = 1e-4, high = 1e-2, '
            "log = true}"
        )
    return Space(where, recipe, entries)


def _tables(where: str, path: Path) -> dict[str, Any]:
    try:
        with places.opened("search", path) as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise FileNotFoundError(f"{where}: there is no such file (looked from {Path.cwd()})") from None
    if len(content) > MOST_BYTES:
        raise ValueError(f"{where}: it has more than {MOST_BYTES:,} bytes; no space has")
    try:
        text = content.decode("utf-8")
        if any(line.count(".") > MOST_DOTS for line in text.split("\n")):
            raise ValueError(f"a line has more than {MOST_DOTS} dots")
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: it is not TOML: {error}") from None


def _leaves(where: str, table: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    """(dotted key, what stands there): tables are gone through, down to ranges, which hold no tables or lists."""
    for key, given in table.items():
        dotted = f"{above}{key}"
        inner = list(given.values()) if isinstance(given, Mapping) else []
        if inner and ("." not in dotted or any(isinstance(each, Mapping | list) for each in inner)):
            yield from _leaves(where, given, f"{dotted}.")
        else:
            yield dotted, given


def _check_may_vary(where: str, key: str, fixed: Collection[str]) -> None:
    parts = key.split(".")
    if not all(parts):
        raise ValueError(f'{where}: {key!r} is no key; write table.key, such as "optimizer.learning_rate"')
    if key not in VARIED_DATA:
        for name in (key, parts[0]):
            if name in NOT_VARIED:
                raise ValueError(f"{where}: {key} cannot be varied: {NOT_VARIED[name]}")
    for given in fixed:
        if given == key or given.startswith(f"{key}.") or key.startswith(f"{given}."):
            raise ValueError(f"{where}: {key} is varied, and {given} is set on the command line; leave one of them out")
