"""What the shared table of cases does not reach of pooling, norms, activations and losses: edges of vectors, shares of
threads, NaN, ties, accuracy, other vector widths."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pellucid import layers
from pellucid.kernels.jit import set_threads, threads
from pellucid.kernels.rows import SMALL_NUMBERS, pixels_in_a_row
from pellucid.layers import spatial_norm
from pointwise_cases import (
    FUSED,
    POOLS,
    TYPES,
    around_vectors,
    assert_close,
    check_activation,
    check_norm,
    check_pool,
    check_softmax,
    images,
    pool_param,
)

TESTS = Path(__file__).parents[1]
DTYPES = pytest.mark.parametrize("dtype", TYPES)
POOL = pool_param(2, 2, 2)
BIG = (3, 24, 23, 21)
"""Odd sizes, enough numbers for several threads."""
assert math.prod(BIG) > SMALL_NUMBERS


@DTYPES
@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_pooling_around_the_edges_of_vectors(kind, pool, dtype):
    rng = np.random.default_rng(0)
    for C in around_vectors(dtype):
        check_pool(kind, images(rng, (2, C, 5, 7), dtype, ties=True), pool_param(*pool), rng)


@pytest.mark.parametrize("kind", ["max", "avg"])
def test_pooling_shared_between_threads(kind):
    rng = np.random.default_rng(1)
    for pool in ((2, 2, 2), (3, 3, 2)):
        check_pool(kind, images(rng, BIG, np.float32), pool_param(*pool), rng)


@pytest.mark.parametrize("size", [16, 17])
def test_windows_with_more_taps_than_a_byte_counts(size):
    rng = np.random.default_rng(2)
    check_pool("max", images(rng, (2, 3, 20, 20), np.float32), pool_param(size, size, 1), rng)


@pytest.mark.parametrize("pool", [(2, 2, 2), (3, 3, 1)])
def test_pooling_shows_nan_and_gives_its_gradient_to_the_first(pool):
    rng = np.random.default_rng(3)
    x = images(rng, (1, 5, 4, 4), np.float32)
    x[0, :, 1, 1] = x[0, 2, 0, 1] = x[0, 3, 2, 3] = np.nan
    check_pool("max", x, pool_param(*pool), rng)


@DTYPES
@pytest.mark.parametrize("mode", ["train", "test"])
@pytest.mark.parametrize("name", FUSED)
def test_norm_and_what_follows_around_the_edges_of_vectors(name, mode, dtype):
    rng = np.random.default_rng(4)
    for C in around_vectors(dtype):
        for H, W in ((4, 6), (5, 4), (3, 5)):
            check_norm(name, images(rng, (2, C, H, W), dtype), mode, rng)


@pytest.mark.parametrize("name", FUSED)
def test_norm_shared_between_threads(name):
    rng = np.random.default_rng(5)
    check_norm(name, images(rng, BIG, np.float32) * 3 + 5, "train", rng)


@pytest.mark.parametrize("name", FUSED)
def test_norm_shows_nan(name):
    rng = np.random.default_rng(6)
    x = images(rng, (2, 5, 4, 4), np.float32)
    x[1, 2, 3, 0] = x[0, 4, 0, 0] = np.nan
    check_norm(name, x, "train", rng)


def test_pool_after_norm_settles_ties_as_the_naive_layers():
    check_norm("bn_relu_pool", images(np.random.default_rng(7), (2, 5, 6, 6), np.float64, ties=True), "train",
               np.random.default_rng(8))  # fmt: skip


def test_other_windows_after_norm_are_pooled_apart():
    rng = np.random.default_rng(9)
    check_norm("bn_relu_pool", images(rng, (2, 5, 7, 7), np.float64), "train", rng, pool=(3, 3, 2))


@pytest.mark.parametrize("far", [0, 1e3, -1e4])
def test_variance_keeps_its_digits_far_from_zero(far):
    rng = np.random.default_rng(10)
    x = (rng.standard_normal((8, 6, 32, 32)) + far).astype(np.float32)
    x[0, :, :2] = 0  # and where the numbers that come first are nothing like the others
    bn_param = {"mode": "train", "momentum": 0}
    layers.spatial_batchnorm_forward(x, np.ones(6, np.float32), np.zeros(6, np.float32), bn_param)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(bn_param["running_mean"], exact.mean(axis=(0, 2, 3)), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(bn_param["running_var"], exact.var(axis=(0, 2, 3)), rtol=1e-6)


def test_fused_layers_say_which_part_refused():
    x, ones = np.ones((1, 3, 4, 4)), np.ones(3)
    with pytest.raises(ValueError, match=r"^spatial_batchnorm_forward_fast: .*bn_param lacks the key 'mode'"):
        spatial_norm.bn_relu_forward_fast(x, ones, ones, {})
    with pytest.raises(ValueError, match=r"^max_pool_forward_fast: .*'stride'"):
        spatial_norm.bn_relu_pool_forward_fast(x, ones, ones, {"mode": "train"}, POOL | {"stride": 0})
    _, cache = spatial_norm.bn_relu_pool_forward_fast(x, ones, ones, {"mode": "train"}, POOL)
    with pytest.raises(ValueError, match=r"^max_pool_backward_fast: dout has shape \(1, 3, 4, 4\)"):
        spatial_norm.bn_relu_pool_backward_fast(x, cache)


@DTYPES
@pytest.mark.parametrize("name", ["relu", "gelu", "silu"])
def test_activations_of_any_size(name, dtype):
    rng = np.random.default_rng(11)
    for size in (1, 7, 16, 17, 100):
        check_activation(name, 3 * rng.standard_normal(size).astype(dtype), rng)
    check_activation(name, 3 * rng.standard_normal((130, 257)).astype(dtype), rng)


def test_relu_keeps_nan_and_infinity():
    x = np.array([np.nan, -np.inf, np.inf, -0.0], np.float32)
    out, cache = layers.relu_forward(x)
    np.testing.assert_array_equal(out, [np.nan, 0, np.inf, 0])
    np.testing.assert_array_equal(layers.relu_backward(np.full(4, np.nan, np.float32), cache), [0, 0, np.nan, 0])


@pytest.mark.parametrize(("dtype", "relative", "absolute"), [(np.float32, 2e-6, 4e-7), (np.float64, 1e-14, 1e-15)])
def test_gelu_is_exact_to_rounding(dtype, relative, absolute):
    x = np.linspace(-12, 12, 4001).astype(dtype)
    share = np.array([math.erfc(-number / math.sqrt(2)) / 2 for number in x.astype(np.float64)])
    exact = x.astype(np.float64) * share
    slope = share + x * np.exp(-(x.astype(np.float64) ** 2) / 2) / math.sqrt(2 * math.pi)
    out, cache = layers.gelu_forward(x)
    near = x > -5  # further out, x * x / 2 in the exponent has too few digits for a relative bound
    np.testing.assert_allclose(out[near], exact[near], rtol=relative)
    np.testing.assert_allclose(out, exact, rtol=2e-5, atol=0)
    np.testing.assert_allclose(layers.gelu_backward(np.ones_like(x), cache), slope, rtol=0, atol=absolute)


@DTYPES
def test_gelu_far_out(dtype):
    x = np.array([-1e30, -100, -0.0, 1e-30, 100, 1e30, np.inf, np.nan], dtype)
    np.testing.assert_allclose(layers.gelu_forward(x)[0], [0, 0, 0, 5e-31, 100, 1e30, np.inf, np.nan], rtol=1e-6)


@pytest.mark.parametrize(("dtype", "relative", "absolute"), [(np.float32, 1e-6, 4e-7), (np.float64, 1e-14, 1e-15)])
def test_silu_is_exact_to_rounding(dtype, relative, absolute):
    x = np.linspace(-80, 80, 4001).astype(dtype)
    share, rest = (1 / (1 + np.exp(sign * x.astype(np.float64))) for sign in (-1, 1))
    out, cache = layers.silu_forward(x)
    np.testing.assert_allclose(out, x * share, rtol=relative, atol=0)
    slope = share * (1 + x * rest)
    np.testing.assert_allclose(layers.silu_backward(np.ones_like(x), cache), slope, rtol=0, atol=absolute)


@DTYPES
def test_silu_far_out(dtype):
    x = np.array([-1e30, -800, -0.0, 1e-30, 800, 1e30, np.inf, np.nan], dtype)
    np.testing.assert_allclose(layers.silu_forward(x)[0], [0, 0, 0, 5e-31, 800, 1e30, np.inf, np.nan], rtol=1e-6)
    assert np.isnan(layers.silu_backward(np.ones_like(x), x)[-1])


@DTYPES
def test_softmax_of_any_number_of_classes(dtype):
    rng = np.random.default_rng(12)
    for C in (1, 2, 10, 15, 16, 17, 33, 100):
        check_softmax(3 * rng.standard_normal((5, C)).astype(dtype), rng.integers(C, size=5))
    check_softmax(-50 + 3 * rng.standard_normal((40, 1000)).astype(dtype), rng.integers(1000, size=40))


@DTYPES
def test_softmax_of_scores_far_apart(dtype):
    check_softmax(np.array([[0, 1000, -1000], [-1e4, 0, 50], [-5, -5, -5]], dtype), np.array([1, 2, 0]))


def test_softmax_shows_nan():
    x = np.zeros((3, 4), np.float32)
    x[1, 2] = np.nan
    loss, dx = layers.softmax_loss(x, np.array([0, 1, 2]))
    assert np.isnan(loss)
    np.testing.assert_array_equal(np.isnan(dx).all(axis=1), [False, True, False])
    assert np.isnan(layers.softmax_loss(np.full((1, 3), np.nan), np.array([0]))[0])


def test_any_number_of_threads_gives_the_same_but_for_rounding_and_the_same_bits_again():
    rng = np.random.default_rng(13)
    x, dout = images(rng, BIG, np.float32), images(rng, BIG, np.float32)
    gamma, beta = np.ones(BIG[1], np.float32), np.zeros(BIG[1], np.float32)

    def results():
        out, cache = spatial_norm.bn_relu_forward_fast(x, gamma, beta, {"mode": "train"})
        return [out, *spatial_norm.bn_relu_backward_fast(dout, cache)]

    several = results()
    assert all(np.array_equal(a, b) for a, b in zip(results(), several, strict=True))
    before = threads()
    set_threads(1)
    try:
        for one, many in zip(results(), several, strict=True):
            assert_close(one, many, np.float32)
    finally:
        set_threads(before)


@DTYPES
@pytest.mark.parametrize("C", [1, 3, 16, 24, 64, 512, 2000])
@pytest.mark.parametrize("pixels", [1, 7, 49, 64, 9216, 31 * 31])
def test_pixels_in_a_row_divide_all_pixels(pixels, C, dtype):
    m = pixels_in_a_row(pixels, C, np.dtype(dtype))
    assert m >= 1
    assert pixels % m == 0
    assert m == 1 or m * C <= 512


@pytest.mark.parametrize(
    "setting",
    [
        {"NUMBA_DISABLE_JIT": "1"},
        pytest.param({"PELLUCID_VECTOR_BYTES": "16"}, marks=pytest.mark.slow),
        pytest.param({"PELLUCID_VECTOR_BYTES": "0"}, marks=pytest.mark.slow),
        pytest.param({"PELLUCID_VECTOR_BYTES": "32"}, marks=pytest.mark.slow),
    ],
    ids=lambda setting: "-".join("=".join(item) for item in setting.items()),
)
def test_pointwise_kernels_in_other_vector_widths_and_plain_python(setting):
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pointwise_cases"],
        cwd=TESTS, env=os.environ | setting, capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert f"vectors of {setting.get('PELLUCID_VECTOR_BYTES', '0')} bytes" in run.stdout
