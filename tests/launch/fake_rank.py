"""Stands in for one process of ``pellucid train``: counts steps instead of training, and fails as it is told to.

    fake_rank.py FOLDER [words of train]

FOLDER/plan.json says what goes wrong: {"1": {"do": "kill", "at": 7, "rank": 1}} is in the first attempt.
FOLDER/seen-ATTEMPT-RANK.json tells what this process was given.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from pellucid.runs import progress as told
from pellucid.runs.progress import FINISHING, STARTING, TRAINING, Progress

told.LEAST_S = 0.0  # every step is told, also of those that a real run would be too fast to tell of

STEPS, CHECKPOINT_EVERY = 20, 5
FOLDER, WORDS = Path(sys.argv[1]), sys.argv[2:]
ATTEMPT = os.environ["PELLUCID_ATTEMPT"].rpartition("-")[2]
RANK, RANKS = int(os.environ.get("FAKE_RANK", "0")), int(os.environ.get("FAKE_RANKS", "1"))
RUN = Path(WORDS[WORDS.index("--run") + 1])
STEP_FILE = FOLDER / f"step-{ATTEMPT}"


def main():
    signal.signal(signal.SIGUSR1, asked_to_save)  # first of all: whoever sees this process may send it one
    given = {"words": WORDS, "ranks": RANKS, "pid": os.getpid(), "limits": os.environ["PELLUCID_LIMITS"]}
    replace(FOLDER / f"seen-{ATTEMPT}-{RANK}.json", json.dumps(given))
    fault = json.loads((FOLDER / "plan.json").read_text()).get(ATTEMPT, {})
    return first(fault) if RANK == 0 else other(fault)


def first(fault):
    """Rank 0: counts, tells, saves."""
    progress = Progress.from_environment(RANK, RANKS)
    progress.beat(STARTING)
    misbehave(fault, progress, "start")
    RUN.mkdir(exist_ok=True)
    (RUN / "run.lock").touch()
    misbehave(fault, progress, "folder")
    if "--resume" not in WORDS:
        replace(RUN / "run.json", json.dumps({"by": ATTEMPT + os.environ["PELLUCID_ATTEMPT"]}))
        (RUN / "checkpoint").unlink(missing_ok=True)
    checkpoint = RUN / "checkpoint"
    begin = int(checkpoint.read_text()) if checkpoint.exists() else 0
    print(f"rank 0 of {RANKS} goes on after step {begin}", flush=True)
    progress.beat(STARTING, begin, STEPS)
    for step in range(begin + 1, STEPS + 1):
        progress.beat(TRAINING, step, STEPS)
        replace(STEP_FILE, str(step))
        misbehave(fault, progress, step)
        if step % CHECKPOINT_EVERY == 0:
            replace(checkpoint, str(step))
            print(f"saved step {step}", flush=True)
    progress.beat(FINISHING)
    misbehave(fault, progress, "finish")
    replace(FOLDER / "result", str(STEPS))
    progress.done()
    misbehave(fault, progress, "done")
    replace(FOLDER / f"over-{ATTEMPT}", "")
    return 0


def other(fault):
    """The others follow, until they are told that it is over."""
    while not (FOLDER / f"over-{ATTEMPT}").exists():
        at = STEP_FILE.read_text() if STEP_FILE.exists() else "0"
        misbehave(fault, None, int(at))
        time.sleep(0.01)
    return 0


def misbehave(fault, progress, where):
    """If it is time for it."""
    if not fault or fault["at"] != where:
        return
    if fault.get("rank", 0) != RANK:  # as whoever waits for a sum in which one part is missing
        if progress is not None:
            wait()
        return
    do = fault["do"]
    if do == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif do == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif do == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        wait()
    elif do == "wait":
        wait(FOLDER / "go")
    elif do == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, lambda *_: replace(FOLDER / f"asked-{RANK}", ""))
        wait()
    elif do == "lose":  # with its machine
        replace(FOLDER / "dead", fault["host"])
        os.kill(os.getpid(), signal.SIGKILL)
    elif do == "crash":
        print("Traceback: it was not meant to be", file=sys.stderr, flush=True)
        os._exit(1)
    elif do == "orphan":
        code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"
        child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
        replace(FOLDER / "orphan", str(child.pid))
        os.kill(os.getpid(), signal.SIGKILL)
    elif do == "fail":
        print("pellucid: train: the loss is not finite", file=sys.stderr, flush=True)
        progress.failed(fault["status"], fault["message"])
        os._exit(fault["status"])
    else:
        raise ValueError(do)


def wait(for_file=None):
    replace(FOLDER / f"waiting-{RANK}", "")
    while for_file is None or not for_file.exists():
        time.sleep(0.02)


def asked_to_save(signum, frame):
    replace(FOLDER / f"asked-{RANK}", "")
    sys.exit(128 + signal.SIGTERM)


def replace(path, text):
    """Whoever looks finds all of it."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    fresh.replace(path)


if __name__ == "__main__":
    sys.exit(main())
