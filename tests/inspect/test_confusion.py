"""The confusion matrix: numbers in the right cells, colours that say how much, and any number of classes."""

import itertools

import numpy as np
import pytest

from pellucid.inspect import confusion_figure, save_figure

CONFUSION = np.array([[8, 2, 0], [1, 4, 0], [0, 0, 0]])
CLASSES = ["cat", "dog", "ship"]


def drawn(confusion, classes):
    figure = confusion_figure(confusion, classes)
    figure.draw_without_rendering()
    return figure.axes[0]


def test_numbers_stand_in_their_cells_and_rows_end_with_their_share():
    axes = drawn(CONFUSION, CLASSES)
    cells = [t for t in axes.texts if "%" not in t.get_text() and "images" not in t.get_text()]
    places = {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in cells}
    assert places == {(0, 0): "8", (0, 1): "2", (1, 0): "1", (1, 1): "4", (2, 2): "0"}  # down, across
    assert [t.get_text() for t in axes.texts if t not in cells] == ["80.0 %", "80.0 %", "no images"]
    assert [label.get_text() for label in axes.get_yticklabels()] == CLASSES
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("taken for", "class")
    assert axes.get_title() == "80.00 % right: 12 of 15 images"


def test_mistakes_are_orange_right_answers_blue_and_nothing_is_white():
    colours = np.asarray(drawn(CONFUSION, CLASSES).images[0].get_array())
    red, blue = colours[..., 0], colours[..., 2]
    assert blue[0, 0] > red[0, 0]
    assert red[0, 1] > blue[0, 1]
    np.testing.assert_array_equal(colours[0, 2], [1, 1, 1])


def test_more_of_a_row_is_darker():
    counts = np.array([[50, 1, 9], [0, 90, 10], [40, 0, 60]])
    brightness = np.asarray(drawn(counts, CLASSES).images[0].get_array()).sum(axis=2)
    assert brightness[1, 1] < brightness[2, 2]
    assert brightness[0, 1] > brightness[0, 2] > brightness[2, 0]


def test_numbers_can_be_read_on_their_colour():
    axes = drawn(np.array([[99, 1], [60, 40]]), ["a", "b"])
    colours = np.asarray(axes.images[0].get_array())
    for text in axes.texts[:4]:
        x, y = text.get_position()
        light = colours[round(y), round(x)] @ (0.299, 0.587, 0.114)
        assert (text.get_color() == "white") == (light < 0.55)


@pytest.mark.parametrize("K", [1, 2, 20, 25])
def test_numbers_stay_in_their_cells_and_names_apart(K):
    figure = confusion_figure(np.full((K, K), 12345), [f"the class number {i}" for i in range(K)])
    figure.draw_without_rendering()
    axes = figure.axes[0]
    cell = axes.transData.transform([[0, 0], [1, 1]])
    width = abs(cell[1, 0] - cell[0, 0])
    assert all(t.get_window_extent().width < width for t in axes.texts[: K * K])
    assert all(figure.bbox.contains(*t.get_window_extent().p1) for t in axes.texts)
    names = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(above.y0 > below.y1 for above, below in itertools.pairwise(names))
    assert min(name.x0 for name in names) > 0


def test_many_classes_have_names_but_no_numbers():
    axes = drawn(np.eye(100, dtype=int), [f"class {i}" for i in range(100)])
    assert not axes.texts
    assert len(axes.get_yticklabels()) == 100
    assert not drawn(np.eye(130, dtype=int), [str(i) for i in range(130)]).get_yticklabels()


def test_names_are_text_and_long_ones_are_shortened(tmp_path):
    figure = confusion_figure(np.eye(2, dtype=int), ["$x", "n" * 99])
    save_figure(figure, tmp_path / "c.png")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["$x", "n" * 23 + "…"]


def test_no_images_at_all():
    assert drawn(np.zeros((2, 2), int), ["a", "b"]).get_title() == "0 of 0 images"


@pytest.mark.parametrize(
    ("confusion", "classes", "error", "message"),
    [
        (CONFUSION, CLASSES[:2], ValueError, r"confusion_figure: confusion has shape \(3, 3\); it must be \(2, 2\)"),
        (CONFUSION[0], CLASSES, ValueError, r"confusion_figure: confusion has shape \(3,\)"),
        (CONFUSION / 2, CLASSES, ValueError, "confusion_figure: confusion has type float64; it must hold counts"),
        (-CONFUSION, CLASSES, ValueError, "confusion_figure: .*must hold counts"),
        (CONFUSION, "abc", TypeError, "confusion_figure: classes is 'abc'; it must be a list of names"),
        (np.zeros((0, 0), int), [], ValueError, "confusion_figure: classes is empty"),
    ],
)
def test_bad_input(confusion, classes, error, message):
    with pytest.raises(error, match=message):
        confusion_figure(confusion, classes)
