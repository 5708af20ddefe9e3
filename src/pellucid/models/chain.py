"""Steps in a row: what a network is, and each branch of a residual block.

The list that the user wrote stays as it is (`places`: every step with its name and shapes). What runs is `running`: the
same steps, of which some stand together in one (`pellucid.models.fusion`).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Set
from typing import Any, NamedTuple

import numpy as np

from pellucid.models import fusion
from pellucid.models.fusion import Running
from pellucid.models.step import KINDS, Params, Shape, Shapes, Step

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class Place(NamedTuple):
    """A step where it stands in the network."""

    name: str
    step: Step
    in_shape: Shape
    out_shape: Shape
    arrays: dict[str, str]
    """The names of its parameters in the chain ("conv1.w") by their short ones ("w")."""


class Chain:
    """Steps, each working on what the one before it gave.

    Parameters
    ----------
    where : str
        Whose steps they are, for errors.
    steps : iterable of Step
        They are copied: a step keeps running statistics, and may stand in several networks, or twice in one.
    """

    def __init__(self, where: str, steps: Iterable[Step]) -> None:
        self.where = where
        self.steps = checked_steps(where, steps)
        self.names = names_of(where, self.steps)
        self.places: list[Place] = []
        self.running: list[Running] = []

    def build(self, shape: Shape, rng: np.random.Generator | None) -> tuple[Shape, Params]:
        """The shape that comes out for what comes in, and all parameters by their names in the chain."""
        all_params: Params = {}
        for name, step in zip(self.names, self.steps, strict=True):
            try:
                out_shape, params = _checked_build(step, step.build(shape, rng))
            except (ValueError, TypeError) as error:
                raise type(error)(f"{self.where}, step {name!r}: {error}") from error
            arrays = {short: f"{name}.{short}" for short in params}
            all_params |= {arrays[short]: np.asarray(array) for short, array in params.items()}
            self.places.append(Place(name, step, shape, out_shape, arrays))
            shape = out_shape
        self.running = [Running(*p) for p in self.places]
        return shape, all_params

    def fuse(self) -> None:
        """Let steps that have a common form run in it, here and in the chains inside of the steps."""
        self.running = fusion.fused(self.running)
        for place in self.places:
            for inner in place.step.chains().values():
                inner.fuse()

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, list[Any]]:
        """What the last step gives, and in training the caches of all."""
        caches = []
        for item in self.running:
            x, cache = self.forward_one(item, x, params, mode)
            caches.append(cache if mode == "train" else None)
            del cache  # in test mode its memory serves the next step
        return x, caches

    def forward_one(self, item: Place | Running, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """What one step gives, which must be what it promised, and its cache."""
        own = {short: params[name] for short, name in item.arrays.items()}
        out, cache = _two(self.where, item, "forward", item.step.forward(x, own, mode))
        _check_result(self.where, item, "forward", "its output", out, (len(x), *item.out_shape), x.dtype)
        return out, cache

    def gradients(
        self, dout: np.ndarray, caches: list[Any], skip: Set[str], ready: Callable[[Params], None] = lambda grads: None
    ) -> tuple[np.ndarray | None, dict[str, np.ndarray]]:
        """The gradient for what came in, and those for the parameters by their names in the chain.

        What ``skip`` names is left out ("x": the gradient for what came in), and with it all the work of the first
        steps, up to the first whose gradients somebody needs. Every cache is let go of as soon as it was used.
        ``ready`` is told of each step's gradients as soon as they are there, the last step's first.
        """
        first = 0
        if "x" in skip:
            wanted = [i for i, item in enumerate(self.running) if set(item.arrays.values()) - skip]
            first = wanted[0] if wanted else len(self.running)
        grads: dict[str, np.ndarray] = {}
        for i in reversed(range(first, len(self.running))):
            item = self.running[i]
            leave = {short for short, name in item.arrays.items() if name in skip}
            if i == first and "x" in skip:
                leave.add("x")
            dx, own = self.gradients_one(item, dout, caches.pop(), leave)
            named = item.arrays.items()
            found = {name: _own_gradient(self.where, item, short, own) for short, name in named if short not in leave}
            ready(found)
            grads |= found
            if "x" in leave:
                return None, grads
            dout = dx
            del dx
        return (None if "x" in skip else dout), grads

    def gradients_one(self, item: Place | Running, dout: np.ndarray, cache: Any, leave: Set[str]) -> tuple[Any, Params]:
        """One step's gradients without those in ``leave``, by their short names; that for x must be of x's kind."""
        dx, own = _two(self.where, item, "backward", item.step.gradients(dout, cache, leave))
        if "x" not in leave:
            _check_result(self.where, item, "backward", "dx", dx, (len(dout), *item.in_shape), dout.dtype)
        return dx, own

    def walk(self, prefix: str = "", depth: int = 0) -> Iterator[tuple[int, str, Place]]:
        """Every step as the user wrote it, and those inside of steps after them: depth, prefix of its name, place."""
        for place in self.places:
            yield depth, prefix, place
            for label, inner in place.step.chains().items():
                yield from inner.walk(f"{prefix}{place.name}.{label}", depth + 1)


def planned(where: str, steps: list[Step], shape: Shape) -> tuple[Shape, Shapes]:
    """What comes out of steps in a row, and the shapes of all their parameters, without a chain or an array."""
    all_shapes: Shapes = {}
    for name, step in zip(names_of(where, steps), steps, strict=True):
        try:
            shape, shapes = step.plan(shape)
        except (ValueError, TypeError) as error:
            raise type(error)(f"{where}, step {name!r}: {error}") from error
        all_shapes |= {f"{name}.{short}": own for short, own in shapes.items()}
    return shape, all_shapes


def checked_steps(where: str, steps: Any) -> list[Step]:
    """Copies of the steps, which must be instances of `Step`."""
    if isinstance(steps, Step | str) or not isinstance(steps, Iterable):
        raise TypeError(f"{where}: steps is a {type(steps).__name__}; it must be a list of steps")
    steps = list(steps)
    if not steps:
        raise ValueError(f"{where}: steps is empty; give at least one step")
    for i, step in enumerate(steps):
        if isinstance(step, type):
            raise TypeError(f"{where}: steps[{i}] is the class {step.__name__}; write {step.__name__}(...)")
        if not isinstance(step, Step):
            kind = type(step).__name__
            raise TypeError(
                f"{where}: steps[{i}] is a {kind}; it must be an instance of a class that derives from Step"
            )
    return [copy.deepcopy(step) for step in steps]


def names_of(where: str, steps: list[Step]) -> list[str]:
    """The steps' names: their own, or that of their class and which one of these it is."""
    counts: dict[str, int] = {}
    names: list[str] = []
    for i, step in enumerate(steps):
        name = step.name
        if name is None:
            kind = type(step).__name__.strip("_").lower()
            counts[kind] = counts.get(kind, 0) + 1
            name = f"{kind}{counts[kind]}"
        elif not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError(f"{where}: steps[{i}] has the name {name!r}; it must be letters, digits and underscores")
        if name in names:
            raise ValueError(f"{where}: two steps have the name {name!r}; give one of them another with name=")
        names.append(name)
    return names


