"""The studio beside a run that trains: how fast it answers, and what it costs the training.

    python -m benchmarks.studio                       # digits: needs no data
    python -m benchmarks.studio cifar10 quick         # a data set and a recipe
    python -m benchmarks.studio cifar10 quick --browser    # the pages are open in headless Chromium

No page, one page and ten are open in turn, round after round, while one run trains on all threads. Its step time is the
median over the steps of each part, read from its metrics, and of these the median over the rounds. A page keeps the
stream open and asks what the room of runs asks; without a browser, drawing costs nothing. The answers are timed while
one page is open.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from benchmarks import machine
from pellucid.kernels.jit import threads

PAGES = (0, 1, 10)
ASKED = {
    "the page": "/",
    "the list of runs": "/api/state",
    "a run": "/api/runs/beside",
    "its metrics": "/api/runs/beside/metrics",
    "the network": "/api/items/beside/network",
    "a frame of the film": "/api/items/beside/film/0.png",
    "40 test images": "/api/items/beside/sheet.png?indices=" + ",".join(map(str, range(40))),
    "a test image, layer by layer": "/api/items/beside/look?index={n}",
}
SETTLES_S = 2.0
"""After pages were opened or closed, until steps count."""

app = App(name="python -m benchmarks.studio", help_format="plaintext", version_flags=[])


class Studio:
    """``pellucid studio`` and a run beside it, which the page did not start."""

    def __init__(self, folder: Path, data: str, recipe: str) -> None:
        self.runs = folder / "runs"
        program = [sys.executable, "-m", "pellucid"]
        log = (folder / "log").open("w+")
        self.server = subprocess.Popen(
            [*program, "studio", "--runs", str(self.runs), "--port", "0", "--no-browser"], stdout=log, stderr=log
        )
        run = ["--epochs", "100000", "--run", str(self.runs / "beside")]
        self.training = subprocess.Popen(
            [*program, "train", data, "--recipe", recipe, *run], stdout=subprocess.DEVNULL, stderr=log
        )
        self.port = int(_waited(lambda: re.search(r"127\.0\.0\.1:(\d+)", (folder / "log").read_text())).group(1))
        _waited(lambda: (self.runs / "beside" / "checkpoint.safetensors").exists())
        log.close()

    def ask(self, path: str) -> float:
        """Seconds until the whole answer is there."""
        method = "POST" if "/look" in path else "GET"
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, headers={"X-Pellucid": "page"})
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"studio: {path} gave {answer.status}: {content[:200]!r}")
        return time.perf_counter() - began

    def steps(self) -> list[tuple[int, float]]:
        """(step, time_s) of every step so far."""
        lines = (self.runs / "beside" / "metrics.jsonl").read_bytes().split(b"\n")[:-1]
        rows = [json.loads(line) for line in lines]
        return [(row["step"], row["time_s"]) for row in rows if row["kind"] == "step"]

    def close(self) -> None:
        for process in (self.training, self.server):
            process.send_signal(signal.SIGINT)
        for process in (self.training, self.server):
            process.wait(60)


def _waited(wanted: Any, limit_s: float = 120) -> Any:
    ends = time.monotonic() + limit_s
    while time.monotonic() < ends:
        with contextlib.suppress(FileNotFoundError):
            if found := wanted():
                return found
        time.sleep(0.1)
    raise TimeoutError("the studio or its run did not begin")


@contextlib.contextmanager
def plain_pages(studio: Studio, count: int) -> Iterator[None]:
    """Streams that are read, and what a page asks when it opens and then every five seconds."""
    stop = threading.Event()

    def stream() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", "/api/events")
            answer = connection.getresponse()
            while not stop.is_set() and answer.read1(65536):
                pass

    def page() -> None:
        reading = threading.Thread(target=stream)
        reading.start()
        while True:
            for path in ("/api/state", "/api/runs/beside", "/api/runs/beside/metrics"):
                studio.ask(path)
            if stop.wait(5):
                break
        reading.join()

    pages = [threading.Thread(target=page) for _ in range(count)]
    for one in pages:
        one.start()
    try:
        yield
    finally:
        stop.set()
        for one in pages:
            one.join()


@contextlib.contextmanager
def browser_pages(studio: Studio, count: int) -> Iterator[None]:
    """Tabs of headless Chromium, in the room of runs."""
    if count == 0:
        yield
        return
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        for number in range(count):
            if number:
                driver.switch_to.new_window("tab")
            driver.get(f"http://127.0.0.1:{studio.port}/#/runs/beside")
        time.sleep(SETTLES_S)
        yield
    finally:
        driver.quit()


def step_s(studio: Studio, seconds: float) -> float:
    """The median time of the steps of the next seconds."""
    time.sleep(SETTLES_S)
    first = len(studio.steps())
    time.sleep(seconds)
    rows = studio.steps()[first:]
    return statistics.median(b - a for (_, a), (_, b) in itertools.pairwise(rows))


@app.default
def main(
    data: str = "digits",
    recipe: str = "tutorial",
    *,
    rounds: Annotated[int, Parameter(help="How often each number of pages has its turn.")] = 5,
    seconds: Annotated[float, Parameter(help="Of training in each turn.")] = 10.0,
    browser: Annotated[bool, Parameter(help="Open the pages in headless Chromium.")] = False,
) -> None:
    """Measure, and print two tables."""
    about = machine.describe(threads())
    print(f"{about['processor']}, {threads()} threads; {data}, recipe {recipe}; {rounds} rounds of {seconds:g} s")
    pages = browser_pages if browser else plain_pages
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(Path(folder), data, recipe)
        try:
            found: dict[int, list[float]] = {count: [] for count in PAGES}
            answers: dict[str, list[float]] = {name: [] for name in ASKED}
            for turn in range(rounds):
                for count in PAGES if turn % 2 == 0 else PAGES[::-1]:
                    with pages(studio, count):
                        found[count].append(step_s(studio, seconds))
                        if count == 1:
                            for name, path in ASKED.items():
                                answers[name] += [studio.ask(path.format(n=n + 10 * turn)) for n in range(10)]
        finally:
            studio.close()
    _print(found, answers)


def _print(found: dict[int, list[float]], answers: dict[str, list[float]]) -> None:
    print("\n| pages open | ms a step | slower |\n| --- | ---: | ---: |")
    ratios = {count: statistics.median(a / b for a, b in zip(found[count], found[0], strict=True)) for count in found}
    for count, values in found.items():
        print(f"| {count} | {1000 * statistics.median(values):.3f} | {100 * (ratios[count] - 1):+.1f} % |")
    print("\n| answer, one page open | median | nine of ten within |\n| --- | ---: | ---: |")
    for name, values in answers.items():
        nine = statistics.quantiles(values, n=10)[-1]
        print(f"| {name} | {1000 * statistics.median(values):.0f} ms | {1000 * nine:.0f} ms |")


if __name__ == "__main__":
    app()
