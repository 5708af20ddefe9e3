"""Winograd's line functions: the identity that they stand for."""

import numpy as np
import pytest

from pellucid.kernels import transforms as t


def matrix(line, size):
    """The matrix of a linear line function."""
    return np.array(line(list(np.eye(size)))).reshape(-1, size)


@pytest.mark.parametrize(
    ("output", "filters", "taps", "results"),
    [
        (t.output_line(4), t.filter_line, 3, 4),
        (t.output_line(3), t.filter_line, 4, 3),
        (t.output_line(2), t.filter_line, 5, 2),
        (t.output_line(5), t.filter_line, 2, 5),
    ],
    ids=["forward", "filter gradient", "forward, 5 taps", "filter gradient, 5 taps"],
)
def test_one_dimension_gives_sliding_dot_products(output, filters, taps, results):
    A, B, G = matrix(output, 6), matrix(t.input_line, 6), matrix(filters, taps)
    assert A.shape == (results, 6)
    rng = np.random.default_rng(0)
    image, weights = rng.standard_normal(6), rng.standard_normal(taps)
    expected = [image[i : i + taps] @ weights for i in range(results)]
    assert np.allclose(A @ ((G @ weights) * (B @ image)), expected, rtol=0, atol=1e-13)


def test_square_runs_down_columns_and_along_rows():
    B = matrix(t.input_line, 6)
    tile = np.random.default_rng(1).standard_normal((6, 6))
    assert np.allclose(t.square(t.input_line, [list(row) for row in tile]), B @ tile @ B.T, rtol=0, atol=1e-12)
