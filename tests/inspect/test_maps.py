"""Arrays as pictures: which colour means what."""

import io

import numpy as np
import pytest
from PIL import Image

from pellucid.inspect import filter_picture, maps_sheet, overlay, png
from pellucid.inspect.maps import HEAT, LIGHT


def test_maps_stand_side_by_side_by_one_scale():
    maps = np.array([[[0, 1], [2, 4]], [[0, 0], [0, 2]], [[1, 1], [1, 1]]])
    sheet = maps_sheet(maps, 2)
    assert sheet.shape == (4, 4)
    np.testing.assert_array_equal(sheet[:2], np.rint(255 * np.array([[0, 1, 0, 0], [2, 4, 0, 2]]) / 4))
    assert (sheet[2:, 2:] == 0).all()


def test_below_zero_is_blue_above_red_zero_nearly_white():
    sheet = maps_sheet(np.array([[[-1.0, 0, 1]]]), 1)
    (below, zero, above) = sheet[0].astype(int)
    assert below[2] > below[0] + 100
    assert above[0] > above[2] + 100
    assert zero.min() > 230


def test_silent_maps_are_black():
    assert (maps_sheet(np.zeros((2, 3, 3)), 2) == 0).all()


def test_a_filter_of_three_channels_is_in_colour():
    w = np.random.default_rng(0).standard_normal((3, 4, 5))
    shown = filter_picture(w)
    assert shown.shape == (4, 5, 3)
    assert shown.min() == 0 and shown.max() == 255
    r, s, c = np.unravel_index(shown.argmax(), shown.shape)
    assert w[c, r, s] == w.max()


@pytest.mark.parametrize(("C", "shape"), [(1, (3, 3, 3)), (5, (7, 11, 3)), (64, (31, 31, 3))])
def test_other_channels_stand_side_by_side(C, shape):
    assert filter_picture(np.random.default_rng(0).standard_normal((C, 3, 3))).shape == shape


def test_no_heat_lets_everything_through():
    shown = overlay(np.array([[0.0, 0.5, 1, 7]]))
    assert shown.shape == (1, 4, 4)
    assert shown[0, 0, 3] == 0
    assert shown[0, 1, 3] < shown[0, 2, 3]
    np.testing.assert_array_equal(shown[0, 2], shown[0, 3])


def test_heat_has_the_palettes_colours():
    shown = overlay(np.array([[0.0, 0.35, 0.525, 1]]))
    np.testing.assert_array_equal(shown[0, :, :3][[0, 1, 3]], [colour for place, colour in HEAT if place != 0.7])
    between = (np.array(HEAT[1][1]) + HEAT[2][1]) / 2
    np.testing.assert_allclose(shown[0, 2, :3], between, atol=0.5)
    assert (overlay(np.array([[0.0, 1]]), LIGHT)[..., :3] == 255).all()


def test_heat_gets_lighter_all_the_way():
    """It is told apart without colours, too."""
    red, green, blue, _ = overlay(np.linspace(0, 1, 50)[None]).astype(float)[0].T
    assert (np.diff(0.2126 * red + 0.7152 * green + 0.0722 * blue) > 0).all()


def test_infinity_is_shown_as_the_largest_that_is_finite():
    np.testing.assert_array_equal(maps_sheet(np.array([[[0, 2, np.inf, 1]]]), 1), [[0, 255, 255, 128]])
    padded = maps_sheet(np.array([[[-np.inf, -1, 0, 1]]]), 1)
    np.testing.assert_array_equal(padded[0, 0], padded[0, 1])
    assert maps_sheet(np.full((1, 2, 2), -np.inf), 1).shape == (2, 2, 3)


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_the_size_of_the_numbers_makes_no_difference(size):
    maps = np.array([[[0.0, 1], [2, 4]]])
    np.testing.assert_array_equal(maps_sheet(maps * size, 1), maps_sheet(maps, 1))
    np.testing.assert_array_equal(filter_picture(-maps * size), filter_picture(-maps))


def test_channels_have_a_line_between_them():
    shown = filter_picture(np.ones((4, 2, 2)))
    assert shown.shape == (5, 5, 3)
    assert (shown[2] == 128).all() and (shown[:, 2] == 128).all()
    assert (shown[:2, :2] == shown[3:, 3:]).all()


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 3), (3, 4, 4)])
def test_a_png_is_read_back(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png(picture)))), picture)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: maps_sheet(np.zeros((2, 2)), 1), "maps has shape"),
        (lambda: maps_sheet(np.zeros((0, 2, 2)), 1), "maps has shape"),
        (lambda: maps_sheet(np.zeros((1, 2, 2)), 0), "columns is 0"),
        (lambda: filter_picture(np.full((3, 2, 2), np.nan)), "filter_picture: w has NaN"),
        (lambda: filter_picture(np.array([[["w"]]])), "it must be numbers"),
        (lambda: overlay(np.zeros(3)), "heat has shape"),
        (lambda: overlay(np.zeros((0, 2))), "heat has shape"),
        (lambda: overlay(np.zeros((2, 2)), "viridis"), "palette is 'viridis'"),
        (lambda: overlay(np.zeros((2, 2)), ()), "palette is"),
        (lambda: overlay(np.zeros((2, 2)), ((1, (0, 0, 0)), (0, (0, 0, 0)))), "places that grow"),
        (lambda: overlay(np.zeros((2, 2)), ((0, (0, 0, 256)),)), "from 0 to 255"),
        (lambda: png(np.zeros((2, 2))), "png: picture has shape .* float64; it must be uint8"),
        (lambda: png(np.zeros((2, 2, 2), np.uint8)), "picture has shape"),
        (lambda: png(np.zeros((0, 2), np.uint8)), "at least one pixel"),
    ],
)
def test_bad_input(act, message):
    with pytest.raises(ValueError, match=message):
        act()
