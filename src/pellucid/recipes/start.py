"""A network that goes on from a model file: its head replaced where the classes are others, parts of it frozen."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid import models
from pellucid.data import ByteImages
from pellucid.shipping import Model, load_model

_LUMA = np.array([19595, 38470, 7471], np.uint32)
"""ITU-R 601's weights of red, green and blue, times 2**16: the integers that Pillow uses."""
_IMAGES_AT_A_TIME = 1000


def start_model(network: dict[str, Any]) -> Model:
    """The model file that a recipe's network table names."""
    if not network["path"]:
        raise ValueError("recipe: network.path is empty; name the model file to start from (--from)")
    model = load_model(network["path"])
    if model.preprocessing is None:
        raise ValueError(
            f"recipe: {network['path']} does not say how pictures become its input; import it again with --mean and "
            "--scale"
        )
    return model


def start_size(network: dict[str, Any]) -> tuple[int, int]:
    """Height and width of the pictures that the model reads."""
    how = start_model(network).preprocessing
    assert how is not None
    return how.size


def continued(
    network: dict[str, Any],
    image_shape: tuple[int, int, int],
    num_classes: int,
    classes: Sequence[str] | None,
    **settings: Any,
) -> models.Network:
    """The model's network, ready to be trained on other images.

    Parameters
    ----------
    network : dict
        The recipe's table: path, head, freeze.
    image_shape : (int, int, int)
        Of the images to come.
    num_classes : int
    classes : sequence of str, optional
        Their names; with others than the model's, the head is new. Where absent, only the number counts.
    **settings
        What `Network` takes: loss_function, reg, rng.
    """
    model = start_model(network)
    old = model.network
    if old.input_shape != tuple(image_shape):
        raise ValueError(
            f"recipe: {network['path']} reads images {old.input_shape} (C, H, W), but these are {tuple(image_shape)}; "
            "bring them to its size with --image-size, or start from another model"
        )
    same = num_classes == len(model.classes) and (classes is None or tuple(classes) == tuple(model.classes))
    steps = old.steps
    head = None
    if network["head"] == "new" or (network["head"] == "auto" and not same):
        head = _replace_head(network["path"], steps, num_classes)
    elif num_classes != len(model.classes):
        raise ValueError(
            f"recipe: network.head is 'keep', but {network['path']} has {len(model.classes)} classes and the images "
            f"{num_classes}; take 'auto' or 'new'"
        )
    new = models.Network(steps, old.input_shape, **settings)
    kept = [name for name in new.params if head is None or not name.startswith(f"{head}.")]
    for name in kept:
        new.params[name][...] = old.params[name]
        new.param_options[name] = dict(old.param_options[name])
    new.bn_params = [{key: np.copy(bn[key]) for key in ("running_mean", "running_var")} for bn in old.bn_params]
    for pattern in network["freeze"]:
        new.freeze(pattern)
    return new


def as_the_model_reads(data: dict[str, Any], model: Model) -> dict[str, Any]:
    """The same data with the channels of the model's pictures, less its mean and divided by its scale."""
    how = model.preprocessing
    assert how is not None
    return {
        name: ByteImages(_in_channels(part.pixels, how.channels), how.mean, how.scale) if name[0] == "X" else part
        for name, part in data.items()
    }


def _replace_head(path: str, steps: list[models.Step], num_classes: int) -> str:
    """Put a new last affine layer in the place of the old one; returns its name."""
    counts = [i for i, step in enumerate(steps) if type(step) is models.Affine]
    if not counts:
        raise ValueError(f"recipe: the network of {path} has no affine layer whose place a new head could take")
    last: Any = steps[counts[-1]]
    steps[counts[-1]] = dataclasses.replace(last, units=num_classes)
    return last.name or f"affine{sum(steps[i].name is None for i in counts)}"


def _in_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """RGB as grey, or grey as RGB; uint8 (N, H, W, C)."""
    C = pixels.shape[3]
    if channels == C or {channels, C} != {1, 3}:
        return pixels  # what fits neither is refused with the images' shape
    if channels == 3:
        return np.repeat(pixels, 3, axis=3)
    grey = np.empty((*pixels.shape[:3], 1), np.uint8)
    for i in range(0, len(pixels), _IMAGES_AT_A_TIME):
        grey[i : i + _IMAGES_AT_A_TIME, ..., 0] = (pixels[i : i + _IMAGES_AT_A_TIME] @ _LUMA + 2**15) >> 16
    return grey
