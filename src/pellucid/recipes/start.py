"""A network that goes on from a model file: its head replaced where the classes are others, parts of it frozen."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid import models
from pellucid.data import ByteImages, Dataset
from pellucid.data.pictures import in_grey
from pellucid.models.step import STATISTICS
from pellucid.recipes.recipe import Recipe
from pellucid.shipping import Model, load_model

_IMAGES_AT_A_TIME = 1000


def start_model(network: dict[str, Any]) -> Model:
    """The model file that ``network``, a recipe's table, names.

    Raises
    ------
    ValueError, OSError
        None is named, or it is no sound model file.
    """
    if not network["path"]:
        raise ValueError("recipe: network.path is empty; name the model file to start from (--from)")
    return load_model(network["path"])


def for_pictures(recipe: Recipe) -> Recipe:
    """A ``recipe`` with the size and fit of pictures of the model that it starts from, where it says none itself."""
    model = start_model(recipe["network"])
    changes: dict[str, Any] = {}
    if recipe["data"]["image_size"] is None and len(model.network.input_shape) == 3:
        changes["data.image_size"] = list(model.network.input_shape[1:])
    if "fit" not in recipe.given.get("data", {}) and model.preprocessing is not None:
        changes["data.fit"] = model.preprocessing.fit
    return recipe.with_changes(changes)


def in_its_channels(dataset: Dataset, model: Model) -> Dataset:
    """The data set in grey or in RGB, as the model reads it. What fits neither stays, and is refused with its shape."""
    C = model.network.input_shape[0]
    parts = {f"X_{part}": getattr(dataset, f"X_{part}") for part in ("train", "test", "val")}
    changed: dict[str, Any] = {name: _in_channels(X, C) for name, X in parts.items() if X is not None}
    return dataclasses.replace(dataset, **changed)


def normalised_by(data: dict[str, Any], model: Model, path: str) -> dict[str, Any]:
    """Split data less the model's mean and divided by its scale."""
    how = model.preprocessing
    if how is None:
        raise ValueError(
            f"recipe: {path} does not say how pictures become its input; import it again with --mean and --scale, or "
            "take data.normalise = 'channel'"
        )
    _check_shape(path, model, data["X_train"].shape[1:])
    return {
        name: ByteImages(part.pixels, how.mean, how.scale) if name.startswith("X_") else part
        for name, part in data.items()
    }


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
        The recipe's table: path, head, freeze. What it freezes stays as it is; a new head is never frozen, and what was
        frozen in the model's own training no longer is.
    image_shape : (int, int, int)
        Of the images to come.
    num_classes : int
    classes : sequence of str, optional
        Their names; with others than the model's, the head is new. Where absent, only the number counts.
    **settings
        What `Network` takes: loss_function, reg, rng.
    """
    model, path = start_model(network), network["path"]
    old = model.network
    _check_shape(path, model, image_shape)
    steps = old.steps
    if type(steps[-1]) is models.Softmax:
        del steps[-1]  # the loss has it inside
    head = ""
    if _wants_new_head(network, model, num_classes, classes):
        head = _replace_head(path, old, steps, num_classes)
    new = models.Network(steps, old.input_shape, **settings)
    if new.output_shape != (num_classes,):
        raise ValueError(f"recipe: with a new head {path} gives {new.output_shape}, not a score for each class")
    for name in new.params:
        if not _belongs(name, head):
            new.params[name][...] = old.params[name]
            options = old.param_options[name].items()
            new.param_options[name] = {key: value for key, value in options if key != "frozen"}
    new.bn_params = [{key: own[key].astype(new.dtype) for key in STATISTICS} for own in old.bn_params]
    _freeze(new, network["freeze"], head)
    return new


def _check_shape(path: str, model: Model, image_shape: tuple[int, ...]) -> None:
    if model.network.input_shape != tuple(image_shape):
        raise ValueError(
            f"recipe: {path} reads images {model.network.input_shape} (C, H, W), but these are {tuple(image_shape)}; "
            "bring them to its size with --image-size, or start from another model"
        )


def _wants_new_head(network: dict[str, Any], model: Model, num_classes: int, classes: Sequence[str] | None) -> bool:
    same_number = num_classes == len(model.classes)
    if network["head"] == "keep" and not same_number:
        raise ValueError(
            f"recipe: network.head is 'keep', but {network['path']} has {len(model.classes)} classes and the images "
            f"{num_classes}; take 'auto' or 'new'"
        )
    if network["head"] != "auto":
        return network["head"] == "new"
    return not same_number or (classes is not None and tuple(classes) != tuple(model.classes))


def _replace_head(path: str, old: models.Network, steps: list[models.Step], num_classes: int) -> str:
    """Put a new last affine layer in the place of the old one; returns its name."""
    places = [place for depth, _, place in old.places() if depth == 0]
    with_params = [i for i, place in enumerate(places) if place.arrays]
    last = with_params[-1] if with_params else 0
    if type(steps[last]) is not models.Affine:
        raise ValueError(
            f"recipe: the last layer with weights of {path} is {places[last].name}, and a new head can only take the "
            "place of an affine layer; start from another model, or keep the head (network.head = 'keep')"
        )
    steps[last] = dataclasses.replace(steps[last], units=num_classes)  # type: ignore[call-arg]
    return places[last].name


def _belongs(name: str, head: str) -> bool:
    return bool(head) and name.startswith(f"{head}.")


def _freeze(network: models.Network, patterns: Sequence[str], head: str) -> None:
    """Freeze what is asked but a new head; a batch norm that is frozen altogether keeps its statistics, too."""
    for pattern in patterns:
        network.unfreeze([name for name in network.freeze(pattern) if _belongs(name, head)])
    frozen = {name for name, options in network.param_options.items() if options.get("frozen")}
    if frozen == network.params.keys():
        raise ValueError(f"recipe: network.freeze is {list(patterns)}, and nothing is left to train; freeze less")
    for _, prefix, place in network.places():
        own = {prefix + name for name in place.arrays.values()}
        if place.step.bn_param is not None and own and own <= frozen:
            place.step.bn_param["mode"] = "test"  # it goes on as at test time


def _in_channels(images: ByteImages, channels: int) -> ByteImages:
    """RGB as grey, or grey as RGB."""
    pixels = images.pixels
    C = pixels.shape[3]
    if channels == C or {channels, C} != {1, 3}:
        return images
    if channels == 3:
        return ByteImages(np.repeat(pixels, 3, axis=3))
    grey = np.empty((*pixels.shape[:3], 1), np.uint8)
    for i in range(0, len(pixels), _IMAGES_AT_A_TIME):
        grey[i : i + _IMAGES_AT_A_TIME] = in_grey(pixels[i : i + _IMAGES_AT_A_TIME])
    return ByteImages(grey)
