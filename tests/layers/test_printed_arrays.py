"""The tutorial's two fixed answers, its worked examples, and laws that convolution and pooling obey."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

from pairs import waves
from pellucid.gradcheck import rel_error
from pellucid.layers import (
    conv_backward_fast,
    conv_backward_naive,
    conv_forward_fast,
    conv_forward_naive,
    max_pool_backward_naive,
    max_pool_forward_fast,
    max_pool_forward_naive,
    softmax_loss,
    softmax_loss_naive,
    svm_loss,
    svm_loss_naive,
)
from pellucid.tolerances import TOLERANCES

CONVS = pytest.mark.parametrize("conv", [conv_forward_naive, conv_forward_fast])

PRINTED_CONV = [
    [[-0.08759809, -0.10987781], [-0.18387192, -0.2109216]],
    [[0.21027089, 0.21661097], [0.22847626, 0.23004637]],
    [[0.50813986, 0.54309974], [0.64082444, 0.67101435]],
    [[-0.98053589, -1.03143541], [-1.19128892, -1.24695841]],
    [[0.69108355, 0.66880383], [0.59480972, 0.56776003]],
    [[2.36270298, 2.36904306], [2.38090835, 2.38247847]],
]
PRINTED_POOL = [
    [[-0.26315789, -0.24842105], [-0.20421053, -0.18947368]],
    [[-0.14526316, -0.13052632], [-0.08631579, -0.07157895]],
    [[-0.02736842, -0.01263158], [0.03157895, 0.04631579]],
    [[0.09052632, 0.10526316], [0.14947368, 0.16421053]],
    [[0.20842105, 0.22315789], [0.26736842, 0.28210526]],
    [[0.32631579, 0.34105263], [0.38526316, 0.4]],
]


@CONVS
def test_b10_the_convolution_agrees_with_the_printed_array_to_the_digit(conv):
    x = np.linspace(-0.1, 0.5, num=2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    w = np.linspace(-0.2, 0.3, num=3 * 3 * 4 * 4).reshape(3, 3, 4, 4)
    out, _ = conv(x, w, np.linspace(-0.1, 0.2, num=3), {"stride": 2, "pad": 1})
    error = rel_error(out, np.array(PRINTED_CONV).reshape(2, 3, 2, 2))
    assert error == pytest.approx(2.21214764175e-08, abs=TOLERANCES["fixed answer"].bound)


@pytest.mark.parametrize("pool", [max_pool_forward_naive, max_pool_forward_fast])
def test_the_pooling_agrees_with_the_printed_array_to_the_digit(pool):
    x = np.linspace(-0.3, 0.4, num=2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    out, _ = pool(x, {"pool_width": 2, "pool_height": 2, "stride": 2})
    assert f"{rel_error(out, np.array(PRINTED_POOL).reshape(2, 3, 2, 2)):.8e}" == "4.16666652e-08"


@CONVS
def test_b12_the_bias_is_added_once(conv):
    out, _ = conv(np.zeros((1, 2, 5, 5)), waves(3, 2, 3, 3), np.array([1.0, 2.0, 3.0]), {"stride": 1, "pad": 1})
    np.testing.assert_array_equal(out, np.broadcast_to(np.array([1.0, 2.0, 3.0])[:, None, None], (1, 3, 5, 5)))


@CONVS
def test_the_worked_example_of_the_tutorial(conv):
    """An 11x11x4 volume, a 5x5 filter, stride 2: V[i, 0] is the sum over rows 2i to 2i + 5."""
    X, W0, b0 = waves(11, 11, 4), waves(5, 5, 4, seed=1), 0.25
    out, _ = conv(X.transpose(2, 0, 1)[None], W0.transpose(2, 0, 1)[None], np.array([b0]), {"stride": 2, "pad": 0})
    assert out.shape == (1, 1, 4, 4)
    for i in range(4):
        assert out[0, 0, i, 0] == pytest.approx(np.sum(X[2 * i : 2 * i + 5, :5, :] * W0) + b0, rel=1e-13)


@pytest.mark.parametrize(
    ("forward", "backward"), [(conv_forward_naive, conv_backward_naive), (conv_forward_fast, conv_backward_fast)]
)
def test_b11_dx_is_dout_convolved_with_the_filter_turned_by_180_degrees(forward, backward):
    """The tutorial's worked matrix: a 2x2 delta in zeros, times the turned 2x2 filter, is the 3x3 gradient."""
    delta, w = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0], [7.0, 8.0]])
    _, cache = forward(waves(1, 1, 3, 3), w[None, None], np.zeros(1), {"stride": 1, "pad": 0})
    dx, dw, db = backward(delta[None, None], cache)
    np.testing.assert_allclose(dx[0, 0], correlate(np.pad(delta, 1), w[::-1, ::-1], mode="valid"), rtol=1e-13)
    np.testing.assert_allclose(dw[0, 0], correlate(waves(1, 1, 3, 3)[0, 0], delta, mode="valid"), rtol=1e-13)
    assert db == [10.0]


