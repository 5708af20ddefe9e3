"""What in an image speaks for a class: saliency and Grad-CAM.

Saliency (Simonyan et al. 2013, arXiv:1312.6034) is the gradient of the class's score for the pixels: where a small
change would matter most. Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) asks a layer further up: its maps, each
weighted by the mean gradient of the score for it, added up; what speaks against the class is cut off.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid import check
from pellucid.inspect.activations import layers_with_maps, maps_of
from pellucid.models import Network, as_network
from pellucid.models.trace import INPUT, Trace


def saliency(network: Any, X: Any, y: Any) -> np.ndarray:
    """How much each pixel matters to the score of a class: the largest absolute gradient over the channels.

    Parameters
    ----------
    network : Network
        It must read images and give a score for each class. Or one of the course's classes that does.
    X : array (N, C, H, W)
    y : int array (N,)
        The class to ask about, for each image.

    Returns
    -------
    array (N, H, W)
        At least 0; in units of the score by those of the input.
    """
    _, grads = _asked("saliency", network, X, y)
    return np.abs(grads[INPUT]).max(axis=1)


def grad_cam(network: Any, X: Any, y: Any, layer: str | None = None) -> np.ndarray:
    """Where in the image a layer sees what speaks for a class.

    Parameters
    ----------
    network, X, y
        As for `saliency`.
    layer : str, optional
        The full name of a step that gives images of more than one pixel: "conv3". Where absent, `cam_layer`'s.

    Returns
    -------
    float32 array (N, H, W)
        Of the image's size, by linear interpolation; each image's largest value is 1, and all is 0 where nothing speaks
        for the class.

    Raises
    ------
    ValueError
        There is no such layer, or it gives no such images: those that do are named.
    """
    where = "grad_cam"
    network = as_network(network)
    layer = cam_layer(network) if layer is None else layer
    maps_of(where, network, layer, least=2)
    trace, grads = _asked(where, network, X, y)
    weights = grads[layer].mean(axis=(2, 3), keepdims=True)  # (N, K, 1, 1)
    with np.errstate(invalid="ignore", over="ignore"):  # padding may be minus infinity
        heat = np.maximum((weights * trace.outputs[layer]).sum(axis=1), 0)  # (N, h, w)
    if not np.isfinite(heat).all():
        raise ValueError(f"{where}: what {layer!r} gives, or its gradient, is not finite; ask another layer")
    H, W = network.input_shape[1:]
    return np.stack([_brought_to(one, H, W) for one in heat])


def cam_layer(network: Any) -> str:
    """The layer that `grad_cam` asks where none is named: the last whose images have more than one pixel.

    Steps inside of residual blocks are passed over: what they give is only a part of what is handed on.

    Raises
    ------
    ValueError
        No step gives images.
    """
    network = as_network(network)
    there = layers_with_maps(network, least=2)
    names = [place.name for depth, _, place in network.places() if depth == 0 and place.name in there]
    if not names:
        raise ValueError("grad_cam: no step of the network gives images of more than one pixel; ask saliency")
    return names[-1]


def _asked(where: str, network: Any, X: Any, y: Any) -> tuple[Trace, dict[str, np.ndarray]]:
    """The network's run on the images, and the gradients of each image's score of its class."""
    network = as_network(network)
    _check_sizes(where, network)
    trace = Trace(network, X, where)
    N, K = trace.scores.shape
    y = check.labels(where, "y", y, N, K)
    dscores = np.zeros_like(trace.scores)
    dscores[np.arange(N), y] = 1  # no image's score depends on another image
    return trace, trace.gradients(dscores)


def _check_sizes(where: str, network: Network) -> None:
    if len(network.input_shape) != 3:
        raise ValueError(
            f"{where}: the network reads {network.input_shape} and not images (C, H, W); a fully connected network of "
            "the course's reads images as as_network(model, (C, H, W))"
        )
    if len(network.output_shape) != 1:
        raise ValueError(f"{where}: the network gives {network.output_shape} and not a score for each class (K,)")


def _brought_to(heat: np.ndarray, H: int, W: int) -> np.ndarray:
    """(h, w) -> (H, W), its largest value 1."""
    from PIL import Image

    largest = float(heat.max())
    if largest == 0:
        return np.zeros((H, W), np.float32)
    picture = Image.fromarray((heat / largest).astype(np.float32))
    wide = np.asarray(picture.resize((W, H), Image.Resampling.BILINEAR))
    return wide / wide.max()
