"""Diagrams for lessons: their numbers are right, and their arrows lead both ways."""

import numpy as np
import pytest

from pellucid.inspect.diagrams import Stage, flow_figure, neuron_figure


def words(figure):
    figure.canvas.draw()
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def test_a_neuron_adds_its_bias_and_drops_what_is_negative():
    said = words(neuron_figure([1, 2], [3, -1], 0.5))
    assert "1 + 0.5" in said
    assert said[-1] == "1.5"
    assert words(neuron_figure([1, 2], [3, -2], 0.5))[-1] == "0"


def test_a_flow_names_what_goes_forward_and_what_comes_back():
    figure = flow_figure([Stage("conv", "x, w", "dw, db"), Stage("relu")], ["x", "a", "out"], ["", "da", "dout"])
    assert words(figure) == ["conv", "keeps x, w", "dw, db", "relu", "x", "a", "da", "out", "dout"]
    assert len(words(flow_figure([Stage("relu")], ["x", "out"]))) == 3


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: neuron_figure([], []), ValueError, "1 to 9"),
        (lambda: neuron_figure(np.ones((2, 2)), np.ones((2, 2))), ValueError, "x has shape"),
        (lambda: neuron_figure([1, 2], [1]), ValueError, "w has shape"),
        (lambda: neuron_figure(["a"], [1]), TypeError, "x has type"),
        (lambda: neuron_figure([1], [1], None), TypeError, "b is"),
        (lambda: flow_figure([], ["x"]), TypeError, "at least one"),
        (lambda: flow_figure(["conv"], ["x", "out"]), TypeError, "list of Stage"),
        (lambda: flow_figure([Stage("conv")], ["x"]), ValueError, "values has 1 names"),
        (lambda: flow_figure([Stage("conv")], ["x", "y"], ["dx"]), ValueError, "gradients has 1 names"),
    ],
)
def test_bad_input(act, error, message):
    with pytest.raises(error, match=message):
        act()
