"""`fault_me`, and every process writes down which images it computes in each step that it begins.

COUNTED names a folder; a line is "ATTEMPT STEP PROCESSES IMAGE IMAGE ...", in a file for each rank. A step that is
begun and not finished is begun again: in another attempt, or by fewer processes.
"""

import os
import runpy
from pathlib import Path

from pellucid.training import Solver
from pellucid.training.batches import Batches

RANK = next((os.environ[name] for name in ("PMI_RANK", "OMPI_COMM_WORLD_RANK") if name in os.environ), "0")
ATTEMPT = os.environ.get("PELLUCID_ATTEMPT", "").rpartition("-")[2]

take, step = Batches.take, Solver._step
solvers = []


def noting_step(solver):
    solvers[:] = [solver]
    step(solver)


def noting_take(batches, wanted, following):
    line = [ATTEMPT, solvers[0].iteration + 1, solvers[0].together.size, *wanted.chosen.tolist()]
    with (Path(os.environ["COUNTED"]) / RANK).open("a") as file:
        file.write(" ".join(map(str, line)) + "\n")
    return take(batches, wanted, following)


Batches.take, Solver._step = noting_take, noting_step
runpy.run_path(str(Path(__file__).with_name("fault_me.py")), run_name="__main__")
