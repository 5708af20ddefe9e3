"""Runs that are started, watched, stopped and resumed from the page."""

import asyncio
import json
import os
import signal
import sys
import threading

import pytest
from studio_served import LONG, SMALL, children_of

from pellucid.studio.trainings import Training


@pytest.mark.slow
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


@pytest.mark.slow
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
        (SMALL | {"epochs": 10**30}, "less than"),
        (SMALL | {"epochs": True}, "epochs is True"),
        (SMALL | {"data": "~nobody-of-this-name/x"}, "nobody of that name"),
        (SMALL | {"data": "x" * 300}, "too long"),
        (SMALL | {"data": "\ud800"}, "data must be text"),
        (SMALL | {"recipe": "\ud800"}, "recipe must be text"),
        (SMALL | {"recipe": "x" * 2000}, "at most 1000"),
        (SMALL | {"set": ["train.epochs=\ud800"]}, "no change to a recipe"),
        (SMALL | {"set": [3]}, "no change to a recipe"),
        (SMALL | {"name": "\U00020000" * 64}, "give letters"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(lasting, asked, said):
    answer = lasting.post("/api/runs", asked)
    assert answer.status in (400, 422)
    assert said in answer.json["error"]
    assert [path.name for path in lasting.studio.library.runs.iterdir()] == ["first"]


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


def test_a_second_stop_does_not_keep_it_from_saving(served, runs):
    served.post("/api/runs", LONG | {"name": "twice"})
    served.until("twice", lambda item: item["has_model"])
    for _ in range(5):
        assert served.post("/api/runs/twice/stop").status in (200, 409)  # 409 once it has stopped
    assert served.until("twice", lambda item: item["state"] == "stopped")["error"] is None
    log = served.ask("/api/runs/twice").json["log"]
    assert "go on with" in log
    assert "second signal" not in log


def test_a_studio_that_ignores_ctrl_c_stops_its_runs_all_the_same(served):
    """A shell has what it starts in the background ignore Ctrl-C, and whatever that starts inherits it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        served.post("/api/runs", LONG | {"name": "behind"})
    finally:
        signal.signal(signal.SIGINT, before)
    served.until("behind", lambda item: item["has_model"])
    served.post("/api/runs/behind/stop")
    assert served.until("behind", lambda item: item["state"] == "stopped")["error"] is None
    assert "go on with" in served.ask("/api/runs/behind").json["log"]


def test_a_run_that_was_killed_says_so(served):
    served.post("/api/runs", LONG | {"name": "killed"})
    served.until("killed", lambda item: item["has_model"])
    (pid,) = [pid for pid, command in children_of() if " train " in command]
    os.kill(pid, signal.SIGKILL)
    item = served.until("killed", lambda item: item["error"])
    assert item["state"] == "stopped"
    assert "SIGKILL" in item["error"]


def test_runs_cannot_be_made_in_a_file(serve, tmp_path):
    (tmp_path / "file").write_text("")
    answer = serve(runs=tmp_path / "file").post("/api/runs", SMALL)
    assert answer.status == 422
    assert "cannot be started" in answer.json["error"]


def test_what_a_run_prints_without_end_does_not_stop_it():
    """A pipe that nobody empties would."""
    code = "import sys; sys.stdout.write('x' * 10**6); print(); print('y'); print('end' * 10**5)"

    async def lines():
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
        training = Training(process)
        await training.reading
        return list(training.lines)

    assert asyncio.run(lines()) == ["x" * 2000, "y", ("end" * 1000)[:2000]]


@pytest.mark.parametrize("size", [1, 700, 2**16])
def test_of_a_long_line_the_beginning_is_kept_however_it_arrives(size):
    class Pieces:
        """A process whose output comes a few bytes at a time."""

        def __init__(self, output):
            self.stdout, self._left = self, output

        async def read(self, most):
            piece, self._left = self._left[: min(size, most)], self._left[min(size, most) :]
            return piece

        async def wait(self):
            return 0

    async def lines():
        training = Training(Pieces(b"first " * 1000 + b"\n" + b"second\n" + b"last " * 1000))
        await training.reading
        return list(training.lines)

    assert asyncio.run(lines()) == [("first " * 1000)[:2000].rstrip(), "second", ("last " * 1000)[:2000].rstrip()]
