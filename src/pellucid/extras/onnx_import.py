"""ONNX files, from wherever they come, as networks: ``pip install 'pellucid[onnx]'``.

::

    imported = import_onnx("resnet.onnx")
    print(imported)
    imported.network.summary()

Graphs are read that are steps in a row, with residual blocks among them, of the operators in
``docs/onnx-operators.md``. Anything else is refused by its name. The file may come from a stranger: nothing in it is
run or followed, and reading it takes at most about eight times its size in memory, and a gigabyte.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import check
from pellucid.extras import onnx_graph, onnx_metadata, onnx_reading
from pellucid.extras.onnx_graph import Branches, Parts
from pellucid.extras.onnx_reading import OnnxImportError
from pellucid.extras.onnx_values import Layer
from pellucid.layers import softmax_loss
from pellucid.models import Flatten, Network, Residual, initial
from pellucid.models.chain import NAME
from pellucid.models.description import put_arrays
from pellucid.models.step import Shape, Step
from pellucid.shipping import Preprocessing

__all__ = ["Imported", "OnnxImportError", "import_onnx", "network_of"]

WHERE = "import_onnx"
MOST_NAME = 100


@dataclass(frozen=True, eq=False)
class Imported:
    """What was in the file; ``print`` it."""

    network: Network
    classes: tuple[str, ...] | None
    """Their names, where the file has them as our exporter writes them."""
    preprocessing: Preprocessing | None
    """How pictures become the network's input, where the file says it."""
    notes: tuple[str, ...]
    """What is not quite as in the file: what was left out or put there."""

    def __str__(self) -> str:
        lines = [str(self.network.summary()), *self.notes]
        return "\n".join(lines)


def import_onnx(path: str | os.PathLike[str], *, input_shape: Iterable[int] | None = None) -> Imported:
    """Read an ONNX file as a network.

    A Softmax or LogSoftmax at the end is left out: the network gives scores, which are what it is trained with. Batch
    norms are read with their running statistics and go on from there; dropout is read as such.

    Parameters
    ----------
    path : str or path
    input_shape : tuple, optional
        Of a sample, (C, H, W), in the file's own order, where the file leaves it open.

    Returns
    -------
    Imported

    Raises
    ------
    OnnxImportError
        A ValueError: what is wrong with the file, or which of its nodes we have no step for.
    OSError
        The file cannot be read.
    ImportError
        onnx is not installed.
    """
    shape = _checked_shape(input_shape)
    graph = onnx_reading.read_file(path)
    parts = onnx_graph.parts_of(graph, shape, to_scores=True)
    scores = parts.output_shape
    if len(scores) == 3 and scores[1:] == (1, 1):
        parts.layers.append(Layer(Flatten(), {}))
        parts.output_shape = scores[:1]
        parts.notes.append(f"Flatten was put at the end: the file gives scores as images of one pixel, {scores}")
    network = network_of(parts, graph.path)
    classes = onnx_metadata.classes_of(graph, parts)
    return Imported(network, classes, onnx_metadata.preprocessing_of(graph, parts), tuple(parts.notes))


def network_of(parts: Parts, path: str) -> Network:
    """The network of a graph's parts. One that gives images has no loss, and cannot be trained as it is."""
    try:
        with initial.zeros():
            network = Network(
                _steps(parts.layers),
                parts.input_shape,
                loss_function=softmax_loss if len(parts.output_shape) == 1 else no_loss,
                dtype=parts.dtype,
                rng=0,
            )
        put_arrays(WHERE, network, _arrays(network, parts))
    except (ValueError, TypeError) as error:
        raise OnnxImportError(f"{path}: {error}") from None
    return network


def no_loss(scores: Any, y: Any) -> tuple[Any, np.ndarray]:
    """The loss of a network that gives images: there is none."""
    raise ValueError(
        "Network.loss: this network was imported and gives images, for which there is no loss; give it one with "
        "network.loss_function = ..., or make a network of network.steps and more"
    )


def _checked_shape(shape: Any) -> Shape | None:
    if shape is None:
        return None
    if isinstance(shape, str) or not isinstance(shape, Iterable):
        raise TypeError(f"{WHERE}: input_shape is {shape!r}; it must be a tuple, such as (3, 32, 32)")
    return tuple(check.whole_number(WHERE, "input_shape", size, least=1) for size in shape)


def _arrays(network: Network, parts: Parts) -> dict[str, np.ndarray]:
    """The layers' numbers under the network's names."""
    places = [(prefix, place) for _, prefix, place in network.places() if not isinstance(place.step, Residual)]
    return {
        f"{prefix}{place.name}.{short}": array
        for (prefix, place), layer in zip(places, onnx_graph.flat(parts.layers), strict=True)
        for short, array in layer.arrays.items()
    }


def _steps(layers: list[Layer | Branches]) -> list[Step]:
    """The layers' steps, with the names that the file suggests where those are not the ones that they get anyway."""
    steps: list[Step] = []
    suggested: list[str] = []
    for item in layers:
        if isinstance(item, Branches):
            steps.append(Residual(_steps(item.layers), None if item.shortcut is None else _steps(item.shortcut)))
            suggested.append("")
        else:
            steps.append(item.step)
            suggested.append(item.name)
    for step, name in zip(steps, _names(steps, suggested), strict=True):
        step.name = name
    return steps


def _names(steps: list[Step], suggested: list[str]) -> list[str | None]:
    """A name of its own for each step that has one; for none if two would have the same."""
    names: list[str | None] = []
    all_names: list[str] = []
    counts: dict[str, int] = {}
    for step, name in zip(steps, suggested, strict=True):
        kind = type(step).__name__.lower()
        number = counts.get(kind, 0) + 1
        usable = NAME.fullmatch(name) and len(name) <= MOST_NAME and name not in (f"{kind}{number}", "shortcut")
        own = name if usable else None
        if own is None:
            counts[kind] = number
        names.append(own)
        all_names.append(own or f"{kind}{number}")
    return names if len(set(all_names)) == len(all_names) else [None] * len(names)
