"""Figures: what is drawn, and that files are whole."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from pairs import waves
from pellucid.inspect import filters_figure, imshow_no_ax, imshow_noax, save_figure, training_figure


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def shown(axes):
    return np.asarray(axes.images[0].get_array())


def test_imshow_stretches_and_hides_the_axes(axes):
    imshow_noax(np.array([[1.0, 2.0], [3.0, 5.0]]))
    np.testing.assert_array_equal(shown(axes), [[0, 63], [127, 255]])
    assert not axes.axison
    assert axes.images[0].get_cmap().name == "gray"


@pytest.mark.parametrize("img", [np.zeros((2, 3)), np.full((2, 3, 3), 255.0), np.full((4, 4), -7)])
def test_b21_a_constant_image_is_mid_grey_and_never_nan(axes, img):
    imshow_noax(img)
    np.testing.assert_array_equal(shown(axes), np.full(img.shape, 127))


def test_b21_without_normalising_values_are_clipped_not_wrapped(axes):
    imshow_no_ax(np.array([[-5.0, 128.0], [300.0, 255.0]]), normalize=False)
    np.testing.assert_array_equal(shown(axes), [[0, 128], [255, 255]])


@pytest.mark.parametrize(
    ("img", "message"),
    [
        (np.zeros(3), r"img has shape \(3,\)"),
        (np.zeros((2, 2, 5)), "1, 3 or 4 channels"),
        (np.full((2, 2), np.inf), "holds inf"),
    ],
)
def test_bad_images(axes, img, message):
    with pytest.raises(ValueError, match=f"imshow_noax: .*{message}"):
        imshow_noax(img)


def test_b24_the_validation_curve_is_called_validation():
    figure = training_figure([2.3, 2.0, 1.5], [0.1, 0.5], [0.1, 0.4])
    upper, lower = figure.axes
    assert [line.get_label() for line in lower.lines] == ["train", "validation"]
    np.testing.assert_array_equal(lower.lines[1].get_ydata(), [0.1, 0.4])
    np.testing.assert_array_equal(upper.lines[0].get_ydata(), [2.3, 2.0, 1.5])
    np.testing.assert_array_equal(upper.lines[0].get_xdata(), [1, 2, 3])
    assert (upper.get_xlabel(), upper.get_ylabel()) == ("iteration", "loss")
    assert (lower.get_xlabel(), lower.get_ylabel()) == ("epoch", "accuracy")


def test_a_long_run_is_drawn_with_its_means():
    losses = np.linspace(3, 1, 980)
    upper, _ = training_figure(losses, [0.1], [0.1]).axes
    each, means = upper.lines
    np.testing.assert_array_equal(each.get_ydata(), losses)
    np.testing.assert_allclose(means.get_ydata()[0], losses[:17].mean())
    assert len(means.get_ydata()) == 58


def test_an_empty_history_is_drawn(tmp_path):
    save_figure(training_figure([], [], []), tmp_path / "empty.png")


@pytest.mark.parametrize(("channels", "shape"), [(1, (17, 17)), (3, (17, 17, 3)), (8, (17, 17))])
def test_filters_of_any_depth(channels, shape):
    figure = filters_figure(waves(7, channels, 5, 5))
    assert figure.axes[0].images[0].get_array().shape == shape


@pytest.mark.parametrize("suffix", ["png", "jpg", "svg", "pdf"])
def test_figures_are_written_whole(tmp_path, suffix):
    path = tmp_path / f"train.{suffix}"
    save_figure(training_figure([1.0, 0.5], [0.2], [0.3]), path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    if suffix in ("png", "jpg"):
        with Image.open(path) as picture:
            picture.load()
            assert picture.size == (900, 900)
    else:
        assert path.stat().st_size > 1000


def test_saving_leaves_the_global_state_alone(tmp_path):
    before = plt.get_fignums()
    save_figure(filters_figure(waves(4, 3, 3, 3)), tmp_path / "w.png")
    assert plt.get_fignums() == before


def test_unknown_ending(tmp_path):
    with pytest.raises(ValueError, match=r"save_figure: .*a\.bmp ends in '\.bmp'; it must end in \.png"):
        save_figure(filters_figure(waves(4, 3, 3, 3)), tmp_path / "a.bmp")
    assert not list(tmp_path.iterdir())
