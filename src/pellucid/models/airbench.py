"""The networks of airbench, which reach 93 to 96 % on CIFAR-10 in few steps (Keller Jordan 2024, arXiv:2404.00498).

What makes them learn fast: the first convolution is not trained but computed from the images, so that its results are
uncorrelated (`whiten`); the others start by handing their channels on; batch norm has no scale; scores are small.

    93      airbench((64, 128, 128))
    94      airbench()
    95      airbench((128, 384, 384))
    96      airbench((128, 384, 512), convolutions=3, momentum=0.9)
    Muon    airbench(head_init=1.0, scale=1 / 256)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid import check
from pellucid.models.network import Network
from pellucid.models.norms import BatchNorm
from pellucid.models.plain import GELU, GlobalMaxPool, MaxPool, Scale
from pellucid.models.residual import Residual
from pellucid.models.step import Step
from pellucid.models.weighted import Affine, Conv

WHITEN = "whiten"
"""The name of the first convolution."""
IMAGES = 5000
"""That the whitening filters are computed from, at most: as in airbench."""
EPS = 5e-4
"""Added to the variance of each pattern, so that those which images hardly have are not blown up: as in airbench."""


def airbench(
    widths: Sequence[int] = (64, 256, 256),
    num_classes: int = 10,
    *,
    channels: int = 3,
    convolutions: int = 2,
    activation: Callable[[], Step] = GELU,
    momentum: float = 0.6,
    eps: float = 1e-12,
    scale: float = 1 / 9,
    head_init: Any = "uniform",
) -> list[Step]:
    """The steps; call `whiten` on the network with the training images before training.

    Parameters
    ----------
    widths : sequence of int
        Filters of each block; a block halves the image.
    num_classes : int
        How many scores come out.
    channels : int
        Of the images: the whitening convolution has a filter, and its negative, for each number of a 2x2 patch.
    convolutions : 2 or 3
        In a block; with 3, the last two are the branch of a residual block.
    activation : step
        Its class.
    momentum, eps : float
        Of `BatchNorm`.
    scale : float
        A factor on the scores.
    head_init
        How the last layer's weights start: see `Affine`.
    """
    if convolutions not in (2, 3):
        raise ValueError(f"airbench: convolutions is {convolutions}; it must be 2 or 3")
    channels = check.whole_number("airbench", "channels", channels, least=1)

    def conv(filters: int) -> Step:
        return Conv(filters, 3, pad=1, bias=False, init="dirac")

    def norm() -> Step:
        return BatchNorm(momentum=momentum, eps=eps, scale=False)

    steps: list[Step] = [Conv(2 * channels * 2 * 2, 2, name=WHITEN), activation()]
    for filters in widths:
        steps += [conv(filters), MaxPool(2), norm(), activation()]
        if convolutions == 2:
            steps += [conv(filters), norm(), activation()]
        else:
            branch = [conv(filters), norm(), activation(), conv(filters), norm()]
            steps += [Residual(branch), activation()]
    return [*steps, GlobalMaxPool(), Affine(num_classes, bias=False, init=head_init), Scale(scale)]


def whiten(network: Network, images: Any) -> None:
    """Set the filters of the step named "whiten" from images, normalised as they will be trained with, and freeze them.

    Parameters
    ----------
    network : Network
        With a `Conv` named "whiten", such as `airbench` has.
    images : array (N, C, H, W)
        The first 5,000 are looked at.
    """
    name = f"{WHITEN}.w"
    if name not in network.params:
        raise ValueError(f"whiten: the network has no parameter {name!r}; give its first convolution name='whiten'")
    w = network.params[name]
    filters = whitening_filters(images, w.shape[2:])
    check.shape("whiten", name, w, filters.shape, "a filter, and its negative, for each number of a patch")
    network.params[name] = filters.astype(w.dtype)
    network.freeze(name)


def whitening_filters(images: Any, size: tuple[int, int] = (2, 2), eps: float = EPS) -> np.ndarray:
    """Filters whose results on patches of the images are uncorrelated and have variance 1, and their negatives.

    The patches' covariance (about zero, since the images are normalised) has eigenvectors v with eigenvalues l; the
    filters are v / sqrt(l + eps), the largest l first.

    Parameters
    ----------
    images : array (N, C, H, W)
        The first 5,000 are looked at.
    size : (int, int)
        Height and width of a patch.
    eps : float
        Added to the variances.

    Returns
    -------
    w : array (2 * C * height * width, C, height, width), float64
    """
    where = "whitening_filters"
    (images,) = check.floats(where, images=np.asarray(images[:IMAGES]))
    check.images(where, "images", images)
    eps = check.number(where, "eps", eps, above=0)
    C, H, W = images.shape[1:]
    HH, WW = size
    check.window_fits(where, "the patch", (H, W), (HH, WW), stride=1)
    # numbers[k]: what patches have at their k-th place, over all patches
    places = [(c, i, j) for c in range(C) for i in range(HH) for j in range(WW)]
    numbers = [images[:, c, i : H - HH + 1 + i, j : W - WW + 1 + j].ravel() for c, i, j in places]
    covariance = np.array([[np.dot(a, b) for b in numbers] for a in numbers], np.float64) / len(numbers[0])
    variances, vectors = np.linalg.eigh(covariance)  # smallest first, a vector a column
    filters = (vectors / np.sqrt(variances + eps)).T[::-1].reshape(-1, C, HH, WW)
    return np.concatenate([filters, -filters])
