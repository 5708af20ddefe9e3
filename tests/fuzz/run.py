"""Hostile files by the million.

    python tests/fuzz/run.py model --runs 200000                    # random changes of sound files
    python tests/fuzz/run.py model --runs 50000 --engine atheris    # guided by coverage: pip install 'pellucid[fuzz]'
    python tests/fuzz/run.py all --runs 1000000 --out fuzz.json     # shared out over all readers

Every input must give an answer or one of the reader's errors, with a sentence, within SECONDS and within MEMORY_BYTES
above what the process has when it starts. Anything else is a finding: the input is kept, and the command leaves with 1.
"""

import argparse
import faulthandler
import json
import mmap
import random
import resource
import signal
import subprocess
import sys
import time
import traceback
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

SECONDS = 5
LONGEST_S = 120
"""Of a hundred inputs."""
MOST_KEPT = 2**20
MEMORY_BYTES = 2 * 10**9
LONGEST_MESSAGE = 2000
SHARES = {
    "model": 5,
    "checkpoint": 4,
    "torch": 3,
    "onnx": 2,
    "idx": 4,
    "cifar": 1,
    "picture": 4,
    "zip": 1,
    "cache": 1,
    "recipe": 1,
}
"""Of all runs, by how fast a reader is."""


INSTRUMENTED = [
    "pellucid.data",
    "pellucid.shipping",
    "pellucid.tensors",
    "pellucid.extras",
    "pellucid.recipes",
    "pellucid.models.description",
    "pellucid.training.checkpoint",
    "tomllib",
    "zipfile",
]
"""Not the kernels: they are compiled from their own bytes."""


class TooSlow(Exception):
    """An input took longer than it may."""


def is_a_sentence(message):
    """Something is said, in one line that can be read."""
    return 0 < len(message.strip()) <= LONGEST_MESSAGE and "\n" not in message


class Last:
    """The input that is read now, in a file's memory: it is there even if the process is killed or crashes."""

    def __init__(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w+b") as file:
            file.truncate(MOST_KEPT)
            self._memory = mmap.mmap(file.fileno(), MOST_KEPT)

    def keep(self, data):
        kept = data[: MOST_KEPT - 8]
        self._memory[: 8 + len(kept)] = len(kept).to_bytes(8, "little") + kept

    @staticmethod
    def read(path):
        content = path.read_bytes()
        return content[8 : 8 + int.from_bytes(content[:8], "little")]


class Counter:
    """Gives inputs to a reader and keeps the books.

    Parameters
    ----------
    name, target
        See `fuzz.targets`.
    folder : path
        Where inputs are kept that are findings.
    """

    def __init__(self, name, target, folder):
        self.name, self.target, self.folder = name, target, folder
        self.answers = self.refusals = self.findings = 0
        self.slowest_s, self.started = 0.0, time.perf_counter()
        self.last = Last(folder / f"{name}-last")

    @property
    def inputs(self):
        return self.answers + self.refusals + self.findings

    def one_input(self, data):
        began = time.perf_counter()
        self.last.keep(data)
        try:
            self.target.read(data)
            self.answers += 1
        except self.target.refusals as error:
            if is_a_sentence(str(error)):
                self.refusals += 1
            else:
                self._finding(data)
        except (Exception, MemoryError):
            self._finding(data)
        self.slowest_s = max(self.slowest_s, time.perf_counter() - began)

    def _finding(self, data):
        self.findings += 1
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.name}-{self.findings}"
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(traceback.format_exc())

    def summary(self, engine):
        return {
            "target": self.name,
            "engine": engine,
            "inputs": self.inputs,
            "answers": self.answers,
            "refusals": self.refusals,
            "findings": self.findings,
            "slowest_s": round(self.slowest_s, 3),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
            "seconds": round(time.perf_counter() - self.started, 1),
        }


def changed(target, rng):
    """A sound file after some changes."""
    from fuzz.mutations import mutated

    data = mutated(rng.choice(target.seeds), rng, target.seeds)
    return target.wrap(data) if target.wrap is not None and rng.random() < 0.5 else data


