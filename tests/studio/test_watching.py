"""What the server sees on disk and tells its pages, also of runs that are odd, or go."""

import asyncio
import json
import os
import shutil
import time

import pytest
from studio_served import PATIENCE_S

from pellucid.studio.items import Library
from pellucid.studio.watcher import Watcher


def test_a_page_misses_no_step_while_others_ask(served, runs):
    """Whoever reads a run's metrics, every listener is told of every row."""
    events = served.events("/api/events")
    next(events)
    served.ask("/api/runs/first/metrics")
    file = runs / "first" / "metrics.jsonl"
    row = next(line for line in map(json.loads, file.read_text().splitlines()) if line["kind"] == "step")
    for step in range(1000, 1030):
        with file.open("a") as out:
            out.write(json.dumps(row | {"step": step}) + "\n")
        served.ask("/api/state")
        served.ask("/api/runs/first/metrics")
    told = []
    while 1029 not in told:
        name, data = next(events)
        if name == "rows":
            told += [step[0] for step in data["steps"]]
    events.close()
    assert told == list(range(1000, 1030))


def test_metrics_that_grew_a_lot_are_asked_for_anew(served, runs):
    """A stream is no place for all steps of a night."""
    events = served.events("/api/events")
    next(events)
    served.ask("/api/runs/first/metrics")
    file = runs / "first" / "metrics.jsonl"
    row = next(line for line in map(json.loads, file.read_text().splitlines()) if line["kind"] == "step")
    lines = [json.dumps(row | {"step": step}) + "\n" for step in range(1000, 6000)]
    new = file.with_name("new")
    new.write_text("".join(lines))
    new.replace(file)
    data = next(data for name, data in events if name == "rows")
    events.close()
    assert (data["steps"], data["is_new"]) == ([], True)
    steps = served.ask("/api/runs/first/metrics").json["steps"]["step"]
    assert len(steps) <= 2000
    assert steps[-1] == 5999


@pytest.mark.parametrize("was_watched", [False, True])
def test_a_change_between_the_first_answer_and_the_first_look_is_told(runs, was_watched):
    """A page that opens is told how things are; what changes before the watcher looks must not go unsaid."""

    async def page():
        watcher = Watcher(Library([], runs), None, lambda id, item: item)
        if was_watched:
            async with watcher.listening() as queue:
                assert [item["id"] for item in (await queue.get())[1]["items"]] == ["first"]
            shutil.move(runs / "first", runs.parent / "away")
        first = await watcher.items()
        async with watcher.listening() as queue:
            if was_watched:
                shutil.move(runs.parent / "away", runs / "first")
            else:
                shutil.rmtree(runs / "first")
            async with asyncio.timeout(PATIENCE_S):
                name, data = await queue.get()
        await watcher.close()
        assert name == "state"
        assert [item["id"] for item in data["items"]] != [item["id"] for item in first]

    asyncio.run(page())


def test_a_run_deleted_under_its_feet(served, runs):
    events = served.events("/api/events")
    next(events)
    shutil.rmtree(runs / "first")
    for name, data in events:
        if name == "state" and not data["items"]:
            break
    events.close()
    for path in ("/api/runs/first", "/api/runs/first/metrics", "/api/items/first/network", "/api/items/first/film"):
        answer = served.ask(path)
        assert (answer.status, "first" in answer.json["error"]) == (404, True)
    assert served.ask("/api/state").status == 200


def test_a_damaged_run_is_one_of_many(served, runs):
    (runs / "odd").mkdir()
    (runs / "odd" / "run.json").write_text("{")
    (runs / "first" / "metrics.jsonl").write_bytes(b"\xff\xfe rubbish\n")
    states = {item["id"]: item for item in served.ask("/api/state").json["items"]}
    assert served.ask("/api/runs/odd").status == served.ask("/api/runs/odd/metrics").status == 422
    assert states["odd"]["state"] == "damaged"
    assert "odd" in states["odd"]["error"]
    assert states["first"]["state"] == "damaged"
    assert "metrics.jsonl" in states["first"]["error"]


def numbers_that_are_none(run):
    record = json.loads((run / "run.json").read_text())
    record["recipe"]["train"]["epochs"] = float("nan")
    (run / "run.json").write_text(json.dumps(record | {"machine": {"memory": float("inf")}}))


def recipe_is_a_list(run):
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"recipe": [1]}))


def deep(run):
    record = json.loads((run / "run.json").read_text())
    text = json.dumps(record | {"machine": "DEEP"})
    (run / "run.json").write_text(text.replace('"DEEP"', "[" * 900 + "]" * 900))


def infinite_result(run):
    (run / "result.json").write_text(json.dumps({"epochs": float("inf"), "test_accuracy": float("nan")}))


def result_of_other_kinds(run):
    (run / "result.json").write_text(json.dumps({"epochs": 5, "test_accuracy": {"a": 1}}))


def pipe(name):
    def change(run):
        (run / name).unlink()
        os.mkfifo(run / name)

    return change


def folder(name):
    def change(run):
        (run / name).unlink()
        (run / name).mkdir()

    return change


def odd_bytes_in_its_name(run):
    run.rename(os.fsdecode(os.fsencode(run) + b"\xff"))


ODD = {
    "NaN in run.json": numbers_that_are_none,
    "a list for a recipe": recipe_is_a_list,
    "deep": deep,
    "an infinite result": infinite_result,
    "a result of other kinds": result_of_other_kinds,
    "a pipe for metrics": pipe("metrics.jsonl"),
    "a pipe for a result": pipe("result.json"),
    "a pipe for a model": pipe("model.safetensors"),
    "a folder for metrics": folder("metrics.jsonl"),
    "a folder for a model": folder("model.safetensors"),
    "a name that is no text": odd_bytes_in_its_name,
}


def test_odd_runs_take_nothing_from_the_others(served, runs):
    """All kinds of them at once: each is described or refused in a sentence, and the sound one is as it was."""
    for number, change in enumerate(ODD.values()):
        change(shutil.copytree(runs / "first", runs / f"odd-{number}"))
    items = {item["id"]: item for item in served.ask("/api/state").json["items"]}
    assert items["first"]["state"] == "finished"
    odd = sorted(set(items) - {"first"})
    assert len(odd) == len(ODD)
    events = served.events("/api/events")
    assert {item["id"] for item in next(events)[1]["items"]} == {"first", *odd}
    events.close()
    for id in odd:
        for path in (f"runs/{id}", f"runs/{id}/metrics", f"items/{id}/network", f"items/{id}/film"):
            answer = served.ask(f"/api/{path}")
            assert answer.status in (200, 404, 422), path
            assert answer.status == 200 or answer.json["error"], path
    assert served.ask("/api/runs/first").status == 200


def test_metrics_that_are_rewritten_are_told_anew(served, runs):
    file = runs / "first" / "metrics.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    events = served.events("/api/events")
    next(events)
    served.ask("/api/runs/first/metrics")
    new = file.with_name("new")
    new.write_text("".join(lines[:2]))
    new.replace(file)
    for name, data in events:
        if name == "rows" and data["is_new"]:
            break
    events.close()
    assert len(data["steps"]) + len(data["epochs"]) == 2


def test_the_watcher_rests_when_nobody_listens(served):
    watcher = served.studio.watcher
    assert watcher._task is None
    events = served.events("/api/events")
    next(events)
    assert not watcher._task.done()
    events.close()
    for _ in range(PATIENCE_S * 10):
        if watcher._task.done():
            return
        time.sleep(0.1)
    raise AssertionError("it goes on looking")
