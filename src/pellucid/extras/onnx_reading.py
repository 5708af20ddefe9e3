"""An ONNX file as a graph of plain Python objects, once everything that can be told without running it is sound.

Nothing in the file is followed, run or believed: sizes are compared with what is there before memory is taken, and
every way of being wrong ends in one `OnnxImportError`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.extras import onnx_tensors, onnx_wire
from pellucid.extras.onnx_nodes import package

WHERE = "import_onnx"
MOST_FILE_BYTES = 2**31
"""protobuf's own limit."""
MOST_NODES = 10_000
MOST_LIST = 100_000
"""Numbers in one attribute."""
OLDEST_OPSET = 6
MAIN_DOMAINS = ("", "ai.onnx")


class OnnxImportError(ValueError):
    """An ONNX file that cannot be read, or does something that we cannot: which file, which node, why, what to do."""


@dataclass(eq=False)
class Node:
    """One operation of the graph."""

    path: str
    number: int
    op: str
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]
    """Numbers, strings, tuples of them, arrays."""

    @property
    def place(self) -> str:
        """Which one it is, for messages."""
        return f"node {shown(self.name) if self.name else self.number} ({self.op})"

    def refused(self, reason: str, advice: str = "") -> OnnxImportError:
        """The error that says why this node cannot be had."""
        return OnnxImportError(f"{self.path}: {self.place}: {reason}" + (f"; {advice}" if advice else ""))


@dataclass(eq=False)
class Port:
    """What comes into the graph or goes out."""

    name: str
    elem_type: int
    sizes: tuple[int | None, ...] | None
    """With the batch; None where a size, or all of it, is open."""


@dataclass(eq=False)
class Graph:
    """A file's graph. Arrays are made when they are asked for."""

    path: str
    opset: int
    metadata: dict[str, str]
    nodes: list[Node]
    inputs: list[Port]
    outputs: list[Port]
    tensors: dict[str, Any]
    _arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def stored(self) -> int:
        """How many numbers the file's initializers have."""
        return sum(int(np.prod(tensor.dims, dtype=np.int64)) for tensor in self.tensors.values())

    def array(self, name: str) -> np.ndarray:
        """An initializer, read-only."""
        if name not in self._arrays:
            self._arrays[name] = onnx_tensors.array_of(self.tensors[name])
        return self._arrays[name]

    def refused(self, reason: str, advice: str = "") -> OnnxImportError:
        """The error for what is wrong with the whole."""
        return OnnxImportError(f"{self.path}: {reason}" + (f"; {advice}" if advice else ""))


def shown(name: Any) -> str:
    """A name out of the file, quoted, cut where it is long."""
    text = _text(name)
    return repr(text if len(text) <= 100 else text[:97] + "...")


def _text(value: Any) -> str:
    """protobuf gives bytes where a string is not UTF-8."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value


def read_file(path: str | os.PathLike[str]) -> Graph:
    """The graph of a file.

    Raises
    ------
    OnnxImportError
        Whatever is wrong with it.
    OSError
        It cannot be read at all.
    ImportError
        onnx is not installed.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{WHERE}: path is a {type(path).__name__}; it must be a file's name")
    onnx = package(WHERE, "onnx")
    path = Path(path)
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OnnxImportError(f"{path}: it is not a regular file; give the .onnx file itself")
    if status.st_size > MOST_FILE_BYTES:
        raise OnnxImportError(
            f"{path}: it has {status.st_size:,} bytes; ONNX files have at most {MOST_FILE_BYTES:,}, larger ones keep "
            "their numbers in other files, which are not read: reduce the model"
        )
    with path.open("rb") as file:
        data = file.read(status.st_size)  # a larger number would take as much memory at once
    return graph_of(onnx, data, str(path))


def graph_of(onnx: Any, data: bytes, path: str) -> Graph:
    """The graph in a file's content."""
    wrong = onnx_wire.what_is_wrong(data, onnx.ModelProto.DESCRIPTOR)
    if wrong:
        raise _not_onnx(path, wrong)
    try:
        model = onnx.ModelProto.FromString(data)
    except Exception as error:  # protobuf's own
        raise _not_onnx(path, str(error)) from None
    if not model.HasField("graph") or not model.graph.node:
        raise _not_onnx(path, "there is no graph with nodes in it")
    _check_parts(path, model)
    try:
        onnx.checker.check_model(data)
    except Exception as error:  # ValidationError, and others where types are wrong
        raise OnnxImportError(f"{path}: ONNX's checker refuses it: {_first_words(error)}; export it again") from None
    return _checked_graph(path, model, onnx.defs.onnx_opset_version())


def _not_onnx(path: str, why: str) -> OnnxImportError:
    return OnnxImportError(
        f"{path}: not a sound ONNX file: {why}. It may have been cut short or changed on its way, or be of another "
        "kind; export it again"
    )


def _first_words(error: Exception) -> str:
    words = " ".join(str(error).split())
    return words if len(words) <= 400 else words[:397] + "..."


