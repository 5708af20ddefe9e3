"""The product of matrices against NumPy's, in any order and of any size; and what else walks over parameters."""

import numpy as np
import pytest

from pellucid.kernels.matmul import DEPTH, multiply
from pellucid.layers import add_l2_penalty

RNG = np.random.default_rng(0)
SIZES = [(1, 1, 1), (1, 7, 3), (9, DEPTH + 1, 33), (50, 500, 10), (257, 3 * DEPTH, 65), (8, 40, 200), (300, 5, 2)]


def orders(M, N):
    """The same matrix in every memory order."""
    a = RNG.standard_normal((M, N))
    wide = np.zeros((2 * M, N + 1))
    wide[::2, :N] = a
    return {"C": a, "F": np.asfortranarray(a), "every second": wide[::2, :N]}


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_size_and_order(size, dtype):
    M, K, N = size
    for a in orders(M, K).values():
        for b in orders(K, N).values():
            a, b = (matrix.astype(dtype, order="K") for matrix in (a, b))
            found, exact = multiply(a, b), a.astype(np.float64) @ b.astype(np.float64)
            assert found.dtype == dtype
            assert found.shape == (M, N)
            error = np.abs(found - exact).max() / max(np.abs(exact).max(), 1e-30)
            assert error <= (2e-6 if dtype == np.float32 else 1e-13)


def test_nan_is_not_hidden():
    a, b = np.ones((3, 4)), np.zeros((4, 2))
    a[1, 2] = np.nan
    assert np.isnan(multiply(a, b)).tolist() == [[False, False], [True, True], [False, False]]


@pytest.mark.parametrize("size", [1, 511, 513, 40_000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_penalty_and_its_gradient(size, dtype):
    w, dw = RNG.standard_normal((2, size)).astype(dtype)
    expected = dw + dtype(0.3) * w
    penalty = add_l2_penalty(w, dw, 0.3)
    assert abs(penalty - 0.15 * np.sum(w.astype(np.float64) ** 2)) <= 1e-6 * penalty
    assert np.abs(dw - expected).max() <= np.finfo(dtype).eps * 8
    assert dw.dtype == dtype


def test_penalty_of_a_view():
    w, dw = RNG.standard_normal((2, 6, 8))
    expected = dw[:, ::2] + 0.5 * w[:, ::2]
    assert add_l2_penalty(w[:, ::2], dw[:, ::2], 0.5) == pytest.approx(0.25 * np.sum(w[:, ::2] ** 2))
    assert np.allclose(dw[:, ::2], expected)
