"""Which network a `ConvNetClassifier` trains: a name, a list of steps, or a function that returns one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from pellucid import check
from pellucid.estimators.settings import WHERE
from pellucid.layers import SmoothedSoftmaxLoss, softmax_loss
from pellucid.models import (
    Affine,
    BatchNorm,
    Conv,
    GlobalMaxPool,
    MaxPool,
    Network,
    ReLU,
    Step,
    resnet9,
    resnet20,
    tutorial,
    vgg,
)


def fully_connected(num_classes: int, hidden: Iterable[int] = (100,)) -> list[Step]:
    """An affine layer and a ReLU for each number of ``hidden`` units, then ``num_classes`` scores.

    For rows, and for images read as rows.
    """
    steps: list[Step] = []
    for units in hidden:
        steps += [Affine(units), ReLU()]
    return [*steps, Affine(num_classes)]


def small(num_classes: int, width: int = 32) -> list[Step]:
    """Two convolutions, with ``width`` and twice as many filters, a max pool behind each, and ``num_classes`` scores.

    For images of 2x2 and more. The second max pool is over the whole image, so that the number of
    parameters does not depend on its size.
    """
    return [
        Conv(width, 3, pad=1, bias=False), BatchNorm(), ReLU(), MaxPool(2),
        Conv(2 * width, 3, pad=1, bias=False), BatchNorm(), ReLU(), GlobalMaxPool(),
        Affine(num_classes),
    ]  # fmt: skip


NETWORKS: dict[str, Callable[..., list[Step]]] = {
    "fully-connected": fully_connected,
    "small": small,
    "tutorial": tutorial,
    "vgg": vgg,
    "resnet9": resnet9,
    "resnet20": resnet20,
}

AUTO = "auto"
"""``small`` for images, ``fully-connected`` for rows."""


def build(
    network: Any, shape: tuple[int, ...], num_classes: int, label_smoothing: float, rng: np.random.Generator
) -> Network:
    """The network with its initial weights.

    Parameters
    ----------
    network : str, list of Step, or callable
        As `ConvNetClassifier` takes it.
    shape : tuple
        Of a sample, (C, H, W) or (D,).
    num_classes : int
    label_smoothing : float
    rng : Generator
        For the weights and dropout.

    Raises
    ------
    ValueError, TypeError
        What is no network, or does not fit the samples or the classes.
    """
    function_or_steps = _chosen(network, shape)
    loss_function = SmoothedSoftmaxLoss(label_smoothing) if label_smoothing else softmax_loss
    try:
        steps = function_or_steps(num_classes=num_classes) if callable(function_or_steps) else function_or_steps
        built = Network(steps, shape, loss_function=loss_function, rng=rng)
    except ValueError as error:
        what = f"images of shape {shape}" if len(shape) == 3 else f"rows of {shape[0]} features"
        hint = "" if len(shape) == 3 else " (for convolutions, set image_shape=(C, H, W))"
        raise ValueError(f"{WHERE}: network does not suit X with {what}{hint}: {error}") from error
    except TypeError as error:
        raise TypeError(f"{WHERE}: network does not give a list of steps: {error}") from error
    if built.output_shape != (num_classes,):
        raise ValueError(
            f"{WHERE}: network ends with {built.output_shape[0]} scores, but y has {num_classes} classes; end it with "
            f"Affine({num_classes}), or give a function that takes num_classes and returns the steps"
        )
    return built


def _chosen(network: Any, shape: tuple[int, ...]) -> Any:
    """A function of the number of classes, or steps; that they are steps is seen by `Network`."""
    if isinstance(network, str):
        check.one_of(WHERE, "network", network, (AUTO, *NETWORKS))
        if network == AUTO:
            network = "small" if len(shape) == 3 else "fully-connected"
        return NETWORKS[network]
    if isinstance(network, list | tuple) or (callable(network) and not isinstance(network, Step | type)):
        return network
    given = f"the class {network.__name__}" if isinstance(network, type) else f"{network!r}, a {type(network).__name__}"
    raise TypeError(
        f"{WHERE}: network is {given}; it must be one of {', '.join((AUTO, *NETWORKS))}, a list of steps, or a "
        "function that takes num_classes and returns one"
    )
