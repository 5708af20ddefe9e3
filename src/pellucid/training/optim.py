"""Update rules: ``rule(w, dw, config=None) -> (next_w, config)``.

``w`` is a parameter, ``dw`` the gradient of the loss for it, and ``config`` a dictionary with the rule's settings
(missing ones are filled in with the defaults) and its state from step to step, which belongs to this one parameter:
pass in what came out of the last step. State arrays have the type of ``w`` and are updated in place.

``sgd`` updates ``w`` itself, as the course's does; every other rule leaves ``w`` alone and returns a new array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pellucid import check

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
}
STATE_ARRAYS: dict[str, tuple[str, ...]] = {
    "sgd": (),
    "sgd_momentum": ("velocity",),
    "nesterov": ("velocity",),
    "rmsprop": ("cache",),
    "adam": ("m", "v"),
    "adamw": ("m", "v"),
}

# Elements worked on at a time, so that the temporaries of a formula stay in the processor's cache. Chosen by
# benchmarks/block_elements.py: Adam on 4 million float32 takes 16 ms with it and 44 ms with all at once.
BLOCK_ELEMENTS = 1 << 15


def sgd(w: np.ndarray, dw: np.ndarray, config: Config | None = None) -> tuple[np.ndarray, Config]:
    """Stochastic gradient descent, in place: w <- w - learning_rate * dw.

    Parameters
    ----------
    w : ndarray, float32 or float64, any shape
        The parameter; it is changed.
    dw : ndarray, the shape of w
        The gradient of the loss for w.
    config : dict, optional
        learning_rate (1e-2).

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
    learning_rate = config["learning_rate"]
    for part in _parts(w):
        w[part] -= learning_rate * dw[part]
    return w, config


def sgd_momentum(w: np.ndarray, dw: np.ndarray, config: Config | None = None) -> tuple[np.ndarray, Config]:
    """Gradient descent with momentum: a ball that rolls downhill, slowed by friction.

        velocity <- momentum * velocity - learning_rate * dw
        w        <- w + velocity

    ``config``: learning_rate (1e-2), momentum (0.9, from 0 to below 1), velocity (zeros).

    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; as in I. Sutskever et al.,
    "On the importance of initialization and momentum in deep learning", ICML 2013, equations 1 and 2.
    """
    dw, config = _prepare("sgd_momentum", w, dw, config)
    learning_rate, momentum, velocity = config["learning_rate"], config["momentum"], config["velocity"]
    next_w = np.empty_like(w)
    for part in _parts(w):
        velocity[part] = momentum * velocity[part] - learning_rate * dw[part]
        next_w[part] = w[part] + velocity[part]
    return next_w, config


def nesterov(w: np.ndarray, dw: np.ndarray, config: Config | None = None) -> tuple[np.ndarray, Config]:
    """Nesterov's momentum: the gradient is taken where the momentum is about to carry the weights.

        velocity <- momentum * velocity - learning_rate * dw
        w        <- w + momentum * velocity - learning_rate * dw

    ``config``: learning_rate (1e-2), momentum (0.9, from 0 to below 1), velocity (zeros).

    Sutskever et al. (2013, equations 3 and 4) take the gradient at theta + momentum * velocity. Here ``w`` is that
    shifted point, so that the gradient is the one at ``w``: with velocity' the new velocity and theta' = theta +
    velocity', the shifted point moves from theta + momentum * velocity to theta' + momentum * velocity', which is the
    second line above. Y. Bengio et al., "Advances in optimizing recurrent networks", ICASSP 2013, equation 7.
    """
    dw, config = _prepare("nesterov", w, dw, config)
    learning_rate, momentum, velocity = config["learning_rate"], config["momentum"], config["velocity"]
    next_w = np.empty_like(w)
    for part in _parts(w):
        step = learning_rate * dw[part]
        velocity[part] = momentum * velocity[part] - step
        next_w[part] = w[part] + momentum * velocity[part] - step
    return next_w, config


