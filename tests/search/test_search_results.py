"""What a search leaves, made of plain rows: files, tables and figures, also of odd searches."""

import csv
import io
import math

import pytest

from pellucid import recipes
from pellucid.search.figures import history_figure, importance_figure, settings_figure, ticks_between
from pellucid.search.folder import SearchFolder
from pellucid.search.results import (
    Judged,
    best_table,
    best_text,
    margin,
    settings_line,
    short_names,
    table_text,
    train_command,
    write_results,
)
from pellucid.search.rows import COMPLETE, FAILED, PRUNED, RUNNING, Row, best_first, counted
from pellucid.search.space_file import read_space

SPACE = """
"optimizer.rule" = ["sgd", "adam"]
"optimizer.learning_rate" = {low = 1e-4, high = 1e-1, log = true}
"network.hidden" = {low = 10, high = 500}
"network.filter_size" = [3, 5, 7]
"""
JUDGED = Judged("my data", 400, 7, 2, True)


@pytest.fixture
def space(tmp_path):
    (tmp_path / "space.toml").write_text(SPACE)
    return read_space(tmp_path / "space.toml", recipes.load("tutorial"))


def row(space, number, state=COMPLETE, accuracy=0.5, rate=1e-3, reason="", looks=None, **about):
    params = {
        "optimizer.rule": "adam",
        "optimizer.learning_rate": rate,
        "network.hidden": 10 + number,
        "network.filter_size": "5",
    }
    accuracy = accuracy if state in (COMPLETE, PRUNED) else None
    return Row(number, state, accuracy, space.values(params), params, reason, False, looks or {}, about)


@pytest.fixture
def rows(space):
    return [
        row(space, 0, accuracy=0.6, seconds=1.5, threads=3, owner={"host": "h", "pid": 5}, **{"recipe itself": True}),
        row(space, 1, FAILED, reason='it said "no",\nthen nothing'),
        row(space, 2, accuracy=0.9, rate=0.0123456789, seconds=2.0),
        row(space, 3, PRUNED, accuracy=0.2, looks={1: 0.1, 2: 0.2}),
        row(space, 4, RUNNING),
        row(space, 5, accuracy=0.9, seconds=3.0),
    ]


def test_the_best_come_first_and_of_equals_the_earlier(rows):
    assert [each.number for each in best_first(rows)] == [2, 5, 0]
    assert counted(rows) == {COMPLETE: 3, PRUNED: 1, FAILED: 1, RUNNING: 1}


def test_the_table_is_read_back(rows, space):
    lines = list(csv.DictReader(io.StringIO(table_text(rows, space))))
    assert [line["state"] for line in lines] == [each.state for each in rows]
    assert lines[1]["reason"] == 'it said "no",\nthen nothing' and lines[1]["accuracy"] == ""
    assert float(lines[2]["optimizer.learning_rate"]) == 0.0123456789
    assert lines[2]["network.hidden"] == "[12]" and lines[2]["network.filter_size"] == "5"
    assert lines[3]["looks"] == "1:0.1000 2:0.2000"
    assert (lines[0]["host"], lines[0]["process"], lines[0]["threads"]) == ("h", "5", "3")


def test_the_best_recipe_is_a_recipe(rows, space, tmp_path):
    folder = SearchFolder(tmp_path)
    write_results(folder, rows, space, JUDGED)
    recipe = recipes.load(folder.best)
    assert recipe["optimizer"]["learning_rate"] == 0.0123456789 and recipe["network"]["hidden"] == [12]
    assert recipe.about == "Trial 2 of a search, 90.00 % of 400 held-out images right."
    text = folder.best.read_text()
    assert "The best of 6 trials (3 complete, 1 pruned, 1 failed, 1 running): trial 2." in text
    assert "expect somewhat less" in text and "--validation 0" not in text
    assert f"pellucid train 'my data' --recipe {folder.best} --seed 7 --threads 2" in text
    only_here = best_text(folder, rows[2], rows, space, Judged("d", 400, 7, 2, False))
    assert "to train on all of them, add --validation 0" in only_here


def test_without_a_complete_trial_there_is_only_the_table(rows, space, tmp_path):
    folder = SearchFolder(tmp_path)
    write_results(folder, rows[3:5], space, JUDGED)
    assert folder.trials.exists() and not folder.best.exists()


def test_the_command_has_the_threads_of_the_trial(rows, tmp_path):
    assert train_command(SearchFolder(tmp_path), rows[0], JUDGED).endswith("--seed 7 --threads 3")


