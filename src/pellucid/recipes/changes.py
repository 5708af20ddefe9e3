"""Changes to a recipe: ``train.epochs=3`` on the command line, {"train.epochs": 3} in Python."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from pellucid.recipes import keys
from pellucid.training import optim

BARE_WORD = re.compile(r"[A-Za-z_][\w./-]*")

CHOOSERS = ("name", "rule")
"""Keys that say which other keys a table has."""


def parsed(change: str) -> tuple[str, Any]:
    """A ``change`` taken apart: "train.epochs=3" -> ("train.epochs", 3). The value is TOML or a bare word."""
    where = "--set"
    path, equals, value = change.partition("=")
    path, value = path.strip(), value.strip()
    if not equals or not path or not value:
        raise ValueError(f"{where}: {change!r} is no change; write table.key=value, such as train.epochs=4")
    try:
        read = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        read = {"value": value} if BARE_WORD.fullmatch(value) else {}
    if list(read) != ["value"]:
        raise ValueError(
            f"{where}: in {change!r} the value is not TOML; write a number, true, a word, [64, 128] or "
            "'a string in quotes'"
        )
    return path, read["value"]


def changed(given: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe as written, with other values at some dotted paths; what was given stays as it was.

    A table of which another network, rule or schedule is chosen starts from that one's defaults: what was said of the
    old one would not fit. A learning rate stays.
    """
    new = copy.deepcopy(dict(given))
    for path in sorted(changes, key=lambda path: path.split(".")[-1] not in CHOOSERS):  # choices first
        *tables, key = path.split(".")
        table = new
        for name in tables:
            if not isinstance(table.get(name), dict):
                table[name] = {}
            table = table[name]
        if key in CHOOSERS and table.get(key) != changes[path]:
            _forget(table, key)
        table[key] = copy.deepcopy(changes[path])
    return new


def _forget(table: dict[str, Any], chooser: str) -> None:
    """Leave out what belonged to the old choice."""
    if chooser == "name":
        table.clear()
        return
    settings = {key for rule in optim.RULES for key in keys.settings_of(rule)} - {"learning_rate"}
    groups = table.get("groups", {}).values()
    for table_of_rule in (table, *(group for group in groups if isinstance(group, dict) and "rule" not in group)):
        for key in settings & table_of_rule.keys():
            del table_of_rule[key]


def flattened(table: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested tables as one, by dotted path."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= flattened(value, f"{above}{key}.") if isinstance(value, Mapping) else {above + key: value}
    return flat
