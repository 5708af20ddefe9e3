"""One key of the space: a range of numbers, or a list of choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import numpy as np

from pellucid import check
from pellucid.recipes.written import value_text

RANGE_KEYS = ("low", "high", "step", "log")


class Suggests(Protocol):
    """What is needed of Optuna's trial."""

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None, log: bool) -> float:
        """A number."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        """A whole number."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of several."""


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included.

    Parameters
    ----------
    low, high : int or float
    step : int or float, optional
        Only low, low + step, low + 2 step ...; the last of them is the highest that can be reached.
    log : bool
        Equal factors are equally probable, rather than equal differences.
    whole : bool
        Only integers.
    in_list : bool
        The recipe has a list of one number there: network.hidden = [500].
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False
    whole: bool = False
    in_list: bool = False

    def suggested(self, trial: Suggests, key: str) -> float:
        """Ask Optuna for a value."""
        if self.whole:
            return trial.suggest_int(key, int(self.low), int(self.high), step=int(self.step or 1), log=self.log)
        return trial.suggest_float(key, self.low, self.high, step=self.step, log=self.log)

    def value(self, param: Any) -> Any:
        """What the recipe gets."""
        number = int(param) if self.whole else float(param)
        return [number] if self.in_list else number

    def param(self, value: Any) -> float | None:
        """What Optuna has for a ``value`` of the recipe; None where the range does not hold it."""
        if self.in_list and isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return None
        step = self.step or (1 if self.whole else None)
        if step is not None and not self.log and (Decimal(str(value)) - Decimal(str(self.low))) % Decimal(str(step)):
            return None
        return int(value) if self.whole else float(value)

    def ends(self) -> list[Any]:
        """The lowest and the highest value, as the recipe gets them."""
        return [self.value(self.low), self.value(self.high)]

    def grid(self, where: str, key: str) -> list[Any]:
        """All values, as Optuna has them. ValueError where there is no step."""
        step = self.step or (1 if self.whole and not self.log else None)
        if step is None:
            raise ValueError(
                f"{where}: a grid needs a step for {key}, or a list of choices such as [0.0001, 0.001, 0.01]"
            )
        low, high, between = Decimal(str(self.low)), Decimal(str(self.high)), Decimal(str(step))
        kind: Any = int if self.whole else float
        return [kind(low + i * between) for i in range(int((high - low) / between) + 1)]

    def described(self) -> dict[str, Any]:
        """As plain data."""
        return {"low": self.low, "high": self.high, "step": self.step, "log": self.log}


@dataclass(frozen=True)
class Choices:
    """One of several values of any kind.

    Parameters
    ----------
    by_label : dict
        The values by what they are called: words by themselves, everything else as it is written in TOML. Optuna has
        the labels.
    """

    by_label: Mapping[str, Any]

    def suggested(self, trial: Suggests, key: str) -> str:
        """Ask Optuna for a choice."""
        return trial.suggest_categorical(key, list(self.by_label))

    def value(self, param: Any) -> Any:
        """What the recipe gets."""
        return self.by_label[param]

    def param(self, value: Any) -> str | None:
        """The label of a ``value`` of the recipe; None where it is not among the choices."""
        label = _label(value) if value is not None else ""
        if label in self.by_label:
            return label
        same = [label for label, choice in self.by_label.items() if type(choice) is not bool and choice == value]
        return same[0] if same and not isinstance(value, bool) else None

    def ends(self) -> list[Any]:
        """All of them."""
        return list(self.by_label.values())

    def grid(self, where: str, key: str) -> list[Any]:
        """All labels."""
        return list(self.by_label)

    def described(self) -> list[Any]:
        """As plain data."""
        return list(self.by_label.values())


Entry = Range | Choices


def entry_of(where: str, key: str, given: Any) -> Entry:
    """What stands in the file beside a key.

    Parameters
    ----------
    where : str
        What messages begin with.
    key : str
        The recipe's key.
    given : dict or list
        {low = ..., high = ...} with step or log, or choices.

    Raises
    ------
    ValueError, TypeError
        It is neither, or out of order.
    """
    if isinstance(given, list):
        return _choices(where, key, given)
    if isinstance(given, Mapping):
        return _range(where, key, given)
    raise TypeError(
        f"{where}: {key} is {check.shown(given)}; write a range, {{low = 0.001, high = 0.1}}, or a list of choices. A "
        f"value that stays the same is set with --set {key}={check.shown(given)}"
    )


def _choices(where: str, key: str, given: list[Any]) -> Choices:
    by_label: dict[str, Any] = {}
    for value in given:
        try:
            label = _label(value)
        except (TypeError, ValueError):
            raise TypeError(f"{where}: {key} has the choice {check.shown(value)}; no recipe has such a value") from None
        if label in by_label:
            raise ValueError(f"{where}: {key} has the choice {label} twice; give it once")
        by_label[label] = value
    if len(by_label) < 2:
        raise ValueError(f"{where}: {key} has {len(by_label)} choices; give at least two, or set the one with --set")
    return Choices(by_label)


def _label(value: Any) -> str:
    return value if isinstance(value, str) else value_text(value)


def _range(where: str, key: str, given: Mapping[str, Any]) -> Range:
    check.known_keys(where, key, given, RANGE_KEYS, required=("low", "high"))
    numbers = {name: given[name] for name in ("low", "high", "step") if name in given}
    for name, value in numbers.items():
        check.number(where, f"{key}.{name}", value)
    log = check.flag(where, f"{key}.log", given.get("log", False))
    low, high, step = given["low"], given["high"], given.get("step")
    if low >= high:
        raise ValueError(f"{where}: {key} goes from {low} to {high}; low must be below high")
    if log and low <= 0:
        raise ValueError(f"{where}: {key}.low is {low}; with log = true it must be above 0")
    if log and step is not None:
        raise ValueError(f"{where}: {key} has a step and log = true; leave one of them out")
    if step is not None:
        if not 0 < step <= high - low:
            raise ValueError(f"{where}: {key}.step is {step}; it must be above 0 and at most high - low")
        high = _reached(low, high, step)
    whole = all(isinstance(value, int | np.integer) for value in numbers.values())
    return Range(low, high, step, log, whole)


def _reached(low: float, high: float, step: float) -> float:
    """The highest number that steps from low reach: 48 for 16 to 60 by 16. In decimals, so that 0.1 is a tenth."""
    start, between = Decimal(str(low)), Decimal(str(step))
    reached = start + int((Decimal(str(high)) - start) / between) * between
    return int(reached) if all(isinstance(value, int) for value in (low, high, step)) else float(reached)
