"""The tutorial's two filters on photographs."""

import numpy as np
import pytest
from PIL import Image

from pellucid.inspect import bundled_photographs, filter_figure, photograph_filters, square_photo
from pellucid.layers import conv_forward_naive

SAME = {"stride": 1, "pad": 1}


def test_the_filters_are_the_tutorials():
    w, b = photograph_filters()
    assert w.shape == (2, 3, 3, 3)
    np.testing.assert_array_equal(w[0, :, 1, 1], [0.3, 0.6, 0.1])
    assert np.count_nonzero(w[0]) == 3
    np.testing.assert_array_equal(w[1, 2], [[1, 2, 1], [0, 0, 0], [-1, -2, -1]])
    assert not w[1, :2].any()
    np.testing.assert_array_equal(b, [0, 128])


def test_grey_is_the_weighted_sum_and_no_edge_is_128():
    w, b = photograph_filters()
    image = np.random.default_rng(0).integers(0, 255, (1, 3, 6, 7)).astype(float)
    out, _ = conv_forward_naive(image, w, b, SAME)
    np.testing.assert_allclose(out[0, 0], 0.3 * image[0, 0] + 0.6 * image[0, 1] + 0.1 * image[0, 2])
    flat, _ = conv_forward_naive(np.full((1, 3, 6, 7), 90.0), w, b, SAME)
    np.testing.assert_allclose(flat[0, 1, 1:-1, 1:-1], 128)


def test_b19_photographs_are_read_and_resized_without_scipy():
    for photo in bundled_photographs():
        assert photo.dtype == np.uint8 and photo.shape == (427, 640, 3)
        assert square_photo(photo, 50).shape == (50, 50, 3)


@pytest.mark.parametrize(("H", "W"), [(10, 10), (10, 11), (10, 12), (11, 10), (15, 10), (1, 9)])
def test_b20_the_crop_is_the_middle_whatever_the_difference(H, W):
    side = min(H, W)
    image = np.repeat(np.arange(H * W).reshape(H, W, 1) % 251, 3, axis=2).astype(np.uint8)
    square = square_photo(image, side)
    assert square.shape == (side, side, 3)
    if (H - W) % 2 == 0:
        top, left = (H - side) // 2, (W - side) // 2
        np.testing.assert_array_equal(square, image[top : top + side, left : left + side])


def test_the_figure_has_a_row_for_each_photograph(tmp_path):
    paths = []
    for n, size in enumerate([(40, 30), (30, 40), (20, 20)]):
        paths.append(tmp_path / f"{n}.png")
        Image.fromarray(np.full((*size, 3), 40 * n, np.uint8)).save(paths[-1])
    figure = filter_figure(paths, size=24)
    assert len(figure.axes) == 9
    assert [axes.get_title() for axes in figure.axes[:3]] == ["Original image", "Grayscale", "Edges"]
    assert all(axes.images[0].get_array().shape[:2] == (24, 24) for axes in figure.axes)


def test_bad_photographs(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.png"):
        filter_figure([tmp_path / "nothing.png"])
    (tmp_path / "a.png").write_bytes(b"rubbish")
    with pytest.raises(ValueError, match=r"filters: .*a\.png cannot be read"):
        filter_figure([tmp_path / "a.png"])
    with pytest.raises(ValueError, match=r"square_photo: image has shape \(4, 4\)"):
        square_photo(np.zeros((4, 4), np.uint8))
