"""Padding as a step of its own: for windows that need more on one side, or something other than zeros.

`Conv` pads by itself, evenly and with zeros. Networks that come from elsewhere pad as they like.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import check
from pellucid.layers.channels_last import zero_images
from pellucid.models.step import Params, Shape, Shapes, Step, image_shape


@dataclass(repr=False, eq=False)
class Pad(Step):
    """So many rows and columns more around each image, all of one value.

    Parameters
    ----------
    top, bottom, left, right : int
    value : float
        0, or minus infinity in front of a `MaxPool`, which then never chooses them.
    """

    top: int
    bottom: int
    left: int
    right: int
    value: float = 0.0

    def __post_init__(self) -> None:
        for name in ("top", "bottom", "left", "right"):
            setattr(self, name, check.whole_number("Pad", name, getattr(self, name)))
        if self.value != -np.inf:
            self.value = check.number("Pad", "value, finite or minus infinity,", self.value)

    def plan(self, shape: Shape) -> tuple[Shape, Shapes]:
        """See `Step.plan`."""
        C, H, W = image_shape("Pad", shape)
        return (C, self.top + H + self.bottom, self.left + W + self.right), {}

    def forward(self, x: np.ndarray, params: Params, mode: str) -> tuple[np.ndarray, Any]:
        """See `Step.forward`."""
        N, *shape = x.shape
        out = zero_images((N, *self.plan(tuple(shape))[0]), x.dtype)
        if self.value:
            out[...] = self.value
        out[self._inside(x.shape)] = x
        return out, x.shape

    def backward(self, dout: np.ndarray, cache: Any) -> tuple[Any, Params]:
        """See `Step.backward`."""
        return dout[self._inside(cache)], {}

    def _inside(self, shape: Shape) -> tuple[slice, ...]:
        """Where the image of this shape (N, C, H, W) stands in the padded one."""
        _, _, H, W = shape
        return slice(None), slice(None), slice(self.top, self.top + H), slice(self.left, self.left + W)