def limit_memory():
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def at_random(name, runs, seed, folder):
    from fuzz.targets import TARGETS

    target = TARGETS[name]()
    counter, rng = Counter(name, target, folder), random.Random(seed)
    for data in target.seeds:  # sound ones first
        counter.one_input(data)
    limit_memory()

    def stop(signum, frame):
        raise TooSlow(f"longer than {SECONDS} s")

    signal.signal(signal.SIGALRM, stop)
    while counter.inputs < runs:
        data = changed(target, rng)
        if counter.inputs % 100 == 0:  # what never comes back from compiled code hears no signal: the process ends
            faulthandler.dump_traceback_later(LONGEST_S, exit=True)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            counter.one_input(data)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if counter.inputs % 50_000 == 0:
            print(json.dumps(counter.summary("random")), file=sys.stderr, flush=True)
    faulthandler.cancel_dump_traceback_later()
    return counter.summary("random")


def by_coverage(name, runs, seed, folder):
    """libFuzzer ends the process by itself, so the summary is printed at the last input."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from fuzz.targets import TARGETS, clean_up
    target = TARGETS[name]()
    counter, rng = Counter(name, target, folder), random.Random(seed)

    def one_input(data):
        counter.one_input(data)
        if counter.inputs == runs:
            print(json.dumps(counter.summary("atheris")), flush=True)
            clean_up()

    def mutate(data, most, seed):
        rng.seed(seed)
        if not data or rng.random() < 0.3:
            return changed(target, rng)[:most]
        new = atheris.Mutate(data, most) if rng.random() < 0.5 else changed_of(target, data, rng)
        return new[:most]

    corpus = folder / f"corpus-{name}"
    corpus.mkdir(parents=True, exist_ok=True)
    for i, data in enumerate(target.seeds):
        (corpus / f"seed-{i}").write_bytes(data)
    options = [f"-runs={runs}", f"-seed={seed + 1}", f"-timeout={SECONDS}", "-rss_limit_mb=4000", "-max_len=100000"]
    atheris.Setup([sys.argv[0], *options, "-verbosity=0", str(corpus)], one_input, custom_mutator=mutate)
    atheris.Fuzz()


def changed_of(target, data, rng):
    from fuzz.mutations import mutated

    data = mutated(data, rng, target.seeds)
    return target.wrap(data) if target.wrap is not None and rng.random() < 0.5 else data


def shared_out(runs, names):
    total = sum(SHARES[name] for name in names)
    return {name: -(-runs * SHARES[name] // total) for name in names}


def all_targets(arguments):
    """Each in a process of its own, so that none can hide behind another's memory."""
    rows = []
    for name, runs in shared_out(arguments.runs, list(SHARES)).items():
        command = [
            sys.executable,
            __file__,
            name,
            "--runs",
            runs,
            "--seed",
            arguments.seed,
            "--engine",
            arguments.engine,
        ]
        done = subprocess.run(
            [str(part) for part in (*command, "--findings", arguments.findings)], stdout=subprocess.PIPE, text=True
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        rows.append(json.loads(lines[-1]) if lines else died(name, done.returncode, arguments.findings))
        print(json.dumps(rows[-1]), flush=True)
    return rows


def died(name, status, folder):
    """What is known of a reader that took the process with it; its input is kept."""
    data = Last.read(folder / f"{name}-last")
    (folder / f"{name}-died").write_bytes(data)
    return {"target": name, "findings": 1, "died": status}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=[*SHARES, "all"])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=["random", "atheris"], default="random")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.target == "all":
        rows = all_targets(arguments)
        if arguments.out:
            arguments.out.write_text(json.dumps(rows, indent=1) + "\n")
        return int(any(row["findings"] for row in rows))
    run = at_random if arguments.engine == "random" else by_coverage
    summary = run(arguments.target, arguments.runs, arguments.seed, arguments.findings)
    print(json.dumps(summary))
    return int(bool(summary["findings"]))


if __name__ == "__main__":
    sys.exit(main())
