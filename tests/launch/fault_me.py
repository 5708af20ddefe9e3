"""``pellucid``, with something that goes wrong in one process, at a step, in one attempt.

FAULT is "ATTEMPT RANK STEP WHAT": in attempt 1, rank 1 is to be killed after step 40: "1 1 40 kill". Step 0 is before
the first. Several are separated by commas. "kill+7" kills seven thousandths of a second later, wherever it is then.
"""

import os
import signal
import sys
import threading

from pellucid.cli import main
from pellucid.runs.watched import WatchedHook

ATTEMPT = os.environ.get("PELLUCID_ATTEMPT", "").rpartition("-")[2]
RANK = next((os.environ[name] for name in ("PMI_RANK", "OMPI_COMM_WORLD_RANK") if name in os.environ), "0")
FAULTS = [fault.split() for fault in os.environ.get("FAULT", "").split(",") if fault]

as_it_is, at_the_start = WatchedHook.on_step, WatchedHook.on_train_begin


def on_step(hook, solver):
    as_it_is(hook, solver)
    go_wrong(solver.iteration)


def on_train_begin(hook, solver):
    at_the_start(hook, solver)
    go_wrong(0)


def go_wrong(step):
    for attempt, rank, at, what in FAULTS:
        if (attempt, rank, at) != (ATTEMPT, RANK, str(step)):
            continue
        if what.startswith("kill+"):
            threading.Timer(int(what[5:]) / 1000, os.kill, (os.getpid(), signal.SIGKILL)).start()
            continue
        if what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        while what == "stop":  # for good: an MPI that ends its processes may let this one go on for a while before
            os.kill(os.getpid(), signal.SIGSTOP)
        if what == "exit":
            sys.exit(3)
        elif what == "vanish":  # without a word to MPI
            os._exit(0)
        else:
            raise RuntimeError(what)


WatchedHook.on_step, WatchedHook.on_train_begin = on_step, on_train_begin
main()
