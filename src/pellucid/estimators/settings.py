"""What the parameters of a `ConvNetClassifier` may be. scikit-learn wants them looked at in ``fit``, not before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import check
from pellucid.recipes import keys
from pellucid.training import Augmentation, optim, schedules

WHERE = "ConvNetClassifier"

RULES = tuple(rule for rule in optim.RULES if rule != "muon")
"""Muon trains matrices only: biases need another rule beside it, which recipes can say."""

SCHEDULES: dict[str, schedules.Schedule | None] = {
    "constant": None,
    "cosine": schedules.cosine(),
    "triangle": schedules.triangle(),
}

NORMALISE = ("deviation", "none")


@dataclass(frozen=True)
class Settings:
    """The parameters but the network and the random state, checked."""

    image_shape: tuple[int, int, int] | None
    epochs: int
    batch_size: int
    update_rule: str
    learning_rate: float | None
    weight_decay: float | None
    schedule: str
    label_smoothing: float
    normalise: str
    flip: str
    shift: int
    cutout: int
    brightness: float
    contrast: float
    saturation: float
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    threads: int | None
    warm_start: bool
    verbose: bool

    @property
    def optim_config(self) -> dict[str, Any]:
        """What is given of the update rule's settings."""
        given = {"learning_rate": self.learning_rate, "weight_decay": self.weight_decay}
        known = optim.settings_known(self.update_rule)
        return {name: value for name, value in given.items() if value is not None and name in known}

    def augmentation(self, shape: tuple[int, ...], seed: int) -> Augmentation | None:
        """How training images (C, H, W) are changed; None where they are not.

        Raises
        ------
        ValueError
            Rows (D,), which cannot be changed, or images that are too small for it.
        """
        changes = {name: getattr(self, name) for name in keys.AUGMENT}
        wanted = [name for name, value in changes.items() if value != keys.AUGMENT[name].default]
        if not wanted:
            return None
        if len(shape) != 3:
            raise ValueError(
                f"{WHERE}: {wanted[0]} is {changes[wanted[0]]!r}, but X has rows of {shape[0]} features, and only "
                f"images can be changed; set image_shape=(C, H, W), or leave {wanted[0]} out"
            )
        return Augmentation(**changes, seed=seed)


def checked(parameters: dict[str, Any]) -> Settings:
    """The settings among an estimator's parameters.

    Raises
    ------
    ValueError, TypeError
        Which parameter is wrong, what it is and what it must be.
    """
    settings = Settings(**{name: of(WHERE, name, parameters[name]) for name, of in CHECKS.items()})
    if settings.weight_decay and "weight_decay" not in optim.settings_known(settings.update_rule):
        raise ValueError(
            f"{WHERE}: weight_decay is {settings.weight_decay:g}, but update_rule {settings.update_rule!r} lets no "
            "weights decay; take 'adamw', or leave weight_decay out"
        )
    return settings


def _image_shape(where: str, name: str, value: Any) -> tuple[int, int, int] | None:
    """None, or channels, height and width."""
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise TypeError(f"{where}: {name} is {value!r}, a {type(value).__name__}; it must be (C, H, W), or None")
    sizes = tuple(check.whole_number(where, f"{name}[{i}]", size, least=1) for i, size in enumerate(value))
    if len(sizes) != 3:
        raise ValueError(
            f"{where}: {name} is {sizes}; it must be three numbers (C, H, W): channels, height, width; grey images "
            "have one channel"
        )
    return sizes


def _share(where: str, name: str, value: Any) -> float:
    """More than nothing and less than all."""
    value = check.number(where, name, value, above=0)
    if value >= 1:
        raise ValueError(f"{where}: {name} is {value:g}; it must be below 1: a share of the samples")
    return value


def _verbose(where: str, name: str, value: Any) -> bool:
    """True, False, or a number as scikit-learn's estimators take it."""
    return bool(value) if isinstance(value, bool | np.bool_) else check.whole_number(where, name, value) > 0


CHECKS: dict[str, keys.Check] = {
    "image_shape": _image_shape,
    "epochs": keys.whole(least=1),
    "batch_size": keys.whole(least=1),
    "update_rule": keys.word(*RULES),
    "learning_rate": keys.or_none(keys.number(above=0)),
    "weight_decay": keys.or_none(keys.number(least=0)),
    "schedule": keys.word(*SCHEDULES),
    "label_smoothing": check.fraction,
    "normalise": keys.word(*NORMALISE),
    **{name: key.check for name, key in keys.AUGMENT.items()},
    "early_stopping": check.flag,
    "validation_fraction": _share,
    "n_iter_no_change": keys.whole(least=1),
    "threads": keys.or_none(keys.whole(least=1)),
    "warm_start": check.flag,
    "verbose": _verbose,
}
