"""Recipes: how a network is built and trained, as small TOML files that a user can print, copy and change.

::

    recipe = load("94").with_changes({"train.epochs": 4})
    dataset = open_dataset("cifar10")
    data = split(recipe, dataset)
    solver = build_solver(recipe, data, len(dataset.classes), seed=1)
    solver.train()

Reading order: the TOML files, keys, resolve, changes, recipe, start, build, memory.
"""

from pellucid.recipes.build import SEED, build_network, build_solver, split, views
from pellucid.recipes.changes import parsed
from pellucid.recipes.memory import MemoryNeeded, check_memory, memory_needed
from pellucid.recipes.recipe import Recipe, from_dict, from_text, load, names, text
from pellucid.recipes.start import for_pictures, start_model

__all__ = [
    "SEED",
    "MemoryNeeded",
    "Recipe",
    "build_network",
    "build_solver",
    "check_memory",
    "for_pictures",
    "from_dict",
    "from_text",
    "load",
    "memory_needed",
    "names",
    "parsed",
    "split",
    "start_model",
    "views",
    "text",
]
