"""A residual block: what comes in, plus what some steps make of it (He et al. 2015, arXiv:1512.03385)."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any

import numpy as np

from pellucid.layers.elementwise import add
from pellucid.models.chain import Chain, checked_steps, planned
from pellucid.models.step import Params, Shape, Shapes, Step

SHORTCUT = "shortcut."
"""In front of the names of the shortcut's parameters."""


class Residual(Step):
    """steps(x) + shortcut(x)

    Parameters
    ----------
    steps : list of Step
        Their parameters' names follow the block's: ``residual1.conv1.w``.
    shortcut : list of Step, optional
        What is added to their result, such as ``[Conv(128, 1, stride=2, bias=False), BatchNorm()]`` where the steps
        change the shape; x itself where absent. Its parameters: ``residual1.shortcut.conv1.w``.
    """

    def __init__(
        self, steps: Iterable[Step], shortcut: Iterable[Step] | None = None, *, name: str | None = None
    ) -> None:
        self.name = name
        self.steps = checked_steps("Residual", steps)
        self.shortcut = None if shortcut is None else checked_steps("Residual's shortcut", shortcut)
        if any(step.name == "shortcut" for step in self.steps):
            raise ValueError("Residual: a step has the name 'shortcut', under which the other branch stands")
        self._chains: dict[str, Chain] = {}

    def plan(self, shape: Shape) -> tuple[Shape, Shapes]:
        """See `Step.plan`."""
        plans = [(prefix, *planned(where, steps, shape)) for prefix, where, steps in self.branches()]
        out_shape = self.sum_of(shape, [out_shape for _, out_shape, _ in plans])
        return out_shape, {prefix + name: own for prefix, _, shapes in plans for name, own in shapes.items()}

    def build(self, shape: Shape, rng: Any) -> tuple[Shape, Params]:
        """See `Step.build`."""
        self._chains = {prefix: Chain(where, steps) for prefix, where, steps in self.branches()}
        built = [(prefix, *chain.build(shape, rng)) for prefix, chain in self._chains.items()]
        out_shape = self.sum_of(shape, [out_shape for _, out_shape, _ in built])
        return out_shape, {prefix + name: array for prefix, _, params in built for name, array in params.items()}

    def branches(self) -> list[tuple[str, str, list[Step]]]:
        """What precedes the names of each branch's parameters, what errors call it, and its steps."""
        shortcut = [] if self.shortcut is None else [(SHORTCUT, "Residual's shortcut", self.shortcut)]
        return [("", "Residual", self.steps), *shortcut]

    def sum_of(self, shape: Shape, out_shapes: list[Shape]) -> Shape:
        """The shape of the sum, for what comes in and what each branch gives."""
        added = shape if self.shortcut is None else out_shapes[1]
        if out_shapes[0] != added:
            what = "the shortcut gives" if self.shortcut is not None else "what comes in has"
            raise ValueError(
                f"Residual: the steps give the shape {out_shapes[0]} but {what} {added}; both are added: give a "
                "shortcut that changes the shape as the steps do"
            )
        return added

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        outs, caches = [], []
        for prefix, chain in self._chains.items():
            own = {name.removeprefix(prefix): array for name, array in params.items() if name.startswith(prefix)}
            out, cache = chain.forward(x, own, mode)
            outs.append(out)
            caches.append(cache)
        return add(outs[0], outs[1] if self.shortcut is not None else x), caches

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        return self.gradients(dout, cache, frozenset())

    def gradients(self, dout: np.ndarray, cache: Any, skip: Set[str]) -> tuple[Any, Params]:
        """See `Step.gradients`."""
        grads: Params = {}
        dxs = []
        for (prefix, chain), caches in zip(self._chains.items(), cache, strict=True):
            own_skip = {name.removeprefix(prefix) for name in skip if name.startswith(prefix)} | (skip & {"x"})
            dx, own = chain.gradients(dout, caches, own_skip)
            dxs.append(dx)
            grads |= {prefix + name: gradient for name, gradient in own.items()}
        if "x" in skip:
            return None, grads
        return add(dxs[0], dxs[1] if self.shortcut is not None else dout), grads

    def kind(self, array: str) -> str:
        """See `Step.kind`."""
        prefix = SHORTCUT if array.startswith(SHORTCUT) else ""
        name, _, short = array.removeprefix(prefix).partition(".")
        return next(place.step.kind(short) for place in self._chains[prefix].places if place.name == name)

    def chains(self) -> dict[str, Chain]:
        """See `Step.chains`."""
        return self._chains

    def describe(self) -> str:
        """See `Step.describe`."""
        return "Residual" if self.shortcut is None else "Residual, with a shortcut of steps"

    def __repr__(self) -> str:
        shortcut = "" if self.shortcut is None else f", shortcut={self.shortcut!r}"
        name = "" if self.name is None else f", name={self.name!r}"
        return f"Residual({self.steps!r}{shortcut}{name})"
