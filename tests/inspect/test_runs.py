"""Runs on one figure, and accuracy against minutes."""

import itertools

import numpy as np
import pytest

from pellucid.inspect import AccuracyPoint, accuracy_figure, runs_figure, save_figure
from pellucid.inspect.runs import COLOURS, smoothed
from pellucid.metrics import Epochs, Metrics, Steps


def run(steps=200, epochs=4, seconds=120.0, loss=None, validated=True):
    i = np.arange(1, steps + 1)
    loss = 2 - i / steps if loss is None else loss
    t = seconds * i / max(steps, 1)
    e = np.arange(epochs + 1)
    accuracy = e / (epochs + 1)
    return Metrics(
        Steps(i, i * epochs / max(steps, 1), loss, np.full(steps, 0.1), np.full(steps, np.nan), t),
        Epochs(e, e, accuracy, accuracy if validated else np.full(epochs + 1, np.nan), seconds * e / max(epochs, 1)),
    )


def lines(axes, strong=True):
    return [line for line in axes.get_lines() if (line.get_linewidth() > 1) == strong]


def overlap(a, b):
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1


@pytest.mark.parametrize(("x", "end"), [("minutes", 2), ("epochs", 4), ("steps", 200)])
def test_each_run_has_a_colour_and_the_unit_that_was_asked_for(x, end):
    upper, lower = runs_figure({"a": run(), "b": run()}, x).axes
    assert [line.get_color() for line in lines(upper)] == list(COLOURS[:2])
    assert [line.get_color() for line in lines(lower)] == list(COLOURS[:2])
    assert lines(upper)[0].get_xdata()[-1] == end
    assert lower.get_xlabel().rstrip("s") == x.rstrip("s")
    np.testing.assert_array_equal(lines(upper, strong=False)[0].get_ydata(), run().steps.loss)
    np.testing.assert_array_equal(lines(lower)[1].get_ydata(), run().epochs.val_accuracy)


def test_labels_are_text_whatever_they_are(tmp_path):
    labels = ["_hidden", "a $b", "$\\frac$", ""]
    figure = runs_figure({label: run() for label in labels})
    save_figure(figure, tmp_path / "r.png")
    assert [text.get_text().strip() for text in figure.axes[0].get_legend().get_texts()] == labels


def test_many_runs_can_be_told_apart():
    upper = runs_figure({str(i): run() for i in range(20)}).axes[0]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines(upper)}) == 20


def test_a_loss_that_falls_far_is_drawn_by_its_logarithm():
    far = run(loss=10.0 ** -np.linspace(0, 2, 200))
    assert runs_figure({"a": far}).axes[0].get_yscale() == "log"
    assert runs_figure({"a": run()}).axes[0].get_yscale() == "linear"
    assert runs_figure({"a": run(loss=np.maximum(np.linspace(1, -1, 200), 0))}).axes[0].get_yscale() == "linear"


@pytest.mark.parametrize(
    "metrics",
    [
        run(steps=0, epochs=0),
        run(steps=1, epochs=0),
        run(validated=False),
        run(loss=np.full(200, np.nan)),
        run(seconds=np.nan),
        run(loss=np.full(200, -1.0)),
        run(loss=10.0 ** -np.linspace(0, 9, 200)),
    ],
)
def test_young_and_odd_runs(tmp_path, metrics):
    save_figure(runs_figure({"odd": metrics, "even": run()}), tmp_path / "r.png")
    save_figure(runs_figure({"odd": metrics}), tmp_path / "r.png")


