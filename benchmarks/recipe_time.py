"""The time of a training step of the recipe 94, ours and PyTorch's, in turn on the same machine and the same images.

    python -m benchmarks.recipe_time ~/data/cifar-10-batches-bin --steps 6
    python -m benchmarks.recipe_time ~/data/cifar-10-batches-bin --steps 6 --keep-memory --out times.json

A step is all of it: making the batch, loss, gradients, update. Ours is a step of the `Solver`, timed from hook to hook,
so that whatever the solver does counts; PyTorch's runs in the hook, in between.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import App, Parameter

from benchmarks import machine, pages, results
from benchmarks.allocator import keep_memory
from benchmarks.others import Others
from benchmarks.timing import Settings
from pellucid import recipes
from pellucid.data import Dataset, open_dataset
from pellucid.training import Hook, Solver
from pellucid.training.batches import Batches, Wanted

RECIPE, WIDTHS = "94", (64, 256, 256)
WARM = 2
"""Steps that are not counted: the first compiles, and looks at accuracies."""
MADE = 5
"""Batches made alone, to see what augmentation costs."""
MOST = 0.03
"""The share of a step that making a batch may take."""
app = App(name="python -m benchmarks.recipe_time", help_format="plaintext", version_flags=[])


class InTurn(Hook):
    """After each step of the solver, one of somebody else's; both are timed.

    Parameters
    ----------
    other : function of nothing
        The other side's step.
    steps : int
        That count; the solver is stopped after them.
    clock, sleep : functions
        As in `time`.
    """

    def __init__(self, other: Any, steps: int, clock: Any = time.perf_counter, sleep: Any = time.sleep) -> None:
        self.other, self.steps, self.clock, self.sleep = other, steps, clock, sleep
        self.ours: list[float] = []
        self.theirs: list[float] = []

    def on_train_begin(self, solver: Solver) -> None:
        """Our first step begins."""
        self.started = self.clock()

    def on_step(self, solver: Solver) -> None:
        """Our step is done; the other's turn. Threads of one side spin for a moment, hence the pauses."""
        ours = self.clock() - self.started
        self.sleep(Settings().pause_s)
        began = self.clock()
        self.other()
        theirs = self.clock() - began
        if solver.iteration > WARM:
            self.ours.append(ours)
            self.theirs.append(theirs)
        if solver.iteration == WARM + self.steps:
            solver.stop()
        self.sleep(Settings().pause_s)
        self.started = self.clock()


def measure(dataset: Dataset, steps: int, batch_size: int, widths: tuple[int, ...]) -> dict[str, Any]:
    """Seconds of each side's steps, and of making one of our batches with nothing else to do.

    Parameters
    ----------
    steps : int
        Of each side, after the first ones.
    batch_size, widths : int, tuple of int
        Of both recipes.

    Raises
    ------
    ValueError
        The recipe has not so many steps.
    """
    from benchmarks import recipe_torch

    recipe = recipes.load(RECIPE).with_changes({"train.batch_size": batch_size, "network.widths": list(widths)})
    data = recipes.split(recipe, dataset)
    theirs = recipe_torch.Training(recipe_torch.Recipe(batch_size=batch_size, widths=widths), dataset)
    in_turn = InTurn(theirs.step, steps)
    options: dict[str, Any] = {"verbose": False, "progress": False, "num_train_samples": 1}
    solver = recipes.build_solver(recipe, data, len(dataset.classes), hooks=[in_turn], **options)
    if WARM + steps > solver.num_iterations:
        raise ValueError(f"measure: steps is {steps}, but the recipe has only {solver.num_iterations - WARM} to count")
    solver.train()
    return {"ours_s": in_turn.ours, "pytorch_s": in_turn.theirs, "batch_s": making_a_batch(solver)}


def making_a_batch(solver: Solver) -> float:
    """Seconds to augment a batch in the foreground, on the one thread that it has."""
    batches = Batches(solver.X_train, solver.y_train, solver.augmentation)
    chosen = np.random.default_rng(0).permutation(len(solver.y_train))[: solver.batch_size]
    times = []
    for _ in range(1 + MADE):
        started = time.perf_counter()
        batches.take(Wanted(0, 0, chosen), None)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def summary(measured: dict[str, Any], batch_size: int) -> dict[str, Any]:
    """Medians, their ratio, images a second, and what share of our step making a batch is."""
    ours, theirs = (statistics.median(measured[side]) for side in ("ours_s", "pytorch_s"))
    return measured | {
        "batch_size": batch_size,
        "ours_median_s": ours,
        "pytorch_median_s": theirs,
        "ratio": theirs / ours,
        "ours_images_per_s": batch_size / ours,
        "pytorch_images_per_s": batch_size / theirs,
        "batch_share": measured["batch_s"] / ours,
    }


def lines(result: dict[str, Any]) -> list[str]:
    """The result, to read."""

    def side(name: str, key: str) -> str:
        times = result[f"{key}_s"]
        return (
            f"{name:8s}{result[f'{key}_median_s']:8.3f} s a step ({min(times):.3f} to {max(times):.3f}), "
            f"{result[f'{key}_images_per_s']:6.0f} images/s"
        )

    verdict = "below" if result["batch_share"] < MOST else "NOT below"
    return [
        f"recipe {RECIPE}, batch {result['batch_size']}, {len(result['ours_s'])} steps of each, in turn",
        side("ours", "ours"),
        side("PyTorch", "pytorch") + (", freed memory kept" if result.get("keep_memory") else ""),
        f"PyTorch's median divided by ours: {result['ratio']:.2f}",
        f"making a batch of ours: {1000 * result['batch_s']:.1f} ms on one thread, in the background: "
        f"{result['batch_share']:.1%} of a step, {verdict} {MOST:.0%}",
    ]


@app.default
def main(
    data: str,
    /,
    *,
    steps: int = 6,
    threads: int = 2,
    keep: Annotated[bool, Parameter(name="--keep-memory", negative="")] = False,
    batch_size: int = 2000,
    out: Path | None = None,
) -> int:
    """Measure training steps of the recipe 94, ours and PyTorch's in turn.

    Parameters
    ----------
    data
        CIFAR-10: a folder, a zip or a name, as for `pellucid train`.
    steps
        Of each side; two more come first and do not count.
    threads
        Of both sides.
    keep
        Let the C library keep freed memory (`benchmarks/allocator.py`): PyTorch is then faster than as installed.
    batch_size
        Of both sides.
    out
        Write the result to this file, as JSON.
    """
    if steps < 1 or threads < 1:
        print(f"recipe_time: --steps is {steps} and --threads {threads}; both must be at least 1", file=sys.stderr)
        return 2
    try:
        if keep:
            keep_memory()
        dataset = open_dataset(data)
        machine.set_threads(threads)
        about = machine.describe(threads) | machine.measure(threads)
        print(pages.machine_line(about), flush=True)
        others = Others()
        measured = measure(dataset, steps, batch_size, WIDTHS)
    except (OSError, ValueError) as error:
        print(f"recipe_time: {error}", file=sys.stderr)
        return 2
    result = summary(measured, batch_size) | {"keep_memory": keep, "others_share": others.share()}
    print("\n".join(lines(result)))
    print(f"other programs took {result['others_share']:.0%} of the processor meanwhile")
    if out:
        results.write(out, {"machine": about, "recipe": RECIPE} | result)
    return 0


if __name__ == "__main__":
    sys.exit(app())
