"""Every algorithm of convolution against the naive layer, in every direction, width and mode."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_cases import bound, cases, check, check_pooled, chosen, errors, pooled_cases, scaled_error
from pellucid.kernels import convolution
from pellucid.kernels.geometry import Geometry, backward_sweeps, forward_sweep
from pellucid.kernels.processor import VECTOR_BYTES, lanes
from pellucid.layers.convolution import conv_backward_fast, conv_forward_fast

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case[0]}-{np.dtype(case[2]).name}-{tuple(case[1])}")
def test_every_algorithm_agrees_with_the_naive_layer(case):
    check(*case)


@pytest.mark.parametrize(
    "case", [case for case in cases() if case[0] != "direct"], ids=lambda case: str(tuple(case[1]))
)
def test_cases_reach_the_algorithm_that_they_are_for(case):
    algorithm, g, dtype = case
    assert algorithm in chosen(algorithm, g, dtype)


@pytest.mark.skipif(not VECTOR_BYTES, reason="Winograd needs vector instructions")
@pytest.mark.parametrize(
    "g",
    [
        Geometry(9, 64, 9, 10, 64, 3, 3, pad=1),  # wide register tiles
        Geometry(9, 24, 13, 13, 48, 3, 3, pad=1),  # channels that fill one register and a half
        Geometry(9, 32, 8, 7, 64, 5, 5, pad=2),
        Geometry(13, 96, 9, 8, 176, 3, 3, pad=1),  # filters that threads share out, a last part that is not full
        Geometry(11, 160, 12, 9, 160, 3, 3, pad=0),  # sums that threads share, a last chunk that is not full
    ],
    ids=str,
)
def test_winograd_over_many_tiles(g):
    assert chosen(None, g, np.float32) == ["winograd"] * 3
    for direction, error in errors("winograd", g, np.float32).items():
        assert error <= bound("winograd", np.float32), direction


@pytest.mark.skipif(not VECTOR_BYTES, reason="Winograd needs vector instructions")
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("g", pooled_cases(lanes(np.float32)), ids=lambda g: str(tuple(g)))
def test_pooling_in_registers_is_pooling(g, relu):
    check_pooled(g, relu)


@pytest.mark.skipif(not VECTOR_BYTES, reason="Winograd needs vector instructions")
def test_sums_that_threads_share_read_pooled_gradients():
    check_pooled(Geometry(9, 160, 12, 9, 160, 3, 3, pad=1))


@pytest.mark.skipif(not VECTOR_BYTES, reason="Winograd needs vector instructions")
def test_nan_goes_through_pooling_in_registers():
    g = Geometry(2, 16, 8, 8, 16, 3, 3, pad=1)
    x = np.zeros((2, 8, 8, 16), np.float32)
    x[1, 5, 5, 3] = np.nan
    out, taps = convolution.forward_and_pool(x, np.ones((16, 16, 3, 3), np.float32), np.zeros(16, np.float32), g)
    assert np.isnan(out[1, 2, 2]).all()
    assert (taps[1, 2, 2] == 0).all()  # the tile's results are all NaN: the first stays
    assert not np.isnan(out[0]).any()


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        Geometry,
        N=st.integers(1, 3), C=st.integers(1, 5), H=st.integers(1, 9), W=st.integers(1, 9), F=st.integers(1, 6),
        HH=st.integers(1, 4), WW=st.integers(1, 4), stride=st.integers(1, 4), pad=st.integers(0, 3),
        dilation=st.integers(1, 2), groups=st.integers(1, 2),
    )
)  # fmt: skip
def test_any_convolution_agrees_with_the_naive_layer(g):
    g = g._replace(C=g.C * g.groups, F=g.F * g.groups)
    if g.H + 2 * g.pad < (g.HH - 1) * g.dilation + 1 or g.W + 2 * g.pad < (g.WW - 1) * g.dilation + 1:
        return
    for direction, error in errors(None, g, np.float64).items():
        assert error <= 1e-12, direction


@pytest.mark.parametrize("g", [Geometry(1, 2, 7, 8, 3, 3, 2, stride=3, pad=2), Geometry(1, 1, 5, 5, 1, 2, 2, stride=4)])
def test_backward_sweeps_reach_every_pixel_once(g):
    reached = np.zeros((g.H, g.W), int)
    for sweep in backward_sweeps(g):
        rows, columns = sweep.rows, sweep.columns
        reached[rows.first :: g.stride, columns.first :: g.stride] += 1
        assert reached[rows.first :: g.stride, columns.first :: g.stride].shape == (rows.results, columns.results)
    assert (reached == 1).all()
    taps = sum(len(sweep.rows.taps) * len(sweep.columns.taps) for sweep in backward_sweeps(g))
    assert taps == g.HH * g.WW
    assert forward_sweep(g).step == g.stride


def test_long_sums_keep_their_digits():
    """A quarter of a million pixels: one running float32 sum would be four digits off."""
    rng = np.random.default_rng(0)
    g = Geometry(64, 1, 64, 64, 8, 1, 1)
    x, dout = (rng.standard_normal((64, 64, 64, C)).astype(np.float32) + 1 for C in (1, 8))
    exact = np.einsum("nhwc,nhwf->fc", x.astype(np.float64), dout.astype(np.float64)).reshape(8, 1, 1, 1)
    assert scaled_error(convolution.filter_gradient(x, dout, g, "direct"), exact) < bound("direct", np.float32)


def test_same_bits_every_time():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((6, 32, 17, 17)).astype(np.float32)
    w, b = rng.standard_normal((32, 32, 3, 3)).astype(np.float32), np.zeros(32, np.float32)
    first = None
    for _ in range(5):
        out, cache = conv_forward_fast(x, w, b, {"stride": 1, "pad": 1})
        results = [out, *conv_backward_fast(out, cache)]
        first = first or results
        assert all(np.array_equal(a, e) for a, e in zip(results, first, strict=True))


@pytest.mark.parametrize(
    "setting",
    [
        {"NUMBA_DISABLE_JIT": "1"},
        pytest.param({"PELLUCID_VECTOR_BYTES": "0"}, marks=pytest.mark.slow),
        pytest.param({"PELLUCID_VECTOR_BYTES": "16"}, marks=pytest.mark.slow),
        pytest.param({"PELLUCID_VECTOR_BYTES": "32"}, marks=pytest.mark.slow),
    ],
    ids=lambda setting: "-".join("=".join(item) for item in setting.items()),
)
def test_other_vector_widths_and_plain_python(setting):
    width = setting.get("PELLUCID_VECTOR_BYTES", "0")
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "kernel_cases"],
        cwd=TESTS, env=os.environ | setting, capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert f"vectors of {width} bytes" in run.stdout


def test_skip_dx_leaves_the_other_gradients_alone():
    rng = np.random.default_rng(2)
    x, w, b = rng.standard_normal((2, 3, 6, 6)), rng.standard_normal((4, 3, 3, 3)), np.zeros(4)
    out, cache = conv_forward_fast(x, w, b, {"stride": 1, "pad": 1})
    _, dw, db = conv_backward_fast(out, cache)
    dx, dw_only, db_only = conv_backward_fast(out, cache, skip_dx=True)
    assert dx is None
    assert np.array_equal(dw, dw_only)
    assert np.array_equal(db, db_only)


def test_unknown_algorithm_is_refused():
    x, w, b = np.zeros((1, 1, 3, 3)), np.zeros((1, 1, 3, 3)), np.zeros(1)
    with pytest.raises(ValueError, match=r"conv_forward_fast: conv_param\['algorithm'\] is 'winogard'.*winograd"):
        conv_forward_fast(x, w, b, {"stride": 1, "pad": 1, "algorithm": "winogard"})
