"""A convolution's sizes, and the *sweeps* that compute it.

A sweep is one regular pass of a window over an image:

    out[a + o*m, b + o*n] = sum over taps (t, u) of image[s*m + t, s*n + u] @ filters[tap]

* The forward pass is one sweep: s = stride, t = r*dilation - pad, o = 1.
* The gradient for the input is one sweep over the upstream gradient for each of the stride x stride phases of a pixel,
  (a, b): only every stride-th tap reaches such a pixel, at t = (a + pad - r*dilation) / stride; s = 1, o = stride.

So strides, padding, dilation and even padding larger than the filter need no code of their own in the kernels.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from pellucid.shapes import output_size


class Geometry(NamedTuple):
    """Everything about a convolution but its numbers."""

    N: int
    C: int
    H: int
    W: int
    F: int
    HH: int
    WW: int
    stride: int = 1
    pad: int = 0
    dilation: int = 1
    groups: int = 1

    @property
    def H_out(self) -> int:
        """Rows of the result."""
        return output_size(self.H, self.HH, self.stride, self.pad, self.dilation)

    @property
    def W_out(self) -> int:
        """Pixels in a row of the result."""
        return output_size(self.W, self.WW, self.stride, self.pad, self.dilation)

    @property
    def multiply_adds(self) -> int:
        """Of the forward pass, counted as direct convolution does them, padding included."""
        return self.N * self.H_out * self.W_out * self.F * self.HH * self.WW * self.C // self.groups


class Line(NamedTuple):
    """A sweep along one axis: which taps meet the image where."""

    results: int
    """Results along this axis."""
    first: int
    """Place of the first result."""
    taps: tuple[int, ...]
    """Filter rows (or columns) in the order in which they meet the image."""
    places: tuple[int, ...]
    """Where each of them meets it, for the first result."""

    @property
    def start(self) -> int:
        """The first place that is seen: negative in the padding."""
        return min(self.places)

    @property
    def span(self) -> int:
        """Places from the first tap to the last."""
        return max(self.places) - min(self.places) + 1

    @property
    def consecutive(self) -> bool:
        """Whether the taps lie side by side."""
        return self.span == len(self.places)


class Sweep(NamedTuple):
    """One pass over an image, both axes."""

    rows: Line
    columns: Line
    step: int
    """Places between the windows of neighbouring results."""
    spread: int
    """Places between neighbouring results."""

    @property
    def empty(self) -> bool:
        """Whether no tap reaches these results: they are zero."""
        return not (self.rows.taps and self.columns.taps)


@functools.lru_cache(maxsize=512)
def forward_sweep(g: Geometry) -> Sweep:
    """The forward pass."""

    def line(count: int, taps: int) -> Line:
        return Line(count, 0, tuple(range(taps)), tuple(r * g.dilation - g.pad for r in range(taps)))

    return Sweep(line(g.H_out, g.HH), line(g.W_out, g.WW), step=g.stride, spread=1)


@functools.lru_cache(maxsize=512)
def backward_sweeps(g: Geometry) -> tuple[Sweep, ...]:
    """The gradient for the input, phase by phase."""

    def line(phase: int, size: int, taps: int) -> Line:
        met = [((phase + g.pad - r * g.dilation) // g.stride, r) for r in range(taps)
               if (phase + g.pad - r * g.dilation) % g.stride == 0]  # fmt: skip
        met.sort()
        count = len(range(phase, size, g.stride))
        return Line(count, phase, tuple(r for _, r in met), tuple(place for place, _ in met))

    phases = range(g.stride)
    sweeps = [Sweep(line(a, g.H, g.HH), line(b, g.W, g.WW), 1, g.stride) for a in phases for b in phases]
    return tuple(sweep for sweep in sweeps if sweep.rows.results and sweep.columns.results)


def tap_table(sweep: Sweep, pitch: int, channels: int, merged: bool) -> np.ndarray:
    """Where each tap's numbers start, from the start of the window.

    pitch : numbers in a row of the band
    channels : numbers in a pixel
    merged : a row of taps is one run of numbers, because its pixels and channels lie side by side
    """
    rows = np.array(sweep.rows.places) - sweep.rows.start
    columns = np.array([0] if merged else sweep.columns.places) - (0 if merged else sweep.columns.start)
    return (rows[:, None] * pitch + columns[None, :] * channels).reshape(-1).astype(np.int64)