def test_the_printed_table(rows, space):
    lines = best_table(rows, space)
    assert lines[0].split() == ["trial", "right", "optimizer.rule", "learning_rate", "hidden", "filter_size", "seconds"]
    assert lines[1].split() == ["2", "90.00", "%", "adam", "0.01235", "12", "5", "2.0"]
    assert lines[3].startswith("0, the recipe itself  60.00 %")
    assert settings_line(rows[2].values) == "optimizer.rule adam, learning_rate 0.01235, hidden 12, filter_size 5"


def test_the_recipe_itself_is_in_the_table_however_it_did(space):
    many = [row(space, i, accuracy=0.9) for i in range(1, 9)]
    lines = best_table([row(space, 0, accuracy=0.1, **{"recipe itself": True}), *many], space)
    assert len(lines) == 1 + 5 + 1 and lines[-1].startswith("0, the recipe itself  10.00 %")


def test_keys_of_one_name_keep_their_tables():
    assert short_names(["network.scale", "data.scale", "loss.reg", "network.name"]) == [
        "network.scale",
        "data.scale",
        "reg",
        "network.name",
    ]


def test_what_chance_does_to_a_share(rows):
    assert margin(rows[2], JUDGED) == f"± {100 * math.sqrt(361 / 402 * 41 / 402 / 400):.2f} %"
    perfect = Row(0, COMPLETE, 1.0, {}, {}, "", False, {}, {})
    assert margin(perfect, JUDGED) == "± 0.25 %"  # and not ± 0


def drawn(figure):
    figure.canvas.draw()
    return figure


@pytest.mark.parametrize("part", [slice(0, 6), slice(0, 1), slice(1, 2), slice(3, 4), slice(4, 5)])
def test_a_history_of_any_trials(rows, part):
    axes = drawn(history_figure(rows[part])).axes[0]
    assert axes.get_xlabel() == "trial"


def test_the_history_says_what_is_what(rows):
    figure = drawn(history_figure(rows))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "the best so far",
        "complete",
        "pruned, at the last look",
        "the recipe as it is",
        "failed",
    ]
    best = figure.axes[0].lines[0]
    assert best.get_xdata().tolist() == [0, 2, 5, 5] and best.get_ydata().tolist() == [60, 90, 90, 90]


def test_trials_that_learnt_nothing_do_not_press_the_others_into_a_line(space):
    many = [row(space, i, accuracy=0.9 + 0.005 * i) for i in range(12)] + [row(space, 12, accuracy=0.1)]
    figure = drawn(history_figure(many))
    assert figure.axes[0].get_ylim()[0] > 80
    assert any("complete, below" in text.get_text() for text in figure.legends[0].get_texts())
    settings = drawn(settings_figure(many, space))
    assert all(axes.get_ylim()[0] > 80 for axes in settings.axes if axes.get_visible())
    all_alike = drawn(history_figure([row(space, i) for i in range(12)]))
    assert all_alike.axes[0].get_ylim()[0] < 50 < all_alike.axes[0].get_ylim()[1]


def test_the_settings_stand_over_their_whole_ranges(rows, space):
    axes = drawn(settings_figure(rows, space)).axes
    assert [each.get_xlabel() for each in axes if each.get_visible()] == [
        "optimizer.rule",
        "learning_rate",
        "hidden",
        "filter_size",
    ]
    rate = axes[1]
    assert rate.get_xscale() == "log" and rate.get_xlim()[0] < 1e-4 < 1e-1 < rate.get_xlim()[1]
    assert [tick.get_text() for tick in axes[0].get_xticklabels()] == ["sgd", "adam"]


def test_importances_are_drawn_largest_on_top():
    axes = drawn(importance_figure({"a": 0.2, "b": 0.7, "c": 0.1}, 20)).axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["c", "a", "b"]
    assert "20 trials" in axes.get_xlabel()


@pytest.mark.parametrize("draw", [lambda: history_figure([]), lambda: importance_figure({}, 3)])
def test_nothing_cannot_be_drawn(draw):
    with pytest.raises(ValueError, match="is empty"):
        draw()


def test_settings_need_a_complete_trial(rows, space):
    with pytest.raises(ValueError, match="has no complete trial"):
        settings_figure(rows[3:5], space)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (1e-4, 1e-1, [1e-4, 1e-3, 1e-2, 1e-1]),
        (20, 500, [20, 50, 100, 200, 500]),
        (3e-3, 3e-2, [5e-3, 1e-2, 2e-2]),
        (11, 13, [11, 13]),
        (1e-12, 1, [1e-12, 1e-9, 1e-6, 1e-3, 1]),
    ],
)
def test_ticks_have_room(low, high, ticks):
    assert ticks_between(low, high) == pytest.approx(ticks)
