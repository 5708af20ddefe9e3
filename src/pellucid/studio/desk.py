"""What a worker can do: open a model with its data, and look into it. Answers are plain data, or a picture's bytes."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid.inspect import activations, cam_layer, grad_cam, receptive_field, saliency, strongest
from pellucid.inspect.maps import filter_picture, maps_sheet, overlay, png
from pellucid.inspect.walk import examples, walk
from pellucid.layers import softmax
from pellucid.studio.films import film, frame
from pellucid.studio.opened import Opened, Shelf

Progress = Callable[[int, int], None]

WHERE = "studio"
MOST_MAPS = 64
"""Of a layer that are shown beside each other."""
MOST_TILES, SHEET_COLUMNS = 400, 20
MOST_EXAMINED = 2000
"""Test images among which the strongest answers are looked for."""
MOST_WRONG, MOST_IN_CELL = 400, 200
BATCH = 100


class Desk:
    """One worker's models and the work on them."""

    def __init__(self) -> None:
        self.shelf = Shelf()

    def do(self, what: str, arguments: dict[str, Any], blob: bytes, progress: Progress) -> Any:
        """One piece of work by its name."""
        work: dict[str, Callable[[], Any]] = {
            "walk": lambda: examples() if arguments["request"].get("list") else walk(arguments["request"]),
            "network": lambda: network(self._open(arguments)),
            "film": lambda: film(*_where(arguments), self._open(arguments)),
            "frame": lambda: frame(*_where(arguments), self._open(arguments), arguments["number"]),
            "filter": lambda: one_filter(self._open(arguments), **_given(arguments, "layer", "index")),
            "images": lambda: images(self._open(arguments), **_given(arguments, "part", "start", "count", "label")),
            "sheet": lambda: sheet(self._open(arguments), **_given(arguments, "part", "indices")),
            "look": lambda: look(self._open(arguments), blob, **_given(arguments, "index", "target")),
            "strongest": lambda: answers(self._open(arguments), progress, **_given(arguments, "layer", "top")),
            "mistakes": lambda: mistakes(self._open(arguments), progress, **_given(arguments, "part")),
            "cell": lambda: cell(self._open(arguments), progress, **_given(arguments, "part", "label", "predicted")),
        }
        return work[what]()

    def _open(self, arguments: dict[str, Any]) -> Opened:
        return self.shelf.opened(**_given(arguments, "kind", "path", "data"))


def _where(arguments: dict[str, Any]) -> tuple[str, str]:
    return arguments["kind"], arguments["path"]


def _given(arguments: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: arguments[name] for name in names}


def network(opened: Opened) -> dict[str, Any]:
    """Its layers, as the summary has them."""
    net = opened.model.network
    layers = []
    for (depth, prefix, place), line in zip(net.places(), net.summary().rows, strict=True):
        w = net.params.get(f"{prefix}{place.name}.w")
        layers.append(
            {
                "name": prefix + place.name,
                "depth": depth,
                "step": place.step.describe(),
                "kind": type(place.step).__name__,
                "out_shape": list(place.out_shape),
                "parameters": line.parameters,
                "multiply_adds": line.multiply_adds,
                "filters": len(w) if w is not None and w.ndim == 4 else 0,
                "frozen": bool(net.param_options.get(f"{prefix}{place.name}.w", {}).get("frozen")),
            }
        )
    return {
        "stamp": opened.stamp,
        "weights": opened.weights,
        "classes": list(opened.model.classes),
        "input": list(net.input_shape),
        "layers": layers,
        "images": opened.count("test"),
        "parts": opened.parts(),
    }


def one_filter(opened: Opened, layer: str, index: int) -> bytes:
    """One filter's picture."""
    w = _filters(opened, layer)
    _check_number("filter", index, len(w))
    return png(filter_picture(w[index]))


def _check_number(name: str, number: int, count: int) -> None:
    if not 0 <= number < count:
        raise ValueError(f"{WHERE}: {name} is {number}; it must be from 0 to {count - 1}")


def _filters(opened: Opened, layer: str) -> np.ndarray:
    w = opened.model.network.params.get(f"{layer}.w")
    if w is None or w.ndim != 4:
        raise ValueError(f"{WHERE}: {layer!r} is no layer with filters")
    return w


def images(opened: Opened, part: str, start: int, count: int, label: str | None) -> dict[str, Any]:
    """Some images of a part, and what they show."""
    _, y = opened.part(part)
    indices = np.arange(len(y))
    if label is not None:
        indices = indices[y == opened.class_number(label)]
    names = opened.model.classes
    chosen = indices[start : start + count]
    return {"total": len(indices), "images": [{"index": int(i), "label": names[y[i]]} for i in chosen]}


def sheet(opened: Opened, part: str, indices: list[int]) -> bytes:
    """Images beside each other, as they are."""
    X, _ = opened.part(part)
    if not 0 < len(indices) <= MOST_TILES or min(indices) < 0 or max(indices) >= len(X):
        raise ValueError(f"{WHERE}: indices must be 1 to {MOST_TILES} numbers from 0 to {len(X) - 1}")
    pixels = X.pixels[indices]  # (n, H, W, C)
    n, H, W, C = pixels.shape
    columns = min(SHEET_COLUMNS, n)
    rows = math.ceil(n / columns)
    whole = np.zeros((rows * columns, H, W, C), np.uint8)
    whole[:n] = pixels
    whole = whole.reshape(rows, columns, H, W, C).swapaxes(1, 2).reshape(rows * H, columns * W, C)
    return png(np.ascontiguousarray(whole[..., 0] if C == 1 else whole[..., :3]))


