"""Searches on digits in this process: what they leave, what a broken trial does, and how they are stopped."""

import contextlib
import csv
import errno
import os
import signal

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("optuna", reason="optuna is not installed: pip install -e '.[search]'")

from searches import SPACE, Here, small_recipe

from pellucid import recipes
from pellucid.data import open_dataset
from pellucid.search import journal as journal_module
from pellucid.search import loop as loop_module
from pellucid.search import study as study_module
from pellucid.search.loop import Task, search
from pellucid.search.rows import COMPLETE, FAILED, PRUNED, RUNNING, best_first
from pellucid.search.study import Hopeless
from pellucid.search.trial import Bench


def states(rows):
    return [row.state for row in rows]


def table(here):
    with here.folder.trials.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_search_leaves_the_best_recipe_a_table_and_figures(tmp_path):
    here = Here(tmp_path, recipe=small_recipe(train__epochs=2))
    rows = here.run(6)
    assert states(rows) == [COMPLETE] * 6
    best = best_first(rows)[0]
    assert best.accuracy == max(row.accuracy for row in rows) > 0.2
    for row in rows:
        assert row.about["seed"] == 231 and row.about["epochs"] == 2 and row.about["steps"] == 12
        assert row.about["seconds"] > 0 and row.about["owner"]["pid"] == os.getpid()
        assert set(row.values) == set(here.space.entries)
    lines = table(here)
    assert [int(line["trial"]) for line in lines] == [0, 1, 2, 3, 4, 5]
    assert [float(line["accuracy"]) for line in lines] == [row.accuracy for row in rows]
    assert [float(line["optimizer.learning_rate"]) for line in lines] == [
        row.params["optimizer.learning_rate"] for row in rows
    ]
    for picture in (here.folder.history, here.folder.importance, here.folder.settings):
        with Image.open(picture) as opened:
            assert min(opened.size) > 200
    assert [line.partition(":")[0] for line in here.said] == [f"trial {i}" for i in range(6)]
    assert sum("the best so far" in line for line in here.said) == len(
        set(np.maximum.accumulate([r.accuracy for r in rows]))
    )
    assert "the recipe itself" in here.said[0]
    assert list(here.folder.beats.iterdir()) == []
    assert not list(here.folder.path.glob(".pellucid*"))


def test_the_best_recipe_gives_the_same_when_it_is_trained(tmp_path):
    here = Here(tmp_path, recipe=small_recipe(train__epochs=2), pruner="median")
    best = best_first(here.run(6))[0]
    recipe = recipes.load(here.folder.best)
    dataset = open_dataset("digits")
    data = recipes.split(recipe, dataset)
    solver = recipes.build_solver(recipe, data, 10, 231, dataset.classes, verbose=False, progress=False)
    solver.train()
    assert solver.best_val_acc == best.accuracy and solver.iteration == best.about["steps"]
    assert recipe["optimizer"]["learning_rate"] == best.params["optimizer.learning_rate"]
    assert f"trial {best.number}." in here.folder.best.read_text().splitlines()[0]


def test_test_images_are_never_looked_at(tmp_path):
    here = Here(tmp_path)
    assert {name for name in here.bench.data(here.space.recipe) if "test" in name} == set()


def test_looks_within_epochs_change_nothing_in_the_training(tmp_path):
    found = []
    for looks in (1, 3, 6, 50):
        here = Here(tmp_path / str(looks), recipe=small_recipe(train__epochs=2, average={"decay": 0.9}))
        here.looks = looks
        (row,) = here.run(1)
        found.append(row.accuracy)
        assert sorted(row.looks)[-1] == 2 * looks
        # six steps an epoch
        assert len(row.looks) == 2 * min(looks, 6)
    assert len(set(found)) == 1


def test_a_trial_that_is_worse_is_pruned_within_its_epoch(tmp_path):
    space = '"optimizer.learning_rate" = {low = 1e-9, high = 1e-2, log = true}'
    here = Here(tmp_path, space=space, recipe=small_recipe(train__batch_size=50), pruner="median")
    assert here.looks == 4
    rows = here.run(14)
    pruned = [row for row in rows if row.state == PRUNED]
    assert pruned and len(rows) == 14
    for row in pruned:
        assert row.about["epochs"] == 0 and row.about["steps"] < 20 and row.accuracy == row.looks[max(row.looks)]
    assert sum("pruned at" in line for line in here.said) == len(pruned)


