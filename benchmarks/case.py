"""What a row of the table is: the same work, ours and the peers', and how much of it there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.compare import largest_error

OUTPUT_TOLERANCE = 1e-4
"""Of the largest value: float32 sums in another order, and Winograd's."""


class Skipped(Exception):
    """This row can't be measured here; the message says why."""


class Runner(NamedTuple):
    """One side of a comparison."""

    run: Callable[[], Any]
    """What is timed."""
    outputs: Callable[[], Any] | None = None
    """What is compared, where `run` itself does not return it: an update changes the weights."""


class Contest(NamedTuple):
    """Both sides, ready to run on the same inputs. The first peer is what all others are compared with."""

    ours: Runner
    peers: dict[str, Runner]


@dataclass(frozen=True)
class Case:
    """One row.

    Parameters
    ----------
    group : str
        The target that it belongs to: a key of `targets.TARGETS`.
    name : str
        What is measured; `--only` looks for words in "group name".
    build : function of compiled (bool) -> Contest
        Makes the inputs and both sides, torch.compile's variant too where `compiled`; may raise Skipped.
    flops : float
        Floating-point operations as direct convolution and matrix products do them.
    traffic_bytes : float
        The least that must be moved: every array that comes in read once, every array that goes out written once.
    tolerance : float
        How large the error may be.
    error : function of two sides' outputs
        The largest difference as a share of the largest value, unless the case knows better.
    """

    group: str
    name: str
    build: Callable[[bool], Contest]
    flops: float = 0.0
    traffic_bytes: float = 0.0
    tolerance: float = OUTPUT_TOLERANCE
    error: Callable[[Any, Any], float] = largest_error

    @property
    def full_name(self) -> str:
        """Group and name."""
        return f"{self.group} {self.name}"
