"""The tutorial's two filters on photographs."""

import numpy as np
import pytest
from PIL import Image

from pellucid.inspect import bundled_photographs, filter_figure, photograph_filters, square_photo
from pellucid.inspect import photographs as module
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
    assert [axes.images[0].get_array()[0, 0, 0] for axes in figure.axes[::3]] == [0, 40, 80], "in the order given"


def test_bad_photographs(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.png"):
        filter_figure([tmp_path / "nothing.png"])
    (tmp_path / "a.png").write_bytes(b"rubbish")
    with pytest.raises(ValueError, match=r"filter_figure: .*a\.png cannot be read"):
        filter_figure([tmp_path / "a.png"])
    with pytest.raises(ValueError, match=r"square_photo: image has shape \(4, 4\)"):
        square_photo(np.zeros((4, 4), np.uint8))
    with pytest.raises(ValueError, match="square_photo: size is 1001; it must be at most 1000"):
        filter_figure(size=1001)


@pytest.mark.parametrize(
    ("images", "names", "kind", "message"),
    [
        ([], None, ValueError, "images is empty"),
        ("a.png", None, TypeError, "images is 'a.png'; .* put a single one in a list"),
        (7, None, TypeError, "images is 7"),
        ([None], None, TypeError, r"images\[0\] is a NoneType"),
        (None, ["one"], ValueError, "names is .* list of 2"),
        (None, "ab", ValueError, "names is 'ab'"),
    ],
)
def test_bad_lists(images, names, kind, message):
    with pytest.raises(kind, match=f"filter_figure: {message}"):
        filter_figure(images, names)


def test_a_file_too_large_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_FILE_BYTES", 50)
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "a.bmp")
    with pytest.raises(ValueError, match=r"filter_figure: .*a\.bmp has more than 50 bytes"):
        filter_figure([tmp_path / "a.bmp"])


def test_a_photograph_lying_on_its_side_is_turned_upright(tmp_path):
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:, :4] = 250
    note = Image.Exif()
    note[0x0112] = 6  # turn it a quarter clockwise to see it upright
    Image.fromarray(picture).save(tmp_path / "a.png", exif=note)
    drawn = filter_figure([tmp_path / "a.png"], size=8).axes[0].images[0].get_array()
    assert (drawn[:4] == 250).all() and (drawn[4:] == 0).all()


def test_the_naive_convolution_draws_the_same():
    photos = [photo[:30, :40] for photo in bundled_photographs()]
    fast = filter_figure(photos, size=20)
    naive = filter_figure(photos, convolve=conv_forward_naive, size=20)
    for ours, other in zip(fast.axes, naive.axes, strict=True):
        difference = np.subtract(ours.images[0].get_array(), other.images[0].get_array(), dtype=int)
        assert abs(difference).max() <= 1


def test_the_convolution_is_the_one_that_was_passed():
    def nothing(x, w, b, conv_param):
        return np.zeros((len(x), 2, *x.shape[2:])), None

    drawn = filter_figure(convolve=nothing, size=8).axes[1].images[0].get_array()
    assert (drawn == 127).all(), "a constant image is mid-grey"


def test_names_stand_beside_the_rows():
    figure = filter_figure(names=["temple", "flower"], size=8)
    assert [[text.get_text() for text in axes.texts] for axes in figure.axes] == [
        ["temple"],
        [],
        [],
        ["flower"],
        [],
        [],
    ]
