"""The update rules against the papers' formulas, one number at a time in float64, and what must hold of any rule."""

import math
import time

import numpy as np
import pytest

from pellucid.kernels.jit import at_most_threads
from pellucid.kernels.rows import SMALL_NUMBERS
from pellucid.training import optim

RULES = [rule for rule in optim.RULES if rule != "muon"]
"""Those that work number by number; test_muon.py has the other."""
rng = np.random.default_rng(0)


def run(rule, w, gradients, **config):
    """The weights after each gradient in turn."""
    trace = []
    for dw in gradients:
        w, config = optim.RULES[rule](w, dw, config)
        trace.append(w.copy())
    return np.array(trace), config


# The papers' algorithms for one number, with the papers' own letters.


def robbins_monro(theta, gradients, a):
    for g in gradients:
        theta = theta - a * g
        yield theta


def heavy_ball(theta, gradients, epsilon, mu):
    v = 0.0
    for g in gradients:
        v = mu * v - epsilon * g
        theta = theta + v
        yield theta


def tieleman_hinton(w, gradients, rate, decay, tiny):
    mean_square = 0.0
    for g in gradients:
        mean_square = decay * mean_square + (1 - decay) * g * g
        w = w - rate * g / (math.sqrt(mean_square) + tiny)
        yield w


def kingma_ba(theta, gradients, alpha, beta1, beta2, epsilon, decay=0.0):
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        theta = theta - alpha * m_hat / (math.sqrt(v_hat) + epsilon) - alpha * decay * theta
        yield theta


PAPERS = [
    ("sgd", {"learning_rate": 0.3}, robbins_monro, (0.3,)),
    ("sgd", {}, robbins_monro, (1e-2,)),
    ("sgd_momentum", {"learning_rate": 0.2, "momentum": 0.7}, heavy_ball, (0.2, 0.7)),
    ("sgd_momentum", {}, heavy_ball, (1e-2, 0.9)),
    ("rmsprop", {"learning_rate": 0.2, "decay_rate": 0.8, "epsilon": 1e-3}, tieleman_hinton, (0.2, 0.8, 1e-3)),
    ("rmsprop", {}, tieleman_hinton, (1e-2, 0.99, 1e-8)),
    ("adam", {"learning_rate": 0.1, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3}, kingma_ba, (0.1, 0.8, 0.95, 1e-3)),
    ("adam", {}, kingma_ba, (1e-3, 0.9, 0.999, 1e-8)),
    ("adamw", {"learning_rate": 0.1, "weight_decay": 0.3}, kingma_ba, (0.1, 0.9, 0.999, 1e-8, 0.3)),
    ("adamw", {}, kingma_ba, (1e-3, 0.9, 0.999, 1e-8, 1e-2)),
]


@pytest.mark.parametrize("rule, config, paper, numbers", PAPERS, ids=lambda v: str(v) if isinstance(v, str) else "")
@pytest.mark.parametrize("shape", [(), (7,), (3, 5), (2, 3, 2, 2), (0, 4)])
def test_rule_is_the_papers_formula_over_several_steps(rule, config, paper, numbers, shape):
    w, gradients = rng.standard_normal(shape), rng.standard_normal((6, *shape))
    trace, _ = run(rule, w.copy(), gradients, **config)
    for place in np.ndindex(shape):
        expected = list(paper(w[place], [g[place] for g in gradients], *numbers))
        np.testing.assert_allclose(trace[(slice(None), *place)], expected, rtol=1e-13, atol=1e-15)
    assert trace.shape == (6, *shape)


def test_nesterov_is_the_look_ahead_form_seen_from_the_shifted_point():
    """Sutskever et al. 2013: theta' = theta + v', v' = mu v - eps grad(theta + mu v), on a quadratic bowl."""
    A = rng.standard_normal((4, 4))
    A = A @ A.T / 4
    gradient, mu, eps = (lambda x: A @ x), 0.8, 0.05
    theta, v = np.ones(4), np.zeros(4)
    w, config = theta.copy(), {"learning_rate": eps, "momentum": mu}  # v starts at 0: nothing to shift by yet
    for _ in range(8):
        v = mu * v - eps * gradient(theta + mu * v)
        theta = theta + v
        w, config = optim.nesterov(w, gradient(w), config)
        np.testing.assert_allclose(w, theta + mu * v, rtol=1e-12)
        np.testing.assert_allclose(config["velocity"], v, rtol=1e-12)


