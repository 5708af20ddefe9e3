"""An ONNX graph as steps: every node read in its order, and what came of it put in a row.

The steps' order is found from the end. Where a value is the sum of two, both come from the nearest value that
everything on their ways passes through; what is between makes the two branches of a residual block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pellucid import check
from pellucid.extras import onnx_constants, onnx_pixels
from pellucid.extras.onnx_operators import read_node
from pellucid.extras.onnx_reading import Graph, Node, shown
from pellucid.extras.onnx_shapes import TO_FIRST
from pellucid.extras.onnx_tensors import FLOATS, type_name
from pellucid.extras.onnx_values import Budget, Call, Layer, Value
from pellucid.models import Scale, Softmax
from pellucid.models.description import MOST_NESTING, MOST_NUMBERS, MOST_STEPS
from pellucid.models.step import Shape

NUMBERS_OF_NOTHING = 2**26
"""Numbers that a file may make without holding them; 256 MB in float32."""
UINT8, DOUBLE = 2, 11
OF_SCORES = ("Softmax", "LogSoftmax", "ArgMax", "Identity")
"""What makes other outputs of the scores, for the convenience of whoever runs the file."""


class Branches(NamedTuple):
    """A residual block's steps, and those of its shortcut."""

    layers: list[Layer | Branches]
    shortcut: list[Layer | Branches] | None


@dataclass
class Parts:
    """What a graph is made of, in our words."""

    layers: list[Layer | Branches]
    input_shape: Shape
    output_shape: Shape
    dtype: np.dtype
    notes: list[str]
    start: Value
    """What the network reads; its parent is what the file reads, where preprocessing is between."""


def parts_of(graph: Graph, input_shape: Shape | None = None, to_scores: bool = False) -> Parts:
    """The steps that compute what the graph computes.

    Parameters
    ----------
    graph : Graph
    input_shape : tuple, optional
        Of a sample, in the file's own order, where the file leaves it open.
    to_scores : bool
        Leave a Softmax or LogSoftmax at the end out.

    Raises
    ------
    OnnxImportError
        The first node that we have no step for, and why.
    """
    notes: list[str] = []
    port, output = _input(graph), _output(graph, notes)
    nodes = _live(graph, output, notes)
    root, dtype, batch = _root(graph, port, nodes, input_shape, notes)
    values = _read(graph, nodes, {port: root}, output, dtype, batch, notes)
    end = values.get(output)
    if not isinstance(end, Value):
        raise graph.refused("its output does not depend on its input", "export the whole model")
    end = _without_end(end, notes) if to_scores else end
    _check_output(graph, output, end, batch)
    start, layers = _Rows(graph).all(end)
    if start.sizes != root.sizes:
        notes.append(f"the file reads images {root.sizes}, channels last, and the network {start.sizes}")
    if len(start.sizes) == 2:
        notes.append(f"signals {start.sizes} are read as images of one row, {start.shape}")
    if not layers:
        layers = [Layer(Scale(1.0), {})]
        notes.append("the graph changes nothing; Scale(1.0) stands for it")
    return Parts(layers, start.shape, end.shape, dtype, notes, start)


def flat(layers: Iterable[Layer | Branches]) -> Iterator[Layer]:
    """All layers with steps, in the order in which a network walks over them."""
    for item in layers:
        if isinstance(item, Branches):
            yield from flat(item.layers)
            yield from flat(item.shortcut or ())
        else:
            yield item


def _input(graph: Graph) -> str:
    if len(graph.inputs) != 1:
        names = ", ".join(shown(port.name) for port in graph.inputs[:5]) or "none"
        raise graph.refused(f"it has {len(graph.inputs)} inputs ({names}); a network has one", "export it with one")
    return graph.inputs[0].name


def _output(graph: Graph, notes: list[str]) -> str:
    """The one output, or the scores where the others are made of them."""
    names = [port.name for port in graph.outputs]
    makers = {name: node for node in graph.nodes for name in node.outputs[:1]}
    for name in list(names):
        node = makers.get(name)
        if len(names) > 1 and node is not None and node.op in OF_SCORES and node.inputs[0] in names:
            names.remove(name)
            notes.append(f"the output {shown(name)} was left out: it is the {node.op} of {shown(node.inputs[0])}")
    if len(names) != 1:
        listed = ", ".join(map(shown, names[:5])) or "none"
        raise graph.refused(
            f"it has {len(names)} outputs ({listed}); a network has one",
            "keep one of them: onnx.utils.extract_model(path, new_path, [input], [output])",
        )
    return names[0]


