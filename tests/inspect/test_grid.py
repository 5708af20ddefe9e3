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
    assert grid.shape == (6, 6, 1)
    assert (grid[:2, :2] == 0).all() and (grid[:2, 3:5] == 1).all() and (grid[3:5, :2] == 0.5).all()


def test_vis_grid_has_a_black_line_after_every_image_as_the_courses():
    grid = vis_grid(np.arange(-5.0, 0.0).reshape(5, 1, 1, 1))
    expected = np.zeros((6, 6))
    expected[0, 0:6:2], expected[2, 0:4:2] = [0, 0.25, 0.5], [0.75, 1]
    np.testing.assert_allclose(grid[:, :, 0], expected)


def test_vis_nn_keeps_the_rows():
    rows = [[np.full((2, 3, 3), 10 * r + d) for d in range(4)] for r in range(2)]
    grid = vis_nn(rows)
    assert grid.shape == (6, 16, 3)
    assert grid[0, 0, 0] == 0 and grid[3, 12, 0] == 1
    assert grid[0, 4, 0] == pytest.approx(1 / 13)


@pytest.mark.parametrize(("most", "line"), [(1.0, 1.0), (5.0, 0.2), (0.5, 1.0)])
def test_the_line_of_vis_nn_is_1_before_the_stretching_as_in_the_course(most, line):
    grid = vis_nn([[np.array([[[0.0]]]), np.array([[[most]]])]])
    np.testing.assert_allclose(grid[:, :, 0], [[0, line, most / max(most, 1), line], [line] * 4])


def test_vis_nn_of_a_single_value_is_mid_grey():
    assert (vis_nn(np.ones((2, 2, 3, 3, 1))) == 0.5).all()


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


def test_any_number_of_channels_is_laid_out():
    assert visualize_grid(waves(2, 3, 3, 5)).shape == (7, 7, 5)


@pytest.mark.parametrize("Xs", [[-1.7e308, 0, 1.7e308], [0, 0.5e-323, 1e-323], [-2, 0, 2]])
@pytest.mark.parametrize("function", [visualize_grid, vis_grid])
def test_neither_huge_nor_tiny_numbers_overflow(function, Xs):
    grid = function(np.array(Xs, np.float64).reshape(1, 1, 3, 1))
    np.testing.assert_allclose(grid[0, :3, 0] / grid.max(), [0, 0.5, 1])


IMAGE = np.zeros((2, 2, 3))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((2, 2, 2)), r"rows has shape \(2, 2, 2\) .* rows of images of one size, \(R, D, H, W, C\)"),
        ([], "rows has shape"),
        (np.zeros((1, 2, 0, 2, 3)), "rows is empty"),
        ([[IMAGE], [IMAGE, IMAGE]], "rows are of different lengths"),
        ([[IMAGE, np.zeros((3, 2, 3))]], "images of different sizes"),
        ([[IMAGE, IMAGE], [IMAGE, IMAGE + np.nan]], r"rows holds nan at \(1, 1, 0, 0, 0\)"),
    ],
)
def test_bad_rows(rows, message):
    with pytest.raises(ValueError, match=f"vis_nn: .*{message}"):
        vis_nn(rows)


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"padding": -1}, ValueError, "padding is -1; it must be at least 0"),
        ({"padding": 1.5}, TypeError, "padding is 1.5"),
        ({"ubound": 0}, ValueError, "ubound is 0; it must be above 0"),
        ({"ubound": np.nan}, ValueError, "ubound is nan"),
    ],
)
def test_bad_settings(settings, kind, message):
    with pytest.raises(kind, match=f"visualize_grid: {message}"):
        visualize_grid(waves(2, 2, 2, 3), **settings)
