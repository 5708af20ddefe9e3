"""A row of the table: what was checked, what others printed, what came out here, and whether it passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from pellucid.gradcheck import eval_numerical_gradient_array, rel_error
from pellucid.tolerances import TOLERANCES

SEED = 231
"""The course's."""


class Row(NamedTuple):
    """``theirs`` is the tutorial's or the course's printed result or expectation; ``bound`` is the largest that
    passes."""

    what: str
    theirs: str
    ours: str
    bound: str
    passed: bool


Rows = Iterator[Row]
Check = Callable[[], Rows]


def fixed_row(what: str, theirs: float, error: float, digits: int = 9) -> Row:
    """An error that has a fixed answer: ours must be the tutorial's, and not only small.

    So many digits are shown: a fast layer adds up in another order than the tutorial, which can turn the ninth.
    """
    within = TOLERANCES["fixed answer"].bound
    there, here = f"{theirs:.{digits - 1}e}", f"{error:.{digits - 1}e}"
    return Row(what, there, here, f"+-{within:.0e}", bool(abs(error - theirs) <= within))


def error_row(what: str, theirs: str, error: float, bound: float | str) -> Row:
    """An error that must not exceed a bound, a number or the name of a tolerance. NaN fails."""
    most = TOLERANCES[bound].bound if isinstance(bound, str) else bound
    return Row(what, theirs, f"{error:.8e}", f"{most:.0e}", bool(error <= most))


def near_row(what: str, theirs: float, ours: float, within: float, digits: int = 8) -> Row:
    """A number that must be another's within a distance."""
    return Row(
        what, f"{theirs:.{digits}g}", f"{ours:.{digits}g}", f"+-{within:.0e}", bool(abs(ours - theirs) <= within)
    )


def array_row(what: str, theirs: list[float], ours: np.ndarray, within: float) -> Row:
    """A few numbers that must be others' within a distance: the printed ones' last digit."""
    # adding 0.0 makes a rounded -1e-17 plain zero
    digits = 4 if np.max(np.abs(ours)) < 10 else 2
    there, here = (
        " ".join(f"{round(float(number), digits) + 0.0:.{digits}f}" for number in numbers) for numbers in (theirs, ours)
    )
    distance = float(np.max(np.abs(np.asarray(theirs) - ours)))
    passed = distance <= within
    return Row(what, there, here if passed else f"{here} ({distance:.1e} off)", f"+-{within:.0e}", passed)


def gradient_rows(
    what: str,
    forward: Callable,
    backward: Callable,
    arrays: dict[str, np.ndarray],
    params: tuple,
    theirs: dict[str, str],
    dout: np.ndarray,
    bound: str = "course's gradient check",
) -> Rows:
    """The course's check of a backward pass: every gradient, element by element, against centred differences."""

    def out_of() -> np.ndarray:
        return forward(*arrays.values(), *(dict(p) if isinstance(p, dict) else p for p in params))[0]

    _, cache = forward(*arrays.values(), *(dict(p) if isinstance(p, dict) else p for p in params))
    grads = backward(dout, cache)
    for (name, array), grad in zip(arrays.items(), grads if isinstance(grads, tuple) else (grads,), strict=True):
        numeric = eval_numerical_gradient_array(lambda _: out_of(), array, dout)
        yield error_row(f"{what}, d{name}", theirs.get(name, "-"), rel_error(grad, numeric), bound)


def random_state() -> np.random.RandomState:
    """The course's seed, without touching NumPy's global state."""
    return np.random.RandomState(SEED)