def test_smoothing_keeps_a_slope_and_removes_noise():
    slope = np.linspace(5, 1, 1000)
    np.testing.assert_allclose(smoothed(slope)[:900], slope[:900])
    noise = np.tile([1.0, -1.0], 1000)
    assert np.abs(smoothed(noise)[20:]).max() < 0.1
    np.testing.assert_array_equal(smoothed(np.arange(3.0)), [0, 1, 2])
    assert smoothed(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize(
    ("runs", "x", "error", "message"),
    [
        ({"a": run()}, "hours", ValueError, "runs_figure: x is 'hours'; it must be one of minutes, epochs, steps"),
        ({}, "steps", ValueError, "runs_figure: runs is empty"),
        ([run()], "steps", TypeError, "runs_figure: runs is list; it must be a dictionary"),
        ({"a": [1.0]}, "steps", TypeError, "runs_figure: runs"),
    ],
)
def test_bad_runs(runs, x, error, message):
    with pytest.raises(error, match=message):
        runs_figure(runs, x)


def labelled(figure):
    return [text for text in figure.axes[0].texts if text.get_text()]


def test_the_mean_of_the_seeds_is_marked_with_their_spread():
    point = AccuracyPoint("94", [10, 12, 14], [0.90, 0.902, 0.91])
    figure = accuracy_figure([point], "CIFAR-10")
    assert [text.get_text() for text in labelled(figure)] == ["94\n90.4 % in 12 min\n3 seeds: 90.0 to 91.0 %"]
    assert tuple(labelled(figure)[0].xy) == pytest.approx((12, 90.4))
    (bar,) = figure.axes[0].containers
    assert bar[0].get_xdata() == pytest.approx([12])
    assert [cap.get_ydata()[0] for cap in bar[1]] == pytest.approx([90, 91])
    assert figure.axes[0].get_title() == "CIFAR-10"
    assert figure.axes[0].get_xscale() == "log"


def test_one_seed_has_no_spread():
    (text,) = labelled(accuracy_figure([AccuracyPoint("quick", 3.14, 0.8512)]))
    assert text.get_text() == "quick\n85.1 % in 3.1 min"


def test_points_of_a_kind_share_a_colour_and_are_named_once():
    points = [AccuracyPoint("a", 1, 0.5, "ours"), AccuracyPoint("b", 2, 0.6, "ours"), AccuracyPoint("c", 3, 0.7, "_x")]
    figure = accuracy_figure(points)
    assert [text.get_color() for text in labelled(figure)] == [COLOURS[0], COLOURS[0], COLOURS[1]]
    assert [text.get_text().strip() for text in figure.axes[0].get_legend().get_texts()] == ["ours", "_x"]
    unnamed = accuracy_figure([AccuracyPoint("a", 1, 0.5), AccuracyPoint("b", 2, 0.6)])
    assert [text.get_color() for text in labelled(unnamed)] == list(COLOURS[:2])
    assert unnamed.axes[0].get_legend() is None


def test_a_curve_leads_to_its_point():
    figure = accuracy_figure([AccuracyPoint("a", 4, 0.8, curve=([1, 2, 4], [0.3, 0.6, 0.8]))])
    np.testing.assert_allclose(figure.axes[0].get_lines()[0].get_ydata(), [30, 60, 80])


@pytest.mark.parametrize("apart", [0.001, 0.02])
@pytest.mark.parametrize("number", [2, 6])
def test_labels_of_points_that_lie_close_do_not_cover_each_other(number, apart):
    points = [AccuracyPoint(f"recipe {i}", 10 * (1 + apart * i), 0.9 + apart * i / 20) for i in range(number)]
    points.append(AccuracyPoint("far", 100, 0.8))
    figure = accuracy_figure(points)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in labelled(figure)]
    assert not any(overlap(a, b) for a, b in itertools.combinations(boxes, 2))
    frame = figure.bbox
    assert all(frame.x0 < box.x0 and box.x1 < frame.x1 and frame.y0 < box.y0 and box.y1 < frame.y1 for box in boxes)


def test_the_bottom_can_be_chosen():
    assert accuracy_figure([AccuracyPoint("a", 4, 0.8)], least=0.1).axes[0].get_ylim()[0] == pytest.approx(10)
    assert accuracy_figure([AccuracyPoint("a", 4, 0.01)]).axes[0].get_ylim()[0] == 0


@pytest.mark.parametrize(
    ("points", "error", "message"),
    [
        ([], ValueError, "accuracy_figure: points is empty"),
        ([(1, 0.5)], TypeError, r"accuracy_figure: points is \[\(1, 0.5\)\]; it must be a list of AccuracyPoint"),
        ([AccuracyPoint("a", 0, 0.5)], ValueError, "minutes of a are 0; they must be above 0"),
        ([AccuracyPoint("a", 1, 90)], ValueError, "accuracy of a is 90; it must be from 0 to 1"),
        ([AccuracyPoint("a", [1, 2], 0.5)], ValueError, "a has 2 minutes but 1 accuracies"),
        ([AccuracyPoint("a", "1", 0.5)], ValueError, "minutes of a is '1'; it must be a number"),
        ([AccuracyPoint("a", 1, float("nan"))], ValueError, "accuracy of a is nan; it must be a number"),
        ([AccuracyPoint("a", 1, [])], ValueError, r"accuracy of a is \[\]"),
        ([AccuracyPoint("a", 1, 0.5, curve=([1, 2], [0.5]))], ValueError, "the curve of a has 2 minutes but 1"),
    ],
)
def test_bad_points(points, error, message):
    with pytest.raises(error, match=message):
        accuracy_figure(points)


def test_bad_bottom():
    with pytest.raises(ValueError, match="accuracy_figure: least is 50; it must be"):
        accuracy_figure([AccuracyPoint("a", 1, 0.5)], least=50)
