"""How each parameter is trained: by which rule, at which rate, how it decays, until when.

The solver's own rule and settings are for every parameter that no group names. A group names parameters by patterns and
says what is different for them; the model's ``param_options`` say what is different for one parameter.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pellucid import check
from pellucid.training import optim
from pellucid.training.schedules import Schedule

OWN_KEYS = ("params", "update_rule", "schedule", "until")
"""What a group may say beside its rule's settings."""


@dataclass(frozen=True)
class Group:
    """Parameters that are trained alike."""

    name: str
    update_rule: str
    settings: dict[str, Any]
    """Of the rule, complete."""
    schedule: Schedule | None
    until: float
    """The share of the run over which the schedule is stretched, and after which the parameters stay as they are."""

    def factor(self, progress: float) -> float:
        """By which the learning rate is multiplied; 0 once the group has come to its end."""
        if self.ended(progress):
            return 0.0
        if self.schedule is None:
            return 1.0
        return check.number("Solver", f"schedule({progress:g})", self.schedule(progress / self.until), least=0)

    def ended(self, progress: float) -> bool:
        """Whether the parameters stay as they are from now on."""
        return self.until < 1 and progress >= self.until

    def described(self) -> dict[str, Any]:
        """As plain data, for checkpoints."""
        return {
            "update_rule": self.update_rule,
            "settings": self.settings,
            "schedule": schedule_name(self.schedule),
            "until": self.until,
        }


def schedule_name(schedule: Schedule | None) -> str | None:
    """How checkpoints call it."""
    return None if schedule is None else getattr(schedule, "__name__", type(schedule).__name__)


def group_of_each(
    names: Iterable[str],
    groups: Mapping[str, Mapping[str, Any]] | None,
    update_rule: str,
    optim_config: Mapping[str, Any],
    schedule: Schedule | None,
) -> dict[str, Group]:
    """The group of each parameter.

    Parameters
    ----------
    names : iterable of str
        The model's parameters.
    groups : dict of dict, optional
        As the `Solver` takes them: the first that names a parameter has it.
    update_rule, optim_config, schedule
        For the parameters that no group names, and what the groups leave open.
    """
    rest = _group("", {}, update_rule, optim_config, schedule)
    names = list(names)
    result = dict.fromkeys(names, rest)
    taken: set[str] = set()
    for name, wanted in _checked(groups).items():
        group = _group(name, wanted, update_rule, optim_config, schedule)
        for pattern in _patterns(name, wanted):
            found = [n for n in names if fnmatch.fnmatchcase(n, pattern)]
            if not found:
                hint = check.did_you_mean(pattern, names)
                raise ValueError(
                    f"Solver: groups[{name!r}]: no parameter has the name {pattern!r}{hint}; there are "
                    f"{', '.join(names)}"
                )
            result.update(dict.fromkeys(set(found) - taken, group))
            taken.update(found)
    return result


def settings_of_each(groups: Mapping[str, Group], options: Mapping[str, Mapping[str, Any]]) -> dict[str, dict]:
    """A fresh dictionary of settings for each parameter: its group's, changed as the model's options say."""
    result = {}
    for name, group in groups.items():
        settings, own = dict(group.settings), options.get(name, {})
        settings["learning_rate"] *= own.get("learning_rate", 1.0)
        if "weight_decay" in settings:
            settings["weight_decay"] *= float(own.get("weight_decay", 1.0))
        result[name] = settings
    return result


def options_of(model: Any) -> dict[str, dict[str, Any]]:
    """How the model wants its parameters to be trained."""
    return getattr(model, "param_options", None) or {}


def standing_still(model: Any, groups: Mapping[str, Group], progress: float) -> set[str]:
    """The parameters that do not move now: frozen by the model, or of a group that has ended.

    The model is told of the latter, so that it computes no gradient for them.
    """
    options = options_of(model)
    ended = {name for name, group in groups.items() if group.ended(progress)}
    for name in ended & options.keys():
        options[name]["frozen"] = True
    return ended | {name for name, own in options.items() if own.get("frozen")}


@contextmanager
def options_restored(model: Any) -> Iterator[None]:
    """Let the model's options be afterwards what they were."""
    options = options_of(model)
    before = {name: dict(own) for name, own in options.items()}
    try:
        yield
    finally:
        for name, own in before.items():
            options[name].clear()
            options[name].update(own)


def _checked(groups: Any) -> Mapping[str, Mapping[str, Any]]:
    if groups is None:
        return {}
    if not isinstance(groups, Mapping):
        raise TypeError(f"Solver: groups is a {type(groups).__name__}; it must be a dictionary of dictionaries by name")
    return groups


def _patterns(name: str, wanted: Mapping[str, Any]) -> list[str]:
    patterns = wanted["params"]
    patterns = [patterns] if isinstance(patterns, str) else patterns
    if not isinstance(patterns, list | tuple) or not patterns or not all(isinstance(p, str) for p in patterns):
        raise TypeError(
            f"Solver: groups[{name!r}]['params'] is {patterns!r}; it must be a name or pattern such as 'conv*.w', or "
            "a list of them"
        )
    return list(patterns)


def _group(
    name: str, wanted: Any, update_rule: str, optim_config: Mapping[str, Any], schedule: Schedule | None
) -> Group:
    where = f"groups[{name!r}]" if name else "optim_config"
    rule = wanted.get("update_rule", update_rule) if isinstance(wanted, Mapping) else update_rule
    check.one_of("Solver", f"{where}['update_rule']", rule, tuple(optim.RULES))
    if name:
        check.known_keys("Solver", where, wanted, (*OWN_KEYS, *optim.settings_known(rule)), required=("params",))
    own = {key: value for key, value in wanted.items() if key not in OWN_KEYS}
    settings = {**(optim_config if rule == update_rule else {}), **own}
    until = check.number("Solver", f"{where}['until']", wanted.get("until", 1.0), above=0, most=1)
    schedule = wanted.get("schedule", schedule)
    if schedule is not None and not callable(schedule):
        raise TypeError(f"Solver: {where}['schedule'] is a {type(schedule).__name__}; it must be a function")
    return Group(name, rule, optim.check_settings(rule, settings, "Solver", where), schedule, until)
