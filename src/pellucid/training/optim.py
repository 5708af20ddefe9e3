"""Update rules: ``rule(w, dw, config=None, out=None) -> (next_w, config)``.

``w`` is a parameter, ``dw`` the gradient of the loss for it, and ``config`` a dictionary with the rule's settings
(missing ones are filled in with the defaults) and its state from step to step, which belongs to this one parameter:
pass in what came out of the last step. State arrays have the type of ``w`` and are updated in place.

``sgd`` updates ``w`` itself, as the course's does; every other rule leaves ``w`` alone and returns a new array, unless
``out`` says where the result goes: ``out=w`` updates in place and allocates nothing. The walk over the numbers is one
of `pellucid.kernels.updates`.

Weight decay is decoupled in every rule that has it (Loshchilov and Hutter 2019): beside the rule's own step, ``w``
shrinks by learning_rate * weight_decay of itself, whatever the gradient and its momentum are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pellucid import check
from pellucid.kernels import updates
from pellucid.kernels.arrays import flat
from pellucid.kernels.matmul import multiply
from pellucid.kernels.rows import parts_for

Config = dict[str, Any]
Rule = Callable[..., tuple[np.ndarray, Config]]

# Settings and counters, with their defaults (the course's), and the names of the state arrays.
DEFAULTS: dict[str, Config] = {
    "sgd": {"learning_rate": 1e-2},
    "sgd_momentum": {"learning_rate": 1e-2, "momentum": 0.9},
    "nesterov": {"learning_rate": 1e-2, "momentum": 0.9},
    "rmsprop": {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8},
    "adam": {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "t": 0},
    "adamw": {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 1e-2, "t": 0},
    "muon": {"learning_rate": 2e-2, "momentum": 0.95, "weight_decay": 0.0, "iterations": 3, "unit_norm": False},
}
MAY_DECAY = ("sgd", "sgd_momentum", "nesterov")
"""Rules that take weight_decay, too, but do not fill it in: their dictionaries are those of the course."""
STATE_ARRAYS: dict[str, tuple[str, ...]] = {
    "sgd": (),
    "sgd_momentum": ("velocity",),
    "nesterov": ("velocity",),
    "rmsprop": ("cache",),
    "adam": ("m", "v"),
    "adamw": ("m", "v"),
    "muon": ("velocity",),
}


def sgd(w: np.ndarray, dw: np.ndarray, config: Config | None = None) -> tuple[np.ndarray, Config]:
    """Stochastic gradient descent, in place: w <- w - learning_rate * (dw + weight_decay * w).

    Parameters
    ----------
    w : ndarray, float32 or float64, any shape
        The parameter; it is changed.
    dw : ndarray, the shape of w
        The gradient of the loss for w.
    config : dict, optional
        learning_rate (1e-2), weight_decay (0).

    Returns
    -------
    w : the same array
    config : the same dictionary, filled in

    Raises
    ------
    ValueError
        Shapes differ, a key is unknown or a setting out of range. The same holds for every rule here.

    Notes
    -----
    H. Robbins and S. Monro, "A Stochastic Approximation Method", 1951.
    """
    dw, config = _prepare("sgd", w, dw, config)
    return _walk(updates.sgd, w, dw, [], [config["learning_rate"], _shrink(config)], out=w), config


def sgd_momentum(
    w: np.ndarray, dw: np.ndarray, config: Config | None = None, out: np.ndarray | None = None
) -> tuple[np.ndarray, Config]:
    """Gradient descent with momentum: a ball that rolls downhill, slowed by friction.

        velocity <- momentum * velocity - learning_rate * dw
        w        <- w + velocity

    ``config``: learning_rate (1e-2), momentum (0.9, from 0 to below 1), weight_decay (0), velocity (zeros).

    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; as in I. Sutskever et al.,
    "On the importance of initialization and momentum in deep learning", ICML 2013, equations 1 and 2.
    """
    dw, config = _prepare("sgd_momentum", w, dw, config)
    settings = [config["learning_rate"], config["momentum"], 0, _shrink(config)]
    return _walk(updates.momentum, w, dw, [config["velocity"]], settings, out), config


def nesterov(
    w: np.ndarray, dw: np.ndarray, config: Config | None = None, out: np.ndarray | None = None
) -> tuple[np.ndarray, Config]:
    """Nesterov's momentum: the gradient is taken where the momentum is about to carry the weights.

        velocity <- momentum * velocity - learning_rate * dw
        w        <- w + momentum * velocity - learning_rate * dw

    ``config``: learning_rate (1e-2), momentum (0.9, from 0 to below 1), weight_decay (0), velocity (zeros).

    Sutskever et al. (2013, equations 3 and 4) take the gradient at theta + momentum * velocity. Here ``w`` is that
    shifted point, so that the gradient is the one at ``w``: with velocity' the new velocity and theta' = theta +
    velocity', the shifted point moves from theta + momentum * velocity to theta' + momentum * velocity', which is the
    second line above. Y. Bengio et al., "Advances in optimizing recurrent networks", ICASSP 2013, equation 7.
    """
    dw, config = _prepare("nesterov", w, dw, config)
    settings = [config["learning_rate"], config["momentum"], 1, _shrink(config)]
    return _walk(updates.momentum, w, dw, [config["velocity"]], settings, out), config


def rmsprop(
    w: np.ndarray, dw: np.ndarray, config: Config | None = None, out: np.ndarray | None = None
) -> tuple[np.ndarray, Config]:
    """RMSProp: each element's step is divided by the running root mean square of its gradient.

        cache <- decay_rate * cache + (1 - decay_rate) * dw**2
        w     <- w - learning_rate * dw / (sqrt(cache) + epsilon)

    ``config``: learning_rate (1e-2), decay_rate (0.99, from 0 to below 1), epsilon (1e-8, above 0), cache (zeros).

    T. Tieleman and G. Hinton, "Lecture 6.5: rmsprop", Coursera, Neural Networks for Machine Learning, 2012.
    """
    dw, config = _prepare("rmsprop", w, dw, config)
    settings = [config["learning_rate"], config["decay_rate"], 1 - config["decay_rate"], config["epsilon"]]
    return _walk(updates.rmsprop, w, dw, [config["cache"]], settings, out), config


def adam(
    w: np.ndarray, dw: np.ndarray, config: Config | None = None, out: np.ndarray | None = None
) -> tuple[np.ndarray, Config]:
    """Adam: momentum and RMSProp together, both corrected for having started at zero.

        t <- t + 1
        m <- beta1 * m + (1 - beta1) * dw
        v <- beta2 * v + (1 - beta2) * dw**2
        w <- w - learning_rate * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + epsilon)

    ``config``: learning_rate (1e-3), beta1 (0.9) and beta2 (0.999), from 0 to below 1, epsilon (1e-8, above 0), m and v
    (zeros), t (0: the number of steps done).

    D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.
    """
    dw, config = _prepare("adam", w, dw, config)
    return _adam(w, dw, config, 0.0, out), config


def adamw(
    w: np.ndarray, dw: np.ndarray, config: Config | None = None, out: np.ndarray | None = None
) -> tuple[np.ndarray, Config]:
    """Adam with decoupled weight decay: the weights also shrink by learning_rate * weight_decay of themselves a step.

        w <- w - learning_rate * (adam's step + weight_decay * w)

    The decay is not divided by sqrt(v), as it would be were it part of the loss. It acts on every parameter that the
    rule is used for, biases and scales too.

    ``config``: as ``adam``, and weight_decay (1e-2, at least 0).

    I. Loshchilov and F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2. Their decay is not
    multiplied by the learning rate, only by its schedule; this one is, as is usual today: divide theirs by the rate.
    """
    dw, config = _prepare("adamw", w, dw, config)
    return _adam(w, dw, config, config["weight_decay"], out), config


def _adam(w: np.ndarray, dw: np.ndarray, config: Config, weight_decay: float, out: np.ndarray | None) -> np.ndarray:
    """One step of Adam; see ``adam`` and ``adamw``."""
    learning_rate, beta1, beta2, epsilon = (config[k] for k in ("learning_rate", "beta1", "beta2", "epsilon"))
    config["t"] += 1
    corrections = [1 / (1 - beta1 ** config["t"]), 1 / (1 - beta2 ** config["t"])]
    settings = [learning_rate, beta1, 1 - beta1, beta2, 1 - beta2, *corrections, epsilon, weight_decay]
    return _walk(updates.adam, w, dw, [config["m"], config["v"]], settings, out)


def muon(
    w: np.ndarray, dw: np.ndarray, config: Config | None = None, out: np.ndarray | None = None
) -> tuple[np.ndarray, Config]:
    """Muon: momentum whose step is made orthogonal, so that it moves all directions of a matrix equally far.

        velocity <- momentum * velocity + dw
        w        <- w - learning_rate * orthogonal(dw + momentum * velocity)

    ``w`` has two axes or more; its first is the matrix's rows, the others together its columns, so that filters
    (F, C, HH, WW) are F rows. `orthogonalised` says what orthogonal is. The length of a step does not depend on that
    of the gradient.

    ``config``: learning_rate (2e-2), momentum (0.95, from 0 to below 1), weight_decay (0), iterations (3, of the
    orthogonalisation), unit_norm (False; True: before each step ``w`` is brought to the norm sqrt(rows), which fixes
    how far a step turns it), velocity (zeros).

    K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; unit_norm as in airbench94_muon.
    """
    if isinstance(w, np.ndarray) and w.ndim < 2:
        raise ValueError(f"muon: w has shape {w.shape}; it must have two axes or more: give the others another rule")
    dw, config = _prepare("muon", w, dw, config)
    velocity, momentum = config["velocity"], config["momentum"]
    velocity *= w.dtype.type(momentum)
    velocity += dw
    step = orthogonalised((dw + velocity * w.dtype.type(momentum)).reshape(len(w), -1), config["iterations"])
    out = _holding(w, out)
    keep = 1 - _shrink(config)
    if config["unit_norm"]:
        norm = math.sqrt(float(np.vdot(out, out)))
        keep *= math.sqrt(len(w)) / norm if norm > 0 else 1
    if keep != 1:
        out *= w.dtype.type(keep)
    out -= step.reshape(w.shape) * w.dtype.type(config["learning_rate"])
    return out, config


NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Muon's polynomial a x + b x^3 + c x^5: it brings singular values of 0.005 and more near 1 in few iterations, and
leaves them anywhere from about 0.7 to 1.2, which is good enough."""


def orthogonalised(matrix: np.ndarray, iterations: int = 3) -> np.ndarray:
    """About the nearest to a ``matrix`` (rows, columns) with singular values of 1, by Newton's and Schulz's iteration.

        X <- matrix / its norm;  again and again:  X <- a X + (b A + c A A) X,  where A = X X^T

    so many ``iterations``, which work on the singular values alone, by the polynomial `NEWTON_SCHULZ`. With U S V^T the
    matrix's singular value decomposition, the result is near U V^T.
    """
    a, b, c = NEWTON_SCHULZ
    norm = math.sqrt(float(np.vdot(matrix, matrix)))
    x = matrix * matrix.dtype.type(1 / (norm + 1e-7))
    is_tall = x.shape[0] > x.shape[1]
    if is_tall:
        x = np.ascontiguousarray(x.T)
    a, b, c = (x.dtype.type(factor) for factor in (a, b, c))
    for _ in range(iterations):
        square = multiply(x, x.T)
        x = a * x + multiply(b * square + c * multiply(square, square), x)
    return x.T if is_tall else x


def _shrink(config: Config) -> float:
    """By which share of themselves weights shrink in a step."""
    return config["learning_rate"] * config.get("weight_decay", 0.0)


def _holding(w: np.ndarray, out: np.ndarray | None) -> np.ndarray:
    """Where the result goes, holding the weights: ``out``, or a new array."""
    if out is None:
        return w.copy(order="K")
    if out is not w:
        out[...] = w
    return out


def _walk(
    kernel: Callable[..., None],
    w: np.ndarray,
    dw: np.ndarray,
    state: list[np.ndarray],
    settings: list[float],
    out: np.ndarray | None,
) -> np.ndarray:
    """Let a kernel walk over w, dw and the state arrays; the result goes to ``out``, or a new array.

    The kernel changes contiguous arrays in place. Others are copied, and what was changed is copied back.
    """
    out = _holding(w, out)
    changed = [out, *state]
    ready = [np.ascontiguousarray(array) for array in changed]
    flats = [flat(array) for array in (ready[0], np.ascontiguousarray(dw), *ready[1:])]
    kernel(*flats, np.array(settings, w.dtype), parts_for(w.size))
    for given, used in zip(changed, ready, strict=True):
        if given is not used:
            given[...] = used
    return out


RULES: dict[str, Rule] = {rule.__name__: rule for rule in (sgd, sgd_momentum, nesterov, rmsprop, adam, adamw, muon)}


def settings_known(rule: str) -> tuple[str, ...]:
    """The names of the settings of a ``rule``, such as "adam"."""
    return (*DEFAULTS[rule], *(["weight_decay"] if rule in MAY_DECAY else []))


def check_settings(rule: str, config: Config, where: str, argument: str = "config") -> Config:
    """Settings filled in with the defaults of a ``rule``, each a Python number within its range.

    Returns the same dictionary. Unknown keys are refused, with a message that opens with ``where`` and calls the
    dictionary what ``argument`` says; state arrays are not looked at.
    """
    check.known_keys(where, argument, config, (*settings_known(rule), *STATE_ARRAYS[rule]))
    for key in settings_known(rule):
        if key not in config and key not in DEFAULTS[rule]:
            continue
        default = DEFAULTS[rule].get(key)
        name, value = f"{argument}[{key!r}]", config.get(key, default)
        if key in ("t", "iterations"):
            config[key] = check.whole_number(where, name, value)
        elif isinstance(default, bool):
            config[key] = check.flag(where, name, value)
        elif key in ("momentum", "decay_rate", "beta1", "beta2"):
            config[key] = check.fraction(where, name, value)
        elif key == "epsilon":
            config[key] = check.number(where, name, value, above=0)
        else:
            config[key] = check.number(where, name, value, least=0)
    return config


def _prepare(rule: str, w: np.ndarray, dw: np.ndarray, config: Config | None) -> tuple[np.ndarray, Config]:
    """The gradient in the type of w, and the config with settings and state arrays complete."""
    if not isinstance(w, np.ndarray) or w.dtype not in (np.float32, np.float64):
        kind = f"an array of {w.dtype}" if isinstance(w, np.ndarray) else f"a {type(w).__name__}"
        raise TypeError(f"{rule}: w is {kind}; it must be an array of float32 or float64")
    config = check_settings(rule, {} if config is None else config, rule)
    for key in STATE_ARRAYS[rule]:
        if config.get(key) is None:
            config[key] = np.zeros_like(w)
        config[key] = _like(rule, f"config[{key!r}]", config[key], w)
    return _like(rule, "dw", dw, w), config


def _like(rule: str, name: str, array: Any, w: np.ndarray) -> np.ndarray:
    """The array in the type of w, after a look at its shape."""
    array = np.asarray(array)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{rule}: {name} has type {array.dtype}; it must be {w.dtype}, as w is")
    check.shape(rule, name, array, w.shape, "the shape of w")
    return array.astype(w.dtype, copy=False)
