"""One update of all parameters, each by its own rule."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid import check
from pellucid.training import optim
from pellucid.training.groups import Group
from pellucid.training.weights import is_finite


def check_gradients(params: Mapping[str, np.ndarray], grads: Mapping[str, Any]) -> str | None:
    """Each parameter has a gradient of its shape; returns the name of one that holds NaN or infinity, or None."""
    for name, w in params.items():
        if grads.get(name) is None:
            raise ValueError(f"Solver: model.loss returned no gradient for the parameter {name!r}")
        dw = np.asarray(grads[name])
        check.shape("Solver", f"grads[{name!r}]", dw, w.shape, "the shape of the parameter")
        if not is_finite(dw):
            return name
    return None


def update(
    params: dict[str, np.ndarray],
    names: list[str],
    grads: Mapping[str, np.ndarray],
    groups: Mapping[str, Group],
    configs: dict[str, dict[str, Any]],
    own_rule: optim.Rule,
    progress: float,
) -> None:
    """Move the named parameters along their gradients, in place where their rules can.

    Parameters
    ----------
    groups, configs : dict
        Of each parameter: its group, and its rule's settings and state, which are brought up to date.
    own_rule : callable
        The solver's, for parameters that no group names.
    progress : float
        The share of the run that is done, for the schedules.
    """
    factors: dict[str, float] = {}
    for name in names:
        w, group, config = params[name], groups[name], configs[name]
        if group.name not in factors:
            factors[group.name] = group.factor(progress)
        rule = optim.RULES[group.update_rule] if group.name else own_rule
        base_rate = config["learning_rate"]
        now = {**config, "learning_rate": base_rate * factors[group.name]}
        in_place = {"out": w} if _takes_out(rule) and w.flags.writeable else {}
        params[name], config = rule(w, grads[name], now, **in_place)
        configs[name] = {**config, "learning_rate": base_rate}


@functools.lru_cache(maxsize=64)
def _takes_out(rule: optim.Rule) -> bool:
    """Whether the rule can be told where its result goes; one of the user's own may do without."""
    return "out" in inspect.signature(rule).parameters
