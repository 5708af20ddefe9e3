"""A network as plain data, and back: what a model file says beside its numbers.

A step is written as the name of its class and whatever is not at its default::

    {"input_shape": [1, 8, 8], "dtype": "float32",
     "steps": [{"step": "Conv", "filters": 16, "pad": 1}, {"step": "ReLU"}, {"step": "Affine", "units": 10}]}

A residual block has its ``steps`` and perhaps its ``shortcut`` inside. Only the package's classes are made, and those
that the caller hands over; nothing in the data is run. Every number is checked, and all shapes are compared, before an
array is made.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from pellucid import check
from pellucid.models import initial, norms, padding, plain, weighted
from pellucid.models.chain import checked_steps, names_of
from pellucid.models.network import OPTIONS, Network
from pellucid.models.parameters import float_type
from pellucid.models.residual import Residual
from pellucid.models.step import STATISTICS, Shape, Step

STEPS: dict[str, type[Step]] = {
    step.__name__: step
    for step in (
        *(weighted.Conv, weighted.Affine, norms.BatchNorm, norms.LayerNorm, norms.GroupNorm),
        *(plain.ReLU, plain.GELU, plain.SiLU, plain.Softmax, plain.MaxPool, plain.AvgPool),
        *(plain.GlobalMaxPool, plain.GlobalAvgPool, plain.Dropout, plain.Flatten, plain.Scale, plain.Subsample),
        *(padding.Pad, Residual),
    )
}
MOST_STEPS = 10_000
MOST_NESTING = 16
MOST_NUMBERS = 2**28
"""Of an image at any step: a gigabyte in float32."""
MOST_INTEGER = 2**31
"""No size, stride or number of filters is larger; the kernels count in 64 bits."""
MINUS_INFINITY = "-inf"
"""How the padding in front of a max pool is written: JSON has no infinity."""

Statistics = dict[str, np.ndarray]


class Plan(NamedTuple):
    """What a description describes, once it is known to fit its arrays."""

    steps: list[Step]
    input_shape: Shape
    dtype: np.dtype
    options: Any
    """How parameters are trained; not looked at yet."""


def described(network: Network) -> dict[str, Any]:
    """The network without its numbers, as dictionaries, lists, strings, numbers, True, False and None.

    How weights started is written where it was a word or a number; a function is left out.

    Raises
    ------
    ValueError
        A step of one's own whose settings cannot be written: it must be a dataclass with plain values.
    """
    default = {name: {} if kind == "weight" else {"weight_decay": False} for name, kind in network.kinds.items()}
    options = {name: dict(own) for name, own in network.param_options.items() if own != default.get(name)}
    return {
        "input_shape": list(network.input_shape),
        "dtype": network.dtype.name,
        "steps": [_written(step) for step in network.steps],
        **({"options": options} if options else {}),
    }


def statistics_of(network: Network) -> Statistics:
    """The running means and variances by name: "batchnorm1.running_mean"."""
    return {
        f"{prefix}{place.name}.{key}": place.step.bn_param[key]
        for _, prefix, place in network.places()
        if place.step.bn_param is not None
        for key in STATISTICS
    }


def network_from(
    where: str, description: Any, arrays: Mapping[str, Any], own_steps: Iterable[type[Step]] = (), rng: Any = 0
) -> Network:
    """The network of a description, with its parameters and running statistics.

    Parameters
    ----------
    where : str
        Who asks, for errors.
    description : dict
        As `described` gives it; or anything: it may come from a stranger.
    arrays : mapping
        By name; copied. Of each only the shape is looked at until all are known to fit.
    own_steps : classes that derive from Step
        The steps of one's own that the description may name. They are trusted.
    rng : Generator or int
        Where dropout will draw from.

    Raises
    ------
    ValueError, TypeError
        What is wrong, and where.
    """
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    return built(where, planned(where, description, shapes, own_steps), arrays, rng)


def built(where: str, plan: Plan, arrays: Mapping[str, Any], rng: Any = 0) -> Network:
    """The network of a plan: see `network_from`."""
    with initial.zeros():
        network = Network(plan.steps, plan.input_shape, dtype=plan.dtype, rng=rng)
    put_arrays(where, network, arrays)
    for name, options in _options(where, plan.options, network).items():
        network.param_options[name] = options
    return network


def planned(where: str, description: Any, shapes: Mapping[str, Shape], own_steps: Iterable[type[Step]] = ()) -> Plan:
    """What a description describes, once it is known to fit arrays of these shapes.

    No array is made. Steps of one's own cannot be asked beforehand: with them the shapes are compared afterwards.
    """
    check.known_keys(where, "the network", description, ("input_shape", "dtype", "steps", "options"), ("steps",))
    known = STEPS | {own.__name__: own for own in own_steps}
    dtype = description.get("dtype", "float32")
    check.one_of(where, "the network's dtype", dtype, ("float32", "float64"))
    steps = checked_steps(where, _Reader(where, known).steps(description["steps"], 0))
    input_shape = _shape(where, description.get("input_shape"))
    if known.keys() == STEPS.keys():
        compare_shapes(where, _shapes_of(where, steps, input_shape, "")[1], shapes)
    return Plan(steps, input_shape, float_type(where, dtype), description.get("options", {}))


def put_arrays(where: str, network: Network, arrays: Mapping[str, Any]) -> None:
    """Give the network all its parameters and running statistics; nothing happens unless all fit and are finite."""
    own = network.params | statistics_of(network)
    compare_shapes(where, *({name: np.shape(array) for name, array in some.items()} for some in (own, arrays)))
    found = {name: np.asarray(arrays[name]).astype(network.dtype) for name in own}
    for name, array in found.items():
        check.all_finite(where, name, array.reshape(-1))
        if name.endswith(".running_var") and np.any(array < 0):
            raise ValueError(f"{where}: {name} holds {array.min()}; a variance is not below zero")
    for name, array in found.items():
        own[name][...] = array


def compare_shapes(where: str, needed: Mapping[str, Shape], found: Mapping[str, Shape]) -> None:
    """All arrays that the network has are there, no others, each with its shape."""
    for name, shape in needed.items():
        if name not in found:
            raise ValueError(f"{where}: the array {name!r} is missing; the network needs it with the shape {shape}")
        if found[name] != shape:
            raise ValueError(
                f"{where}: {name!r} has the shape {found[name]}; by the network's steps it must be {shape}"
            )
    for name in found:
        if name not in needed:
            hint = check.did_you_mean(name, needed)
            raise ValueError(f"{where}: the network has no parameter {name!r}{hint}; take the array out")


def _written(step: Step) -> dict[str, Any]:
    cls = type(step)
    data: dict[str, Any] = {"step": cls.__name__}
    if isinstance(step, Residual):
        data["steps"] = [_written(inner) for inner in step.steps]
        if step.shortcut is not None:
            data["shortcut"] = [_written(inner) for inner in step.shortcut]
        return data | ({} if step.name is None else {"name": step.name})
    if "__init__" in vars(cls) and "__dataclass_params__" not in vars(cls):
        raise ValueError(
            f"{cls.__name__}: a step of one's own must be a dataclass to be written to a file: put @dataclass(repr="
            "False, eq=False) above the class, and its settings as fields in place of __init__"
        )
    for f in dataclasses.fields(step):
        value = getattr(step, f.name)
        if (f.default is not dataclasses.MISSING and value == f.default) or callable(value):
            continue
        data[f.name] = _plain(cls.__name__, f.name, value)
    return data


def _plain(where: str, name: str, value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(where, name, item) for item in value]
    if isinstance(value, float) and value == -math.inf:
        return MINUS_INFINITY
    if value is None or isinstance(value, bool | int | str | float):
        return value
    raise ValueError(f"{where}: {name} is a {type(value).__name__}; only numbers, strings and lists can be written")


class _Reader:
    """Makes steps of their descriptions."""

    def __init__(self, where: str, known: dict[str, type[Step]]) -> None:
        self.where, self.known = where, known
        self.count = 0

    def steps(self, written: Any, depth: int) -> list[Step]:
        if not isinstance(written, list):
            raise ValueError(f"{self.where}: the steps are a {type(written).__name__}; they must be a list")
        if depth > MOST_NESTING:
            raise ValueError(f"{self.where}: blocks are nested more than {MOST_NESTING} deep")
        return [self._step(item, depth) for item in written]

    def _step(self, written: Any, depth: int) -> Step:
        self.count += 1
        if self.count > MOST_STEPS:
            raise ValueError(f"{self.where}: the network has more than {MOST_STEPS:,} steps")
        if not isinstance(written, dict) or not isinstance(written.get("step"), str):
            raise ValueError(
                f"{self.where}: {check.shown(written)} is no step; it must be an object with the key 'step'"
            )
        name = written["step"]
        if name not in self.known:
            raise ValueError(
                f"{self.where}: there is no step {name[:50]!r}{check.did_you_mean(name[:50], self.known)}; there are "
                f"{', '.join(self.known)}. A step of one's own must be handed over: load(path, steps=[TheClass])"
            )
        settings = {key: value for key, value in written.items() if key != "step"}
        if self.known[name] is Residual:
            check.known_keys(self.where, "Residual", settings, ("steps", "shortcut", "name"), ("steps",))
            settings["steps"] = self.steps(settings["steps"], depth + 1)
            if settings.get("shortcut") is not None:
                settings["shortcut"] = self.steps(settings["shortcut"], depth + 1)
            return self._made(Residual, settings)
        fields = dataclasses.fields(self.known[name])
        required = [f.name for f in fields if f.default is dataclasses.MISSING]
        check.known_keys(self.where, name, settings, [f.name for f in fields], required)
        return self._made(self.known[name], {key: self._value(name, key, value) for key, value in settings.items()})

    def _made(self, cls: Callable[..., Step], settings: dict[str, Any]) -> Step:
        try:
            return cls(**settings)
        except (ValueError, TypeError) as error:
            raise type(error)(f"{self.where}: {error}") from None

    def _value(self, step: str, name: str, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(self._value(step, name, item) for item in value[:3])  # no setting has more than two numbers
        if isinstance(value, dict):
            raise ValueError(f"{self.where}: {step}'s {name} is an object; it must be a number, a word or a list")
        _check_integer(self.where, f"{step}'s {name}", value)
        return -math.inf if value == MINUS_INFINITY and name == "value" else value


def _check_integer(where: str, what: str, value: Any) -> None:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MOST_INTEGER:
        raise ValueError(f"{where}: {what} is {check.shown(value)}; it must be at most {MOST_INTEGER:,}")


def _shape(where: str, shape: Any) -> Shape:
    if not isinstance(shape, list) or len(shape) not in (1, 3):
        raise ValueError(f"{where}: input_shape is {check.shown(shape)}; it must be [C, H, W], or [D] for rows")
    for size in shape:
        _check_integer(where, "input_shape", size)
    sizes = tuple(check.whole_number(where, "input_shape", size, least=1) for size in shape)
    _check_numbers(where, "an input", sizes)
    return sizes


def _shapes_of(where: str, steps: list[Step], shape: Shape, prefix: str) -> tuple[Shape, dict[str, Shape]]:
    """What comes out of steps in a row, and the shapes of all their arrays; nothing that they compute is too large.

    Every step is asked once, however deep it stands in blocks.
    """
    needed: dict[str, Shape] = {}
    for name, step in zip(names_of(where, steps), steps, strict=True):
        place = f"{prefix}{name}"
        blocks: list[Shape] = []
        if isinstance(step, Residual):
            for label, _, inner in step.branches():
                out_shape, arrays = _shapes_of(where, inner, shape, f"{place}.{label}")
                blocks.append(out_shape)
                needed |= arrays
        try:
            out_shape, shapes = (step.sum_of(shape, blocks), {}) if isinstance(step, Residual) else step.plan(shape)
        except (ValueError, TypeError) as error:
            raise type(error)(f"{where}, step {place}: {error}") from None
        needed |= {f"{place}.{own}": own_shape for own, own_shape in shapes.items()}
        if isinstance(step, norms.BatchNorm):
            needed |= {f"{place}.{key}": shape[:1] for key in STATISTICS}
        shape = out_shape
        _check_numbers(where, f"what step {place} gives", shape)
    return shape, needed


def _check_numbers(where: str, what: str, shape: Shape) -> None:
    if math.prod(shape) > MOST_NUMBERS:
        raise ValueError(f"{where}: {what} has the shape {check.shown(shape)}, more than {MOST_NUMBERS:,} numbers")


def _options(where: str, options: Any, network: Network) -> dict[str, dict[str, Any]]:
    """How parameters are trained, checked as `Network.set_options` does."""
    check.known_keys(where, "the network's options", options, list(network.params))
    for name, own in options.items():
        check.known_keys(where, f"the options of {name}", own, OPTIONS)
        for key, value in own.items():
            if not isinstance(value, bool) and key == "frozen":
                raise TypeError(f"{where}: frozen is {check.shown(value)} for {name}; it must be true or false")
            if not isinstance(value, bool):
                check.number(where, f"{key} of {name}", value, least=0)
    return {name: dict(own) for name, own in options.items()}
