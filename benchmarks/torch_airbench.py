"""PyTorch's side of a recipe: the network of airbench, whitening, and scores with test-time augmentation.

Written from the description in Keller Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (2024,
arXiv:2404.00498), and the settings of its Muon variant. `pellucid.models.airbench` is our side.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

WHITENED = 5000
"""Images that the whitening filters are computed from, at most."""
EPS = 5e-4
"""Added to the variance of each pattern of a patch."""


class Airbench(nn.Module):
    """Images (N, 3, 32, 32), normalised, channels-last in memory -> scores (N, classes).

    Parameters
    ----------
    widths : sequence of int
        Filters of each block.
    classes : int
    scale : float
        A factor on the scores.
    """

    def __init__(self, widths: Sequence[int] = (64, 256, 256), classes: int = 10, scale: float = 1 / 256) -> None:
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad_(False)
        nn.init.zeros_(self.whiten.bias)
        inputs = [24, *widths[:-1]]
        self.blocks = nn.Sequential(*(block(C, F_) for C, F_ in zip(inputs, widths, strict=True)))
        self.head = nn.Linear(widths[-1], classes, bias=False)
        with torch.no_grad():
            self.head.weight /= self.head.weight.std()
        self.scale = scale
        self.to(memory_format=torch.channels_last)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores."""
        x = self.blocks(F.gelu(self.whiten(x)))
        x = F.max_pool2d(x, 3).flatten(1)  # 3x3 is what is left of a 32x32 image
        return self.head(x) * self.scale


def block(C: int, filters: int) -> nn.Sequential:
    """Two convolutions, each with batch norm and GELU; a pool after the first."""
    return nn.Sequential(
        convolution(C, filters), nn.MaxPool2d(2), norm(filters), nn.GELU(),
        convolution(filters, filters), norm(filters), nn.GELU(),
    )  # fmt: skip


def convolution(C: int, filters: int) -> nn.Conv2d:
    """3x3, no bias; the first filters hand the channels on as they are, the others start as PyTorch's do."""
    conv = nn.Conv2d(C, filters, 3, padding=1, bias=False)
    nn.init.dirac_(conv.weight[: min(C, filters)])
    return conv


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm whose scale stays 1. PyTorch's momentum is the share of the new: 0.4 is the 0.6 of other people."""
    layer = nn.BatchNorm2d(channels, eps=1e-12, momentum=0.4)
    layer.weight.requires_grad_(False)
    return layer


@torch.no_grad()
def whiten(network: Airbench, images: torch.Tensor) -> None:
    """Set the first filters so that their results on patches of these normalised images are uncorrelated."""
    patches = images[:WHITENED].unfold(2, 2, 1).unfold(3, 2, 1)  # (N, C, H - 1, W - 1, 2, 2)
    rows = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
    variances, vectors = torch.linalg.eigh((rows.T @ rows / len(rows)).double())
    filters = (vectors / (variances + EPS).sqrt()).T.flip(0).reshape(12, 3, 2, 2)
    network.whiten.weight.copy_(torch.cat([filters, -filters]))


@torch.no_grad()
def scores(network: Airbench, x: torch.Tensor, views: bool = False) -> torch.Tensor:
    """In test mode. With views, half from the image and its mirror image, half from both shifted by a pixel diagonally.

    Parameters
    ----------
    x : tensor (N, 3, H, W)

    Returns
    -------
    scores : tensor (N, classes)
    """
    network.eval()
    if not views:
        return network(x)

    def both(x: torch.Tensor) -> torch.Tensor:
        return (network(x) + network(x.flip(3))) / 2

    H, W = x.shape[2:]
    padded = F.pad(x, (1, 1, 1, 1), "reflect")
    corners = [padded[:, :, i : i + H, i : i + W] for i in (0, 2)]
    return both(x) / 2 + (both(corners[0]) + both(corners[1])) / 4
