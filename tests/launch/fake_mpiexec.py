"""Stands in for mpiexec: starts processes and treats them as MPICH's or Open MPI's would, without any MPI.

What it does beside comes from the environment:

FAKE_MPI       "MPICH" or "Open MPI"
FAKE_SIZE      how many processes see each other, as a probe is told
FAKE_FAULTS    words: "stubborn" ignores SIGTERM, "careless" leaves the others alone when it ends, "cheerful" leaves
               with status 0 whatever happened; when it is only asked to greet, "mute" never ends and "broken" fails
FAKE_LOG       a file that gets the command lines
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

VERSIONS = {"MPICH": "HYDRA build details:\n    Version:            9.8.7", "Open MPI": "mpiexec (Open MPI) 9.8.7"}
KIND = os.environ.get("FAKE_MPI", "MPICH")
FAULTS = os.environ.get("FAKE_FAULTS", "").split()


def main():
    words = sys.argv[1:]
    if words == ["--version"]:
        print(VERSIONS.get(KIND, "what?"))
        return 0
    if "-c" in words:
        return greet(words)
    with Path(os.environ["FAKE_LOG"]).open("a") as log:
        log.write(json.dumps(words) + "\n")
    at = words.index("-n")
    ranks = []
    signal.signal(signal.SIGUSR1, lambda signum, frame: [rank.send_signal(signum) for rank in ranks])
    signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in FAULTS else lambda *_: leave(ranks, 143))
    for rank in range(int(words[at + 1])):
        ranks.append(started(rank, words[at + 1], words[at + 2 :]))
    while any(rank.poll() is None for rank in ranks):
        if any((rank.poll() or 0) < 0 for rank in ranks):  # one was killed: no MPI goes on without it
            leave(ranks, 9)
        time.sleep(0.01)
    return leave(ranks, max(abs(rank.returncode) for rank in ranks))


def started(rank, size, program):
    """As Open MPI does, in a session of its own, out of reach of a group's signal."""
    return subprocess.Popen(
        program, env=os.environ | {"FAKE_RANK": str(rank)} | {"FAKE_RANKS": size}, start_new_session=True
    )


def greet(words):
    if "mute" in FAULTS:
        time.sleep(1000)
    if "broken" in FAULTS:
        print("Fatal error in internal_Init_thread")
        return 16
    for _ in range(int(words[words.index("-n") + 1])):
        print(f"<ranks {os.environ.get('FAKE_SIZE', '2')} of {KIND}>")
    return 0


def leave(ranks, status):
    if "careless" not in FAULTS:
        for rank in ranks:
            if rank.poll() is None:
                rank.kill()
    os._exit(0 if "cheerful" in FAULTS else status)


if __name__ == "__main__":
    sys.exit(main())
