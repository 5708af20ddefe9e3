"""What flows through an ONNX graph, as steps of ours: the vocabulary of the import.

Every tensor of the graph that depends on the input is a `Value`: it knows its shape, and which of our steps make it of
which other value. A node is a `Call`: it knows the values and arrays that come in, and an operator's function
(`pellucid.extras.onnx_operators`) makes the value of it that goes out.

Shapes are without the batch. ONNX has images (C, H, W), rows (D,), and signals (C, L), which we read as images of one
row, (C, 1, L): ``sizes`` are as ONNX has them, ``shape`` as we do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from pellucid import check
from pellucid.extras.onnx_reading import Graph, Node, OnnxImportError
from pellucid.models.description import MOST_INTEGER, MOST_NUMBERS
from pellucid.models.step import Shape, Step

OPEN_BATCH = -(2**40)
"""Stands for the batch's size in the integers of shapes, where the graph leaves it open."""


class Layer(NamedTuple):
    """A step with its numbers."""

    step: Step
    arrays: dict[str, np.ndarray]
    """Parameters by short name, and running statistics."""
    name: str = ""
    """What its parameters' names in the file suggest."""


class Form(NamedTuple):
    """A part of something that only makes a step when it is whole, such as the sigmoid in x * sigmoid(x)."""

    kind: str
    of: Value
    """The value it was begun on."""
    whole: str
    """What it is a part of, for the error if nothing comes of it."""
    factor: float = 1.0
    """What ``of`` is multiplied by inside."""
    times: float = 1.0
    """What the result is multiplied by."""
    settings: tuple[Any, ...] = ()


@dataclass(eq=False, repr=False)
class Value:
    """A tensor of the graph, of one sample.

    Attributes
    ----------
    sizes : tuple
        As ONNX has them.
    node : Node or None
        What gives it; None for the graph's input.
    parent : Value or None
        What the layers are applied to.
    layers : tuple of Layer
    other : Value or None
        Where the node adds two values: the second; there are no layers then.
    form : Form or None
        It is only a part of something.
    uses : int
        How many nodes read it. What is read once may be joined with what reads it.
    is_input : bool
        The network can begin here.
    above : Value or None
        The nearest value that everything on the way here passes through.
    depth : int
        How many of these there are.
    """

    sizes: Shape
    node: Node | None = None
    parent: Value | None = None
    layers: tuple[Layer, ...] = ()
    other: Value | None = None
    form: Form | None = None
    uses: int = 0
    is_input: bool = False
    above: Value | None = field(init=False)
    depth: int = field(init=False)

    def __post_init__(self) -> None:
        self.above = self.parent if self.other is None else _meeting(self.parent, self.other)
        self.depth = 0 if self.above is None else self.above.depth + 1

    @property
    def shape(self) -> Shape:
        """As we have it."""
        return our_shape(self.sizes)

    @property
    def last(self) -> Layer | None:
        """The layer that gives it."""
        return self.layers[-1] if self.layers else None


def our_shape(sizes: Shape) -> Shape:
    """Signals (C, L) are images of one row."""
    return (sizes[0], 1, sizes[1]) if len(sizes) == 2 else sizes


def _meeting(one: Value | None, other: Value | None) -> Value | None:
    """The nearest value that both come from, by the values above them."""
    while one is not other:
        if one is None or other is None:
            return None
        if one.depth >= other.depth:
            one = one.above
        else:
            other = other.above
    return one


@dataclass
class Budget:
    """How many numbers may be made that the file does not hold."""

    left: int

    def take(self, node: Node, count: int) -> None:
        """So many more; an error where they are too many."""
        self.left -= count
        if self.left < 0:
            raise node.refused(
                "with it the network has far more numbers than the file holds",
                "export it with every layer's own weights, not computed or shared",
            )