def rmsprop(w: np.ndarray, dw: np.ndarray, config: Config | None = None) -> tuple[np.ndarray, Config]:
    """RMSProp: each element's step is divided by the running root mean square of its gradient.

        cache <- decay_rate * cache + (1 - decay_rate) * dw**2
        w     <- w - learning_rate * dw / (sqrt(cache) + epsilon)

    ``config``: learning_rate (1e-2), decay_rate (0.99, from 0 to below 1), epsilon (1e-8, above 0), cache (zeros).

    T. Tieleman and G. Hinton, "Lecture 6.5: rmsprop", Coursera, Neural Networks for Machine Learning, 2012.
    """
    dw, config = _prepare("rmsprop", w, dw, config)
    learning_rate, epsilon, cache = config["learning_rate"], config["epsilon"], config["cache"]
    decay_rate = config["decay_rate"]
    next_w = np.empty_like(w)
    for part in _parts(w):
        cache[part] = decay_rate * cache[part] + (1 - decay_rate) * dw[part] ** 2
        next_w[part] = w[part] - learning_rate * dw[part] / (np.sqrt(cache[part]) + epsilon)
    return next_w, config


def adam(w: np.ndarray, dw: np.ndarray, config: Config | None = None) -> tuple[np.ndarray, Config]:
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
    return _adam(w, dw, config, weight_decay=0.0), config


def adamw(w: np.ndarray, dw: np.ndarray, config: Config | None = None) -> tuple[np.ndarray, Config]:
    """Adam with decoupled weight decay: the weights also shrink by learning_rate * weight_decay of themselves a step.

        w <- w - learning_rate * (adam's step + weight_decay * w)

    The decay is not divided by sqrt(v), as it would be were it part of the loss. It acts on every parameter that the
    rule is used for, biases and scales too.

    ``config``: as ``adam``, and weight_decay (1e-2, at least 0).

    I. Loshchilov and F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2. Their decay is not
    multiplied by the learning rate, only by its schedule; this one is, as is usual today: divide theirs by the rate.
    """
    dw, config = _prepare("adamw", w, dw, config)
    return _adam(w, dw, config, config["weight_decay"]), config


def _adam(w: np.ndarray, dw: np.ndarray, config: Config, weight_decay: float) -> np.ndarray:
    """One step of Adam; see ``adam`` and ``adamw``."""
    learning_rate, beta1, beta2, epsilon = (config[k] for k in ("learning_rate", "beta1", "beta2", "epsilon"))
    m, v = config["m"], config["v"]
    config["t"] += 1
    m_correction, v_correction = 1 - beta1 ** config["t"], 1 - beta2 ** config["t"]
    next_w = np.empty_like(w)
    for part in _parts(w):
        m[part] = beta1 * m[part] + (1 - beta1) * dw[part]
        v[part] = beta2 * v[part] + (1 - beta2) * dw[part] ** 2
        step = (m[part] / m_correction) / (np.sqrt(v[part] / v_correction) + epsilon)
        if weight_decay:
            step += weight_decay * w[part]
        next_w[part] = w[part] - learning_rate * step
    return next_w


RULES: dict[str, Rule] = {rule.__name__: rule for rule in (sgd, sgd_momentum, nesterov, rmsprop, adam, adamw)}


def check_settings(rule: str, config: Config, where: str, argument: str = "config") -> Config:
    """Settings filled in with the rule's defaults, each a Python number within its range. Returns the same dictionary.

    Unknown keys are refused; state arrays are not looked at.
    """
    check.known_keys(where, argument, config, (*DEFAULTS[rule], *STATE_ARRAYS[rule]))
    for key, default in DEFAULTS[rule].items():
        name, value = f"{argument}[{key!r}]", config.get(key, default)
        if key == "t":
            config[key] = check.whole_number(where, name, value)
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


def _parts(w: np.ndarray) -> Iterator[Any]:
    """Runs of rows of about ``BLOCK_ELEMENTS`` elements each; together they are the whole array."""
    if w.ndim == 0:
        yield ...
        return
    rows = max(1, BLOCK_ELEMENTS * len(w) // max(1, w.size))
    for start in range(0, len(w), rows):
        yield slice(start, start + rows)
