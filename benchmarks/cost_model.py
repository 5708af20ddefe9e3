"""What a step of data-parallel training takes on P processes, from what was measured on one and two.

    step(P) = compute * share + update + exposed            share = ceil(B / P) / B of the batch's B images
    exposed = max(sum of all buckets - window * share, last bucket) + the step's short sums

``compute`` is forward, backward and making the batch on one thread, ``update`` what every process does with all
parameters, ``window`` the part of the backward pass during which gradients are on their way already. The sum of a
bucket of n bytes over P processes, by the better of two classic algorithms (R. Thakur, R. Rabenseifner, W. Gropp 2005,
"Optimization of collective communication operations in MPICH"):

    ring                  2 (P - 1) * latency + 2 (P - 1) / P * n / bandwidth
    recursive doubling    log2 P * (latency + n / bandwidth)

Every process has a link of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SHORT_BYTES = 64
"""The loss, and whether to stop."""
SHORT_SUMS = 2
"""A step."""
LARGE_BYTES = 1 << 20


class Link(NamedTuple):
    """A network between two processes."""

    bytes_per_s: float
    latency_s: float


class Work(NamedTuple):
    """A training step of a network, measured on one process with one thread."""

    batch_size: int
    compute_s: float
    update_s: float
    window_s: float
    buckets: tuple[int, ...]
    """Bytes that are sent at once, the last ones last."""


def sum_s(size_bytes: float, processes: int, link: Link) -> float:
    """Seconds that adding up an array over all processes takes."""
    if processes == 1:
        return 0.0
    P, bandwidth, latency = processes, link.bytes_per_s, link.latency_s
    ring = 2 * (P - 1) * latency + 2 * (P - 1) / P * size_bytes / bandwidth
    doubling = math.ceil(math.log2(P)) * (latency + size_bytes / bandwidth)
    return min(ring, doubling)


def exposed_s(work: Work, processes: int, link: Link) -> float:
    """Seconds of a step in which a process only waits for sums."""
    if processes == 1:
        return 0.0
    sums = [sum_s(size, processes, link) for size in work.buckets]
    hidden = work.window_s * _share(work, processes)
    return max(sum(sums) - hidden, sums[-1]) + SHORT_SUMS * sum_s(SHORT_BYTES, processes, link)


def step_s(work: Work, processes: int, link: Link) -> float:
    """Seconds of a step."""
    return work.compute_s * _share(work, processes) + work.update_s + exposed_s(work, processes, link)


def speedup(work: Work, processes: int, link: Link) -> float:
    """How many times faster than one process."""
    return step_s(work, 1, link) / step_s(work, processes, link)


def pays_up_to(work: Work, link: Link, least: float = 0.5, most: int = 4096) -> int:
    """The most processes, of 1, 2, 4 ..., of which each still does at least such a share of what it does alone."""
    pays = 1
    while 2 * pays <= min(most, work.batch_size) and speedup(work, 2 * pays, link) >= least * 2 * pays:
        pays *= 2
    return pays


def fitted(sizes_bytes: Sequence[int], seconds: Sequence[float]) -> Link:
    """The link on which sums over two processes took so long: ``latency + size / bandwidth``.

    The latency is the time of the smallest, and the bandwidth the median over those from ``LARGE_BYTES``: what is
    shorter may pass a limited link at once, in the burst that it allows.

    Raises
    ------
    ValueError
        None of them is large.
    """
    latency_s = seconds[int(np.argmin(sizes_bytes))]
    rates = [size / (time - latency_s) for size, time in zip(sizes_bytes, seconds, strict=True) if size >= LARGE_BYTES]
    if not rates:
        raise ValueError(f"fitted: no size is at least {LARGE_BYTES:,} bytes, from which on the bandwidth shows")
    return Link(float(np.median(rates)), latency_s)


def _share(work: Work, processes: int) -> float:
    return math.ceil(work.batch_size / processes) / work.batch_size
