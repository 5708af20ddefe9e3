"""The trials that several processes share: never too many, none for ever running, none proposed by chance."""

import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

optuna = pytest.importorskip("optuna", reason="optuna is not installed: pip install -e '.[search]'")

from searches import SPACE, Here, small_recipe  # noqa: E402

from pellucid.search import study as study_module  # noqa: E402
from pellucid.search.rows import COMPLETE, FAILED, PRUNED, RUNNING  # noqa: E402
from pellucid.search.study import GivenUp, Hopeless  # noqa: E402

GRID = '"optimizer.rule" = ["sgd", "adam"]\n"network.filters" = {low = 1, high = 3}'
SCRIPT = Path(__file__).with_name("search_me.py")


def states(study):
    return [row.state for row in study.rows()]


def taking_part(folder, point):
    command = [sys.executable, str(SCRIPT), str(folder), point]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


class Clock:
    """A clock that stands still until somebody moves it."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


def test_the_number_of_trials_is_that_of_all_together(tmp_path):
    one, other = Here(tmp_path).study, Here(tmp_path).study
    claims = [study.claim(3) for study in (one, other, one, other, one)]
    assert [claim and claim.number for claim in claims] == [0, 1, 2, None, None]
    assert one.end(0, COMPLETE, 0.5) and other.end(1, FAILED, reason="broken") and one.end(2, PRUNED)
    assert one.claim(3) is None and other.claim(3) is None
    assert states(one) == states(other) == [COMPLETE, FAILED, PRUNED]
    assert other.claim(4).number == 3  # more were asked for


def test_the_first_trial_is_the_recipe_itself(tmp_path):
    here = Here(tmp_path)
    first, second = here.study.claim(2), here.study.claim(2)
    assert first.is_the_recipe and not second.is_the_recipe
    assert here.space.recipe_of(first.params).resolved() == here.space.recipe.resolved()
    assert [row.is_the_recipe for row in here.study.rows()] == [True, False]


def test_a_recipe_outside_of_the_space_is_no_trial(tmp_path):
    here = Here(tmp_path, space='"optimizer.learning_rate" = {low = 0.1, high = 0.2}')
    assert not here.study.claim(2).is_the_recipe


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_proposals_depend_on_the_seed_and_what_is_known(tmp_path, sampler):
    def proposed(name, seed, joins):
        study, found = None, []
        for _ in range(14):  # beyond the first ten, which are at random
            if study is None or joins:
                study = Here(tmp_path / name, sampler=sampler, seed=seed).study
            claim = study.claim(20)
            study.end(claim.number, COMPLETE, 1 - abs(claim.params["network.weight_scale"] - 0.02))
            found.append(claim.params)
        return found

    one = proposed("one", 1, joins=False)
    assert proposed("the same", 1, joins=False) == one
    assert proposed("each by another process", 1, joins=True) == one
    assert proposed("another seed", 2, joins=False)[1:] != one[1:]
    assert len({str(params) for params in one}) == len(one)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_processes_that_ask_at_once_get_different_settings(tmp_path, sampler):
    studies = [Here(tmp_path, sampler=sampler).study for _ in range(4)]
    params = [str(study.claim(20).params) for _ in range(4) for study in studies]
    assert len(set(params)) == 16


def test_a_grid_is_gone_through_once(tmp_path):
    one, other = (Here(tmp_path, space=GRID, sampler="grid").study for _ in range(2))
    found = []
    while (claim := one.claim(100)) is not None:
        found.append(claim.params)
        one.end(claim.number, COMPLETE, 0.5)
        one, other = other, one
    assert len(found) == 6 and all(point in found for point in one.space.points())
    assert [point["network.filters"] for point in found] != [
        1,
        2,
        3,
        1,
        2,
        3,
    ]  # shuffled, so that a part tells something
    assert other.claim(100) is None


def test_a_point_of_a_grid_that_was_lost_is_tried_again(tmp_path):
    study = Here(tmp_path, space=GRID, sampler="grid").study
    lost = study.claim(100)
    study.end(lost.number, FAILED, reason="stopped by SIGINT", lost=True)
    found = []
    while (claim := study.claim(100)) is not None:
        found.append(claim.params)
        study.end(claim.number, COMPLETE, 0.5)
    assert len(found) == 6 and lost.params in found


def test_a_killed_processs_trial_has_failed_and_is_tried_again_once(tmp_path):
    here = Here(tmp_path)
    params = None
    for attempt in range(2):
        process = taking_part(tmp_path, "in a trial")
        number = int(process.stdout.readline())
        assert here.study.others() == 1  # it runs
        process.kill()
        process.communicate()
        row = here.study.rows()[number]
        assert row.state == RUNNING
        assert here.study.others() == 0
        row = here.study.rows()[number]
        assert (
            row.state == FAILED and row.lost and f"({process.pid} on" in row.reason and "without a word" in row.reason
        )
        assert params in (None, row.params)
        params = row.params
        assert row.is_the_recipe and row.about.get("again") == (None, 0)[attempt]
        assert not here.folder.beat(number).exists()
    claim = here.study.claim(10)
    assert claim.params != params  # whatever kills its process twice is not tried for ever


def test_a_process_killed_while_it_begins_a_trial(tmp_path):
    here = Here(tmp_path)
    process = taking_part(tmp_path, "in a claim")
    assert process.communicate()[0] == "" and process.returncode == 9
    assert states(here.study) == [RUNNING]
    again = here.study.claim(10)
    assert here.study.rows()[0].reason == "its process ended before it began"
    assert here.study.rows()[0].state == FAILED
    assert again.is_the_recipe  # what was queued for it is


def test_a_trial_of_another_machine_is_given_up_when_it_is_not_heard_of(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(study_module.time, "monotonic", clock.monotonic)
    elsewhere = replace(study_module.this_process(), host="elsewhere", system="of its own", pid=1)
    with monkeypatch.context() as patch:
        patch.setattr(study_module, "this_process", lambda: elsewhere)
        theirs = Here(tmp_path)
        claim = theirs.study.claim(2)
    ours = Here(tmp_path)
    for _ in range(3):
        assert ours.study.others() == 1
        clock.now += 599
        assert ours.study.others() == 1
        claim.beat()  # it gets on
    assert ours.study.others() == 1
    clock.now += 599
    assert ours.study.others() == 1
    clock.now += 2
    assert ours.study.others() == 0
    row = ours.study.rows()[0]
    assert row.state == FAILED and row.lost and row.reason == "its process (1 on elsewhere) was not heard of for 600 s"
    with pytest.raises(GivenUp):
        claim.report(1, 0.5)
    assert theirs.study.end(claim.number, COMPLETE, 0.9) is False
    assert states(theirs.study) == [FAILED]
    assert list(ours.folder.beats.iterdir()) == []


def test_a_process_of_this_machine_that_hangs_is_given_up_too(tmp_path, monkeypatch):
    clock = Clock()
    one, other = Here(tmp_path), Here(tmp_path)
    monkeypatch.setattr(study_module.time, "monotonic", clock.monotonic)
    one.study.claim(1)
    assert other.study.others() == 1
    clock.now += 601
    assert other.study.others() == 0


def test_a_trial_of_this_process_is_its_own_affair(tmp_path, monkeypatch):
    here = Here(tmp_path, lost_after_s=0.0)
    here.study.claim(5)
    assert here.study.others() == 0
    here.study.claim(5)
    assert states(here.study) == [RUNNING, RUNNING]


def failing(study, count, reason, state=FAILED, **about):
    for i in range(count):
        claim = study.claim(100)
        accuracy = 0.5 if state == COMPLETE else None
        study.end(claim.number, state, accuracy, reason=reason.format(i * 1.5), **about)


def test_five_failures_alike_end_the_search(tmp_path):
    study = Here(tmp_path).study
    failing(study, 5, "the loss is nan at step {} of 40 (learning rate 3e-{})".replace("-{}", "-05"))
    with pytest.raises(Hopeless, match=r"the first 5 trials all failed alike: the loss is nan at step 0\.0"):
        study.claim(100)
    with pytest.raises(Hopeless, match="correct the space or the recipe"):
        Here(tmp_path).study.claim(100)


@pytest.mark.parametrize(
    "how", ["only four", "another reason", "one that did not", "one that was pruned", "lost with their processes"]
)
def test_other_failures_do_not(tmp_path, how):
    study = Here(tmp_path).study
    failing(study, 4, "the loss is nan at step {}")
    if how == "another reason":
        failing(study, 4, "filter_size is {}")
    if how == "one that did not":
        failing(study, 1, "", COMPLETE)
        failing(study, 1, "the loss is nan at step {}")
    if how == "one that was pruned":
        failing(study, 1, "", PRUNED)
        failing(study, 1, "the loss is nan at step {}")
    if how == "lost with their processes":
        failing(study, 3, "the loss is nan at step {}", lost=True)
    assert study.claim(100) is not None


@pytest.mark.parametrize("pruner", ["median", "hyperband", "none"])
def test_what_is_worse_than_the_others_is_pruned(tmp_path, pruner):
    here = Here(tmp_path, pruner=pruner, recipe=small_recipe(train__epochs=9))
    assert (here.method.looks, here.method.warm_up) == (9, 3)
    pruned = []
    for i in range(20):
        claim = here.study.claim(20)
        good = 0.9 - 0.001 * i if i < 15 else 0.1
        pruned.append(0)
        for look in range(1, 10):
            if claim.report(look, good * (1 - 0.5**look)):
                pruned[-1] = look
                break
        here.study.end(claim.number, PRUNED if pruned[-1] else COMPLETE, None if pruned[-1] else good)
    if pruner == "none":
        assert not any(pruned)
    elif pruner == "median":
        assert not any(pruned[:5]) and set(pruned[15:]) == {here.method.warm_up + 1}
    else:
        assert all(0 < look < 9 for look in pruned[15:])
    rows = here.study.rows()
    assert all(row.looks for row in rows)
    assert all(row.accuracy == row.looks[max(row.looks)] for row in rows if row.state == PRUNED)


def test_importances_of_too_few_and_of_enough(tmp_path):
    study = Here(tmp_path).study
    assert study.importances() == {}
    for _ in range(30):
        claim = study.claim(30)
        study.end(claim.number, COMPLETE, float(claim.params["optimizer.rule"] == "adam"))
    found = study.importances()
    assert set(found) == set(study.space.entries)
    assert max(found, key=found.get) == "optimizer.rule" and sum(found.values()) == pytest.approx(1)


def test_optuna_says_nothing_and_keeps_its_settings(tmp_path, capfd):
    optuna.logging.set_verbosity(optuna.logging.INFO)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study = Here(tmp_path, sampler="tpe", pruner="hyperband").study
        for _ in range(12):
            claim = study.claim(20)
            claim.report(1, 0.5)
            study.end(claim.number, COMPLETE, 0.5)
        study.importances()
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == optuna.logging.INFO


@pytest.mark.parametrize("damage", ['{"op_code": 4}\n', '{"op_code": 99, "worker_id": "x"}\n', "rubbish\n"])
def test_a_damaged_journal_is_one_clear_error(tmp_path, damage):
    here = Here(tmp_path)
    here.study.claim(2)
    with here.folder.journal.open("a") as file:
        file.write(damage)
    with pytest.raises(ValueError, match=r"journal\.jsonl is damaged .*search in another folder"):
        Here(tmp_path)


def test_optunas_own_tools_read_it(tmp_path):
    here = Here(tmp_path, space=SPACE)
    claim = here.study.claim(2)
    claim.report(1, 0.25)
    here.study.end(claim.number, COMPLETE, 0.5)
    backend = optuna.storages.journal.JournalFileBackend(str(here.folder.journal))
    study = optuna.load_study(study_name="search", storage=optuna.storages.JournalStorage(backend))
    assert study.best_value == 0.5 and study.best_params == claim.params
    assert study.trials[0].intermediate_values == {1: 0.25}
