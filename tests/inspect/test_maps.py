"""Arrays as pictures: which colour means what."""

import io

import numpy as np
import pytest
from PIL import Image

from pellucid.inspect.maps import filter_picture, maps_sheet, overlay, png


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


def test_a_png_is_read_back():
    picture = np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png(picture)))), picture)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: maps_sheet(np.zeros((2, 2)), 1), "maps has shape"),
        (lambda: maps_sheet(np.zeros((0, 2, 2)), 1), "maps has shape"),
        (lambda: maps_sheet(np.zeros((1, 2, 2)), 0), "columns is 0"),
        (lambda: filter_picture(np.full((3, 2, 2), np.nan)), "not finite"),
        (lambda: overlay(np.zeros(3)), "heat has shape"),
    ],
)
def test_bad_input(act, message):
    with pytest.raises(ValueError, match=message):
        act()