def _live(graph: Graph, output: str, notes: list[str]) -> list[Node]:
    """The nodes that the output depends on."""
    wanted, nodes = {output}, []
    for node in reversed(graph.nodes):
        if wanted.intersection(node.outputs):
            wanted.update(name for name in node.inputs if name)
            nodes.append(node)
        elif not any(port.name in node.outputs for port in graph.outputs):
            notes.append(f"{node.place} was left out: nobody reads what it gives")
    return nodes[::-1]


def _root(
    graph: Graph, name: str, nodes: list[Node], input_shape: Shape | None, notes: list[str]
) -> tuple[Value, np.dtype, int | None]:
    """The graph's input, the network's type, and the batch's size where it is not open."""
    port = graph.inputs[0]
    declared = port.sizes
    if declared is None and input_shape is not None:
        declared = (None,) * (len(input_shape) + 1)
    if declared is None or not 2 <= len(declared) <= 4:
        raise graph.refused(
            f"its input {shown(name)} has the shape {declared}; a batch of images (N, C, H, W), signals (N, C, L) or "
            "rows (N, D) is needed",
            "give input_shape, without the batch" if declared is None else "export it with one of these",
        )
    sizes = _sizes(graph, declared, input_shape)
    if np.prod([float(size) for size in sizes]) > MOST_NUMBERS:
        raise graph.refused(f"its input has {check.shown(sizes)} a sample, more than {MOST_NUMBERS:,} numbers")
    dtype = FLOATS.get(port.elem_type)
    if port.elem_type == UINT8:
        double = any(node.op == "Cast" and node.attributes.get("to") == DOUBLE for node in nodes)
        dtype = np.float64 if double else np.float32
    if dtype is None:
        raise graph.refused(
            f"its input {shown(name)} is of {type_name(port.elem_type)}; floating numbers or uint8 pixels are available"
        )
    if type_name(port.elem_type) in ("float16", "bfloat16"):
        notes.append(f"numbers in {type_name(port.elem_type)} became float32, and are computed with as such")
    root = Value(sizes, is_input=port.elem_type != UINT8)
    if port.elem_type == UINT8:
        onnx_pixels.as_pixels(root)
    return root, np.dtype(dtype), declared[0]


def _sizes(graph: Graph, declared: tuple[int | None, ...], input_shape: Shape | None) -> Shape:
    open_axes = [axis for axis, size in enumerate(declared) if axis and size is None]
    if input_shape is None:
        if open_axes:
            raise graph.refused(
                f"the sizes of its input's axes {open_axes} are open: {declared}", "give input_shape, without the batch"
            )
        return tuple(size for size in declared[1:] if size is not None)
    if len(input_shape) != len(declared) - 1 or any(
        size not in (None, given) for size, given in zip(declared[1:], input_shape, strict=True)
    ):
        raise graph.refused(f"input_shape is {input_shape}, but its input is declared as {declared}")
    return input_shape


def _read(
    graph: Graph,
    nodes: list[Node],
    values: dict[str, Value | np.ndarray],
    output: str,
    dtype: np.dtype,
    batch: int | None,
    notes: list[str],
) -> dict[str, Value | np.ndarray]:
    """The value or array of every tensor."""
    uses = {output: 1}
    for node in nodes:
        for name in node.inputs:
            uses[name] = uses.get(name, 0) + 1
    for value in values.values():
        assert isinstance(value, Value)
        value.uses = uses.get(graph.inputs[0].name, 0)
    made = NUMBERS_OF_NOTHING + 2 * graph.stored
    parameters, folded = Budget(made), Budget(made)
    begun: dict[int, Value] = {}
    for node in nodes:
        inputs = [_tensor(graph, node, name, values) for name in node.inputs]
        count = uses.get(node.outputs[0], 0) if node.outputs else 0
        call = Call(graph, node, inputs, count, dtype, batch, parameters, notes)
        with np.errstate(all="ignore"):  # what is not finite is refused before it is in the network
            values[node.outputs[0]] = _given(call, folded, begun)
        for name in node.outputs[1:]:
            if uses.get(name):
                raise node.refused(f"its output {shown(name)} is read; only its first is available")
    return values


def _tensor(graph: Graph, node: Node, name: str, values: dict[str, Value | np.ndarray]) -> Value | np.ndarray | None:
    if not name:
        return None
    return values[name] if name in values else graph.array(name)


