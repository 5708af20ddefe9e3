"""The report on a trained network: counts by hand, classes without images, and the way through JSON."""

import json

import numpy as np
import pytest

from pellucid.layers import softmax_loss
from pellucid.training.report import Report, evaluate

CLASSES = ["cat", "dog", "ship"]
Y = np.array([0, 0, 0, 0, 1, 1, 2])
TAKEN = np.array([0, 0, 1, 2, 1, 0, 2])


def scores_for(taken, K=3):
    return 2.0 * np.eye(K, dtype=np.float32)[taken]


def test_counts_shares_and_mistakes():
    report = evaluate(scores_for(TAKEN), Y, CLASSES)
    np.testing.assert_array_equal(report.confusion, [[2, 1, 1], [1, 1, 0], [0, 0, 1]])
    assert report.accuracy == pytest.approx(4 / 7)
    cat, dog, ship = report.per_class
    assert (cat.name, cat.count, cat.accuracy, cat.precision) == ("cat", 4, 0.5, pytest.approx(2 / 3))
    assert (cat.mistaken_for, cat.mistaken_count) == ("dog", 1)  # the first of two that are equal
    assert (dog.accuracy, dog.precision, dog.mistaken_for) == (0.5, 0.5, "cat")
    assert (ship.accuracy, ship.precision, ship.mistaken_for, ship.mistaken_count) == (1.0, 0.5, None, 0)


def test_the_loss_is_the_mean_cross_entropy():
    scores = np.random.default_rng(0).standard_normal((7, 3)) * 5
    assert evaluate(scores, Y, CLASSES).loss == pytest.approx(softmax_loss(scores, Y)[0], rel=1e-12)
    assert evaluate(np.zeros((7, 3)), Y, CLASSES).loss == pytest.approx(np.log(3))
    assert evaluate(np.full((7, 3), 3e38, np.float32), Y, CLASSES).loss == pytest.approx(np.log(3))


def test_equal_scores_are_the_first_class():
    np.testing.assert_array_equal(evaluate(np.zeros((7, 3)), Y, CLASSES).confusion[:, 0], [4, 2, 1])


def test_classes_without_images_and_classes_never_chosen_divide_by_nothing():
    report = evaluate(scores_for([0, 0], 4), [0, 1], ["a", "b", "c", "d"])
    a, b, c, d = report.per_class
    assert (a.accuracy, a.precision) == (1.0, 0.5)
    assert (b.accuracy, b.precision, b.mistaken_for) == (0.0, None, "a")
    assert (c.count, c.accuracy, c.precision, c.mistaken_for) == (0, None, None, None)
    assert str(report).splitlines()[-1].split() == ["d", "0", "–", "–", "–"]


def test_one_class_and_one_image():
    report = evaluate([[1.0]], [0], ["all"])
    assert (report.accuracy, report.loss) == (1.0, 0.0)


def test_the_table():
    assert str(evaluate(scores_for(TAKEN), Y, CLASSES)) == (
        "accuracy 57.14 % (4 of 7)   loss 1.0967\n"
        "\n"
        "class  images  accuracy  precision  most often taken for\n"
        "cat         4   50.00 %    66.67 %  dog (25.00 %)\n"
        "dog         2   50.00 %    50.00 %  cat (50.00 %)\n"
        "ship        1  100.00 %    50.00 %  –"
    )


def test_names_that_are_wide_on_a_terminal_keep_the_columns():
    rows = str(evaluate(scores_for(TAKEN), Y, ["飛行機", "dog", "ship"])).splitlines()
    assert rows[3].startswith("飛行機       4")
    assert rows[4].startswith("dog          2")


def test_through_json_and_back():
    report = evaluate(scores_for(TAKEN), Y, CLASSES)
    content = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    back = Report.from_dict(content)
    assert back.as_dict() == report.as_dict() == content
    assert back.per_class == report.per_class
    assert str(back) == str(report)


def test_a_report_cannot_be_changed():
    report = evaluate(scores_for(TAKEN), Y, CLASSES)
    with pytest.raises(AttributeError):
        report.accuracy = 1.0
    with pytest.raises(ValueError, match="read-only"):
        report.confusion[0, 0] = 9


@pytest.mark.parametrize(
    ("scores", "y", "classes", "error", "message"),
    [
        (np.zeros(3), [0], CLASSES, ValueError, r"evaluate: scores has shape \(3,\)"),
        (np.zeros((0, 3)), [], CLASSES, ValueError, "evaluate: scores is empty"),
        ([["a", "b"]], [0], CLASSES, TypeError, "evaluate: scores has type"),
        ([[0.0, np.nan]], [0], ["a", "b"], ValueError, r"evaluate: scores holds nan at \(0, 1\)"),
        (np.zeros((2, 3)), [0], CLASSES, ValueError, r"evaluate: y has shape \(1,\); it must be \(2,\)"),
        (np.zeros((2, 3)), [0, 3], CLASSES, ValueError, r"evaluate: y\[1\] is 3; for 3 classes"),
        (np.zeros((2, 3)), [0.0, 1.0], CLASSES, TypeError, "evaluate: y has type float64"),
        (np.zeros((2, 3)), [0, 1], CLASSES[:2], ValueError, "evaluate: classes has 2 names, but scores has 3 columns"),
        (np.zeros((2, 3)), [0, 1], "abc", TypeError, "evaluate: classes is 'abc'; it must be a list of names"),
        (np.zeros((2, 3)), [0, 1], [0, 1, 2], TypeError, r"evaluate: classes is \[0, 1, 2\]"),
    ],
)
def test_bad_input(scores, y, classes, error, message):
    with pytest.raises(error, match=message):
        evaluate(scores, y, classes)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"accuracy": 1.5}, ValueError, "from_dict: accuracy is 1.5; it must be .* at most 1"),
        ({"loss": None}, TypeError, "from_dict: loss is None"),
        ({"classes": "abc"}, TypeError, "from_dict: classes is 'abc'"),
        ({"confusion": [[1, 2], [3]]}, ValueError, "from_dict: the rows of confusion have different lengths"),
        ({"confusion": [[1, 2], [3, 4]]}, ValueError, r"from_dict: confusion has shape \(2, 2\); it must be \(3, 3\)"),
        ({"confusion": [[0.5] * 3] * 3}, ValueError, "from_dict: confusion must hold counts"),
        ({"confusion": [[-1] * 3] * 3}, ValueError, "from_dict: confusion must hold counts"),
        ({"los": 1}, ValueError, "unknown key 'los'.*did you mean 'loss'"),
    ],
)
def test_bad_reports(change, error, message):
    content = evaluate(scores_for(TAKEN), Y, CLASSES).as_dict() | change
    with pytest.raises(error, match=message):
        Report.from_dict(content)


def test_a_report_that_lacks_something():
    with pytest.raises(ValueError, match="lacks the key 'confusion'"):
        Report.from_dict({"accuracy": 1.0, "loss": 0.0, "classes": []})
    with pytest.raises(TypeError, match="must be a dictionary"):
        Report.from_dict([1])
