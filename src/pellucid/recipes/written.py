"""A recipe as the text of a TOML file: the way back from `pellucid.recipes.from_text`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pellucid.recipes.recipe import Recipe

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
LONGEST_COMMENT = 500


def recipe_text(recipe: Recipe, comments: Sequence[str] = ()) -> str:
    """The recipe with every default filled in, as a TOML file that `pellucid train --recipe` reads.

    Parameters
    ----------
    recipe : Recipe
    comments : sequence of str
        Lines to put above it.
    """
    tables = {key: value for key, value in recipe.resolved().items() if key != "name"}
    lines = [f"# {_one_line(comment)}".rstrip() for comment in comments]
    lines += [""] if lines else []
    return "\n".join([*lines, *_table_lines(tables, ())]).strip() + "\n"


def value_text(value: Any) -> str:
    """A value in TOML: ``true``, ``0.001``, ``"adam"``, ``[64, 128]``, ``{ decay = 0.99 }``.

    Raises
    ------
    TypeError, ValueError
        What a recipe has no word for: None, NaN, an object of another kind.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"value_text: {value} is not finite; no recipe has such a number")
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {value_text(inner)}" for key, inner in value.items()) + " }"
    raise TypeError(f"value_text: {value!r} is a {type(value).__name__}; TOML has no word for it")


def _table_lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    """A table's own keys, then the tables in it. A key that is None stays away: that is its default."""
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping) and value is not None}
    lines = [f"{_key(key)} = {value_text(value)}" for key, value in plain.items()]
    if path and (lines or not table):
        lines.insert(0, f"[{'.'.join(map(_key, path))}]")
    for key, inner in table.items():
        if isinstance(inner, Mapping) and (inner or not path):
            written = _table_lines(inner, (*path, key))
            lines += written if written[:1] == [""] else ["", *written]
    return lines


def _key(name: str) -> str:
    return name if BARE_KEY.fullmatch(name) else value_text(name)


def _one_line(text: str) -> str:
    """Without what would end the comment or may not stand in it."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:LONGEST_COMMENT]
