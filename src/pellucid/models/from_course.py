"""The course's classes as lists of steps: what leaves the workshop is always a `Network`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.models import initial
from pellucid.models.fully_connected import FullyConnectedNet, TwoLayerNet
from pellucid.models.network import Network
from pellucid.models.norms import BatchNorm, LayerNorm
from pellucid.models.plain import Dropout, MaxPool, ReLU
from pellucid.models.step import STATISTICS, Step
from pellucid.models.three_layer_conv_net import ThreeLayerConvNet
from pellucid.models.weighted import Affine, Conv


def as_network(model: Any, input_shape: Sequence[int] | None = None) -> Network:
    """The same network as a list of steps, with copies of its parameters and running statistics.

    Parameters
    ----------
    model : ThreeLayerConvNet, TwoLayerNet, FullyConnectedNet or Network
        A `Network` is returned as it is.
    input_shape : sequence of int, optional
        (C, H, W), for fully connected networks that read images as rows; (D,) where absent.

    Raises
    ------
    TypeError
        Any other model.
    ValueError
        An image of this shape has another number of values than the network reads.
    """
    if isinstance(model, Network):
        return model
    shape: tuple[int, ...]
    if isinstance(model, ThreeLayerConvNet):
        steps, names = _three_layers(model)
        shape = model.input_dim
    elif isinstance(model, TwoLayerNet | FullyConnectedNet):
        steps, names = _fully_connected(model)
        shape = (len(model.params["W1"]),) if input_shape is None else tuple(input_shape)
    else:
        raise TypeError(
            f"as_network: model is a {type(model).__name__}; it must be a Network, or one of the course's classes: "
            "write a network of your own as a Network of steps (docs/own-layer.md)"
        )
    with initial.zeros():
        network = Network(steps, shape, dtype=model.dtype, reg=model.reg, rng=0)
    for name, array in zip(network.params, (model.params[old] for old in names), strict=True):
        if network.params[name].shape != array.shape:
            raise ValueError(
                f"as_network: input_shape is {shape}, but the network reads {len(model.params['W1'])} numbers a sample"
            )
        network.params[name][...] = array
    for own, theirs in zip(network.bn_params, _statistics(model), strict=True):
        own.update(theirs)
    return network


def _three_layers(model: ThreeLayerConvNet) -> tuple[list[Step], list[str]]:
    F, _, k, _ = model.params["W1"].shape
    hidden, classes = model.params["W3"].shape
    steps: list[Step] = [Conv(F, k, pad=(k - 1) // 2), ReLU(), MaxPool(2), Affine(hidden), ReLU(), Affine(classes)]
    return steps, ["W1", "b1", "W2", "b2", "W3", "b3"]


def _fully_connected(model: TwoLayerNet | FullyConnectedNet) -> tuple[list[Step], list[str]]:
    """affine - [norm] - relu - [dropout] ... - affine, and the names of the parameters in the steps' order."""
    norm = getattr(model, "normalization", None)
    keep = getattr(model, "dropout_param", {}).get("p")
    layers = sum(name.startswith("W") for name in model.params)
    steps: list[Step] = []
    names: list[str] = []
    for layer in range(1, layers + 1):
        steps.append(Affine(model.params[f"W{layer}"].shape[1]))
        names += [f"W{layer}", f"b{layer}"]
        if layer == layers:
            break
        if norm:
            steps.append(BatchNorm() if norm == "batchnorm" else LayerNorm())
            names += [f"gamma{layer}", f"beta{layer}"]
        steps.append(ReLU())
        if keep is not None:
            steps.append(Dropout(keep))
    return steps, names


def _statistics(model: Any) -> list[dict[str, np.ndarray]]:
    """Running means and variances; zeros before the first training step, as in the course."""
    if getattr(model, "normalization", None) != "batchnorm":
        return []
    found = []
    for layer, bn_param in enumerate(model.bn_params, start=1):
        zeros = np.zeros_like(model.params[f"gamma{layer}"])
        found.append({key: np.array(bn_param.get(key, zeros)) for key in STATISTICS})
    return found
