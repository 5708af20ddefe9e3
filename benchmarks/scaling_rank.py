"""One process of `benchmarks.scaling`: it trains for some steps, or adds up arrays, and the first one prints JSON."""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from pellucid import recipes
from pellucid.data import ByteImages, Dataset
from pellucid.extras.mpi import joined
from pellucid.kernels.jit import at_most_threads
from pellucid.training import Hook, Solver, Together
from pellucid.training.together import Alone

WARM = 2
"""Steps that are not counted: the first compiles and looks at accuracies."""
SIZES = (8, 65_536, 1 << 20, 4 << 20, 16 << 20)
"""Bytes that are added up."""


class Timed(Together):
    """Notes when the first gradients of a step are sent, when the backward pass is over, and what is sent at once."""

    first_sent: float | None = None

    def _send(self) -> None:
        if self.first_sent is None:
            self.first_sent = time.perf_counter()
        self.buckets.append(sum(gradient.nbytes for gradient in self._collected.values()))
        super()._send()

    def before_step(self, model: Any, wanted: Any) -> None:
        """A new step."""
        self.first_sent, self.buckets = None, []
        super().before_step(model, wanted)

    def __call__(self, grads: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The backward pass is over."""
        self.window_s = time.perf_counter() - (self.first_sent or time.perf_counter())
        return super().__call__(grads)


class OneRank:
    """Ranks where there is one: it sends nothing, but its buckets are those of several."""

    rank, size = 0, 1

    def sum(self, array: np.ndarray) -> None:
        """Nothing to add."""

    def start_sum(self, array: np.ndarray) -> OneRank:
        """Done."""
        return self

    def poll(self) -> bool:
        """Done."""
        return True

    def wait(self) -> None:
        """Done."""

    def gathered(self, text: str) -> list[str]:
        """The own one."""
        return [text]


class Steps(Hook):
    """Times of steps, and of their parts."""

    def __init__(self, steps: int, together: Alone) -> None:
        self.steps, self.together = steps, together
        self.seen: list[dict[str, float]] = []

    def on_train_begin(self, solver: Solver) -> None:
        """The first step begins."""
        own, self.update_s = solver._update, 0.0

        def update(*arguments: Any) -> None:
            began = time.perf_counter()
            own(*arguments)
            self.update_s = time.perf_counter() - began

        solver._update = update  # type: ignore[method-assign]
        self._begin()

    def on_step(self, solver: Solver) -> None:
        """A step is done."""
        step_s = time.perf_counter() - self.began
        if solver.iteration > WARM:
            waited_s = getattr(self.together, "waited_s", 0.0) - self.waited_s
            window_s = getattr(self.together, "window_s", 0.0)
            self.seen.append({"step_s": step_s, "waited_s": waited_s, "update_s": self.update_s, "window_s": window_s})
        if solver.iteration == WARM + self.steps:
            solver.stop()
        self._begin()

    def _begin(self) -> None:
        self.waited_s = getattr(self.together, "waited_s", 0.0)
        self.began = time.perf_counter()


def images(count: int) -> Dataset:
    """Noise in the shape of CIFAR-10."""
    rng = np.random.default_rng(0)
    pixels, y = rng.integers(0, 256, (count, 32, 32, 3), np.uint8), rng.integers(10, size=count)
    held = ByteImages(pixels[:100]), y[:100]
    return Dataset("noise", tuple("abcdefghij"), ByteImages(pixels), y, *held, *held)


def train(recipe_text: str, steps: int, threads: int) -> dict[str, Any]:
    """Some steps of a recipe; each process computes its part of the batch."""
    recipe = recipes.from_text("measured", recipe_text)
    ranks = joined()
    together = Timed(ranks or OneRank(), recipe["train"]["batch_norm"] == "synchronised")
    batch_size = recipe["train"]["batch_size"]
    dataset = images(batch_size * (WARM + steps))
    with threadpool_limits(threads), at_most_threads(threads):
        data = recipes.split(recipe.with_changes({"data.validation": 0}), dataset)
        hook = Steps(steps, together)
        options: dict[str, Any] = {"verbose": False, "progress": False, "num_train_samples": 100}
        solver = recipes.build_solver(recipe, data, 10, hooks=[hook], reduce_gradients=together, **options)
        solver.train()
    medians = {key: statistics.median(step[key] for step in hook.seen) for key in hook.seen[0]}
    parameters = sum(w.size for w in solver.model.params.values())
    shape = {"ranks": together.size, "threads": threads, "batch_size": batch_size, "parameters": parameters}
    return shape | medians | {"buckets": together.buckets, "images_per_s": batch_size / medians["step_s"]}


def sums(repetitions: int) -> dict[str, Any]:
    """Median seconds of adding up arrays of several sizes."""
    ranks = joined()
    if ranks is None:
        raise ValueError("sums need several processes")
    seconds = []
    for size in SIZES:
        array = np.ones(max(1, size // 4), np.float32)
        times = []
        for _ in range(repetitions):
            ranks.gathered("")  # all begin together
            began = time.perf_counter()
            ranks.start_sum(array).wait()
            times.append(time.perf_counter() - began)
            array[...] = 1
        seconds.append(statistics.median(times))
    return {"sizes_bytes": list(SIZES), "seconds": seconds}


def main() -> None:
    """Do what the parent asks on standard input's behalf: one JSON argument."""
    asked = json.loads(sys.argv[1])
    kind = asked.pop("kind")
    found = train(**asked) if kind == "train" else sums(**asked)
    ranks = joined()
    if ranks is None or ranks.rank == 0:
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