def _given(call: Call, folded: Budget, begun: dict[int, Value]) -> Value | np.ndarray:
    """What a node gives: an array where all that it reads is constant."""
    found = [value for value in call.inputs if isinstance(value, Value)]
    first = call.inputs[0] if call.inputs else None
    if call.node.op == "Shape" and first is not None:
        return onnx_constants.shape_of(call.node, first, call.batch)
    if call.node.op == "CastLike" and isinstance(first, np.ndarray) and first.dtype.kind == "f":
        return first  # of the network's type wherever it becomes a number of the network
    if not found:
        arrays = [value for value in call.inputs if not isinstance(value, Value)]
        return onnx_constants.fold(onnx_constants.Folding(call.node, call.graph.opset, arrays, folded))
    pixels = onnx_pixels.preprocessed(call)
    if pixels is not None:
        return pixels
    for place, value in enumerate(call.inputs):
        if isinstance(value, Value) and value.form is not None and value.form.kind == onnx_pixels.KIND:
            if id(value) not in begun:
                begun[id(value)] = onnx_pixels.entered(call, value)
            call.inputs[place] = begun[id(value)]
    if _turns_input(call):
        return _turned(call)
    return read_node(call)


def _turns_input(call: Call) -> bool:
    """A Transpose from channels last, right at the input."""
    x = call.inputs[0]
    return (
        call.node.op == "Transpose"
        and isinstance(x, Value)
        and x.node is None
        and len(x.sizes) == 3
        and call.integers("perm") == TO_FIRST
    )


def _turned(call: Call) -> Value:
    x = call.data()
    H, W, C = x.sizes
    return Value((C, H, W), call.node, x, uses=call.uses, is_input=True)


def _without_end(end: Value, notes: list[str]) -> Value:
    """What the network gives in front of its Softmax: scores."""
    is_log = end.form is not None and end.form.kind == "LogSoftmax"
    is_softmax = end.last is not None and isinstance(end.last.step, Softmax)
    if (is_log or is_softmax) and end.parent is not None and len(end.sizes) == 1:
        notes.append(f"the last {'LogSoftmax' if is_log else 'Softmax'} was left out: the network gives scores")
        return end.parent
    return end


def _check_output(graph: Graph, output: str, end: Value, batch: int | None) -> None:
    """What the file says of its output is what comes out here."""
    declared = next(port.sizes for port in graph.outputs if port.name == output)
    given = (batch, *end.sizes)
    if declared is not None and (
        len(declared) != len(given)
        or any(None not in (one, other) and one != other for one, other in zip(declared, given, strict=True))
    ):
        raise graph.refused(
            f"its output {shown(output)} is declared as {check.shown(declared)}, but the nodes give "
            f"{check.shown(given)}",
            "export it again",
        )


class _Rows:
    """Values as layers in a row, each value in one place."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.seen: set[int] = set()

    def all(self, end: Value) -> tuple[Value, list[Layer | Branches]]:
        """Where the network begins, and its layers."""
        start: Value | None = end
        while start is not None and not start.is_input:
            start = start.above
        if start is None:
            raise self.graph.refused(
                "its input is read in two ways, before and after it is made channels first or floating",
                "export it with preprocessing in front of everything, or without",
            )
        layers = self.between(start, end, 0)
        if sum(1 for _ in flat(layers)) > MOST_STEPS:
            raise self.graph.refused(f"it has more than {MOST_STEPS:,} steps")
        return start, layers

    def between(self, start: Value, end: Value, depth: int) -> list[Layer | Branches]:
        """The layers from one value to another that it is made of."""
        pieces: list[list[Layer | Branches]] = []
        value = end
        while value is not start:
            self._check(value, depth)
            if value.other is None:
                assert value.parent is not None
                pieces.append(list(value.layers))
                value = value.parent
            else:
                assert value.parent is not None and value.above is not None
                fork = value.above
                pieces.append([self.branches(fork, value.parent, value.other, depth + 1)])
                value = fork
        return [layer for piece in reversed(pieces) for layer in piece]

    def branches(self, fork: Value, one: Value, other: Value, depth: int) -> Layer | Branches:
        """A residual block. A branch without steps is the shortcut; two of them double what comes in."""
        layers, shortcut = self.between(fork, one, depth), self.between(fork, other, depth)
        if not layers:
            layers, shortcut = shortcut, []
        return Branches(layers, shortcut or None) if layers else Layer(Scale(2.0), {})

    def _check(self, value: Value, depth: int) -> None:
        node = value.node
        if node is None or value.is_input:
            raise self.graph.refused("its input is read in two ways", "export it with preprocessing in front of all")
        if value.form is not None:
            raise node.refused(f"available only as a part of {value.form.whole}")
        if id(value) in self.seen:
            raise node.refused(
                "two branches that are not added right away share it",
                "available are nodes in a row, and branches that begin at one and are added again",
            )
        self.seen.add(id(value))
        if depth > MOST_NESTING:
            raise node.refused(f"branches are nested more than {MOST_NESTING} deep")
