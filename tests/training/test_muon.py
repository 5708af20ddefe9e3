"""Muon against its formulas in float64, and what must hold of it."""

import numpy as np
import pytest

from pellucid.kernels.jit import at_most_threads
from pellucid.training import muon, optim
from pellucid.training.optim import NEWTON_SCHULZ, orthogonalised

rng = np.random.default_rng(0)


def by_singular_values(matrix, iterations):
    """The iteration's polynomial, used on the singular values themselves."""
    a, b, c = NEWTON_SCHULZ
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    s = s / (np.linalg.norm(matrix) + 1e-7)
    for _ in range(iterations):
        s = a * s + b * s**3 + c * s**5
    return (u * s) @ vt


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (4, 4), (1, 6), (6, 1), (24, 216)])
@pytest.mark.parametrize("iterations", [0, 1, 3])
def test_newton_schulz_works_on_the_singular_values_alone(shape, iterations):
    matrix = rng.standard_normal(shape)
    np.testing.assert_allclose(orthogonalised(matrix, iterations), by_singular_values(matrix, iterations), atol=1e-12)


def test_singular_values_come_near_one():
    values = np.linalg.svd(orthogonalised(rng.standard_normal((16, 48)), 5), compute_uv=False)
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_a_gradient_of_zeros_moves_nothing():
    w = rng.standard_normal((3, 4))
    np.testing.assert_array_equal(muon(w, np.zeros((3, 4)))[0], w)


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (4, 2, 3, 3)])
@pytest.mark.parametrize("unit_norm", [True, False])
def test_rule_is_its_formula_over_several_steps(shape, unit_norm):
    settings = {"learning_rate": 0.3, "momentum": 0.6, "weight_decay": 0.1, "unit_norm": unit_norm}
    w = start = rng.standard_normal(shape)
    expected, velocity, config = start, np.zeros(shape), dict(settings)
    for dw in rng.standard_normal((4, *shape)):
        w, config = muon(w, dw, config)
        velocity = 0.6 * velocity + dw
        if unit_norm:
            expected = expected * np.sqrt(shape[0]) / np.linalg.norm(expected)
        step = by_singular_values((dw + 0.6 * velocity).reshape(shape[0], -1), 3).reshape(shape)
        expected = expected - 0.3 * step - 0.3 * 0.1 * expected
        np.testing.assert_allclose(w, expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(config["velocity"], velocity, rtol=1e-12)


def test_the_size_of_the_gradient_does_not_matter():
    w, dw = rng.standard_normal((3, 5)), rng.standard_normal((3, 5))
    np.testing.assert_allclose(muon(w, dw)[0], muon(w, 1000 * dw)[0], atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_type_and_memory_layout_stay(dtype):
    w = rng.standard_normal((4, 3, 3, 2)).astype(dtype).transpose(0, 3, 1, 2)
    next_w, config = muon(w, rng.standard_normal(w.shape))
    assert next_w.dtype == config["velocity"].dtype == dtype
    assert next_w.strides == w.strides
    in_place = w.copy(order="K")
    assert muon(in_place, np.sin(w), out=in_place)[0] is in_place
    np.testing.assert_array_equal(in_place, muon(w, np.sin(w))[0])


def test_the_number_of_threads_changes_no_bit():
    w, dw = rng.standard_normal((2, 64, 300)).astype(np.float32)
    shared, _ = muon(w, dw)
    with at_most_threads(1):
        alone, _ = muon(w, dw)
    np.testing.assert_array_equal(shared, alone)


def test_bad_input_is_one_clear_error():
    with pytest.raises(ValueError, match=r"muon: w has shape \(3,\); it must have two axes or more"):
        muon(np.ones(3), np.ones(3))
    with pytest.raises(TypeError, match=r"config\['unit_norm'\] is 1; it must be True or False"):
        muon(np.ones((2, 2)), np.ones((2, 2)), {"unit_norm": 1})
    with pytest.raises(ValueError, match=r"config\['momentum'\]"):
        muon(np.ones((2, 2)), np.ones((2, 2)), {"momentum": 1})


@pytest.mark.parametrize("rule", ["sgd", "sgd_momentum", "nesterov"])
def test_weight_decay_shrinks_beside_the_rules_own_step(rule):
    w, gradients = rng.standard_normal((3, 4)), rng.standard_normal((4, 3, 4))
    plain, decayed = {"learning_rate": 0.2}, {"learning_rate": 0.2, "weight_decay": 0.5}
    for dw in gradients:
        before = w.copy()
        step = optim.RULES[rule](w.copy(), dw, plain)[0] - before
        w, decayed = optim.RULES[rule](w, dw, decayed)
        np.testing.assert_allclose(w, before + step - 0.2 * 0.5 * before, rtol=1e-12, atol=1e-14)
