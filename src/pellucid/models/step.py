"""What a step of a network is: the protocol that the package's steps speak, and a user's own.

A step is told what comes in (`build`), computes (`forward`), and hands gradients back (`backward`). It owns no
parameters: the network does, and gives a step its own at every call, by their short names. A step of one's own derives
from `Step` and writes what it needs of

    build(shape, rng)          -> the shape that comes out, and new parameters by short name (default: those of `plan`)
    forward(x, params, mode)   -> out, cache
    backward(dout, cache)      -> dx, gradients by short name

in plain NumPy; shapes are without the axis of the batch, ``mode`` is "train" or "test". `docs/own-layer.md` has one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from pellucid import check

Shape = tuple[int, ...]
Params = dict[str, np.ndarray]
Shapes = dict[str, Shape]

KINDS = ("weight", "bias", "scale", "shift")
"""What a parameter may be. Only weights are regularised unless the user says otherwise."""
MODES = ("train", "test")
STATISTICS = ("running_mean", "running_var")
"""The keys of running statistics in a step's bn_param."""


@dataclass(repr=False, eq=False)
class Step:
    """The base of every step; see the module for what one's own must have.

    Parameters
    ----------
    name : str, optional
        Under which its parameters stand in the network: ``whiten`` gives ``whiten.w``. Where absent, the name of the
        class and a number: ``conv1``, ``conv2``, ``batchnorm1``.

    Attributes
    ----------
    kinds : dict
        Of the class: what each parameter is, by short name: weight, bias, scale or shift. What is not named is a
        weight.
    bn_param : dict or None
        Running statistics, for steps that have them, with the keys running_mean and running_var: the network lists them
        in its ``bn_params``, and checkpoints keep them.
    """

    name: str | None = field(default=None, kw_only=True)

    kinds: ClassVar[dict[str, str]] = {"w": "weight", "b": "bias", "gamma": "scale", "beta": "shift"}
    bn_param: ClassVar[dict[str, Any] | None] = None

    def plan(self, shape: Shape) -> tuple[Shape, Shapes]:
        """The shape of what comes out for what comes in, and the shapes of the parameters. Makes no array.

        The package's steps have it, so that a network from a file is checked before memory is taken.
        """
        return shape, {}

    def build(self, shape: Shape, rng: np.random.Generator | None) -> tuple[Shape, Params]:
        """The shape of what comes out for what comes in, and the parameters at their start.

        ``rng`` is the network's generator, or None for NumPy's global state. Where it is not written, scales start at
        one and everything else at zero.
        """
        out_shape, shapes = self.plan(shape)
        return out_shape, {short: np.full(own, float(self.kind(short) == "scale")) for short, own in shapes.items()}

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """(N, ...) -> out (N, ...), in x's type, and a cache for `backward`. Must not change x."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(x, params, mode)")

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """The gradient for x, and those for the parameters by short name. Must not change dout."""
        raise NotImplementedError(f"{type(self).__name__} has no backward(dout, cache)")

    def gradients(self, dout: np.ndarray, cache: Any, skip: Set[str]) -> tuple[Any, Params]:
        """`backward` without what nobody needs: ``skip`` has short names of parameters, and "x".

        What is skipped may be None, missing, or there all the same. For steps that can save work by it.
        """
        return self.backward(dout, cache)

    def multiply_adds(self, shape: Shape) -> int:
        """Multiply-adds an image, forward, of what matrix products and convolutions do."""
        return 0

    def kind(self, array: str) -> str:
        """What the parameter of this short name is."""
        return self.kinds.get(array, "weight")

    def chains(self) -> dict[str, Any]:
        """The chains of steps inside of this one, once it is built, by the prefix of their parameters' names."""
        return {}

    def describe(self) -> str:
        """The step in a line, for the summary."""
        return repr(self)

    def __repr__(self) -> str:
        """As the user would write it: what is at its default is left out."""
        own_first = sorted(dataclasses.fields(self), key=lambda f: f.kw_only is True)
        values = []
        for f in own_first:
            value = getattr(self, f.name)
            if f.default is dataclasses.MISSING:
                values.append(repr(value))
            elif value != f.default:
                values.append(f"{f.name}={value!r}")
        return f"{type(self).__name__}({', '.join(values)})"


def pair(where: str, name: str, value: Any) -> tuple[int, int]:
    """Height and width of a window, from one number or two."""
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise ValueError(f"{where}: {name} is {value!r}; it must be one number, or two: height and width")
        height, width = (check.whole_number(where, name, number, least=1) for number in value)
        return height, width
    number = check.whole_number(where, name, value, least=1)
    return number, number


def image_shape(where: str, shape: Shape) -> tuple[int, int, int]:
    """The shape, which must be that of images."""
    if len(shape) != 3:
        raise ValueError(
            f"{where}: what comes in has the shape {shape}; it must be images (C, H, W): "
            "put the step before Flatten, Affine and global pooling"
        )
    C, H, W = shape
    return C, H, W
