"""Work that ends with its page, and a studio that ends with all that it started."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from studio_served import LONG, PATIENCE_S, children_of, until

from pellucid.runs.folder import RunFolder
from pellucid.training.checkpoint import load_checkpoint


@pytest.mark.slow
def test_a_closed_stream_ends_its_work(served):
    """The worker of long jobs is ended with the job; the next job gets a new one."""
    events = served.events("/api/items/first/strongest?layer=conv1")
    next(events)
    events.close()
    assert list(served.events("/api/items/first/mistakes"))[-1][0] == "result"
    assert served.ask("/api/items/first/network").status == 200


@pytest.mark.slow
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


@pytest.fixture
def program(runs, tmp_path):
    """The installed program in a folder of its own with files that are called as Python's modules; its port."""
    inside = tmp_path / "inside"
    inside.mkdir()
    for name in ("json.py", "random.py", "pellucid.py"):
        (inside / name).write_text("raise SystemExit('shadowed')")
    log = tmp_path / "log"
    command = [
        *(sys.executable, "-P", "-m", "pellucid", "studio"),
        *("--runs", str(runs), "--port", "0", "--no-browser"),
    ]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=inside)
    try:
        until(lambda: "http://" in log.read_text())
        process.port = int(log.read_text().split("127.0.0.1:")[1].split("/")[0])
        process.log = log
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGINT] * 3, [signal.SIGHUP]], ids=str)
def test_nothing_is_left_when_the_studio_ends(runs, program, signals):
    """Stopped by Ctrl-C, once or more, or by its terminal: its run saves, its workers go, however many pages look."""
    watching = http.client.HTTPConnection("127.0.0.1", program.port, timeout=PATIENCE_S)
    watching.request("GET", "/api/events")
    watching.getresponse()
    for method, path, body in (
        ("GET", "/api/items/first/network", None),
        ("POST", "/api/runs", LONG | {"name": "left"}),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", program.port, timeout=PATIENCE_S)
        connection.request(method, path, body and json.dumps(body), {"X-Pellucid": "page"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        connection.close()
    started = [pid for pid, _ in children_of(program.pid)]
    assert len(started) == 2
    until(lambda: len(steps_of(runs / "left")) > 20)
    for number in signals:
        program.send_signal(number)
    program.wait(PATIENCE_S)
    watching.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)
    assert not RunFolder(runs / "left").is_held()
    assert load_checkpoint(runs / "left" / "checkpoint.safetensors")["iteration"] == steps_of(runs / "left")[-1]
    assert "Traceback" not in program.log.read_text()


def steps_of(run):
    if not (run / "metrics.jsonl").exists():
        return []
    lines = (run / "metrics.jsonl").read_bytes().split(b"\n")[:-1]
    return [row["step"] for row in map(json.loads, lines) if row["kind"] == "step"]
