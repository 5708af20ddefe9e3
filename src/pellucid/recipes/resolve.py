"""A recipe as it was written -> with every default filled in; whatever does not belong there is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pellucid import check
from pellucid.recipes import keys
from pellucid.training import optim

Table = dict[str, Any]


class Resolver:
    """Fills in and checks the tables of one recipe.

    Parameters
    ----------
    where : str
        What messages begin with: "recipe mine.toml".
    called : dict
        What messages call a key whose value the user gave under another name: {"train.epochs": "--epochs"}.
    """

    def __init__(self, where: str, called: Mapping[str, str]) -> None:
        self.where = where
        self.called = called

    def recipe(self, given: Mapping[str, Any]) -> Table:
        """The whole recipe."""
        check.known_keys(self.where, "it", given, ("about", "cost", *keys.TABLES))
        full: Table = {key: keys.text(self.where, key, given.get(key, "")) for key in ("about", "cost")}
        for name in keys.TABLES:
            full[name] = self._average(given.get(name, False)) if name == "average" else self._table(name, given)
        self._fits_together(full)
        return full

    def _table(self, name: str, recipe: Mapping[str, Any]) -> Table:
        given = self._mapping(name, recipe.get(name, {}))
        if name == "network":
            return self._chosen(name, given, keys.NETWORKS, "three-layer")
        if name == "schedule":
            return self._chosen(name, given, keys.SCHEDULES, "constant")
        if name == "optimizer":
            return self._optimizer(given)
        return self._filled(name, given, keys.PLAIN[name])

    def _average(self, given: Any) -> Table | bool:
        if given is False:
            return False
        return self._filled("average", self._mapping("average", given), keys.AVERAGE)

    def _chosen(self, table: str, given: Table, choices: dict[str, keys.Keys], default: str) -> Table:
        """A table with the keys that belong to its ``name``."""
        name = given.get("name", default)
        check.one_of(self.where, self._called(f"{table}.name"), name, tuple(choices))
        rest = {key: value for key, value in given.items() if key != "name"}
        return {"name": name} | self._filled(table, rest, choices[name], owner=name)

    def _optimizer(self, given: Table) -> Table:
        table = "optimizer"
        rule = given.get("rule", "adam")
        check.one_of(self.where, self._called("optimizer.rule"), rule, tuple(optim.RULES))
        own = {key: value for key, value in given.items() if key not in ("rule", "groups")}
        full = {"rule": rule} | self._settings(table, rule, own, {})
        groups = self._mapping("optimizer.groups", given.get("groups", {}))
        full["groups"] = {
            name: self._group(f"{table}.groups.{name}", group, full)
            for name, group in groups.items()
            if group is not False  # taken out of a recipe with --set optimizer.groups.NAME=false
        }
        return full

    def _group(self, table: str, given: Any, optimizer: Table) -> Table:
        given = self._mapping(table, given)
        rule = given.get("rule", optimizer["rule"])
        check.one_of(self.where, f"{table}.rule", rule, tuple(optim.RULES))
        known = (*keys.GROUP, "rule", "schedule", *keys.settings_of(rule))
        check.known_keys(self.where, f"[{table}]", given, known, required=("params",))
        schedule = given.get("schedule")
        if schedule is not None:
            schedule = self._chosen(
                f"{table}.schedule", self._mapping(f"{table}.schedule", schedule), keys.SCHEDULES, "constant"
            )
        own = {key: value for key, value in given.items() if key not in (*keys.GROUP, "rule", "schedule")}
        shared = optimizer if rule == optimizer["rule"] else {}
        general = {key: value for key, value in given.items() if key in keys.GROUP}
        return (
            self._filled(table, general, keys.GROUP)
            | {"rule": rule}
            | self._settings(table, rule, own, shared)
            | {"schedule": schedule}
        )

    def _settings(self, table: str, rule: str, own: Table, shared: Mapping[str, Any]) -> Table:
        """The rule's settings: a group's own, else those of the recipe where it has the same rule, else the rule's."""
        defaults = keys.settings_of(rule)
        check.known_keys(self.where, f"[{table}] (rule {rule})", own, tuple(defaults))
        settings = {key: own.get(key, shared.get(key, default)) for key, default in defaults.items()}
        rate = self._called(f"{table}.learning_rate")
        settings["learning_rate"] = check.number(self.where, rate, settings["learning_rate"], above=0)
        checked = optim.check_settings(rule, dict(settings), self.where, table)
        return {key: checked[key] for key in settings}

    def _filled(self, table: str, given: Table, known: keys.Keys, owner: str = "") -> Table:
        """Every key of a plain table."""
        title = f"[{table}] ({owner})" if owner else f"[{table}]"
        unknown = {self.called.get(f"{table}.{key}", key): value for key, value in given.items() if key not in known}
        check.known_keys(self.where, title, unknown, tuple(known))
        return {
            key: known[key].check(self.where, self._called(f"{table}.{key}"), given.get(key, known[key].default))
            for key in known
        }

    def _fits_together(self, full: Table) -> None:
        """What no table can say alone."""
        smoothing, network = full["loss"]["label_smoothing"], full["network"]["name"]
        if smoothing and network in keys.COURSE_CLASSES:
            lists = ", ".join(name for name in keys.NETWORKS if name not in keys.COURSE_CLASSES)
            raise ValueError(
                f"{self.where}: loss.label_smoothing is {smoothing:g}, but {network} is a class of the course with a "
                f"loss of its own; take a network that is a list of steps ({lists}), or 0"
            )
        decay, schedule = full["train"]["lr_decay"], full["schedule"]["name"]
        if decay != 1 and schedule != "constant":
            raise ValueError(
                f"{self.where}: train.lr_decay is {decay:g} and schedule.name {schedule}; both change the learning "
                "rate: use one of them"
            )
        data = full["data"]
        if data["normalise"] == "model" and network != "file":
            raise ValueError(
                f"{self.where}: data.normalise is 'model', as a model file says, but network.name is {network!r}; "
                "start from a model file (--from), or take image, channel or none"
            )
        own = {"channel": "divides each channel by its own deviation", "model": "divides by the model's own scale"}
        if data["normalise"] in own and data["scale"] != "deviation":
            raise ValueError(
                f"{self.where}: {self._called('data.scale')} is {data['scale']:g}, but data.normalise "
                f"{data['normalise']!r} {own[data['normalise']]}; leave scale out"
            )

    def _mapping(self, table: str, given: Any) -> Table:
        if not isinstance(given, Mapping):
            raise TypeError(f"{self.where}: {table} is {given!r}, a {type(given).__name__}; it must be a table of keys")
        return dict(given)

    def _called(self, path: str) -> str:
        return self.called.get(path, path)