def test_the_worked_pooling_matrix_of_the_tutorial():
    """delta = [[2, 8], [4, 6]] goes to where the maxima of the 4x4 image were."""
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, [0, 1, 2, 3], [0, 3, 1, 2]] = 1
    _, cache = max_pool_forward_naive(x, {"pool_height": 2, "pool_width": 2, "stride": 2})
    dx = max_pool_backward_naive(np.array([[[[2.0, 8.0], [4.0, 6.0]]]]), cache)
    np.testing.assert_array_equal(dx[0, 0], [[2, 0, 0, 0], [0, 0, 0, 8], [0, 4, 0, 0], [0, 0, 6, 0]])


@CONVS
def test_convolution_is_scipys_correlation(conv):
    x, w = waves(2, 3, 9, 8), waves(4, 3, 3, 5)
    out, _ = conv(x, w, np.zeros(4), {"stride": 1, "pad": 0})
    for n in range(2):
        for k in range(4):
            np.testing.assert_allclose(out[n, k], correlate(x[n], w[k], mode="valid")[0], rtol=1e-11, atol=1e-12)


sizes = st.integers(1, 4)


@st.composite
def convolutions(draw):
    groups, stride, pad, dilation = (
        draw(st.integers(1, 3)),
        draw(sizes),
        draw(st.integers(0, 3)),
        draw(st.integers(1, 3)),
    )
    N, C_seen, F_each, HH, WW = draw(sizes), draw(sizes), draw(sizes), draw(sizes), draw(sizes)
    least = [max(1, dilation * (side - 1) + 1 - 2 * pad) for side in (HH, WW)]
    H, W = (draw(st.integers(size, size + 5)) for size in least)
    param = {"stride": stride, "pad": pad, "dilation": dilation, "groups": groups}
    return (N, C_seen * groups, H, W), (F_each * groups, C_seen, HH, WW), param


@settings(max_examples=150, deadline=None)
@given(convolutions())
def test_any_convolution_fast_equals_naive(shapes):
    x_shape, w_shape, param = shapes
    x, w, b = waves(*x_shape), waves(*w_shape, seed=1), waves(w_shape[0], seed=2)
    naive, naive_cache = conv_forward_naive(x, w, b, param)
    fast, fast_cache = conv_forward_fast(x, w, b, param)
    np.testing.assert_allclose(fast, naive, rtol=0, atol=1e-12)
    dout = waves(*naive.shape, seed=3)
    for ours, theirs in zip(conv_backward_fast(dout, fast_cache), conv_backward_naive(dout, naive_cache), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-11)


@settings(max_examples=100, deadline=None)
@given(convolutions())
def test_backward_is_the_adjoint_of_forward(shapes):
    """<conv(x), dout> = <x, dx> = <w, dw> for a convolution without bias, whatever the shapes."""
    x_shape, w_shape, param = shapes
    x, w = waves(*x_shape), waves(*w_shape, seed=1)
    out, cache = conv_forward_fast(x, w, np.zeros(w_shape[0]), param)
    dout = waves(*out.shape, seed=3)
    dx, dw, _ = conv_backward_fast(dout, cache)
    product = np.sum(out * dout)
    assert np.sum(x * dx) == pytest.approx(product, rel=1e-10, abs=1e-10)
    assert np.sum(w * dw) == pytest.approx(product, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("loss", [softmax_loss, softmax_loss_naive, svm_loss, svm_loss_naive])
def test_a_loss_of_nan_scores_is_nan(loss):
    assert np.isnan(loss(np.array([[0.1, np.nan, 0.3]]), np.array([0]))[0])


@pytest.mark.parametrize("loss", [softmax_loss, softmax_loss_naive])
def test_softmax_does_not_mind_a_shift_and_does_not_overflow(loss):
    x, y = waves(4, 5), np.array([0, 1, 2, 3])
    plain, dx = loss(x, y)
    shifted, dx_shifted = loss(x + 1e4, y)
    assert shifted == pytest.approx(plain, rel=1e-10)
    np.testing.assert_allclose(dx_shifted, dx, rtol=1e-9)
    huge, dx_huge = loss(np.array([[1e5, 0.0, -1e5]]), np.array([1]))
    assert huge == pytest.approx(1e5)
    np.testing.assert_allclose(dx_huge, [[1, -1, 0]])
