"""The course's fully connected networks and update rules.

What the update rules should give is evaluated here from the published formulas, a number at a time, in float64: sources
in `pellucid.training.optim`.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from pellucid.checks.row import SEED, Row, Rows, error_row, near_row, random_state
from pellucid.gradcheck import check_model, rel_error
from pellucid.models import FullyConnectedNet, TwoLayerNet
from pellucid.training import optim


def two_layer_net() -> Rows:
    """Losses for weights on a line, to ten digits, and gradients."""
    N, D, H, C = 3, 5, 50, 7
    model = TwoLayerNet(input_dim=D, hidden_dim=H, num_classes=C, rng=0)
    model.params = {
        "W1": np.linspace(-0.7, 0.3, num=D * H).reshape(D, H),
        "b1": np.linspace(-0.1, 0.9, num=H),
        "W2": np.linspace(-0.3, 0.4, num=H * C).reshape(H, C),
        "b2": np.linspace(-0.9, 0.1, num=C),
    }
    X, y = np.linspace(-5.5, 4.5, num=N * D).reshape(D, N).T, np.array([0, 5, 1])
    yield near_row("TwoLayerNet: loss", 3.4702243556, float(model.loss(X, y)[0]), 1e-10, digits=11)
    model.reg = 1.0
    yield near_row("TwoLayerNet: with reg 1.0", 26.5948426952, float(model.loss(X, y)[0]), 1e-10, digits=12)
    for reg in (0.0, 0.7):
        model.reg = reg
        worst = check_model(model, X, y).worst
        yield error_row(f"TwoLayerNet: gradients, reg {reg}", "e-7 or less", worst, "gradient, network")


def initial_losses() -> Rows:
    """What the course's notebooks print for their seed: inputs, labels and weights are drawn as they draw them."""
    for normalization, printed in (
        (None, {0: 2.3004790897684924, 3.14: 7.052114776533016}),
        ("batchnorm", {0: 2.2611955101340957, 3.14: 6.996533220108303}),
    ):
        rng = random_state()
        X, y = rng.randn(2, 15), rng.randint(10, size=2)
        for reg, theirs in printed.items():
            model = _network(reg=reg, normalization=normalization)
            for name in ("W1", "W2", "W3"):
                model.params[name] = 5e-2 * rng.randn(*model.params[name].shape)
            what = "FullyConnectedNet" + (f", {normalization}" if normalization else "")
            yield near_row(f"{what}: loss, reg {reg}", theirs, float(model.loss(X, y)[0]), 1e-10, digits=11)


def fully_connected_net() -> Rows:
    """Gradients with and without regularisation, normalisation and dropout."""
    rng = random_state()
    X, y = rng.randn(2, 15), rng.randint(10, size=2)
    for reg in (0.0, 3.14):
        yield _gradients_row(f"reg {reg}", _network(reg=reg), X, y)
    X, y = rng.randn(8, 15), rng.randint(10, size=8)
    for normalization in ("batchnorm", "layernorm"):
        yield _gradients_row(normalization, _network(normalization=normalization), X, y)
    for keep in (0.75, 0.5):
        yield _gradients_row(f"dropout {keep}", _repeatable(_network(dropout_keep_ratio=keep)), X, y)


def _network(**settings: Any) -> FullyConnectedNet:
    return FullyConnectedNet([20, 30], input_dim=15, weight_scale=5e-2, dtype=np.float64, rng=SEED, **settings)


def _repeatable(model: FullyConnectedNet) -> SimpleNamespace:
    """The network with dropout that leaves out the same units at every call, without NumPy's global state."""

    def loss(X: np.ndarray, y: np.ndarray) -> tuple:
        model.dropout_param["rng"] = np.random.default_rng(123)
        return model.loss(X, y)

    return SimpleNamespace(params=model.params, loss=loss)


def _gradients_row(what: str, model: Any, X: np.ndarray, y: np.ndarray) -> Row:
    worst = check_model(model, X, y).worst
    return error_row(f"FullyConnectedNet: gradients, {what}", "e-6 or less", worst, "gradient, network")


def update_rules() -> Rows:
    """One step of each rule from numbers on a line, against its formula."""
    w = np.linspace(-0.4, 0.6, num=20).reshape(4, 5)
    dw = np.linspace(-0.6, 0.4, num=20).reshape(4, 5)
    state = np.linspace(0.6, 0.9, num=20).reshape(4, 5)
    second = np.linspace(0.7, 0.5, num=20).reshape(4, 5)

    next_w, config = optim.sgd(w.copy(), dw, {"learning_rate": 1e-3})
    yield _rule_row("sgd", next_w, lambda w, g: w - 1e-3 * g, w, dw)
    next_w, config = optim.sgd_momentum(w.copy(), dw, {"learning_rate": 1e-3, "velocity": state.copy()})
    yield _rule_row("sgd_momentum", next_w, lambda w, g, v: w + (0.9 * v - 1e-3 * g), w, dw, state)
    yield _rule_row("sgd_momentum: velocity", config["velocity"], lambda g, v: 0.9 * v - 1e-3 * g, dw, state)
    next_w, config = optim.nesterov(w.copy(), dw, {"learning_rate": 1e-3, "velocity": state.copy()})
    yield _rule_row("nesterov", next_w, lambda w, g, v: w + 0.9 * (0.9 * v - 1e-3 * g) - 1e-3 * g, w, dw, state)

    def mean_square(g: float, c: float) -> float:
        return 0.99 * c + 0.01 * g * g

    next_w, config = optim.rmsprop(w.copy(), dw, {"learning_rate": 1e-2, "cache": state.copy()})
    yield _rule_row(
        "rmsprop", next_w, lambda w, g, c: w - 1e-2 * g / (math.sqrt(mean_square(g, c)) + 1e-8), w, dw, state
    )
    yield _rule_row("rmsprop: cache", config["cache"], mean_square, dw, state)

    def adam_step(w: float, g: float, m: float, v: float) -> float:
        m_hat = (0.9 * m + 0.1 * g) / (1 - 0.9**6)  # t is 5, and incremented before it is used
        v_hat = (0.999 * v + 0.001 * g * g) / (1 - 0.999**6)
        return w - 1e-2 * m_hat / (math.sqrt(v_hat) + 1e-8)

    given = {"learning_rate": 1e-2, "m": state, "v": second, "t": 5}
    next_w, config = optim.adam(w.copy(), dw, given | {"m": state.copy(), "v": second.copy()})
    yield _rule_row("adam", next_w, adam_step, w, dw, state, second)
    yield _rule_row("adam: m", config["m"], lambda g, m: 0.9 * m + 0.1 * g, dw, state)
    yield _rule_row("adam: v", config["v"], lambda g, v: 0.999 * v + 0.001 * g * g, dw, second)
    config = given | {"m": state.copy(), "v": second.copy(), "weight_decay": 0.1}
    next_w, config = optim.adamw(w.copy(), dw, config)
    yield _rule_row("adamw", next_w, lambda w, *rest: adam_step(w, *rest) - 1e-2 * 0.1 * w, w, dw, state, second)


def _rule_row(what: str, ours: np.ndarray, formula, *arrays: np.ndarray) -> Row:
    """Our result against a formula of numbers, applied to one element after the other."""
    right = np.array([formula(*map(float, numbers)) for numbers in zip(*(a.ravel() for a in arrays), strict=True)])
    return error_row(f"update rule {what}", "e-7 or less", rel_error(ours.ravel(), right), "reference, float64")


CHECKS = [two_layer_net, initial_losses, fully_connected_net, update_rules]
