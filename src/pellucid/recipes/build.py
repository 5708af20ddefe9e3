"""From a recipe to what it describes: the split data, the network, the solver. All of it depends on recipe, data and
seed alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid import models
from pellucid.data import Dataset
from pellucid.draws import BatchGenerator
from pellucid.layers import SmoothedSoftmaxLoss, softmax_loss
from pellucid.recipes.keys import COURSE_CLASSES, settings_of
from pellucid.recipes.recipe import Recipe
from pellucid.recipes.start import continued, in_its_channels, normalised_by, start_model
from pellucid.training import Augmentation, Average, Solver, Together, Views, schedules
from pellucid.training.groups import group_of_each, options_of

MOST_VALIDATION = 1000
"""Validation images where a tenth of the training images are asked for: no more than the tutorial's."""

SEED = 231
"""Where none is given: the course's."""

ACTIVATIONS = {"gelu": models.GELU, "silu": models.SiLU, "relu": models.ReLU}

SCHEDULES: dict[str, Callable[..., schedules.Schedule | None]] = {
    "constant": lambda: None,  # no schedule: checkpoints of the tutorial's settings never named one
    "step": schedules.step,
    "cosine": schedules.cosine,
    "triangle": schedules.triangle,
}


def split(recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """The ``dataset`` as the ``recipe`` wants it: X_train, y_train, X_test, y_test, and X_val, y_val if it validates.

    Where it starts from a model file, grey images become RGB and RGB grey, as that model reads.

    Raises
    ------
    ValueError
        More validation images than there are.
    """
    wanted = recipe["data"]["validation"]
    if wanted == "tenth":  # or all of the data's own validation part
        wanted = min(MOST_VALIDATION, max(1, len(dataset.X_train) // 10)) if dataset.X_val is None else None
    normalise, scale = recipe["data"]["normalise"], recipe["data"]["scale"]
    if recipe["network"]["name"] == "file":
        model = start_model(recipe["network"])
        dataset = in_its_channels(dataset, model)
        if normalise == "model":
            return normalised_by(dataset.split(wanted, subtract_mean=False), model, recipe["network"]["path"])
    if normalise == "channel":
        return dataset.split(wanted, per_channel=True)
    return dataset.split(wanted, subtract_mean=normalise == "image", scale=None if scale == "deviation" else scale)


def build_network(
    recipe: Recipe,
    image_shape: tuple[int, int, int],
    num_classes: int,
    rng: Any = None,
    classes: Sequence[str] | None = None,
) -> Any:
    """The recipe's network with its initial weights.

    Parameters
    ----------
    recipe : Recipe
    image_shape : (int, int, int)
        Channels, height, width.
    num_classes : int
        How many scores come out.
    rng : Generator or int, optional
        Where the weights come from; NumPy's global state where absent.
    classes : sequence of str, optional
        Their names: a network from a file gets a new head where they are others.

    Raises
    ------
    ValueError
        The network does not fit the images.
    """
    if recipe["network"]["name"] in COURSE_CLASSES:
        return _course_class(recipe, image_shape, num_classes, rng)
    smoothing = recipe["loss"]["label_smoothing"]
    settings: dict[str, Any] = {
        "loss_function": SmoothedSoftmaxLoss(smoothing) if smoothing else softmax_loss,
        "reg": recipe["loss"]["reg"],
        "rng": rng,
    }
    if recipe["network"]["name"] == "file":
        return continued(recipe["network"], image_shape, num_classes, classes, **settings)
    return models.Network(_steps(recipe["network"], image_shape[0], num_classes), image_shape, **settings)


def _steps(network: dict[str, Any], channels: int, num_classes: int) -> list[models.Step]:
    """The steps of a network that is a list of them."""
    own = {key: value for key, value in network.items() if key not in ("name", "whiten")}
    if network["name"] == "tutorial":
        own = {
            "num_filters": own["filters"],
            "filter_size": own["filter_size"],
            "hidden_dim": own["hidden"][0],
            "weight_scale": own["weight_scale"],
        }
    if network["name"] == "airbench":
        own |= {"channels": channels, "activation": ACTIVATIONS[own["activation"]]}
    builders: dict[str, Any] = {
        "tutorial": models.tutorial,
        "vgg": models.vgg,
        "resnet9": models.resnet9,
        "resnet20": models.resnet20,
        "airbench": models.airbench,
    }
    return builders[network["name"]](num_classes=num_classes, **own)


def _course_class(recipe: Recipe, image_shape: tuple[int, int, int], num_classes: int, rng: Any) -> Any:
    network = recipe["network"]
    shared: dict[str, Any] = {
        "num_classes": num_classes,
        "weight_scale": network["weight_scale"],
        "reg": recipe["loss"]["reg"],
        "dtype": np.float32,
        "rng": rng,
    }
    if network["name"] == "three-layer":
        return models.ThreeLayerConvNet(
            input_dim=image_shape,
            num_filters=network["filters"],
            filter_size=network["filter_size"],
            hidden_dim=network["hidden"][0],
            **shared,
        )
    shared["input_dim"] = int(np.prod(image_shape))
    if network["name"] == "two-layer":
        return models.TwoLayerNet(hidden_dim=network["hidden"][0], **shared)
    return models.FullyConnectedNet(
        network["hidden"],
        dropout_keep_ratio=network["keep"],
        normalization=None if network["normalization"] == "none" else network["normalization"],
        **shared,
    )


def build_solver(
    recipe: Recipe,
    data: dict[str, Any],
    num_classes: int,
    seed: int = SEED,
    classes: Sequence[str] | None = None,
    **options: Any,
) -> Solver:
    """The network and the solver that trains it on the data.

    Parameters
    ----------
    recipe : Recipe
    data : dict
        What `split` gave. A whitening convolution takes its filters from the first training images.
    num_classes : int
    seed : int
        For the initial weights and dropout, the order of the images, and augmentation.
    classes : sequence of str, optional
        Their names: see `build_network`.
    **options
        Whatever else the `Solver` takes and a recipe does not say: hooks, print_every, checkpoint_path ...

    Raises
    ------
    ValueError, TypeError
        Network, data and recipe that do not fit together.
    """
    for_model, for_solver, for_augmentation = np.random.SeedSequence(seed).spawn(3)
    rng = np.random.default_rng(for_model)
    if isinstance(options.get("reduce_gradients"), Together):
        rng = BatchGenerator(rng.bit_generator)
    model = build_network(recipe, data["X_train"].shape[1:], num_classes, rng, classes)
    if recipe["network"].get("whiten"):
        models.whiten(model, data["X_train"])
    optimizer, train = recipe["optimizer"], recipe["train"]
    how_trained: dict[str, Any] = {
        "update_rule": optimizer["rule"],
        "optim_config": _settings(optimizer),
        "groups": {name: _group(group) for name, group in optimizer["groups"].items()} or None,
        "schedule": _schedule(recipe["schedule"]),
    }
    for name, group in group_of_each(model.params, **how_trained).items():
        if group.name and optimizer["groups"][group.name]["decay"] == "all":  # biases and shifts, too
            options_of(model)[name]["weight_decay"] = True
    return Solver(
        model,
        data,
        **how_trained,
        lr_decay=train["lr_decay"],
        batch_size=train["batch_size"],
        num_epochs=train["epochs"],
        keep=train["keep"],
        augmentation=_augmentation(recipe["augment"], int(for_augmentation.generate_state(1)[0])),
        average=Average(**recipe["average"]) if recipe["average"] else None,
        shuffle=True,
        rng=np.random.default_rng(for_solver),
        **options,
    )


def views(recipe: Recipe) -> Views | None:
    """How a ``recipe`` has the test images looked at: None where each is looked at once, as it is."""
    test = recipe["test"]
    return Views(**test) if (test["flip"] or test["shift"]) and test["share"] else None


def _settings(table: dict[str, Any]) -> dict[str, Any]:
    """The settings of a table's rule."""
    return {key: table[key] for key in settings_of(table["rule"])}


def _group(group: dict[str, Any]) -> dict[str, Any]:
    """A group of parameters as the solver takes it."""
    full = {"params": group["params"], "update_rule": group["rule"], "until": group["until"]} | _settings(group)
    return full if group["schedule"] is None else full | {"schedule": _schedule(group["schedule"])}


def _schedule(table: dict[str, Any]) -> schedules.Schedule | None:
    return SCHEDULES[table["name"]](**{key: value for key, value in table.items() if key != "name"})


def _augmentation(table: dict[str, Any], seed: int) -> Augmentation | None:
    changes_anything = any(value not in ("none", 0) for value in table.values())
    return Augmentation(**table, seed=seed) if changes_anything else None
