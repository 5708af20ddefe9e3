"""What may stand in a recipe: every table, every key, its default and what it may be.

The tables hold no code, so a recipe is checked from end to end before anything is read or built. ``[network]`` and
``[schedule]`` have the keys of what their ``name`` chooses, ``[optimizer]`` those of its ``rule``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pellucid import check
from pellucid.training import optim

Check = Callable[[str, str, Any], Any]
"""(who is asking, the key's name, its value) -> the value as it is used; raises ValueError or TypeError."""


class Key(NamedTuple):
    """The default of a key, and its check."""

    default: Any
    check: Check


Keys = dict[str, Key]


def whole(least: int = 0) -> Check:
    """An integer."""
    return lambda where, name, value: check.whole_number(where, name, value, least=least)


def number(**bounds: float) -> Check:
    """A finite number: see `pellucid.check.number`."""
    return lambda where, name, value: check.number(where, name, value, **bounds)


def word(*words: str) -> Check:
    """One of a few words."""

    def checked(where: str, name: str, value: Any) -> str:
        check.one_of(where, name, value, words)
        return value

    return checked


def one_of(*numbers: int) -> Check:
    """One of a few integers."""

    def checked(where: str, name: str, value: Any) -> int:
        if check.whole_number(where, name, value) not in numbers:
            raise ValueError(f"{where}: {name} is {value}; it must be one of {', '.join(map(str, numbers))}")
        return value

    return checked


def text(where: str, name: str, value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise TypeError(f"{where}: {name} is {value!r}, a {type(value).__name__}; it must be a string")
    return value


def several(one: Check, count: int | None = None) -> Check:
    """A list of values, so many or at least one."""

    def checked(where: str, name: str, value: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise TypeError(f"{where}: {name} is {value!r}, a {type(value).__name__}; it must be a list, such as [64]")
        if not value or (count is not None and len(value) != count):
            needed = f"{count} value{'s'[: count > 1]}" if count is not None else "at least one value"
            raise ValueError(f"{where}: {name} is {list(value)}; it must have {needed}")
        return [one(where, f"{name}[{i}]", item) for i, item in enumerate(value)]

    return checked


def any_number(one: Check) -> Check:
    """A list of values, which may be empty; a single one is put into a list."""
    return lambda where, name, value: [] if value in ([], ()) else one_or_several(one)(where, name, value)


def one_or_several(one: Check) -> Check:
    """A list of values; a single one is put into a list."""
    return lambda where, name, value: several(one)(where, name, [value] if isinstance(value, str) else value)


def words_or(other: Check, *words: str) -> Check:
    """One of a few words, or what another check takes."""
    return lambda where, name, value: (word(*words) if isinstance(value, str) else other)(where, name, value)


def or_none(other: Check) -> Check:
    """What another check takes, or nothing."""
    return lambda where, name, value: None if value is None else other(where, name, value)


DATA: Keys = {
    "validation": Key("tenth", words_or(whole(), "tenth")),
    "normalise": Key("image", word("image", "channel", "none", "model")),
    "scale": Key("deviation", words_or(number(above=0), "deviation")),
    "image_size": Key(None, or_none(several(whole(least=1), count=2))),
    "fit": Key("crop", word("crop", "stretch", "pad")),
    "max_broken": Key(0.0, number(least=0, most=1)),
}

_ONE_HIDDEN: Keys = {
    "hidden": Key([500], several(whole(least=1), count=1)),
    "weight_scale": Key(1e-3, number(least=0)),
}
_TUTORIAL: Keys = {"filters": Key(32, whole(least=1)), "filter_size": Key(7, whole(least=1)), **_ONE_HIDDEN}

NETWORKS: dict[str, Keys] = {
    "three-layer": _TUTORIAL,
    "tutorial": _TUTORIAL,
    "two-layer": _ONE_HIDDEN,
    "fully-connected": {
        "hidden": Key([500], several(whole(least=1))),
        "weight_scale": Key(1e-2, number(least=0)),
        "normalization": Key("none", word("none", "batchnorm", "layernorm")),
        "keep": Key(1.0, number(above=0, most=1)),
    },
    "vgg": {
        "depth": Key(16, one_of(11, 13, 16, 19)),
        "widths": Key([64, 128, 256, 512, 512], several(whole(least=1), count=5)),
    },
    "resnet9": {"width": Key(64, whole(least=1)), "scale": Key(1 / 8, number(above=0))},
    "resnet20": {
        "blocks": Key(3, whole(least=1)),
        "width": Key(16, whole(least=1)),
        "shortcut": Key("identity", word("identity", "projection")),
    },
    "airbench": {
        "widths": Key([64, 256, 256], several(whole(least=1))),
        "convolutions": Key(2, one_of(2, 3)),
        "activation": Key("gelu", word("gelu", "silu", "relu")),
        "momentum": Key(0.6, check.fraction),
        "eps": Key(1e-12, number(above=0)),
        "scale": Key(1 / 9, number(above=0)),
        "head_init": Key("uniform", words_or(number(least=0), "he", "lecun", "uniform")),
        "whiten": Key(True, check.flag),
    },
    "file": {
        "path": Key("", text),
        "head": Key("auto", word("auto", "new", "keep")),
        "freeze": Key([], any_number(text)),
    },
}
COURSE_CLASSES = ("three-layer", "two-layer", "fully-connected")
"""Networks that are classes of the course, with its loss built in; the others are lists of steps."""

LOSS: Keys = {"label_smoothing": Key(0.0, check.fraction), "reg": Key(0.0, number(least=0))}

SCHEDULES: dict[str, Keys] = {
    "constant": {},
    "step": {"at": Key([0.5, 0.75], several(number(least=0, most=1))), "by": Key(0.1, number(above=0))},
    "cosine": {"final": Key(0.0, number(least=0))},
    "triangle": {
        "peak": Key(0.23, number(least=0, most=1)),
        "start": Key(0.2, number(least=0)),
        "end": Key(0.07, number(least=0)),
    },
}

TRAIN: Keys = {
    "epochs": Key(1, whole(least=1)),
    "batch_size": Key(50, whole(least=1)),
    "lr_decay": Key(1.0, number(above=0)),
    "keep": Key("best", word("best", "last")),
    "batch_norm": Key("own", word("own", "synchronised")),  # where several processes share a batch: of their own part
}

AUGMENT: Keys = {
    "flip": Key("none", word("none", "random", "alternating")),
    "shift": Key(0, whole()),
    "cutout": Key(0, whole()),
    "brightness": Key(0.0, number(least=0)),
    "contrast": Key(0.0, number(least=0, most=1)),
    "saturation": Key(0.0, number(least=0, most=1)),
}

AVERAGE: Keys = {
    "decay": Key(0.999, check.fraction),
    "every": Key(1, whole(least=1)),
    "power": Key(0.0, number(least=0)),
    "lookahead": Key(False, check.flag),
}

TEST: Keys = {"flip": Key(False, check.flag), "shift": Key(0, whole()), "share": Key(1.0, number(least=0, most=1))}

GROUP: Keys = {
    "params": Key(None, one_or_several(text)),
    "until": Key(1.0, number(above=0, most=1)),
    "decay": Key("weights", word("weights", "all")),
}
"""Beside the rule, its settings and a schedule."""

PLAIN: dict[str, Keys] = {"data": DATA, "loss": LOSS, "train": TRAIN, "augment": AUGMENT, "test": TEST}
"""The tables whose keys depend on nothing."""

TABLES = ("data", "network", "loss", "optimizer", "schedule", "train", "augment", "average", "test")
"""In the order in which they are written."""


def settings_of(rule: str) -> dict[str, Any]:
    """The settings of an update rule, with their defaults."""
    settings = {key: value for key, value in optim.DEFAULTS[rule].items() if key != "t"}  # t counts the steps
    return settings | ({"weight_decay": 0.0} if rule in optim.MAY_DECAY else {})
