"""What in an image speaks for a class: saliency and Grad-CAM.

Saliency (Simonyan et al. 2013, arXiv:1312.6034) is the gradient of the class's score for the pixels: where a small
change would matter most. Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) asks a layer further up: its maps, each
weighted by the mean gradient of the score for it, added up; what speaks against the class is cut off.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid import check
from pellucid.models import Network
from pellucid.models.trace import INPUT, Trace


def saliency(network: Network, X: Any, y: Any) -> np.ndarray:
    """How much each pixel matters to the score of a class: the largest absolute gradient over the channels.

    Parameters
    ----------
    network : Network
        It must read images and give a score for each class.
    X : array (N, C, H, W)
    y : int array (N,)
        The class to ask about, for each image.

    Returns
    -------
    array (N, H, W)
        At least 0; in the units of the score by those of the input.
    """
    _, grads = _asked("saliency", network, X, y)
    return np.abs(grads[INPUT]).max(axis=1)


def grad_cam(network: Network, X: Any, y: Any, layer: str | None = None) -> np.ndarray:
    """Where in the image a layer sees what speaks for a class.

    Parameters
    ----------
    network, X, y
        As for `saliency`.
    layer : str, optional
        The full name of a step that gives images: "conv3". The last one with more than one pixel where absent.

    Returns
    -------
    array (N, H, W)
        Of the image's size, by linear interpolation; each image's largest value is 1, and 0 where nothing speaks for
        the class.

    Raises
    ------
    ValueError
        There is no such layer, or it gives no images: those that do are named.
    """
    where = "grad_cam"
    layer = cam_layer(network) if layer is None else layer
    if layer not in _with_maps(network):
        raise ValueError(f"{where}: layer is {layer!r}; it must be one of those that give images: {_maps(network)}")
    trace, grads = _asked(where, network, X, y)
    weights = grads[layer].mean(axis=(2, 3), keepdims=True)  # (N, K, 1, 1)
    heat = np.maximum((weights * trace.outputs[layer]).sum(axis=1), 0)  # (N, h, w)
    H, W = network.input_shape[1:]
    return np.stack([_brought_to(one, H, W) for one in heat])


def cam_layer(network: Network) -> str:
    """The layer that `grad_cam` asks where none is named: the last one with more than one pixel.

    Raises
    ------
    ValueError
        No step gives images.
    """
    names = _with_maps(network)
    if not names:
        raise ValueError("grad_cam: no step of the network gives images of more than one pixel; ask saliency")
    return names[-1]


def _with_maps(network: Network) -> list[str]:
    places = [(prefix + place.name, place.out_shape) for _, prefix, place in network.places()]
    return [name for name, shape in places if len(shape) == 3 and shape[1] * shape[2] > 1]


def _maps(network: Network) -> str:
    return ", ".join(_with_maps(network)) or "none"


def _asked(where: str, network: Network, X: Any, y: Any) -> tuple[Trace, dict[str, np.ndarray]]:
    """The network's run on the images, and the gradients of each image's score of its class."""
    if not isinstance(network, Network) or len(network.input_shape) != 3 or len(network.output_shape) != 1:
        raise TypeError(
            f"{where}: network must be a Network that reads images (C, H, W) and gives a score for each class"
        )
    trace = Trace(network, X)
    N, K = trace.scores.shape
    y = check.labels(where, "y", y, N, K)
    dscores = np.zeros_like(trace.scores)
    dscores[np.arange(N), y] = 1
    return trace, trace.gradients(dscores)


def _brought_to(heat: np.ndarray, H: int, W: int) -> np.ndarray:
    """(h, w) -> (H, W), its largest value 1."""
    from PIL import Image

    largest = float(heat.max())
    if largest <= 0:
        return np.zeros((H, W), np.float32)
    picture = Image.fromarray((heat / largest).astype(np.float32))
    wide = np.asarray(picture.resize((W, H), Image.Resampling.BILINEAR))
    return wide / wide.max()