def test_a_trial_that_has_come_to_its_end_is_complete_however_bad(tmp_path, monkeypatch):
    here = Here(tmp_path, recipe=small_recipe(train__epochs=2), pruner="median")
    asked = []
    monkeypatch.setattr(study_module.Claim, "report", lambda claim, look, accuracy: asked.append(look) or look == 4)
    rows = here.run(2)
    assert asked == [1, 2, 3, 4] * 2 and states(rows) == [COMPLETE] * 2


def test_an_error_of_the_folder_is_no_failed_trial(tmp_path, monkeypatch):
    def full(claim, look, accuracy):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    here = Here(tmp_path)
    monkeypatch.setattr(study_module.Claim, "report", full)
    with pytest.raises(OSError, match="No space left"):
        here.run(2)
    assert states(here.study.rows()) == [RUNNING]


BROKEN = {
    "settings that do not go together": (
        '"schedule.name" = ["constant", "cosine"]\n"train.lr_decay" = [1.0, 0.9]',
        "both change the learning rate",
    ),
    "a network for larger images": ('"network.name" = ["three-layer", "vgg"]', "Network"),
    "a rate that is too large": ('"optimizer.learning_rate" = [1e-3, 1e30]', "Solver: "),
}


@pytest.mark.parametrize(("space", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_trial_is_a_failed_trial(tmp_path, space, reason):
    here = Here(tmp_path, space=space)
    rows = here.run(8)
    failed = [row for row in rows if row.state == FAILED]
    assert len(rows) == 8 and failed and set(states(rows)) == {COMPLETE, FAILED}
    assert all(reason in row.reason and "\n" not in row.reason and not row.lost for row in failed)
    assert sum("failed: " in line and reason in line for line in here.said) == len(failed)
    assert sum(line["reason"] != "" for line in table(here)) == len(failed)


def test_any_error_of_a_trial_is_its_own(tmp_path, monkeypatch):
    here = Here(tmp_path)
    errors = iter([MemoryError(), MemoryError("a batch needs 9 GB"), IndexError("of a layer"), OSError(5, "bad sector"),
                   RecursionError("deep"), ValueError("two\nlines")])  # fmt: skip

    def train(recipe, hook):
        raise next(errors)

    monkeypatch.setattr(here.bench, "train", train)
    reasons = [row.reason for row in here.run(6)]
    assert reasons == ["MemoryError", "a batch needs 9 GB", "IndexError: of a layer", "OSError: [Errno 5] bad sector",
                       "RecursionError: deep", "two lines"]  # fmt: skip


def test_a_batch_that_cannot_fit_is_a_failed_trial_and_five_end_the_search(tmp_path):
    here = Here(tmp_path)
    here.bench.most_bytes = 1e6
    with pytest.raises(Hopeless, match="the first 5 trials all failed alike: recipe: a batch of 200 images needs"):
        here.run(30)
    assert len(table(here)) == 5 and not here.folder.best.exists()


def test_fewer_failures_are_told_in_the_table(tmp_path):
    here = Here(tmp_path)
    here.bench.most_bytes = 1e6
    assert states(here.run(3)) == [FAILED] * 3


class Interrupting:
    """A bar that sends this process a signal in a certain trial and step."""

    def __init__(self, number, trial, step):
        self.number, self.trial, self.step = number, trial, step

    @contextlib.contextmanager
    def __call__(self, title):
        def bar(done, steps):
            if (title, done) == (f"trial {self.trial}", self.step):
                os.kill(os.getpid(), self.number)

        yield bar


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [1, 3, 6])
def test_a_signal_ends_the_search_in_order_and_it_goes_on(tmp_path, number, step):
    here = Here(tmp_path)
    task = Task(here.study, here.bench, here.judged, 4, here.said.append, Interrupting(number, 2, step), here.looks)
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt) as stop:
        search(task)
    assert getattr(stop.value, "signum", signal.SIGINT) == number
    assert "the same command goes on" in str(stop.value)
    assert signal.getsignal(number) == before
    rows = here.study.rows()
    assert states(rows) == [COMPLETE, COMPLETE, FAILED]
    assert rows[2].lost and rows[2].reason == f"stopped by {signal.Signals(number).name}"
    assert len(table(here)) == 3 and here.folder.best.exists()
    again = Here(tmp_path)
    rows = again.run(4)
    assert states(rows) == [COMPLETE, COMPLETE, FAILED, COMPLETE]
    assert rows[3].params == rows[2].params and rows[3].about["again"] == 2
    assert list(here.folder.beats.iterdir()) == []


def test_a_signal_between_trials(tmp_path, monkeypatch):
    here = Here(tmp_path)
    end = here.study.end

    def ending(*arguments, **options):
        os.kill(os.getpid(), signal.SIGINT)
        return end(*arguments, **options)

    monkeypatch.setattr(here.study, "end", ending)
    with pytest.raises(KeyboardInterrupt, match="stopped by SIGINT; the same command goes on"):
        here.run(4)
    assert states(here.study.rows()) == [COMPLETE]  # its result was not lost


