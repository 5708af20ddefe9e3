"""When is Winograd's algorithm faster? Sets the thresholds in src/pellucid/kernels/plan.py.

    python benchmarks/plan_thresholds.py

Prints, for 3x3 convolutions of few and of tiny images, how many times faster Winograd is than direct convolution, for
the three directions and for the forward pass with prepared filters; beside it the number of tiles and the
multiplications that Winograd saves.
"""

import functools
import itertools
import time

import numpy as np

from pellucid.kernels import convolution
from pellucid.kernels.geometry import Geometry
from pellucid.kernels.workspace import Workspace

FEW_TILES = [(C, N, 8) for C in (16, 64, 256, 512) for N in (1, 2, 4, 6, 8, 16)]
TINY_IMAGES = [(64, 4096 // H**2 * 4, H) for H in (1, 2, 3, 4, 5, 6, 7, 9)]
REPETITIONS = 9


def medians(runs):
    """Milliseconds of each, in turn."""
    seconds = {name: [] for name in runs}
    with Workspace():
        for _ in range(REPETITIONS + 1):
            for name, run in runs.items():
                start = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(s[1:])) for name, s in seconds.items()}


def ratios(C, N, H):
    """Direct time over Winograd's, for C channels and filters and N images of H x H."""
    rng = np.random.default_rng(0)
    g = Geometry(N, C, H, H, C, 3, 3, pad=1)
    x, dout = (rng.standard_normal((N, H, H, C), dtype=np.float32) for _ in range(2))
    w, b = rng.standard_normal((C, C, 3, 3), dtype=np.float32), np.zeros(C, np.float32)
    runs = {}
    for algorithm in ("direct", "winograd"):
        convolution.plan.choose = functools.partial(_always, algorithm)  # whatever the plan would say
        filters = convolution.prepare(w, g)
        runs |= {
            ("forward", algorithm): functools.partial(_run, algorithm, convolution.forward, x, w, b, g),
            ("input", algorithm): functools.partial(_run, algorithm, convolution.input_gradient, dout, w, g),
            ("filters", algorithm): functools.partial(_run, algorithm, convolution.filter_gradient, x, dout, g),
            ("prepared", algorithm): functools.partial(_run, algorithm, convolution.forward, x, filters, b, g),
        }
    found = medians(runs)
    return [found[name, "direct"] / found[name, "winograd"] for name in ("forward", "input", "filters", "prepared")]


def _always(algorithm, *_):
    return convolution.plan.Choice(algorithm, ())


def _run(algorithm, function, *arguments):
    convolution.plan.choose = functools.partial(_always, algorithm)
    return function(*arguments)


if __name__ == "__main__":
    print("channels  images  size  tiles  saves   forward  input  filters  prepared")
    for C, N, H in itertools.chain(FEW_TILES, TINY_IMAGES):
        across = -(-H // 4)
        saves = 9 * H * H / (36 * across**2)
        cells = "  ".join(f"{ratio:6.2f}" for ratio in ratios(C, N, H))
        print(f"{C:8d}  {N:6d}  {H:4d}  {N * across**2:5d}  {saves:5.2f}   {cells}")