def _check_parts(path: str, model: Any) -> None:
    """What a file may have that we refuse to read, before anything else looks at it."""
    graph = model.graph
    if len(graph.node) > MOST_NODES:
        raise OnnxImportError(f"{path}: it has {len(graph.node):,} nodes; at most {MOST_NODES:,} are read")
    for what, part, advice in (
        ("functions of its own", model.functions, "inline them first: onnx.inliner.inline_local_functions"),
        ("a graph for training", model.training_info, "export it for inference"),
        ("sparse tensors", graph.sparse_initializer, "export it with dense ones"),
        ("quantised tensors", graph.quantization_annotation, "export it with floating numbers"),
    ):
        if part:
            raise OnnxImportError(f"{path}: it has {what}, which are not read; {advice}")
    for tensor in graph.initializer:
        wrong = onnx_tensors.what_is_wrong(tensor)
        if wrong:
            raise OnnxImportError(f"{path}: initializer {shown(tensor.name)}: {wrong}")
    for number, proto in enumerate(graph.node):
        node = Node(path, number, _text(proto.op_type)[:100], _text(proto.name), [], [], {})
        for attribute in proto.attribute:
            _check_attribute(node, attribute)


def _check_attribute(node: Node, attribute: Any) -> None:
    name = shown(attribute.name)
    if attribute.HasField("g") or attribute.graphs:
        raise node.refused(f"its attribute {name} is a graph inside of the graph", "export the model without branches")
    if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
        raise node.refused(f"its attribute {name} is a sparse tensor", "export it with dense ones")
    if attribute.ref_attr_name:
        raise node.refused(f"its attribute {name} stands for that of a function", "inline functions first")
    for tensor in (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors):
        wrong = onnx_tensors.what_is_wrong(tensor)
        if wrong:
            raise node.refused(f"its attribute {name}: {wrong}")
    if max(len(attribute.floats), len(attribute.ints), len(attribute.strings)) > MOST_LIST:
        raise node.refused(f"its attribute {name} has more than {MOST_LIST:,} numbers", "use an initializer")


def _checked_graph(path: str, model: Any, newest: int) -> Graph:
    """Our own objects for what the checker has passed."""
    proto = model.graph
    tensors = {_text(tensor.name): tensor for tensor in proto.initializer}
    graph = Graph(
        path,
        _opset(path, model, newest),
        {_text(entry.key): _text(entry.value) for entry in model.metadata_props},
        [_node(path, number, node) for number, node in enumerate(proto.node)],
        [_port(path, value) for value in proto.input if _text(value.name) not in tensors],
        [_port(path, value) for value in proto.output],
        tensors,
    )
    if len(tensors) < len(proto.initializer):
        raise graph.refused("two initializers have the same name", "export it again")
    _check_names(graph)
    return graph


def _opset(path: str, model: Any, newest: int) -> int:
    versions = [entry.version for entry in model.opset_import if _text(entry.domain) in MAIN_DOMAINS]
    if len(versions) != 1 or not OLDEST_OPSET <= versions[0] <= newest:
        raise OnnxImportError(
            f"{path}: its operators are of opset {versions or 'none'}; one from {OLDEST_OPSET} to {newest}, the newest "
            "that the installed onnx knows, can be read: convert it with onnx.version_converter"
        )
    return versions[0]


def _node(path: str, number: int, proto: Any) -> Node:
    domain, op = _text(proto.domain), _text(proto.op_type)
    op = op if domain in MAIN_DOMAINS else f"{domain}.{op}"
    inputs, outputs = list(map(_text, proto.input)), list(map(_text, proto.output))
    node = Node(path, number, op[:100], _text(proto.name), inputs, outputs, {})
    for attribute in proto.attribute:
        name = _text(attribute.name)
        if name in node.attributes:
            raise node.refused(f"it has the attribute {shown(name)} twice", "export it again")
        node.attributes[name] = _value(attribute)
    return node


def _value(attribute: Any) -> Any:
    """What the attribute says: of the kinds that we use, else None."""
    names = {1: "f", 2: "i", 3: "s", 6: "floats", 7: "ints"}  # ONNX's numbers for the kinds
    if attribute.type == 4:
        return onnx_tensors.array_of(attribute.t)
    if attribute.type not in names:
        return None
    value = getattr(attribute, names[attribute.type])
    if isinstance(value, bytes):
        return value[:100].decode(errors="replace")
    return value if isinstance(value, int | float) else tuple(value)


def _port(path: str, value: Any) -> Port:
    if not value.type.HasField("tensor_type"):
        raise OnnxImportError(f"{path}: {shown(value.name)} is no tensor; networks take one tensor and give one")
    tensor_type = value.type.tensor_type
    if not tensor_type.HasField("shape"):
        return Port(_text(value.name), tensor_type.elem_type, None)
    dims = tensor_type.shape.dim[: onnx_tensors.MOST_AXES + 1]
    sizes = tuple(int(dim.dim_value) if dim.dim_value > 0 else None for dim in dims)  # some write 0 or -1 for open
    return Port(_text(value.name), tensor_type.elem_type, sizes)


def _check_names(graph: Graph) -> None:
    """Every tensor has one source, and it comes before whoever reads it."""
    known = {port.name for port in graph.inputs} | set(graph.tensors)
    if len(known) < len(graph.inputs) + len(graph.tensors):
        raise graph.refused("two inputs have the same name", "export it again")
    for node in graph.nodes:
        for name in node.inputs:
            if name and name not in known:
                raise node.refused(
                    f"it reads {shown(name)}, which nothing before it gives: the nodes are out of order, or in a loop",
                    "export it again",
                )
        for name in _named(node.outputs):
            if name in known:
                raise node.refused(f"it gives {shown(name)}, which there is already", "export it again")
            known.add(name)
    for port in graph.outputs:
        if port.name not in known:
            raise graph.refused(f"its output {shown(port.name)} is given by no node", "export it again")


def _named(names: list[str]) -> Iterator[str]:
    return (name for name in names if name)
