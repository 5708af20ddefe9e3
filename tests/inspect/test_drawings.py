"""Drawings for lessons: everything that is said stands in them."""

import numpy as np
import pytest

from pellucid.inspect.drawings import Matrix, Volume, matrices_figure, volumes_figure, window_figure
from pellucid.layers import conv_forward_naive


def words(figure):
    figure.canvas.draw()
    return [text.get_text() for text in figure.axes[0].texts]


def grounds(figure):
    return [patch.get_facecolor() for patch in figure.axes[0].patches]


def test_volumes_are_labelled_in_their_order():
    figure = volumes_figure(
        [Volume((32, 32, 3), "image", part=(5, 5, 3), operation="5x5"), Volume((28, 28, 5), "neurons", neurons=5)]
    )
    assert [word for word in words(figure) if word] == ["image", "5x5", "neurons"]
    circles = [patch for patch in figure.axes[0].patches if type(patch).__name__ == "Circle"]
    assert len(circles) == 5


def test_every_number_of_a_matrix_is_written():
    figure = matrices_figure([Matrix([[1, 2.5], [3, -4]], "a", [(1, 1)], "*"), Matrix([["w11", "w12"]], "w")])
    assert [word for word in words(figure) if word] == ["a", "1", "2.5", "3", "-4", "*", "w", "w11", "w12"]
    lit = [patch for patch in figure.axes[0].patches if patch.get_facecolor()[2] < 0.5]
    assert len(lit) == 1


def test_lines_lead_from_a_part_to_the_neurons_that_see_it():
    def lines(*volumes):
        return len(volumes_figure(volumes).axes[0].lines)

    seen, neurons = Volume((9, 9, 3), "x", part=(3, 3, 3)), Volume((7, 7, 2), "out", neurons=2)
    assert lines(seen, neurons) == 2
    assert lines(seen, Volume((7, 7, 2), "out")) == 0
    assert lines(Volume((9, 9, 3), "x"), neurons) == 0


def test_groups_share_their_ground_and_a_mark_wins():
    figure = matrices_figure([Matrix([[1, 2, 3, 4]], marked=[(0, 3)], groups=[[0, 1, 0, 1]])])
    first, second, third, lit = grounds(figure)
    assert first == third != second
    assert lit not in (first, second)


def test_no_number_is_minus_zero():
    assert "-0" not in words(matrices_figure([Matrix([[-0.0, 0.0]])]))


def test_a_window_shows_products_sums_and_results():
    x, w = np.arange(16.0).reshape(4, 4), np.array([[1.0, 2.0], [3.0, -4.0]])
    settings = {"stride": 2, "pad": 1}
    out = conv_forward_naive(x[None, None], w[None, None], np.array([0.5]), settings)[0][0, 0]
    said = words(window_figure(x, w, 0.5, stride=2, pad=1, stops=[(1, 1), (2, 2)]))
    first = x[1:3, 1:3]  # the padded image's rows and columns 2 and 3
    assert f"products, sum {(first * w).sum():.4g}" in said
    assert f"{(first * w).sum():.4g} + 0.5 = {out[1, 1]:.4g}" in said
    assert any(text.endswith(f"= {out[2, 2]:.4g}") for text in said)
    assert said.count(f"{out[1, 1]:.4g}") == 2, "an earlier result stays"


def test_a_window_shows_the_first_stops_where_none_are_named():
    said = words(window_figure(np.ones((3, 3)), np.ones((2, 2))))
    assert [text for text in said if text.startswith("stop")] == ["stop (0, 0)", "stop (0, 1)", "stop (1, 0)"]


def test_a_larger_side_is_drawn_longer():
    def width(side):
        return volumes_figure([Volume((8, side, 2), "x")]).get_size_inches()[0]

    assert width(2) < width(20) < width(200)


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: volumes_figure([]), TypeError, "at least one"),
        (lambda: volumes_figure([(3, 3, 3)]), TypeError, "list of Volume"),
        (lambda: volumes_figure([Volume((0, 3, 3), "x")]), ValueError, "side is 0"),
        (lambda: matrices_figure([]), TypeError, "at least one"),
        (lambda: matrices_figure([Matrix(np.zeros((2, 2, 2)))]), ValueError, "rows and columns"),
        (lambda: matrices_figure([Matrix([[1, 2]], groups=[[1]])]), ValueError, "groups has shape"),
        (lambda: window_figure(np.ones(3), np.ones((2, 2))), ValueError, "x has shape"),
        (lambda: window_figure(np.ones((3, 3)), np.ones((4, 4))), ValueError, "larger"),
        (lambda: window_figure(np.ones((3, 3)), np.ones((2, 2)), "one"), TypeError, "b is"),
        (lambda: window_figure(np.ones((12, 12)), np.ones((2, 2)), pad=1), ValueError, "12 rows"),
        (lambda: window_figure(np.ones((3, 3)), np.ones((2, 2)), stops=[(2, 0)]), ValueError, "stops is"),
        (lambda: window_figure(np.ones((3, 3)), np.ones((2, 2)), stops=[]), ValueError, "stops is"),
    ],
)
def test_bad_input(act, error, message):
    with pytest.raises(error, match=message):
        act()
