"""What an ONNX file says of its classes and of the way from pictures to its input, if that is sound.

Our own files have it as JSON in their metadata (`pellucid.extras.onnx_export`). Other programs use the same words for
other things: what cannot be understood is left out, and the notes say so.
"""

from __future__ import annotations

import json
from typing import Any

from pellucid.extras import onnx_pixels
from pellucid.extras.onnx_graph import Parts
from pellucid.extras.onnx_reading import Graph
from pellucid.shipping import Preprocessing

MOST_CHARACTERS = 2**24
KEYS = ("size", "channels", "mean", "scale", "fit")


def classes_of(graph: Graph, parts: Parts) -> tuple[str, ...] | None:
    """The classes' names, one for each score."""
    names = _json(graph, parts, "classes")
    if names is None:
        return None
    sound = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not sound or parts.output_shape != (len(names),) or len(set(names)) != len(names):
        parts.notes.append("the metadata's classes were left out: they are not a list with a name for each score")
        return None
    return tuple(names)


def preprocessing_of(graph: Graph, parts: Parts) -> Preprocessing | None:
    """How pictures become the network's input: the graph's own nodes, and the metadata."""
    written = _written(graph, parts)
    pixels = parts.start.parent
    if pixels is None or pixels.form is None or pixels.form.kind != onnx_pixels.KIND:
        return written
    found = onnx_pixels.mean_and_scale(pixels)
    C, *size = parts.input_shape
    fit = "crop" if written is None else written.fit
    made = None if found is None else _made(size=size, channels=C, mean=found[0], scale=found[1], fit=fit)
    if made is None:
        parts.notes.append("what the graph does to its pixels was left out: there is no such Preprocessing here")
    return made


def _written(graph: Graph, parts: Parts) -> Preprocessing | None:
    settings = _json(graph, parts, "preprocessing")
    if settings is None:
        return None
    made = None
    if isinstance(settings, dict) and set(settings) <= set(KEYS) and "size" in settings:
        made = _made(**settings)
    if made is None or made.image_shape != parts.input_shape:
        parts.notes.append("the metadata's preprocessing was left out: it does not make the network's input of images")
        return None
    return made


def _made(**settings: Any) -> Preprocessing | None:
    try:
        return Preprocessing(**{**settings, "size": tuple(settings["size"])})
    except (ValueError, TypeError, OverflowError):
        return None


def _json(graph: Graph, parts: Parts, key: str) -> Any:
    """What stands under a key, None if nothing does or it is no JSON."""
    text = graph.metadata.get(key)
    if text is None:
        return None
    try:
        if len(text) <= MOST_CHARACTERS:
            return json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        pass
    parts.notes.append(f"the metadata's {key} was left out: it is no JSON that can be read")
    return None


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is no number")
