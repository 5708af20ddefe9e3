"""Where random numbers come from: an explicit generator, or NumPy's global state as the course's code expects.

With ``rng=None`` every draw is made by the same call, in the same order, as in the course (``np.random.randn``,
``np.random.choice``, ...), so that a notebook's ``np.random.seed(231)`` means what it meant. With a
``numpy.random.Generator`` nothing global is touched.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid import check

Generator = np.random.Generator


def generator(where: str, rng: Any) -> Generator | None:
    """A generator from a Generator, an integer seed, or None for NumPy's global state."""
    if rng is None or isinstance(rng, Generator):
        return rng
    if isinstance(rng, int | np.integer) and not isinstance(rng, bool):
        return np.random.default_rng(check.whole_number(where, "rng", rng))
    raise TypeError(
        f"{where}: rng is a {type(rng).__name__}; it must be a numpy.random.Generator, an integer seed, or None for "
        "NumPy's global state"
    )


class BatchGenerator(np.random.Generator):
    """A generator for models whose batches several processes share out, each with the same generator.

    While ``rows`` says which rows of the batch this process has, `random` takes its first axis for these rows: it gives
    them the numbers that one process would have given them, and leaves the generator as if it had drawn all.

    Parameters
    ----------
    bit_generator : numpy BitGenerator
        One that can `advance`, such as PCG64, NumPy's default.

    Attributes
    ----------
    rows : (int, int) or None
        The first of the rows, and how many the whole batch has.
    """

    def __init__(self, bit_generator: Any) -> None:
        advance = getattr(bit_generator, "advance", None)
        if advance is None:
            kind = type(bit_generator).__name__
            raise TypeError(f"BatchGenerator: bit_generator is a {kind}, which cannot advance; take np.random.PCG64")
        super().__init__(bit_generator)
        self._advance = advance
        self.rows: tuple[int, int] | None = None

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """As NumPy's; of each number one step of the bit generator is used, which float64 alone is sure to do."""
        if self.rows is None or size is None or np.dtype(dtype) != np.float64 or out is not None:
            return super().random(size, dtype, out)
        first, total = self.rows
        count, *rest = np.atleast_1d(size).tolist()
        each = math.prod(rest)
        self._advance(first * each)
        numbers = super().random(size)
        self._advance((total - first - count) * each)
        return numbers


def normal(rng: Generator | None, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal numbers, float64."""
    return np.random.randn(*shape) if rng is None else rng.standard_normal(shape)


def uniform(rng: Generator | None, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers spread evenly over [0, 1), float64."""
    return np.random.rand(*shape) if rng is None else rng.random(shape)


def pick(rng: Generator | None, count: int, size: int) -> np.ndarray:
    """``size`` indices below ``count``, with replacement."""
    return np.random.choice(count, size) if rng is None else rng.integers(count, size=size)


def shuffled(rng: Generator | None, count: int) -> np.ndarray:
    """The indices 0 ... count - 1 in random order."""
    return np.random.permutation(count) if rng is None else rng.permutation(count)


def state(rng: Generator | None) -> dict[str, Any]:
    """The state of the generator, or of NumPy's global one, as plain dictionaries, integers and strings."""
    if rng is None:
        name, keys, position, has_gauss, cached = np.random.get_state()
        return {
            "bit_generator": name,
            "keys": [int(k) for k in keys],
            "position": int(position),
            "has_gauss": int(has_gauss),
            "cached_gaussian": float(cached),
        }
    return _plain(rng.bit_generator.state)


def restore(where: str, rng: Generator | None, saved: dict[str, Any]) -> None:
    """Put the generator, or NumPy's global one, back into a state that ``state`` returned."""
    own = "MT19937" if rng is None else type(rng.bit_generator).__name__
    if saved.get("bit_generator") != own or ("keys" in saved) != (rng is None):
        kind = "NumPy's global state" if "keys" in saved else f"a {saved.get('bit_generator')} generator"
        raise ValueError(
            f"{where}: the saved random state is of {kind}, but this run uses {own}; pass the same kind of rng"
        )
    if rng is None:
        np.random.set_state(
            (
                own,
                np.array(saved["keys"], np.uint32),
                saved["position"],
                saved["has_gauss"],
                saved["cached_gaussian"],
            )
        )
    else:
        rng.bit_generator.state = saved


def _plain(value: Any) -> Any:
    """The same value made of dictionaries, lists, integers, floats and strings only, ready for JSON."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return value
