"""Drawings for lessons: everything that is said stands in them."""

import numpy as np
import pytest

from pellucid.inspect.drawings import Matrix, Volume, matrices_figure, volumes_figure


def words(figure):
    figure.canvas.draw()
    return [text.get_text() for text in figure.axes[0].texts]


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
    ],
)
def test_bad_input(act, error, message):
    with pytest.raises(error, match=message):
        act()
