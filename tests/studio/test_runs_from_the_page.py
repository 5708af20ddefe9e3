"""Runs that are started, watched, stopped and resumed from the page; nothing is left running."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from studio_served import PATIENCE_S, children_of

from pellucid.runs.folder import RunFolder

SMALL = {"data": "digits", "recipe": "tutorial", "set": ["network.filters=4", "network.hidden=[8]"]}
LONG = SMALL | {"epochs": 100000}


def test_a_run_is_started_seen_growing_stopped_and_resumed(served, runs):
    events = served.events("/api/events")
    assert next(events)[0] == "state"
    id = served.post("/api/runs", LONG | {"name": "mine", "seed": 3}).json["id"]
    assert id == "mine"
    rows, states = [], set()
    while len(rows) < 3:
        name, data = next(events)
        if name == "rows" and data["id"] == "mine":
            rows.append(data)
        elif name == "state":
            states |= {item["state"] for item in data["items"] if item["id"] == "mine"}
    events.close()
    steps = [row[0] for each in rows for row in each["steps"]]
    assert steps == sorted(set(steps)) and len(steps) > 3
    assert rows[-1]["seconds_left"] > 0
    assert "running" in states
    assert json.loads((runs / "mine" / "run.json").read_text())["seed"] == 3

    item = served.until("mine", lambda item: item["has_model"])
    assert item["mine"]
    assert served.ask("/api/items/mine/network").json["weights"].startswith("checkpoint")

    assert served.post("/api/runs/mine/stop").status == 200
    served.until("mine", lambda item: item["state"] == "stopped")
    assert "go on with" in served.ask("/api/runs/mine").json["log"]
    assert not any(" train " in command for _, command in children_of())

    assert served.post("/api/runs/mine/resume").status == 200
    served.until("mine", lambda item: item["state"] == "running")
    served.post("/api/runs/mine/stop")
    served.until("mine", lambda item: item["state"] == "stopped")


def test_two_browsers_that_start_the_same_run(served):
    answers = []

    def start():
        answers.append(served.post("/api/runs", LONG | {"name": "both"}))

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200, 409]
    refused = next(answer for answer in answers if answer.status == 409)
    assert "both is there already" in refused.json["error"].replace("named ", "")
    served.post("/api/runs/both/stop")
    served.until("both", lambda item: item["state"] == "stopped")


def test_a_run_that_is_there_is_not_replaced(served, runs):
    before = (runs / "first" / "run.json").read_bytes()
    assert served.post("/api/runs", SMALL | {"name": "first"}).status == 409
    assert (runs / "first" / "run.json").read_bytes() == before


def test_names_are_given_in_turn(served):
    assert served.post("/api/runs", SMALL | {"epochs": 1}).json["id"] == "digits-1"
    assert served.post("/api/runs", SMALL | {"epochs": 1}).json["id"] == "digits-2"
    for name in ("digits-1", "digits-2"):
        assert served.until(name, lambda item: item["state"] == "finished")["error"] is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "which data"),
        ({"data": "digits"}, "by which recipe"),
        (SMALL | {"data": "digit"}, "'digit'"),
        (SMALL | {"recipe": "nothing"}, "nothing"),
        (SMALL | {"epochs": "2"}, "epochs is '2'"),
        (SMALL | {"epochs": 0}, "epochs"),
        (SMALL | {"batch_size": -1}, "batch"),
        (SMALL | {"name": "../out"}, "name is '../out'"),
        (SMALL | {"name": ".hidden"}, "name is '.hidden'"),
        (SMALL | {"data": "--help"}, "neither a name nor a path"),
        (SMALL | {"set": ["--overwrite"]}, "no change to a recipe"),
        (SMALL | {"set": ["train.epoch=3"]}, "unknown key 'epoch'"),
        (SMALL | {"colour": 3}, "'colour'"),
        ([], "JSON object"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(served, runs, asked, said):
    answer = served.post("/api/runs", asked)
    assert answer.status in (400, 422)
    assert said in answer.json["error"]
    assert [path.name for path in runs.iterdir()] == ["first"]


def test_a_run_that_fails_says_why(served):
    diverging = SMALL | {
        "name": "high",
        "epochs": 3,
        "set": [*SMALL["set"], "optimizer.rule='sgd'", "optimizer.learning_rate=1e10"],
    }
    served.post("/api/runs", diverging)
    item = served.until("high", lambda item: item["error"])
    assert item["state"] == "stopped"
    assert "loss" in item["error"]


def test_what_was_started_elsewhere_is_stopped_there(served):
    answer = served.post("/api/runs/first/stop")
    assert answer.status == 409
    assert "not started here" in answer.json["error"]


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
    assert states["odd"]["state"] == "damaged"
    assert "odd" in states["odd"]["error"]
    assert states["first"]["state"] == "damaged"
    assert "metrics.jsonl" in states["first"]["error"]


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


def test_a_closed_stream_ends_its_work(served):
    """The worker of long jobs is ended with the job; the next job gets a new one."""
    events = served.events("/api/items/first/strongest?layer=conv1")
    next(events)
    events.close()
    assert list(served.events("/api/items/first/mistakes"))[-1][0] == "result"
    assert served.ask("/api/items/first/network").status == 200


def test_a_job_that_hangs_is_ended_with_its_stream(served):
    """A worker that is stopped by a signal never answers; closing the page ends it all the same."""
    list(served.events("/api/items/first/mistakes"))
    process = served.studio.slow._process
    os.kill(process.pid, signal.SIGSTOP)
    connection = http.client.HTTPConnection("127.0.0.1", served.port)
    connection.request("GET", "/api/items/first/strongest?layer=conv1")
    connection.getresponse()
    connection.close()
    until(lambda: process.pid not in {pid for pid, _ in children_of()})
    assert list(served.events("/api/items/first/mistakes"))[-1][0] == "result"


def test_a_worker_that_dies_is_a_sentence_and_replaced(served):
    assert served.ask("/api/items/first/network").status == 200
    os.kill(served.studio.quick._process.pid, signal.SIGSTOP)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(served.ask("/api/items/first/film")))
    asking.start()
    time.sleep(0.2)
    os.kill(served.studio.quick._process.pid, signal.SIGKILL)
    asking.join()
    assert answers[0].status == 500
    assert "ended" in answers[0].json["error"]
    assert served.ask("/api/items/first/film").status == 200


def test_nothing_is_left_when_the_studio_ends(runs, tmp_path):
    """The installed program, stopped by Ctrl-C: its run saves, its workers go."""
    log = (tmp_path / "log").open("w+")
    program = subprocess.Popen(
        [sys.executable, "-m", "pellucid", "studio", "--runs", str(runs), "--port", "0", "--no-browser"],
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    until(lambda: "http://" in (tmp_path / "log").read_text())
    port = int((tmp_path / "log").read_text().split("127.0.0.1:")[1].split("/")[0])
    for method, path, body in (
        ("GET", "/api/items/first/network", None),
        ("POST", "/api/runs", LONG | {"name": "left"}),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        connection.request(method, path, body and json.dumps(body), {"X-Pellucid": "page"})
        assert connection.getresponse().status == 200
        connection.close()
    started = [pid for pid, _ in children_of(program.pid)]
    assert len(started) == 2
    until(lambda: (runs / "left" / "checkpoint.safetensors").exists())
    program.send_signal(signal.SIGINT)
    assert program.wait(PATIENCE_S) in (0, 130)
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)
    assert not RunFolder(runs / "left").is_held()
    log.close()


def until(wanted):
    for _ in range(PATIENCE_S * 20):
        if wanted():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")
