"""A trained network at work: `pellucid.models.Inference` beside ONNX Runtime, which runs the file that we export.

    python -m benchmarks.serving                     # the ready-made networks, 1, 16 and 256 images
    python -m benchmarks.serving start model.safetensors picture.png    # a whole process, from nothing to the answer

Both sides get the same images and the same number of threads, and are timed in turn; their scores are compared first.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import App, Parameter

from benchmarks.timing import Settings, interleaved
from pellucid.extras.onnx_export import export_onnx
from pellucid.kernels.jit import threads
from pellucid.models import Inference, Network, airbench, resnet9, resnet20, tutorial

NETWORKS: dict[str, Callable[[], list]] = {
    "tutorial": lambda: tutorial(hidden_dim=500),
    "quick": lambda: airbench((64, 128, 128)),
    "airbench94": airbench,
    "resnet9": resnet9,
    "resnet20": resnet20,
}
BATCHES = (1, 16, 256)
STARTS = 7
app = App(name="python -m benchmarks.serving", help_format="plaintext", version_flags=[])


def trained_looking(steps: list, rng: np.random.Generator) -> Network:
    """A network whose statistics are those of some images, so that folding has something to fold."""
    network = Network(steps, (3, 32, 32), rng=0)
    network.loss(rng.standard_normal((64, 3, 32, 32), dtype=np.float32), rng.integers(0, 10, 64))
    return network


def runtime(path: Path, count: int) -> Any:
    """A session with all optimisations on so many threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = count, 1
    return onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])


def compared(network: Network, N: int, settings: Settings, rng: np.random.Generator) -> tuple[float, float]:
    """Median seconds a call: ours, ONNX Runtime's."""
    x = rng.standard_normal((N, 32, 32, 3), dtype=np.float32).transpose(0, 3, 1, 2)
    theirs_x = np.ascontiguousarray(x)
    ours = Inference(network)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        export_onnx(network, path, probabilities=False)
        session = runtime(path, threads())
    right = session.run(None, {"images": theirs_x})[0]
    np.testing.assert_allclose(ours(x), right, atol=1e-3 * np.abs(right).max())
    sides = {"ours": lambda: ours(x), "theirs": lambda: session.run(None, {"images": theirs_x})}
    times = interleaved(sides, settings)
    return statistics.median(times["ours"]), statistics.median(times["theirs"])


@app.default
def networks(only: str | None = None, repetitions: int = 9) -> None:
    """Print a row for each network and number of images."""
    rng = np.random.default_rng(0)
    print(f"{threads()} threads; milliseconds, medians of {repetitions} in turn")
    print("| network | images | pellucid | ONNX Runtime | ratio |\n| --- | ---: | ---: | ---: | ---: |")
    for name, steps in NETWORKS.items():
        if only not in (None, name):
            continue
        network = trained_looking(steps(), rng)
        for N in BATCHES:
            ours, theirs = compared(network, N, Settings(repetitions=repetitions), rng)
            print(f"| {name} | {N} | {1e3 * ours:.2f} | {1e3 * theirs:.2f} | {theirs / ours:.2f} |", flush=True)


@app.command
def start(model: Path, picture: Annotated[Path, Parameter()]) -> None:
    """The whole command ``pellucid predict``, from nothing to the answer, with compiled kernels on the disk."""
    command = [str(Path(sys.executable).with_name("pellucid")), "predict", str(model), str(picture)]
    seconds = []
    for _ in range(STARTS + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    print(f"pellucid predict: median {statistics.median(seconds[1:]):.2f} s of {STARTS}, the first {seconds[0]:.2f} s")


if __name__ == "__main__":
    app()
