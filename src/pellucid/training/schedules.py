"""Learning-rate schedules: ``factor(progress)``, by which the configured learning rate is multiplied.

``progress`` is the share of the training that is done when a step begins, 0 at the first one and just below 1 at the
last. Any function of that form can be a `Solver`'s ``schedule``; the functions here make the usual ones. Their names
say their settings, which is how a checkpoint knows that a run goes on under the schedule that it began with.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence

from pellucid import check

Schedule = Callable[[float], float]


def constant() -> Schedule:
    """The configured rate from start to end: factor 1."""
    return _named("constant()", lambda progress: 1.0)


def step(at: Sequence[float] = (0.5, 0.75), by: float = 0.1) -> Schedule:
    """Multiply the rate by ``by`` at each of the places ``at``: rising numbers between 0 and 1.

    K. He et al., "Deep Residual Learning for Image Recognition", 2016, train on CIFAR-10 with about the defaults.
    """
    by = check.number("step", "by", by, above=0)
    places = [check.number("step", f"at[{i}]", place, least=0, most=1) for i, place in enumerate(at)]
    if places != sorted(places):
        raise ValueError(f"step: at is {tuple(places)}; the places must rise from the first to the last")
    return _named(f"step(at={tuple(places)}, by={by})", lambda progress: by ** bisect_right(places, progress))


def cosine(final: float = 0.0) -> Schedule:
    """Half a period of a cosine from 1 down to ``final``: final + (1 - final) * (1 + cos(pi * progress)) / 2.

    I. Loshchilov and F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, equation 5, no restart.
    """
    final = check.number("cosine", "final", final, least=0)
    return _named(
        f"cosine(final={final})", lambda progress: final + (1 - final) * (1 + math.cos(math.pi * progress)) / 2
    )


def triangle(peak: float = 0.23, start: float = 0.2, end: float = 0.07) -> Schedule:
    """A straight line from ``start`` up to 1 at ``peak`` (a share of the training), and one from there down to ``end``.

    L. N. Smith and N. Topin, "Super-Convergence", 2018: a single cycle. The defaults are those of K. Jordan, "94% on
    CIFAR-10 in 3.29 Seconds on a Single GPU", 2024.
    """
    peak = check.number("triangle", "peak", peak, least=0, most=1)
    start = check.number("triangle", "start", start, least=0)
    end = check.number("triangle", "end", end, least=0)

    def factor(progress: float) -> float:
        if progress < peak:
            return start + (1 - start) * progress / peak
        return end + (1 - end) * (1 - progress) / (1 - peak) if peak < 1 else 1.0

    return _named(f"triangle(peak={peak}, start={start}, end={end})", factor)


def _named(name: str, factor: Schedule) -> Schedule:
    factor.__name__ = factor.__qualname__ = name
    return factor