@pytest.mark.parametrize("rule", ["sgd_momentum", "nesterov"])
def test_momentum_zero_is_plain_gradient_descent(rule):
    w, gradients = rng.standard_normal((3, 4)), rng.standard_normal((5, 3, 4))
    with_momentum, _ = run(rule, w.copy(), gradients, learning_rate=0.1, momentum=0)
    plain, _ = run("sgd", w.copy(), gradients, learning_rate=0.1)
    np.testing.assert_allclose(with_momentum, plain, rtol=1e-14)


def test_adams_first_step_is_the_learning_rate_whatever_the_gradients_size():
    w, dw = np.zeros(3), np.array([1e-3, -5.0, 300.0])
    next_w, _ = optim.adam(w, dw, {"learning_rate": 0.25, "epsilon": 1e-15})
    np.testing.assert_allclose(next_w, [-0.25, 0.25, -0.25], rtol=1e-10)


def test_adamw_without_decay_is_adam_and_with_it_is_not():
    w, gradients = rng.standard_normal((3, 4)), rng.standard_normal((5, 3, 4))
    adam, _ = run("adam", w.copy(), gradients)
    none, _ = run("adamw", w.copy(), gradients, weight_decay=0)
    some, _ = run("adamw", w.copy(), gradients)
    np.testing.assert_array_equal(none, adam)
    assert not np.allclose(some, adam, rtol=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_rule_minimises_a_quadratic(rule):
    w, centre, config = np.full(5, 3.0), np.arange(5.0) / 5, {"learning_rate": 0.05}
    for _ in range(400):
        w, config = optim.RULES[rule](w, w - centre, config)
    np.testing.assert_allclose(w, centre, atol=0.04)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_type_of_weights_and_state_is_kept_under_numpy_scalars_and_float64_gradients(rule, dtype):
    config = {key: np.float64(value) for key, value in optim.DEFAULTS[rule].items() if key != "t"}
    w = np.ones((3, 2), dtype)
    for _ in range(2):
        w, config = optim.RULES[rule](w, np.ones((3, 2), np.float64), config)
        assert w.dtype == dtype
        assert {key: config[key].dtype for key in optim.STATE_ARRAYS[rule]} == dict.fromkeys(
            optim.STATE_ARRAYS[rule], np.dtype(dtype)
        )
    assert all(type(config[key]) in (float, int) for key in optim.DEFAULTS[rule])


@pytest.mark.parametrize("rule", RULES)
def test_gradient_and_state_of_another_type_are_brought_to_the_weights_type_first(rule):
    w, dw = np.linspace(0, 1, 50, dtype=np.float32), np.linspace(-1, 1, 50) / 3
    state = {key: np.linspace(1, 2, 50) / 7 for key in optim.STATE_ARRAYS[rule]}
    mixed, config = optim.RULES[rule](w.copy(), dw, dict(state))
    same, _ = optim.RULES[rule](w.copy(), dw.astype("f4"), {key: value.astype("f4") for key, value in state.items()})
    np.testing.assert_array_equal(mixed, same)
    assert all(config[key].dtype == np.float32 for key in state)


@pytest.mark.parametrize("rule", RULES)
def test_only_sgd_changes_the_callers_weights_and_none_its_gradient(rule):
    w, dw = np.ones((2, 3)), np.full((2, 3), 0.5)
    next_w, _ = optim.RULES[rule](w, dw)
    assert (next_w is w) == (rule == "sgd")
    assert (w == 1).all() == (rule != "sgd")
    assert (dw == 0.5).all()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("size", [SMALL_NUMBERS // 2 - 1, SMALL_NUMBERS // 2 + 3, 3 * SMALL_NUMBERS])
def test_the_number_of_threads_changes_no_bit(rule, size):
    w, gradients = rng.standard_normal((size, 2)), rng.standard_normal((2, size, 2))
    shared, _ = run(rule, w.copy(), gradients)
    with at_most_threads(1):
        alone, _ = run(rule, w.copy(), gradients)
    np.testing.assert_array_equal(shared, alone)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "sgd"])
@pytest.mark.parametrize("layout", ["C", "channels last", "every second"])
def test_out_takes_the_result_and_may_be_the_weights(rule, layout):
    base = rng.standard_normal((4, 3, 6, 5))
    w = {"C": base, "channels last": base.transpose(0, 3, 1, 2), "every second": base[::2, :, ::2]}[layout]
    dw, expected = np.sin(w), optim.RULES[rule](w, np.sin(w))[0]
    other = np.empty_like(w)
    given, _ = optim.RULES[rule](w, dw, None, out=other)
    assert given is other
    np.testing.assert_array_equal(other, expected)
    in_place = w.copy(order="K")
    assert optim.RULES[rule](in_place, dw, None, out=in_place)[0] is in_place
    np.testing.assert_array_equal(in_place, expected)


@pytest.mark.parametrize("rule", RULES)
def test_memory_layout_is_kept(rule):
    w = np.zeros((4, 3, 3, 2), np.float32).transpose(0, 3, 1, 2)  # channels-last
    next_w, config = optim.RULES[rule](w, np.ones(w.shape, np.float32))
    assert next_w.strides == w.strides
    assert all(config[key].strides == w.strides for key in optim.STATE_ARRAYS[rule])


@pytest.mark.parametrize("rule", RULES)
def test_config_is_filled_in_and_is_the_callers_own(rule):
    config = {}
    _, returned = optim.RULES[rule](np.ones(2), np.ones(2), config)
    assert returned is config
    assert config.keys() == {*optim.DEFAULTS[rule], *optim.STATE_ARRAYS[rule]}


def test_state_that_is_given_is_used():
    """As the course's checks do: they pass a velocity, moments and a count of steps."""
    next_w, config = optim.sgd_momentum(
        np.ones(2), np.ones(2), {"velocity": np.array([1.0, 2.0]), "learning_rate": 0.5}
    )
    np.testing.assert_allclose(config["velocity"], [0.9 - 0.5, 1.8 - 0.5])
    np.testing.assert_allclose(next_w, [1.4, 2.3])
    _, config = optim.adam(np.ones(2), np.ones(2), {"t": 5, "m": np.ones(2), "v": np.ones(2)})
    assert config["t"] == 6


BAD = [
    ({"learning_rat": 1}, ValueError, r"config has the unknown key 'learning_rat' \(did you mean 'learning_rate'\?\)"),
    ({"learning_rate": -1}, ValueError, r"config\['learning_rate'\] is -1; it must be at least 0"),
    ({"learning_rate": float("nan")}, ValueError, "learning_rate"),
    ({"learning_rate": "0.1"}, TypeError, "it must be a number"),
    ({"beta1": 1.0}, ValueError, r"config\['beta1'\] is 1; it must be at least 0 and below 1"),
    ({"beta2": -0.1}, ValueError, "beta2"),
    ({"epsilon": 0}, ValueError, "above 0"),
    ({"t": 1.5}, TypeError, "integer"),
    ({"t": -1}, ValueError, "at least 0"),
    ({"m": np.zeros(3)}, ValueError, r"config\['m'\] has shape \(3,\); it must be \(2,\)"),
    ({"v": np.array(["a", "b"])}, TypeError, "v"),
]


@pytest.mark.parametrize("config, kind, message", BAD, ids=[str(case[0]) for case in BAD])
def test_bad_config_is_one_clear_error_and_changes_nothing(config, kind, message):
    w = np.ones(2)
    with pytest.raises(kind, match=rf"^adam: .*{message}"):
        optim.adam(w, np.ones(2), config)
    assert (w == 1).all()


@pytest.mark.parametrize(
    "rule, key", [("sgd_momentum", "momentum"), ("nesterov", "momentum"), ("rmsprop", "decay_rate")]
)
def test_averaging_rates_are_below_one(rule, key):
    with pytest.raises(ValueError, match=f"{key}.*below 1"):
        optim.RULES[rule](np.ones(2), np.ones(2), {key: 1})


def test_negative_weight_decay_is_refused():
    with pytest.raises(ValueError, match="weight_decay"):
        optim.adamw(np.ones(2), np.ones(2), {"weight_decay": -0.1})


@pytest.mark.parametrize("rule", RULES)
def test_gradient_of_another_shape_or_kind_is_refused(rule):
    """A bias of (3,) would otherwise spread over weights of (2, 3) without a word."""
    with pytest.raises(ValueError, match=rf"^{rule}: dw has shape \(3,\); it must be \(2, 3\)"):
        optim.RULES[rule](np.ones((2, 3)), np.ones(3))
    with pytest.raises(TypeError, match=rf"^{rule}: dw has type complex128"):
        optim.RULES[rule](np.ones(3), np.ones(3, complex))
    with pytest.raises(TypeError, match=rf"^{rule}: w is an array of int64"):
        optim.RULES[rule](np.ones(3, np.int64), np.ones(3))
    with pytest.raises(TypeError, match=rf"^{rule}: w is a list"):
        optim.RULES[rule]([1.0], np.ones(1))
    with pytest.raises(TypeError, match=rf"^{rule}: config is a list"):
        optim.RULES[rule](np.ones(1), np.ones(1), [0.1])


def test_adam_on_four_million_weights_is_quick():
    """13.5 ms on the machine it was tuned on; the bound is for a busy one."""
    w, dw, config = np.zeros((8000, 512), np.float32), np.ones((8000, 512), np.float32), {}
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        w, config = optim.adam(w, dw, config)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.25
