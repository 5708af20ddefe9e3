"""Peak memory of the training steps, ours and PyTorch's, each in a process of its own.

    python -m benchmarks.memory ours resnet9
    python -m benchmarks.memory channels_last resnet9

prints, as JSON, the megabytes of the process when it was ready to begin and the most that it ever had. torch.compile is
not among them: the compiler's own memory would be counted.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

from benchmarks import steps
from benchmarks.case import Case, Contest, Skipped

ROOT = Path(__file__).parents[1]
PEERS = ("NCHW", "channels_last")
STEPS = 3


def cases() -> list[Case]:
    """One row a network; `run.measure_memory` measures it."""
    return [Case("memory", name, _no_contest) for name in steps.BATCHES]


def _no_contest(compiled: bool) -> Contest:
    raise Skipped("memory is not timed")


def peaks(name: str, threads: int) -> dict[str, dict[str, float]]:
    """Megabytes of every side: "ready" and "peak"."""
    return {side: _in_a_process(side, name, threads) for side in ("ours", *PEERS)}


def _in_a_process(side: str, name: str, threads: int) -> dict[str, float]:
    """The lower of two runs: the first of ours may have had kernels to compile."""
    command = [sys.executable, "-m", "benchmarks.memory", side, name, str(threads)]
    runs = []
    for _ in range(2 if side == "ours" else 1):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return min(runs, key=lambda run: run["peak"])


def _peak_mb() -> float:
    """The most memory that this process ever had.

    On Linux read from the system's account of the process: what `getrusage` gives there starts from the parent's size.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    except OSError:
        kilobytes = 1 if sys.platform != "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / kilobytes / 1024


def main(side: str, name: str, threads: str) -> None:
    """The child: a few steps, then its memory."""
    from benchmarks.machine import set_threads

    set_threads(int(threads), torch_too=side != "ours")
    runner = steps.our_step(name) if side == "ours" else steps.torch_step(name, side)
    ready = _peak_mb()
    for _ in range(STEPS):
        runner.run()
    print(json.dumps({"ready": ready, "peak": _peak_mb()}))


if __name__ == "__main__":
    main(*sys.argv[1:4])