def _checked_build(step: Step, result: Any) -> tuple[Shape, Params]:
    """What ``step.build`` returned: the shape that comes out, and arrays of known kinds by short name."""
    where = type(step).__name__
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)):
        raise TypeError(f"{where}.build returned {result!r}; it must return (shape, parameters by short name)")
    shape, params = result
    if not isinstance(shape, tuple) or not all(isinstance(size, int | np.integer) and size > 0 for size in shape):
        raise TypeError(f"{where}.build returned the shape {shape!r}; it must be a tuple of integers from 1")
    for short, array in params.items():
        if not isinstance(short, str) or np.asarray(array).dtype.kind not in "fiu":
            raise TypeError(f"{where}: the parameter {short!r} is no array of numbers with a name")
        if step.kind(short) not in KINDS:
            raise ValueError(f"{where}: the kind of {short!r} is {step.kind(short)!r}; it must be one of {KINDS}")
    return shape, params


def _two(where: str, item: Place | Running, function: str, result: Any) -> tuple[Any, Any]:
    """What a step returned, which must be two things."""
    if not isinstance(result, tuple) or len(result) != 2:
        needed = "(out, cache)" if function == "forward" else "(dx, gradients by short name)"
        kind = type(result).__name__
        raise TypeError(f"{_place(where, item, function)} returned a {kind}; it must return {needed}")
    return result


def _place(where: str, item: Place | Running, function: str) -> str:
    return f"{where}, step {item.name!r}: {type(item.step).__name__}.{function}"


def _check_result(
    where: str, item: Place | Running, function: str, what: str, array: Any, shape: Shape, dtype: np.dtype
) -> None:
    """What a step returned is an array of the type, and of the shape that was promised."""
    place = _place(where, item, function)
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{place} returned a {type(array).__name__} as {what}; it must be an array")
    if array.dtype != dtype:
        raise TypeError(
            f"{place} made {what} {array.dtype} from {dtype}; a NumPy number of another type may have widened it: "
            "use Python's float, or end with .astype(x.dtype)"
        )
    if array.shape != shape:
        raise ValueError(f"{place} returned {what} of shape {array.shape}; by its build it must be {shape}")


def _own_gradient(where: str, item: Running, short: str, grads: Any) -> np.ndarray:
    """One gradient out of those that a step returned."""
    if not isinstance(grads, dict) or grads.get(short) is None:
        found = ", ".join(grads) if isinstance(grads, dict) else type(grads).__name__
        raise ValueError(
            f"{_place(where, item, 'backward')} returned no gradient for the parameter {short!r}, but "
            f"{found or 'none'}; it must return (dx, gradients by short name)"
        )
    return grads[short]
