"""Gradient checking: is the backward pass the derivative of the forward pass?

The first part is the course's: functions that estimate a gradient by centred differences, (f(x + h) - f(x - h)) / 2h,
**changing x in place** while they work (a check may pass a function that ignores its argument and looks at the same
array) and putting every element back. The second part is one call for a layer, `check_layer`, and one for a whole
model, `check_model`: both return a `Report` that says, for each array, how large the worst error is and where.

**Kinks.** Where a ReLU is at zero or a pooling window has two equal maxima, there is no derivative, and the difference
quotient says nothing about the backward pass. Such points are found by looking at both sides separately: on a smooth
function the two one-sided slopes approach each other as h shrinks, at a kink they do not. They are counted and named in
the report, and do not fail the check.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pellucid import check, draws
from pellucid.tolerances import TOLERANCES

TINY = float(np.finfo(np.float64).tiny)
"""Under a relative error where everything is exactly zero."""

WEAK_KINKS = 10.0
"""Within how many times the rounding a network's gradient may miss: one hidden unit of many that crosses zero bends the
loss so little that a closer look drowns in rounding. With 1, right networks with weights of 1e-3 fail."""


def rel_error(x: Any, y: Any) -> float:
    """The course's relative error of ``x`` and ``y``: the largest ``|x - y| / max(1e-8, |x| + |y|)`` over all elements.

    Raises ValueError where the shapes differ or nothing is compared. A NaN anywhere makes the result NaN.
    """
    x, y = np.asarray(x), np.asarray(y)
    if x.shape != y.shape:
        raise ValueError(f"rel_error: x has shape {x.shape} and y has {y.shape}; they must be the same")
    check.not_empty("rel_error", "x", x)
    return float(np.max(_rel_errors(x, y)))


def _rel_errors(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y))


def eval_numerical_gradient(f: Callable, x: np.ndarray, verbose: bool = True, h: float = 1e-5) -> np.ndarray:
    """The gradient of a scalar function by centred differences.

    Parameters
    ----------
    f : function of one array, returning a number
    x : float array
        The point; changed in place during the call, the same afterwards.
    verbose : bool
        Print every index and its derivative, as the course does.
    h : float
        Half the distance between the two evaluations.

    Returns
    -------
    grad : array of the shape of x
    """
    _checked_point("eval_numerical_gradient", x)
    grad = np.zeros_like(x)
    for index, plus, minus in _both_sides(f, x, h):
        grad[index] = (plus - minus) / (2 * h)
        if verbose:
            print(index, grad[index])
    return grad


def eval_numerical_gradient_array(f: Callable, x: np.ndarray, df: Any, h: float = 1e-5) -> np.ndarray:
    """The gradient of a function that returns an array, weighted with an upstream gradient: d sum(f(x) * df) / dx.

    Parameters
    ----------
    f : function of one array, returning an array
    x : float array
        The point; changed in place during the call, the same afterwards.
    df : array of the shape of f(x), or a number
        Upstream gradient.
    h : float
        Half the distance between the two evaluations.

    Returns
    -------
    grad : array of the shape of x
    """
    _checked_point("eval_numerical_gradient_array", x)
    grad = np.zeros_like(x)
    # f may return the same array each time, so the upper value is copied before the lower one is computed
    for index, plus, minus in _both_sides(lambda x: np.array(f(x)), x, h):
        grad[index] = np.sum((plus - minus) * df) / (2 * h)
    return grad


def grad_check_sparse(
    f: Callable, x: np.ndarray, analytic_grad: np.ndarray, num_checks: int = 10, h: float = 1e-5, rng: Any = None
) -> float:
    """Compare ``num_checks`` random elements of ``analytic_grad``, of ``f`` at ``x``, with centred differences.

    Prints ``numerical: %f analytic: %f, relative error: %e`` a line, as the course does. Returns the largest error.
    """
    where = "grad_check_sparse"
    _checked_point(where, x)
    check.shape(where, "analytic_grad", np.asarray(analytic_grad), x.shape, "the shape of x")
    places = draws.pick(draws.generator(where, rng), x.size, check.whole_number(where, "num_checks", num_checks, 1))
    worst = 0.0
    for place in places:
        index = tuple(int(i) for i in np.unravel_index(place, x.shape))
        plus, minus = _at(f, x, index, h), _at(f, x, index, -h)
        numeric, analytic = float(plus - minus) / (2 * h), float(analytic_grad[index])
        error = abs(numeric - analytic) / max(1e-8, abs(numeric) + abs(analytic))
        print(f"numerical: {numeric:f} analytic: {analytic:f}, relative error: {error:e}")
        worst = max(worst, error)
    return worst


def _at(f: Callable, x: np.ndarray, index: tuple[int, ...], step: float) -> Any:
    """f with one element of x moved by ``step``; the element is put back even if f raises."""
    kept = x[index]
    x[index] = kept + step
    try:
        return f(x)
    finally:
        x[index] = kept


def _both_sides(f: Callable, x: np.ndarray, h: float) -> Iterator[tuple[tuple[int, ...], Any, Any]]:
    """For every index of x, the function a step above and a step below."""
    for index in np.ndindex(x.shape):
        yield index, _at(f, x, index, h), _at(f, x, index, -h)


def _checked_point(where: str, x: Any) -> None:
    """x can be changed in place by small steps: a writeable floating array."""
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        kind = f"an array of {x.dtype}" if isinstance(x, np.ndarray) else f"a {type(x).__name__}"
        raise TypeError(
            f"{where}: x is {kind}; it must be a float array, better float64, since it is moved by small steps"
        )
    if not x.flags.writeable:
        raise ValueError(f"{where}: x is read-only; it is changed in place during the check: pass x.copy()")


@dataclass(frozen=True)
class Row:
    """What was found for one array.

    ``error`` is the largest relative error over the smooth points and ``index`` its place, with both gradients there;
    ``kinks`` are the indices where the function has a kink. Where every point is a kink, ``index`` is None: nothing
    failed, and nothing was shown either.
    """

    name: str
    shape: tuple[int, ...]
    checked: int
    error: float
    index: tuple[int, ...] | None
    analytic: float
    numeric: float
    kinks: tuple[tuple[int, ...], ...]
    passed: bool

    def __str__(self) -> str:
        start = f"{self.name:8} {self.shape!s:18} {self.checked:6} checked"
        kinks = f"; {len(self.kinks)} at kinks, first {self.kinks[0]}" if self.kinks else ""
        if self.index is None:
            return f"kink {start}  no smooth point{kinks}"
        worst = f"worst {self.error:.2e} at {self.index}: analytic {self.analytic:.8g}, numeric {self.numeric:.8g}"
        return f"{'ok  ' if self.passed else 'FAIL'} {start}  {worst}{kinks}"


@dataclass(frozen=True)
class Report:
    """The result of a gradient check: one row an array. ``print(report)`` shows it as a table."""

    rows: tuple[Row, ...]
    tolerance: float

    @property
    def passed(self) -> bool:
        """No smooth point is off by more than the tolerance."""
        return all(row.passed for row in self.rows)

    @property
    def worst(self) -> float:
        """The largest relative error of all arrays."""
        return max(row.error for row in self.rows)

    def __str__(self) -> str:
        return "\n".join(map(str, self.rows)) + f"\n(tolerance {self.tolerance:.0e})"

    def __getitem__(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)


def check_layer(
    forward: Callable,
    backward: Callable,
    arrays: Mapping[str, np.ndarray],
    *params: Any,
    dout: np.ndarray | None = None,
    rng: Any = 231,
    h: float = 1e-5,
    tolerance: float = TOLERANCES["gradient, smooth"].bound,
    most: int | None = None,
) -> Report:
    """Check the backward pass of any layer against its forward pass.

    Parameters
    ----------
    forward : ``forward(*arrays, *params) -> (out, cache)``
    backward : ``backward(dout, cache)`` -> one gradient for each array, in their order
    arrays : dict of float64 arrays
        The arrays that gradients are wanted for, by name, in the order of the arguments.
    params
        The remaining arguments, such as ``conv_param``. Dictionaries are copied for each call, so that running
        statistics do not wander.
    dout : array, optional
        Upstream gradient; normal random numbers where absent.
    rng : Generator, seed or None
        For ``dout``, and for the choice of elements.
    h : float
        Half the distance between two evaluations.
    tolerance : float
        The largest relative error that passes.
    most : int, optional
        Check at most so many elements of each array, chosen at random; all of them where absent.

    Returns
    -------
    Report
    """
    where = "check_layer"
    draw = draws.generator(where, rng)
    points = {name: np.array(array, dtype=np.float64) for name, array in arrays.items()}

    def run() -> tuple[np.ndarray, Any]:
        return forward(*points.values(), *(dict(p) if isinstance(p, Mapping) else p for p in params))

    out, cache = run()
    upstream = draws.normal(draw, np.shape(out)) if dout is None else np.asarray(dout, dtype=np.float64)
    check.shape(where, "dout", np.asarray(upstream), np.shape(out), "the shape of the forward pass's output")
    grads = backward(upstream, cache)
    grads = grads if isinstance(grads, tuple | list) else (grads,)
    if len(grads) != len(points):
        raise ValueError(
            f"{where}: backward returned {len(grads)} gradients for {len(points)} arrays ({', '.join(points)}); "
            "it must return one for each, in their order"
        )
    measure = _Measure(lambda: float(np.sum(run()[0] * upstream)), h, tolerance, float(np.linalg.norm(out * upstream)))
    return _compare(where, measure, points, dict(zip(points, grads, strict=True)), draw, most)


def check_model(
    model: Any,
    X: np.ndarray,
    y: np.ndarray,
    *,
    rng: Any = 231,
    h: float = 1e-5,
    tolerance: float = TOLERANCES["gradient, network"].bound,
    most: int | None = 50,
) -> Report:
    """Check every gradient of a ``model`` at (``X``, ``y``): it has ``params`` and ``loss(X, y) -> (loss, grads)``.

    The model must be float64 and must give the same loss for the same arguments (dropout: with a fixed ``seed``). Its
    running statistics, if it has any, are put back afterwards. Parameters that its ``param_options`` call frozen need
    no gradient.

    ``most`` elements of each parameter are checked, chosen at random; None checks all. Other arguments and the result
    are those of `check_layer`.
    """
    where = "check_model"
    for name, value in model.params.items():
        if value.dtype != np.float64:
            raise TypeError(f"{where}: model.params[{name!r}] is {value.dtype}; make the model with dtype=np.float64")
    statistics = copy.deepcopy(getattr(model, "bn_params", None))
    loss, grads = model.loss(X, y)
    frozen = {name for name, options in getattr(model, "param_options", {}).items() if options.get("frozen")}
    if set(grads) | frozen != set(model.params):
        odd = ", ".join(sorted((set(grads) | frozen) ^ set(model.params)))
        raise ValueError(
            f"{where}: the model's grads and params have different names: {odd}; return a gradient for each"
        )
    grads = {name: np.array(grads[name]) for name in sorted(grads)}  # a model may use the same arrays again
    points = {name: model.params[name] for name in grads}
    measure = _Measure(lambda: float(model.loss(X, y)[0]), h, tolerance, abs(float(loss)), WEAK_KINKS)
    try:
        return _compare(where, measure, points, grads, draws.generator(where, rng), most)
    finally:
        if statistics is not None:
            model.bn_params = statistics


class _Measure(NamedTuple):
    """How gradients are measured: the function, half the distance between two evaluations, the error that passes, the
    size of the terms that the function adds up, and how many times its noise a miss may be without meaning anything.
    """

    f: Callable[[], float]
    h: float
    tolerance: float
    size: float
    slack: float = 1.0

    @property
    def noise(self) -> float:
        """How much of a difference quotient is rounding: a few units in the last place of f, divided by h."""
        return 4 * float(np.finfo(np.float64).eps * self.size) / self.h

    def beside(self, x: np.ndarray, index: tuple[int, ...], step: float) -> float:
        """f with one element of x moved by ``step``."""
        return _at(lambda _: self.f(), x, index, step)


def _compare(
    where: str,
    measure: _Measure,
    points: Mapping[str, np.ndarray],
    grads: Mapping[str, np.ndarray],
    rng: draws.Generator | None,
    most: int | None,
) -> Report:
    """Hold each gradient against the function, moving the points in place."""
    first, second = measure.f(), measure.f()
    if first != second and not (np.isnan(first) and np.isnan(second)):
        raise ValueError(
            f"{where}: the function gives {first!r} and then {second!r} for the same point; it must always give the "
            "same: for dropout, fix the seed"
        )
    rows = []
    for name, x in points.items():
        _checked_point(where, x)
        grad = np.asarray(grads[name])
        check.shape(where, f"the gradient of {name}", grad, x.shape, "the shape of the array itself")
        places = np.arange(x.size) if most is None or x.size <= most else np.sort(draws.shuffled(rng, x.size)[:most])
        rows.append(_check_array(name, measure, x, grad, places))
    return Report(tuple(rows), measure.tolerance)


def _check_array(name: str, measure: _Measure, x: np.ndarray, grad: np.ndarray, places: np.ndarray) -> Row:
    """One row of the report.

    The rounding of f, divided by h, is noise in the numerical gradient. So the relative error has a floor under it:
    where a gradient is so small that the noise alone would exceed the tolerance, a miss as large as the noise counts
    as just that tolerance. With a loss near 2.3 and h = 1e-5 the noise is 2e-10.
    """
    h, tolerance = measure.h, measure.tolerance
    floor = max(measure.slack * measure.noise / tolerance, TINY)
    worst, at, kinks = 0.0, None, []
    analytic_there = numeric_there = np.nan
    for place in places:
        index = tuple(int(i) for i in np.unravel_index(place, x.shape))
        analytic = float(grad[index])
        numeric = (measure.beside(x, index, h) - measure.beside(x, index, -h)) / (2 * h)
        error = abs(numeric - analytic) / max(abs(numeric) + abs(analytic), floor)
        error = np.inf if np.isnan(error) else error
        if error > tolerance and _is_kink(measure, x, index, analytic):
            kinks.append(index)
        elif at is None or error > worst:
            worst, at, analytic_there, numeric_there = error, index, analytic, numeric
    return Row(name, x.shape, len(places), worst, at, analytic_there, numeric_there, tuple(kinks), worst <= tolerance)


def _is_kink(measure: _Measure, x: np.ndarray, index: tuple[int, ...], analytic: float) -> bool:
    """Whether f has a kink at the point, or within h of it, that explains why the difference quotient missed.

    The slopes to the left and to the right differ by ``jump``. Where f is smooth, jump is curvature times h and shrinks
    tenfold with h. At a kink it stays: then the gradient is a convention (where several kinks meet, such as ReLUs at
    zero in front of a pooling tie, it need not even lie between the two slopes). With a kink beside the point, a closer
    look no longer sees it, and the miss goes away.
    """
    middle = measure.f()

    def jump_and_miss(step: float) -> tuple[float, float]:
        left = (middle - measure.beside(x, index, -step)) / step
        right = (measure.beside(x, index, step) - middle) / step
        return abs(right - left), abs((left + right) / 2 - analytic)

    jumps, misses = {}, {}
    for closer in (1, 10, 100, 1000):
        jumps[closer], misses[closer] = jump_and_miss(measure.h / closer)
    clear = {closer: jumps[closer] > 40 * closer * measure.noise for closer in jumps}  # not blurred by rounding
    for closer in (100, 10) if clear[10] else (1,):
        if clear[closer] and jumps[10 * closer] > jumps[closer] / 2:
            return True  # at the point
    if abs(jumps[10] - 0.1 * jumps[1]) < 0.02 * jumps[1] and jumps[100] > 0.003 * jumps[1]:
        return False  # curvature
    return any(  # beside the point
        misses[closer] <= min(misses[1] / 5, 10 * measure.tolerance * abs(analytic) + 2 * closer * measure.noise)
        for closer in (10, 100, 1000)
    )
