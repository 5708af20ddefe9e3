"""Figures: what is drawn, and that files are whole."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from pairs import waves
from pellucid.inspect import draw_image, filters_figure, imshow_no_ax, imshow_noax, save_figure, training_figure


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


@pytest.mark.parametrize("shape", [(1, 5, 3), (5, 1, 3), (1, 1, 3), (1, 5), (1, 1), (2, 3, 4)])
def test_thin_images_keep_their_shape_and_colours(axes, shape):
    imshow_noax(waves(*shape))
    assert shown(axes).shape == shape


def test_one_channel_is_shown_in_grey(axes):
    imshow_noax(np.array([[[1.0], [2.0]]]))
    np.testing.assert_array_equal(shown(axes), [[0, 255]])


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.float16, np.float32, np.int64])
@pytest.mark.parametrize(("normalize", "expected"), [(True, [[255, 0]]), (False, [[1, 0]])])
def test_images_of_every_type(axes, dtype, normalize, expected):
    imshow_noax(np.array([[1, 0]], dtype), normalize)
    np.testing.assert_array_equal(shown(axes), expected)


def test_a_colorbar_finds_the_image(axes):
    imshow_noax(np.array([[1.0, 2.0]]))
    assert plt.colorbar().mappable is axes.images[0]


def test_a_bad_image_opens_no_figure():
    before = plt.get_fignums()
    with pytest.raises(ValueError, match="imshow_noax"):
        imshow_noax(np.zeros(3))
    assert plt.get_fignums() == before


@pytest.mark.parametrize("img", [[["a", "b"]], [[1j, 2]], [[None, 1]]])
def test_what_is_no_image_is_refused_by_type(axes, img):
    with pytest.raises(TypeError, match=r"imshow_noax: img has type .*; it must be real numbers"):
        imshow_noax(np.array(img))


def test_draw_image_names_itself(axes):
    with pytest.raises(ValueError, match=r"draw_image: img has shape \(3,\)"):
        draw_image(axes, np.zeros(3))


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


@pytest.mark.parametrize("length", [4, 300])
def test_a_run_that_diverged_is_drawn_with_a_gap(tmp_path, length):
    losses = np.full(length, 2.0)
    losses[1:4] = [1e308, np.inf, -np.inf]
    figure = training_figure(losses, [0.1], [np.nan])
    drawn = figure.axes[0].lines[0].get_ydata()
    assert drawn[0] == 2 and np.isnan(drawn[1:4]).all()
    assert losses[1] == 1e308, "the caller's history is not changed"
    save_figure(figure, tmp_path / "gap.png")


@pytest.mark.parametrize(
    ("position", "history", "message"),
    [
        (0, np.ones((3, 2)), r"loss_history has shape \(3, 2\)"),
        (0, ["a"], "loss_history has shape .* type <U1"),
        (1, None, r"train_acc_history has shape \(\)"),
        (2, [[0.1]], r"val_acc_history has shape \(1, 1\) .* such as solver\.val_acc_history"),
    ],
)
def test_bad_histories(position, history, message):
    histories = [[1.0], [0.1], [0.1]]
    histories[position] = history
    with pytest.raises(ValueError, match=f"training_figure: {message}"):
        training_figure(*histories)


def test_an_empty_history_is_drawn(tmp_path):
    save_figure(training_figure([], [], []), tmp_path / "empty.png")


@pytest.mark.parametrize(("channels", "shape"), [(1, (17, 17)), (3, (17, 17, 3)), (8, (17, 17))])
def test_filters_of_any_depth(channels, shape):
    figure = filters_figure(waves(7, channels, 5, 5))
    assert figure.axes[0].images[0].get_array().shape == shape


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3, 1, 5), (1, 1, 1, 1), (1, 2, 5, 1)])
def test_a_single_thin_filter_keeps_its_shape(shape):
    F, C, HH, WW = shape
    drawn = filters_figure(waves(*shape)).axes[0].images[0].get_array().shape
    assert drawn == ((HH, WW, 3) if C == 3 else (HH, WW))


def test_other_depths_show_the_mean_of_the_channels():
    w = np.zeros((1, 4, 1, 3))
    w[0, :, 0, :] = [[0, 4, 1], [0, 2, 1], [0, 2, 1], [0, 0, 1]]
    np.testing.assert_array_equal(filters_figure(w).axes[0].images[0].get_array(), [[0, 255, 127]])
    filters_figure(np.full((2, 8, 3, 3), 3e38, np.float32))  # without overflow


@pytest.mark.parametrize(
    ("w", "kind", "message"),
    [
        (np.zeros((3, 5, 5)), ValueError, r"w has shape \(3, 5, 5\)"),
        (np.zeros((0, 3, 5, 5)), ValueError, "w is empty"),
        (np.full((2, 3, 2, 2), np.nan), ValueError, r"w holds nan at \(0, 0, 0, 0\)"),
        (np.full((2, 8, 2, 2), "a"), TypeError, "w has type <U1"),
    ],
)
def test_bad_filters(w, kind, message):
    with pytest.raises(kind, match=f"filters_figure: {message}"):
        filters_figure(w)


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


def test_colours_of_filters_do_not_run_into_one_another_in_a_jpeg(tmp_path):
    figure = filters_figure(waves(32, 3, 7, 7))
    for name in ("w.png", "w.jpg"):
        save_figure(figure, tmp_path / name)
    exact, lossy = (np.asarray(Image.open(tmp_path / name).convert("RGB"), float) for name in ("w.png", "w.jpg"))
    assert np.sqrt(np.mean((lossy - exact) ** 2)) < 5


def test_saving_leaves_the_global_state_alone(tmp_path):
    before = plt.get_fignums()
    save_figure(filters_figure(waves(4, 3, 3, 3)), tmp_path / "w.png")
    assert plt.get_fignums() == before


def test_saving_leaves_a_figure_in_its_window(tmp_path):
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    figure = training_figure([1.0], [0.1], [0.1])
    canvas = FigureCanvasSVG(figure)  # stands for a window's canvas: any that is not Agg's
    save_figure(figure, tmp_path / "train.png")
    assert figure.canvas is canvas


def test_a_figure_that_cannot_be_drawn_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "train.png"
    path.write_bytes(b"the old one")
    figure = training_figure([1.0], [0.1], [0.1])

    def half_drawn(file, **options):
        file.write(b"half")
        raise MemoryError("no more")

    monkeypatch.setattr(figure, "savefig", half_drawn)
    with pytest.raises(MemoryError):
        save_figure(figure, path)
    assert path.read_bytes() == b"the old one"
    assert [p.name for p in tmp_path.iterdir()] == ["train.png"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="make it first"):
        save_figure(training_figure([1.0], [0.1], [0.1]), tmp_path / "nowhere" / "train.png")


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ((None, "a.png"), TypeError, "figure is a NoneType"),
        (("figure", None), TypeError, "path is a NoneType"),
        (("figure", "a.png", 0), ValueError, "dpi is 0"),
        (("figure", "a"), ValueError, "a ends in ''"),
    ],
)
def test_bad_saving(tmp_path, monkeypatch, arguments, kind, message):
    monkeypatch.chdir(tmp_path)
    figure, *others = arguments
    with pytest.raises(kind, match=f"save_figure: {message}"):
        save_figure(training_figure([1.0], [0.1], [0.1]) if figure else None, *others)
    assert not list(tmp_path.iterdir())


def test_unknown_ending(tmp_path):
    with pytest.raises(ValueError, match=r"save_figure: .*a\.bmp ends in '\.bmp'; it must end in \.png"):
        save_figure(filters_figure(waves(4, 3, 3, 3)), tmp_path / "a.bmp")
    assert not list(tmp_path.iterdir())


def test_a_run_without_validation_images_has_no_curve_of_them():
    for val, labels in (([0.1, 0.3], ["train", "validation"]), ([], ["train"])):
        _, lower = training_figure([2.0, 1.0], [0.1, 0.4], val).axes
        assert [text.get_text() for text in lower.get_legend().get_texts()] == labels
