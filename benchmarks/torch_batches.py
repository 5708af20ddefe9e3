"""PyTorch's side of a recipe: images as batches, shuffled, shifted by reflection, and mirrored every other epoch.

Bytes until a batch is made, like ours: as float32 and padded, the training images alone would take 780 MB.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

BLOCK = 5000
"""Images counted at a time."""


class Normalise:
    """Bytes -> float32 of mean 0 and variance 1 a channel over the training images."""

    def __init__(self, pixels: np.ndarray) -> None:
        mean, deviation = channel_statistics(pixels)
        self.mean = torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1)
        self.deviation = torch.tensor(deviation, dtype=torch.float32).view(1, -1, 1, 1)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """x: uint8 (N, C, H, W), any strides. The result is channels-last in memory."""
        x = x.to(torch.float32, memory_format=torch.channels_last)
        return x.sub_(self.mean).div_(self.deviation)


def channel_statistics(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel of uint8 (N, H, W, C), from counts of the bytes: exact."""
    C = pixels.shape[3]
    counts = np.zeros((C, 256))
    for start in range(0, len(pixels), BLOCK):
        block = pixels[start : start + BLOCK]
        counts += [np.bincount(block[..., c].ravel(), minlength=256) for c in range(C)]
    shares, values = counts / counts.sum(axis=1, keepdims=True), np.arange(256.0)
    mean = shares @ values
    return mean, np.sqrt(shares @ values**2 - mean**2)


class Batches:
    """Of training images; what does not fill a batch is left out of its epoch.

    Parameters
    ----------
    pixels : uint8 array (N, H, W, C)
    labels : array (N,)
    batch_size : int
    shift : int
        The most pixels that an image moves, up or down and left or right.
    """

    def __init__(self, pixels: np.ndarray, labels: np.ndarray, batch_size: int, shift: int) -> None:
        N, H, W, _ = pixels.shape
        if not 0 < batch_size <= N:
            raise ValueError(f"Batches: batch_size is {batch_size}; it must be from 1 to the {N} images there are")
        self.normalise = Normalise(pixels)
        padded = np.pad(pixels, ((0, 0), (shift, shift), (shift, shift), (0, 0)), "reflect")
        self.windows = torch.from_numpy(padded).unfold(1, H, 1).unfold(2, W, 1)  # (N, places, places, C, H, W), a view
        self.labels = torch.from_numpy(np.asarray(labels, np.int64))
        self.batch_size = batch_size
        self.is_mirrored = torch.rand(N) < 0.5

    @property
    def steps_per_epoch(self) -> int:
        """Batches that are full."""
        return len(self.labels) // self.batch_size

    def epoch(self, number: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The batches of an epoch, from 0 on: each image is seen as its mirror image every other epoch."""
        order = torch.randperm(len(self.labels))
        for start in range(0, self.steps_per_epoch * self.batch_size, self.batch_size):
            images = order[start : start + self.batch_size]
            yield self.shifted_and_mirrored(images, number), self.labels[images]

    def shifted_and_mirrored(self, images: torch.Tensor, epoch: int) -> torch.Tensor:
        """The images of these numbers, normalised."""
        rows, columns = torch.randint(self.windows.shape[1], (2, len(images)))
        x = self.normalise(self.windows[images, rows, columns])
        mirror = self.is_mirrored[images] ^ bool(epoch % 2)
        x[mirror] = x[mirror].flip(3)
        return x
