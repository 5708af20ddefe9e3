"""Where the time of a training step, or of inference, goes: each kernel's share, and what is left between them.

    python -m benchmarks.by_kernel tutorial            # or resnet9, airbench94: a training step
    python -m benchmarks.by_kernel resnet9 --images 1  # inference of so many images, batch norm folded

This is how a figure that falls short is explained; `docs/benchmarks.md` quotes it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import ours
from benchmarks.networks import IMAGE, folded, parameters
from benchmarks.steps import BATCHES, DEEP, our_step
from pellucid.kernels import jit

WARM, RUNS = 3, 20


def measured(run: Callable[[], Any], runs: int = RUNS) -> tuple[float, dict[str, float], Counter[str]]:
    """Milliseconds a run (the median), and milliseconds and calls a run by kernel."""
    times: defaultdict[str, float] = defaultdict(float)
    calls: Counter[str] = Counter()

    def timed(launch: Callable[..., None]) -> Callable[..., None]:
        def call(kernel: Any, *arguments: Any) -> None:
            started = time.perf_counter()
            launch(kernel, *arguments)
            times[kernel.__name__] += 1000 * (time.perf_counter() - started)
            calls[kernel.__name__] += 1

        return call

    for _ in range(WARM):
        run()
    whole, launch = [], jit.Kernel.__call__
    jit.Kernel.__call__ = timed(launch)  # type: ignore[method-assign]
    try:
        for _ in range(runs):
            started = time.perf_counter()
            run()
            whole.append(1000 * (time.perf_counter() - started))
    finally:
        jit.Kernel.__call__ = launch  # type: ignore[method-assign]
    shares = {name: value / runs for name, value in times.items()}
    return statistics.median(whole), shares, Counter({name: count // runs for name, count in calls.items()})


def work(name: str, images: int | None) -> Callable[[], Any]:
    """A training step, or inference of some images."""
    if images is None:
        return our_step(name).run
    network = DEEP[name]
    x = ours.images(np.random.default_rng(0), images, *IMAGE[:2])
    return ours.inference(network, folded(network, parameters(network)), x)


def report(name: str, images: int | None, runs: int = RUNS) -> list[str]:
    """The table, line by line. What is too small for a second thread is launched without a lock, and counts as left."""
    whole, times, calls = measured(work(name, images), runs)
    what = f"a training step of {name}" if images is None else f"inference of {images} by {name}"
    lines = [f"{what}: {whole:.2f} ms"]
    for kernel, ms in sorted(times.items(), key=lambda item: -item[1]):
        lines.append(f"  {kernel:28s}{ms:9.3f} ms  {100 * ms / whole:3.0f} %  in {calls[kernel]} calls")
    left = whole - sum(times.values())
    return [*lines, f"  {'between them':28s}{left:9.3f} ms  {100 * left / whole:3.0f} %"]


def main() -> None:
    """Print the table that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=list(BATCHES))
    parser.add_argument("--images", type=int, help="measure inference of so many images in place of a training step")
    given = parser.parse_args()
    if given.images is not None and given.network not in DEEP:
        parser.error(f"--images goes with {' or '.join(DEEP)}, not with {given.network}")
    if given.images is not None and given.images < 1:
        parser.error(f"--images is {given.images}; it must be at least 1")
    print("\n".join(report(given.network, given.images)))


if __name__ == "__main__":
    main()
