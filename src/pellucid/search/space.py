"""What a search varies: a TOML file whose keys are those of the recipe.

    "optimizer.learning_rate" = {low = 1e-4, high = 1e-1, log = true}
    "network.filters" = {low = 16, high = 64, step = 16}
    "optimizer.rule" = ["sgd_momentum", "adam"]

A key is varied where the recipe has it: with ``optimizer.rule`` among the keys, ``optimizer.beta1`` belongs to Adam's
trials alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pellucid.recipes import Recipe
from pellucid.recipes.changes import CHOOSERS, flattened
from pellucid.search.entries import Entry, Range, Suggests

MOST_COMBINATIONS = 500
"""Of networks, rules and schedules to choose from: each is tried against the recipe before the search begins."""
MOST_POINTS = 100_000
"""Of a grid."""

Params = Mapping[str, Any]
"""What Optuna has for a trial: numbers, and choices by their labels."""
Labels = tuple[str, ...]


@dataclass(frozen=True)
class Space:
    """What is varied, and where the recipe has it.

    Parameters
    ----------
    where : str
        What messages begin with: "search: space.toml".
    recipe : Recipe
        What all trials share.
    entries : dict of Range and Choices by dotted key

    Raises
    ------
    ValueError
        A key that the recipe does not have, a value that it does not take: named, with the recipe's own words.
    """

    where: str
    recipe: Recipe
    entries: Mapping[str, Entry]
    active: Mapping[Labels, tuple[str, ...]] = field(init=False)
    """Which of the other keys belong to a trial, for each combination of the choosers' labels."""

    def __post_init__(self) -> None:
        fitted = {
            key: self._fitted(key, entry) if isinstance(entry, Range) else entry for key, entry in self.entries.items()
        }
        object.__setattr__(self, "entries", fitted)
        object.__setattr__(self, "active", self._checked())

    @property
    def choosers(self) -> tuple[str, ...]:
        """Keys that say which others there are: the network's name, an update rule, a schedule's name."""
        return tuple(key for key in self.entries if _chooses(key))

    @property
    def others(self) -> tuple[str, ...]:
        """All other keys."""
        return tuple(key for key in self.entries if not _chooses(key))

    def suggested(self, trial: Suggests) -> dict[str, Any]:
        """Ask Optuna for a value of every key that belongs to the ``trial``."""
        chosen = {key: self.entries[key].suggested(trial, key) for key in self.choosers}
        active = self.active[tuple(map(str, chosen.values()))]
        return chosen | {key: self.entries[key].suggested(trial, key) for key in active}

    def values(self, params: Params) -> dict[str, Any]:
        """What the recipe gets for a trial's ``params``."""
        return {key: self.entries[key].value(param) for key, param in params.items()}

    def recipe_of(self, params: Params) -> Recipe:
        """The recipe of a trial with these ``params``. ValueError or TypeError where they do not go together."""
        return self.recipe.with_changes(self.values(params))

    def own_params(self) -> dict[str, Any] | None:
        """The recipe as it is, as a trial's params; None where it lies outside of the space."""
        flat = flattened(self.recipe.resolved())
        params = {key: self.entries[key].param(flat.get(key)) for key in self.choosers}
        active = self.active.get(tuple(map(str, params.values())))
        if active is None:
            return None
        params |= {key: self.entries[key].param(flat.get(key)) for key in active}
        return None if None in params.values() else params

    def points(self) -> list[dict[str, Any]]:
        """Every point of the grid, as params.

        Raises
        ------
        ValueError
            A range without a step; too many points.
        """
        grids = {key: entry.grid(self.where, key) for key, entry in self.entries.items()}
        count = sum(math.prod(len(grids[key]) for key in active) for active in self.active.values())
        if count > MOST_POINTS:
            raise ValueError(
                f"{self.where}: its grid has {count:,} points, more than {MOST_POINTS:,}; take another sampler"
            )
        return [
            dict(zip((*self.choosers, *active), (*labels, *point), strict=True))
            for labels, active in self.active.items()
            for point in itertools.product(*(grids[key] for key in active))
        ]

    def ends(self, key: str) -> tuple[int, int]:
        """The least and the largest value that a whole number of the recipe may have in a trial."""
        values = self.entries[key].ends() if key in self.entries else [flattened(self.recipe.resolved())[key]]
        return min(values), max(values)

    def described(self) -> dict[str, Any]:
        """As plain data."""
        return {key: entry.described() for key, entry in self.entries.items()}

    def _fitted(self, key: str, numbers: Range) -> Range:
        """As the recipe's key wants it: in a list where a number alone is refused, with fractions where taken."""
        own = [value for value in (numbers, replace(numbers, in_list=True)) if self._takes(key, value.ends())][:1]
        fitted = own[0] if own else numbers
        if not fitted.whole:
            return fitted
        fraction = numbers.low + 0.5
        takes_fractions = self._takes(key, [[fraction] if fitted.in_list else fraction])
        return (
            replace(fitted, low=float(fitted.low), high=float(fitted.high), whole=False) if takes_fractions else fitted
        )

    def _takes(self, key: str, values: list[Any]) -> bool:
        """Whether the recipe takes one of the values there, with any choice of network, rule ..."""
        return any(
            self._refused({**chosen, key: value}) is None
            for chosen in self._combinations().values()
            for value in values
        )

    def _combinations(self) -> dict[Labels, dict[str, Any]]:
        """The changes that each combination of choosers makes, by its labels."""
        lists = [self.entries[key].grid(self.where, key) for key in self.choosers]
        count = math.prod(map(len, lists))
        if count > MOST_COMBINATIONS:
            raise ValueError(
                f"{self.where}: {', '.join(self.choosers)} have {count:,} combinations, more than {MOST_COMBINATIONS}; "
                "make a search for a part of them"
            )
        chosen = (dict(zip(self.choosers, labels, strict=True)) for labels in itertools.product(*lists))
        return {tuple(params.values()): self.values(params) for params in chosen}

    def _refused(self, changes: Mapping[str, Any]) -> Exception | None:
        """What the recipe has against these changes."""
        try:
            self.recipe.with_changes(changes)
        except (ValueError, TypeError) as error:
            return error
        return None

    def _checked(self) -> dict[Labels, tuple[str, ...]]:
        """Try every choice, and both ends of every range, with every combination of the choosers.

        A key is active in a combination where the recipe takes at least one of its values; every value must be taken
        somewhere.
        """
        verdicts = _Verdicts()
        active = {}
        for labels, chosen in self._combinations().items():
            found = {
                key: [self._refused({**chosen, key: value}) for value in self.entries[key].ends()]
                for key in self.others
            }
            active[labels] = tuple(key for key, errors in found.items() if None in errors)
            for key, errors in found.items():
                for i, error in enumerate(errors):
                    verdicts.note((key, i), error, others_are_taken=None in errors)
            together = None if active[labels] else self._refused(chosen)
            for key, label in zip(self.choosers, labels, strict=True):
                verdicts.note((key, label), together)
        for (key, _), error in verdicts.errors():
            raise ValueError(f"{self.where}: {key}: {error}")
        return active


class _Verdicts:
    """What the recipe has against each value, in the combination where it has least against it."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Any], tuple[int, Exception | None]] = {}

    def note(self, what: tuple[str, Any], error: Exception | None, others_are_taken: bool = False) -> None:
        """Beside values that are taken, an error says more of the value than of the key."""
        rank = 0 if error is None else 1 if others_are_taken else 2
        if what not in self._found or rank < self._found[what][0]:
            self._found[what] = rank, error

    def errors(self) -> Iterator[tuple[tuple[str, Any], Exception]]:
        """What is refused in every combination."""
        return ((what, error) for what, (_, error) in self._found.items() if error is not None)


def _chooses(key: str) -> bool:
    return key.split(".")[-1] in CHOOSERS
