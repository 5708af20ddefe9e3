"""Grids of images: where each image stands, how it is stretched, and that nothing becomes NaN."""

import numpy as np
import pytest

from pairs import waves
from pellucid.inspect import stretched, vis_grid, vis_nn, visualize_grid


def test_images_stand_in_rows_each_stretched_by_itself():
    Xs = np.stack([np.array([[0.0, 1.0], [2.0, 4.0]]) * scale + 5 for scale in (1, 10, 100, 3, 7)])[..., None]
    grid = visualize_grid(Xs)
    assert grid.shape == (3 * 3 - 1, 3 * 3 - 1, 1)
    expected = np.array([[0, 63.75], [127.5, 255]])
    for n in range(5):
        top, left = 3 * (n // 3), 3 * (n % 3)
        np.testing.assert_allclose(grid[top : top + 2, left : left + 2, 0], expected)
    assert not grid[2].any() and not grid[:, 2].any(), "the padding is black"
    assert not grid[3:5, 6:].any(), "an unfilled place is black"


@pytest.mark.parametrize("count", [1, 2, 4, 5, 9, 10, 32])
@pytest.mark.parametrize("padding", [0, 1, 3])
def test_the_grid_is_square(count, padding):
    rows = int(np.ceil(np.sqrt(count)))
    grid = visualize_grid(waves(count, 4, 3, 3), padding=padding)
    assert grid.shape == (rows * (4 + padding) - padding, rows * (3 + padding) - padding, 3)
    assert grid.min() == 0 and grid.max() == 255


def test_ubound():
    assert visualize_grid(waves(3, 4, 4, 3), ubound=1.0).max() == 1


@pytest.mark.parametrize("value", [0.0, -3.0, 1e9])
def test_b22_a_constant_filter_is_mid_grey_and_never_nan(value):
    Xs = np.concatenate([np.full((1, 2, 2, 3), value), waves(3, 2, 2, 3)])
    grid = visualize_grid(Xs)
    assert np.isfinite(grid).all()
    np.testing.assert_array_equal(grid[:2, :2], 127.5)
    assert np.isfinite(vis_grid(np.full((2, 2, 2, 3), value))).all()


def test_integers_do_not_wrap():
    image = np.array([[0, 255], [10, 200]], np.uint8)
    np.testing.assert_allclose(stretched(image), image)


def test_vis_grid_stretches_all_images_together():
    Xs = np.stack([np.zeros((2, 2, 1)), np.full((2, 2, 1), 4.0), np.full((2, 2, 1), 2.0)])
    grid = vis_grid(Xs)
    assert grid.shape == (5, 5, 1)
    assert (grid[:2, :2] == 0).all() and (grid[:2, 3:] == 1).all() and (grid[3:, :2] == 0.5).all()


def test_vis_nn_keeps_the_rows():
    rows = [[np.full((2, 3, 3), 10 * r + d) for d in range(4)] for r in range(2)]
    grid = vis_nn(rows)
    assert grid.shape == (5, 15, 3)
    assert grid[0, 0, 0] == 0 and grid[3, 12, 0] == 1
    assert grid[0, 4, 0] == pytest.approx(1 / 13)


@pytest.mark.parametrize(
    ("Xs", "message"),
    [
        (np.zeros((3, 4, 4)), r"Xs has shape \(3, 4, 4\) .* must be images \(N, H, W, C\)"),
        (np.zeros((0, 4, 4, 3)), "Xs is empty"),
        (np.full((2, 2, 2, 3), np.nan), r"Xs holds nan at \(0, 0, 0, 0\)"),
        (np.array([["a"]]), "type <U1"),
    ],
)
@pytest.mark.parametrize("function", [visualize_grid, vis_grid])
def test_bad_images(function, Xs, message):
    with pytest.raises(ValueError, match=f"{function.__name__}: .*{message}"):
        function(Xs)


def test_bad_rows():
    with pytest.raises(ValueError, match=r"vis_nn: rows has shape \(2, 2, 2\)"):
        vis_nn(np.zeros((2, 2, 2)))