@dataclass(eq=False, repr=False)
class Call:
    """A node with what comes in.

    Attributes
    ----------
    inputs : list of Value, array or None
        None where an optional input is left out.
    uses : int
        How many nodes read what it gives.
    """

    graph: Graph
    node: Node
    inputs: list[Value | np.ndarray | None]
    uses: int
    dtype: np.dtype
    batch: int | None
    parameters: Budget
    notes: list[str]

    def refused(self, reason: str, advice: str = "") -> OnnxImportError:
        """See `Node.refused`."""
        return self.node.refused(reason, advice)

    # What comes in.

    def data(self, place: int = 0) -> Value:
        """The input that depends on the graph's, whole."""
        value = self.raw(place)
        if value.form is not None:
            assert value.node is not None
            raise value.node.refused(f"available only as a part of {value.form.whole}; {self.node.place} reads it")
        return value

    def raw(self, place: int = 0) -> Value:
        """The same, or a part of something."""
        value = self.inputs[place] if place < len(self.inputs) else None
        if not isinstance(value, Value):
            raise self.refused(f"its input {place} must depend on the graph's input", "fold constants before export")
        return value

    def two(self) -> tuple[Value | np.ndarray, Value | np.ndarray]:
        """Both inputs of an operator that has two."""
        if len(self.inputs) != 2 or self.inputs[0] is None or self.inputs[1] is None:
            raise self.refused("an input is missing; it must have two")
        return self.inputs[0], self.inputs[1]

    def image(self, place: int = 0) -> Value:
        """The input, which must be images or signals."""
        value = self.data(place)
        if len(value.sizes) not in (2, 3):
            raise self.refused(f"it reads {value.sizes} a sample; images (C, H, W) or signals (C, L) are available")
        return value

    def constant(self, place: int) -> np.ndarray | None:
        """An input that must not depend on the graph's; None where it is left out."""
        value = self.inputs[place] if place < len(self.inputs) else None
        if isinstance(value, Value):
            raise self.refused(f"its input {place} depends on the graph's input; only constants are available there")
        return value

    def parameter(self, place: int) -> np.ndarray:
        """Finite numbers in the network's type that must be there."""
        array = self.constant(place)
        if array is None:
            raise self.refused(f"its input {place} is missing")
        return self.numbers(array, f"its input {place}")

    def numbers(self, array: np.ndarray, what: str) -> np.ndarray:
        """The array in the network's type; its numbers must be floating and finite."""
        if array.dtype.kind != "f":
            raise self.refused(f"{what} has {array.dtype}; floating numbers are available")
        array = array.astype(self.dtype, copy=False)
        least, most = array.min(initial=0), array.max(initial=0)
        if not (np.isfinite(least) and np.isfinite(most)):  # NaN, where any number is
            raise self.refused(f"{what} holds numbers that are not finite")
        return array

    def integers_in(self, place: int, what: str) -> list[int] | None:
        """An input that is a short list of integers; None where it is left out."""
        array = self.constant(place)
        if array is None:
            return None
        if array.dtype.kind != "i" or array.ndim > 1 or array.size > 2 * 16:
            raise self.refused(f"{what} is {array.dtype} of shape {array.shape}; it must be a few integers")
        return [int(number) for number in array.reshape(-1)]

    # Attributes.

    def integer(self, name: str, default: int) -> int:
        """An attribute that is an integer."""
        value = self.node.attributes.get(name, default)
        if not isinstance(value, int) or abs(value) > MOST_INTEGER:
            raise self.refused(f"{name} is {check.shown(value)}; it must be an integer of at most {MOST_INTEGER:,}")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """An attribute that is 0 or 1."""
        value = self.integer(name, int(default))
        if value not in (0, 1):
            raise self.refused(f"{name} is {value}; it must be 0 or 1")
        return bool(value)

    def number(self, name: str, default: float) -> float:
        """An attribute that is a finite number."""
        value = self.node.attributes.get(name, default)
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise self.refused(f"{name} is {check.shown(value)}; it must be a finite number")
        return as_written(value)

    def integers(self, name: str, count: int | None = None) -> list[int] | None:
        """An attribute that is a list of integers, of so many; None where it is left out."""
        value = self.node.attributes.get(name)
        if value is None or value == ():
            return None
        if not isinstance(value, tuple) or not all(isinstance(n, int) and abs(n) <= MOST_INTEGER for n in value):
            raise self.refused(f"{name} is {check.shown(value)}; it must be integers of at most {MOST_INTEGER:,}")
        if count is not None and len(value) != count:
            raise self.refused(f"{name} has {len(value)} numbers; for what comes in it must have {count}")
        return list(value)

    def word(self, name: str, default: str) -> str:
        """An attribute that is a string."""
        value = self.node.attributes.get(name, default)
        if not isinstance(value, str):
            raise self.refused(f"{name} is {check.shown(value)}; it must be a string")
        return value

    # What goes out.

    def after(self, x: Value, *layers: Layer, sizes: Shape | None = None) -> Value:
        """The value that layers make of x; where ``sizes`` says how ONNX has it, that must be what comes out."""
        shape = x.shape
        for layer in layers:
            try:
                shape, needed = layer.step.plan(shape)
            except (ValueError, TypeError) as error:
                raise self.refused(str(error)) from None
            for name, own_shape in needed.items():
                if layer.arrays[name].shape != own_shape:
                    raise self.refused(f"its numbers have the shape {layer.arrays[name].shape}, not {own_shape}")
            self.parameters.take(self.node, sum(array.size for array in layer.arrays.values()))
            self.check_size(shape)
        if sizes is None:
            sizes = (shape[0], shape[2]) if len(x.sizes) == 2 and len(shape) == 3 else shape
        if our_shape(sizes) != shape:
            raise self.refused(
                f"it gives {check.shown(shape)} a sample here, not {check.shown(sizes)}", "please report this"
            )
        return Value(sizes, self.node, x, layers, uses=self.uses)

    def same(self, x: Value) -> Value:
        """x itself, which whoever reads the node now reads, too."""
        x.uses += self.uses - 1
        return x

    def instead(self, x: Value, *layers: Layer, sizes: Shape | None = None) -> Value:
        """The value that layers make of what x was made of: x is joined with what reads it."""
        assert x.parent is not None
        return self.after(x.parent, *layers, sizes=sizes)

    def part(self, x: Value, form: Form, sizes: Shape | None = None) -> Value:
        """A value that is only a part of something."""
        sizes = x.sizes if sizes is None else sizes
        self.check_size(sizes)
        return Value(sizes, self.node, x, form=form, uses=self.uses)

    def sum(self, one: Value, other: Value) -> Value:
        """Two values, added."""
        if one.shape != other.shape:
            raise self.refused(
                f"it adds {one.sizes} and {other.sizes} a sample; both must have the same shape",
                "branches that are spread over the other are not available",
            )
        return Value(one.sizes, self.node, one, other=other, uses=self.uses)

    def check_size(self, shape: Iterable[int]) -> None:
        """A sample is not too large."""
        if math.prod(shape) > MOST_NUMBERS:
            raise self.refused(f"it gives {check.shown(tuple(shape))} a sample, more than {MOST_NUMBERS:,} numbers")


def as_written(value: float) -> float:
    """A float32 as the shortest decimal that is the same float32: 0.1 and not 0.10000000149."""
    return float(str(np.float32(value))) if np.float32(value) == value else float(value)


def suggested_name(names: Iterable[str]) -> str:
    """What parameters' names in our own files begin with: conv1 for residual1.conv1.w."""
    for name in names:
        path, _, last = name.rpartition(".")
        if last in ("w", "b", "gamma", "beta", "running_mean", "running_var"):
            return path.rpartition(".")[2]
    return ""
