"""``pellucid recipes`` and ``pellucid recipe``: which there are, what they cost, and how they read."""

from __future__ import annotations

import sys

from pellucid import recipes
from pellucid.cli.console import say


def recipes_command() -> int:
    """A line or two for each of the package's recipes."""
    for name in recipes.names():
        recipe = recipes.load(name)
        say(f"{name:10} {recipe.about}")
        say(f"{'':10} {recipe.cost}")
    say("\nread one: pellucid recipe 94    change it: pellucid recipe 94 > mine.toml    train: pellucid train cifar10 "
        "--recipe mine.toml")  # fmt: skip
    return 0


def recipe_command(name: str) -> int:
    """Print the file as it is."""
    sys.stdout.write(recipes.text(name))
    sys.stdout.flush()
    return 0