def test_a_signal_while_it_waits_for_others(tmp_path, monkeypatch):
    other = Here(tmp_path)
    other.study.claim(1)
    here = Here(tmp_path)
    monkeypatch.setattr(loop_module.time, "sleep", lambda seconds: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        here.run(1)
    assert here.said == ["waiting for 1 trial of other processes"]


def test_it_waits_until_the_others_are_done(tmp_path, monkeypatch):
    other = Here(tmp_path)
    claim = other.study.claim(1)
    here = Here(tmp_path)
    monkeypatch.setattr(loop_module.time, "sleep", lambda seconds: other.study.end(claim.number, COMPLETE, 0.75))
    (row,) = here.run(1)
    assert row.accuracy == 0.75 and here.folder.best.exists()


@pytest.mark.parametrize("step", [2, 11])
def test_a_trial_that_another_process_gave_up_does_not_count(tmp_path, step):
    here = Here(tmp_path, recipe=small_recipe(train__epochs=2))
    other = Here(tmp_path, lost_after_s=0.0)  # it has no patience at all

    @contextlib.contextmanager
    def told(title):
        def bar(done, steps):
            if (title, done) == ("trial 1", step):
                other.study.others()
                other.study.others()

        yield bar

    rows = search(Task(here.study, here.bench, here.judged, 3, here.said.append, told, here.looks))
    assert states(rows) == [COMPLETE, FAILED, COMPLETE]
    assert rows[1].lost and "was not heard of for 0 s" in rows[1].reason
    assert rows[2].params == rows[1].params
    assert "trial 1: another process has given it up" in here.said[1]
    assert list(here.folder.beats.iterdir()) == []


def test_more_trials_go_on_where_fewer_ended(tmp_path):
    here = Here(tmp_path)
    three = here.run(3)
    assert Here(tmp_path).run(3) == three
    five = Here(tmp_path).run(5)
    assert five[:3] == three and len(five) == 5
    whole = Here(tmp_path / "in one go").run(5)
    assert [row.params for row in whole] == [row.params for row in five]
    assert [row.accuracy for row in whole] == [row.accuracy for row in five]


@pytest.mark.slow
def test_a_disk_that_is_full_at_every_moment_of_a_search(tmp_path, monkeypatch):
    """The k-th write into the journal fails, for all k: an OSError each time, and the search can always go on."""
    monkeypatch.setattr(loop_module, "POLL_S", 0.0)
    write, moment = os.write, 0
    failures, whole = 0, False
    while not whole:
        moment += 4 if moment > 8 else 1
        folder, count = tmp_path / str(moment), 0

        def full(descriptor, data, moment=moment):
            nonlocal count
            count += 1
            if count == moment:
                write(descriptor, data[: len(data) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(descriptor, data)

        with monkeypatch.context() as patch:
            patch.setattr(journal_module.os, "write", full)
            try:
                Here(folder).run(3)
                whole = True
            except OSError as error:
                assert error.errno == errno.ENOSPC
                failures += 1
        rows = Here(folder, lost_after_s=0.0).run(4)  # at once: it was this very process
        assert len(rows) == 4 and COMPLETE in states(rows) and set(states(rows)) <= {COMPLETE, FAILED}
        assert all(row.lost for row in rows if row.state == FAILED)
    assert failures > 8


def test_figures_that_cannot_be_drawn_end_no_search(tmp_path, monkeypatch):
    def broken(rows):
        raise RuntimeError("no fonts")

    monkeypatch.setattr(loop_module, "history_figure", broken)
    here = Here(tmp_path)
    assert states(here.run(2)) == [COMPLETE] * 2
    assert here.said[-1] == "the figures are not up to date: no fonts"


def test_a_recipe_that_holds_nothing_out_cannot_be_judged():
    with pytest.raises(ValueError, match="no training images are held out"):
        Bench(small_recipe(data__validation=0), open_dataset("digits"), 1)


def test_other_ways_to_show_the_images_are_trials_too(tmp_path):
    space = '"data.normalise" = ["image", "channel"]\n"data.scale" = ["deviation", 255]'
    rows = Here(tmp_path, space=space).run(8)
    assert states(rows).count(COMPLETE) >= 4
    assert len({row.accuracy for row in rows if row.state == COMPLETE}) > 1


def test_the_space_of_the_tests_is_what_they_think(tmp_path):
    assert len(Here(tmp_path, space=SPACE).space.entries) == 4