def look(opened: Opened, blob: bytes, index: int | None, target: str | None) -> dict[str, Any]:
    """What the network makes of one picture, layer by layer."""
    model = opened.model
    label = None
    if index is not None:
        X, y = opened.part("test")
        _check_number("index", index, len(y))
        pixels, x, label = X.pixels[index], X[[index]], model.classes[y[index]]
    else:
        if model.preprocessing is None:
            raise ValueError(f"{WHERE}: this model does not say how pictures become the network's input")
        (pixels,) = found = model.preprocessing.pixels(blob, WHERE)
        x = model.preprocessing.floats(found)
    (row,) = model.probabilities(x)
    order = np.argsort(-row, kind="stable")
    chosen = int(order[0]) if target is None else opened.class_number(target)
    heat, cam, cam_layer = attention(model.network, x, chosen)
    return {
        "label": label,
        "probabilities": [{"label": model.classes[i], "probability": float(row[i])} for i in order],
        "target": model.classes[chosen],
        "input": _url(pixels[..., 0] if pixels.shape[-1] == 1 else pixels[..., :3]),
        "saliency": _url(overlay(heat)),
        "grad_cam": None if cam is None else _url(overlay(cam)),
        "grad_cam_layer": cam_layer,
        "layers": [_layer(*found) for found in activations(model.network, x)],
    }


def attention(net: Any, x: np.ndarray, target: int) -> tuple[np.ndarray, np.ndarray | None, str | None]:
    """Saliency, its largest value 1; Grad-CAM and the layer it asked, where there is one."""
    y = np.array([target])
    (heat,) = saliency(net, x, y)
    heat = heat / max(float(heat.max()), 1e-30)
    try:
        layer = cam_layer(net)
    except ValueError:  # fully connected networks have no maps
        return heat, None, None
    (cam,) = grad_cam(net, x, y, layer)
    return heat, cam, layer


def _layer(name: str, step: str, out: np.ndarray) -> dict[str, Any]:
    """One layer's answer as a picture, or as numbers."""
    about = {"name": name, "step": step, "shape": list(out.shape[1:])}
    if out.ndim != 4:
        return about | {"values": [float(value) for value in out[0].ravel()[:1000]]}
    maps = out[0, :MOST_MAPS]
    columns = min(len(maps), 8 if maps.shape[1] > 8 else 16)
    return about | {
        "columns": columns,
        "cell": list(maps.shape[1:]),
        "sheet": _url(maps_sheet(maps, columns)),
        "low": float(out.min()),
        "high": float(out.max()),
        "shown": len(maps),
    }


def _url(picture: np.ndarray) -> str:
    return "data:image/png;base64," + base64.b64encode(png(np.ascontiguousarray(picture))).decode()


def answers(opened: Opened, progress: Progress, layer: str, top: int) -> dict[str, Any]:
    """The test images that each filter of a layer answers to most, and where in them."""
    X, y = opened.part("test")
    examined = min(len(X), MOST_EXAMINED)
    images = X.select(slice(examined))
    values, indices, places = strongest(opened.model.network, images, layer, top, progress)
    names = opened.model.classes
    boxes: dict[tuple[int, int], list[int]] = {}

    def box(i: int, j: int) -> list[int]:
        if (i, j) not in boxes:
            boxes[i, j] = [int(edge) for edge in receptive_field(opened.model.network, layer, i, j)]
        return boxes[i, j]

    filters = []
    for k in range(len(values)):
        rows = zip(values[k], indices[k], places[k], strict=True)
        filters.append(
            {
                "filter": k,
                "answers": [
                    {"image": int(n), "label": names[y[n]], "value": float(value), "box": box(int(i), int(j))}
                    for value, n, (i, j) in rows
                ],
            }
        )
    return {"layer": layer, "examined": examined, "filters": filters}


def predictions(opened: Opened, part: str, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """(predicted class, its probability) of every image of a part; remembered."""
    if part not in opened.predictions:
        X, _ = opened.part(part)
        scores = []
        for start in range(0, len(X), BATCH):
            scores.append(opened.model.scores(X[start : start + BATCH]))
            progress(min(start + BATCH, len(X)), len(X))
        rows = softmax(np.concatenate(scores))
        opened.predictions[part] = rows.argmax(axis=1), rows.max(axis=1)
    return opened.predictions[part]


def mistakes(opened: Opened, progress: Progress, part: str) -> dict[str, Any]:
    """What is taken for what, and the most confident errors."""
    predicted, probability = predictions(opened, part, progress)
    _, y = opened.part(part)
    names = opened.model.classes
    confusion = np.zeros((len(names), len(names)), np.int64)
    np.add.at(confusion, (y, predicted), 1)
    wrong = np.flatnonzero(predicted != y)
    wrong = wrong[np.argsort(-probability[wrong], kind="stable")][:MOST_WRONG]
    return {
        "part": part,
        "classes": list(names),
        "accuracy": float(np.mean(predicted == y)),
        "confusion": confusion.tolist(),
        "wrong": [
            {"image": int(n), "label": names[y[n]], "predicted": names[predicted[n]], "probability": float(p)}
            for n, p in zip(wrong, probability[wrong], strict=True)
        ],
    }


def cell(opened: Opened, progress: Progress, part: str, label: int, predicted: int) -> dict[str, Any]:
    """The images of one cell of the confusion matrix, the most confident first."""
    found, probability = predictions(opened, part, progress)
    _, y = opened.part(part)
    chosen = np.flatnonzero((y == label) & (found == predicted))
    chosen = chosen[np.argsort(-probability[chosen], kind="stable")][:MOST_IN_CELL]
    return {"images": [{"image": int(n), "probability": float(probability[n])} for n in chosen]}
