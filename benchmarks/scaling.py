"""Training on several processes: what it gains, what communication costs, and what to expect of more.

    python -m benchmarks.scaling threads                # two processes of one thread and one of two, in turn
    python -m benchmarks.scaling links                  # two processes with a network between them (Linux, as root)
    python -m benchmarks.scaling networks               # one process of one thread: what the model needs
    python -m benchmarks.scaling tables                 # what was measured, and what the model predicts of it

Each part is added to docs/scaling.json, which ``tables`` reads. Images are noise in the shape of CIFAR-10's, since the
time does not depend on them. A figure is the median over the steps of each round, and of these the median.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cyclopts import App

from benchmarks import cost_model, machine
from benchmarks.cost_model import Link, Work
from benchmarks.namespaces import two_machines
from pellucid import recipes
from pellucid.files import write_atomically

RESULTS = Path(__file__).parents[1] / "docs" / "scaling.json"
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "tutorial": ("tutorial", {}),
    "quick": ("quick", {}),
    "94": ("94", {}),
    "96": ("96", {}),
    "resnet20": ("tutorial", {"network.name": "resnet20", "train.batch_size": 128}),
    "resnet9": ("tutorial", {"network.name": "resnet9", "train.batch_size": 512}),
    "vgg16": ("tutorial", {"network.name": "vgg", "train.batch_size": 128}),
}
"""A recipe and changes to it."""
STEPS = {"94": 4, "96": 3, "resnet9": 4, "vgg16": 4}
MANY_STEPS = 12
LINKS: dict[str, float | None] = {"unlimited": None, "10 Gbit/s": 10_000, "1 Gbit/s": 1_000, "100 Mbit/s": 100}
PREDICTED = {"1 Gbit/s": Link(1e9 / 8, 50e-6), "10 Gbit/s": Link(10e9 / 8, 20e-6), "100 Gbit/s": Link(100e9 / 8, 5e-6)}
"""Bandwidths, and usual latencies of such networks."""
COUNTS = (4, 8, 16, 32, 64, 128, 256)
MPIEXEC = str(Path(sys.prefix) / "bin" / "mpiexec")
app = App(name="python -m benchmarks.scaling", help_format="plaintext", version_flags=[])


def asked(network: str, threads: int) -> dict[str, Any]:
    """What a process is to measure."""
    name, changes = NETWORKS[network]
    recipe = recipes.load(name).with_changes(changes)
    steps = STEPS.get(network, MANY_STEPS)
    return {"kind": "train", "recipe_text": _toml(recipe), "steps": steps, "threads": threads}


def _toml(recipe: recipes.Recipe) -> str:
    from pellucid.recipes.written import recipe_text

    return recipe_text(recipe)


def run(command: list[str], question: dict[str, Any], **settings: str) -> dict[str, Any]:
    """The answer of the processes of a command."""
    program = [sys.executable, "-m", "benchmarks.scaling_rank", json.dumps(question)]
    place = command.index("PROGRAM")
    whole = [*command[:place], *program, *command[place + 1 :]]
    done = subprocess.run(whole, env=os.environ | settings, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(whole[:6])} ... left with {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def medians(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Of each number the median over the rounds, and the rates of all."""
    last = rounds[-1]
    keys = [key for key in last if key.endswith("_s")]
    return (
        last
        | {key: statistics.median(one[key] for one in rounds) for key in keys}
        | {"rounds": [one["images_per_s"] for one in rounds]}
    )


@app.command
def threads(*networks: str, rounds: int = 5) -> None:
    """Two processes of one thread, and one process of two."""
    for network in networks or ("94", "quick"):
        one, two = [], []
        for _ in range(rounds):
            one.append(run(["PROGRAM"], asked(network, 2)))
            two.append(run([MPIEXEC, "-n", "2", "PROGRAM"], asked(network, 1)))
        found = {"1 process, 2 threads": medians(one), "2 processes, 1 thread": medians(two)}
        ratios = [b["images_per_s"] / a["images_per_s"] for a, b in zip(one, two, strict=True)]
        keep("threads", network, found | {"ratio": statistics.median(ratios), "ratios": ratios})


@app.command
def networks(*names: str, rounds: int = 3) -> None:
    """One process of one thread."""
    for network in names or NETWORKS:
        keep("networks", network, medians([run(["PROGRAM"], asked(network, 1)) for _ in range(rounds)]))


@app.command
def links(*names: str, rounds: int = 3) -> None:
    """Sums, and steps of two networks, over a link between two namespaces."""
    with tempfile.TemporaryDirectory() as folder, two_machines(Path(folder)) as machines:
        for link in names or LINKS:
            machines.limit(LINKS[link])
            command, settings = machines.command(MPIEXEC, ["PROGRAM"]), machines.environment()
            found = {"sums": run(command, {"kind": "sums", "repetitions": 9}, **settings)}
            for network in ("quick", "94", "tutorial"):
                found[network] = medians([run(command, asked(network, 1), **settings) for _ in range(rounds)])
            keep("links", link, found)


@app.command
def tables() -> None:
    """Print what was measured and what the model makes of it, as Markdown."""
    from benchmarks.scaling_tables import printed

    print(printed(json.loads(RESULTS.read_text(encoding="utf-8")), PREDICTED, COUNTS))


def keep(part: str, name: str, found: dict[str, Any]) -> None:
    """Put a result into the file, and say it."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    results["machine"] = {key: machine.describe(2)[key] for key in ("processor", "cores", "date")}
    results.setdefault(part, {})[name] = found
    write_atomically(RESULTS, (json.dumps(results, indent=1) + "\n").encode())
    print(part, name, json.dumps(found)[:300], flush=True)


def work_of(measured: dict[str, Any]) -> Work:
    """A network's step on one thread, for the model."""
    compute_s = measured["step_s"] - measured["update_s"] - measured["waited_s"]
    window_s = max(0.0, measured["window_s"])
    return Work(measured["batch_size"], compute_s, measured["update_s"], window_s, tuple(measured["buckets"]))


def fitted_link(found: dict[str, Any]) -> Link:
    """The link that the sums tell of."""
    return cost_model.fitted(found["sums"]["sizes_bytes"], found["sums"]["seconds"])


if __name__ == "__main__":
    app()
