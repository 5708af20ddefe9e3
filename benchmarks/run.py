"""One row from start to end: build both sides, compare what they compute, and only then time them."""

from __future__ import annotations

import datetime
import statistics
from typing import Any

from benchmarks import memory
from benchmarks.case import Case, Contest, Runner, Skipped
from benchmarks.others import Others
from benchmarks.timing import Settings, interleaved
from benchmarks.verdict import Row, best_peer

QUIET = 0.03
"""Share of the processor's time that others may take; with more, a row is timed again, and says so if nothing helps."""
ATTEMPTS = 3


def measure(case: Case, settings: Settings, threads: int, compiled: bool) -> Row:
    """A row of results.

    Parameters
    ----------
    case : Case
    settings : Settings
        How long and how often to time.
    threads : int
        For processes that are started to measure memory; in this one they are set.
    compiled : bool
        Whether to have torch.compile as a peer.
    """
    if case.group == "memory":
        return measure_memory(case, threads)
    row = _empty_row(case, "ms")
    try:
        contest = case.build(compiled)
    except Skipped as reason:
        return row | {"status": "skipped", "notes": [str(reason)]}
    except Exception as failure:  # one row that can't be built must not cost the others
        return row | {"status": "wrong", "notes": [_first_line(failure)]}
    peers, errors = _agreeing(case, contest, row["notes"])
    row["errors"] = errors
    if errors.get("ours", float("inf")) > case.tolerance:
        return row | {"status": "wrong"}
    times, share = _timed_in_peace({"ours": contest.ours, **peers}, settings)
    if share > QUIET:
        row["notes"].append(f"other programs took {share:.0%} of the processor's time meanwhile: measure again")
    milliseconds = {name: [1e3 * second for second in seconds] for name, seconds in times.items()}
    return _filled(row, milliseconds) | _rate(case, statistics.median(times["ours"])) | {"others": share}


def _timed_in_peace(sides: dict[str, Runner], settings: Settings) -> tuple[dict[str, list[float]], float]:
    """Seconds of every side, and the others' share of the processor: of the first quiet attempt, or the quietest."""
    attempts = []
    for _ in range(ATTEMPTS):
        others = Others()
        times = interleaved({name: side.run for name, side in sides.items()}, settings)
        attempts.append((times, others.share()))
        if attempts[-1][1] <= QUIET:
            break
    return min(attempts, key=lambda attempt: attempt[1])


def measure_memory(case: Case, threads: int) -> Row:
    """A row of megabytes instead of milliseconds: the most that the whole process ever had."""
    row = _empty_row(case, "MB")
    try:
        peaks = memory.peaks(case.name, threads)
    except RuntimeError as reason:
        return row | {"status": "skipped", "notes": [str(reason)]}
    above = ", ".join(f"{side} {peak['peak'] - peak['ready']:.0f}" for side, peak in peaks.items())
    row["notes"].append(f"above what the process had when the network was ready, MB: {above}")
    return _filled(row, {side: [peak["peak"]] for side, peak in peaks.items()})


def _empty_row(case: Case, unit: str) -> Row:
    now = datetime.datetime.now().isoformat(timespec="minutes")
    about = {"group": case.group, "name": case.name, "unit": unit, "when": now}
    return about | {"status": "measured", "ratio": None, "notes": []}


def _filled(row: Row, samples: dict[str, list[float]]) -> Row:
    """Medians, the range that they come from, the best peer and the ratio."""
    medians = {name: statistics.median(values) for name, values in samples.items()}
    ours = medians.pop("ours")
    best = best_peer(medians)
    ranges = {name: [min(values), max(values)] for name, values in samples.items()}
    return row | {"ours": ours, "peers": medians, "ranges": ranges, "best": best, "ratio": medians[best] / ours}


def _rate(case: Case, seconds: float) -> Row:
    """What our side did a second."""
    if case.flops:
        return {"rate": 1e-9 * case.flops / seconds, "rate_unit": "GFLOP/s"}
    return {"rate": 1e-9 * case.traffic_bytes / seconds, "rate_unit": "GB/s"}


def _agreeing(case: Case, contest: Contest, notes: list[str]) -> tuple[dict[str, Runner], dict[str, float]]:
    """The peers that run and agree with the first of them, and everybody's error measured from it.

    torch.compile needs a C++ compiler, and may fail for other reasons: such a peer is left out, and a note says why.
    """
    reference, *others = contest.peers
    tolerance = case.tolerance
    want = _outputs(contest.peers[reference])
    peers, errors = {reference: contest.peers[reference]}, {}
    for name in others:
        try:
            error = case.error(_outputs(contest.peers[name]), want)
        except Exception as failure:
            notes.append(f"{name} could not run: {_first_line(failure)}")
            continue
        errors[name] = error
        if error <= tolerance:
            peers[name] = contest.peers[name]
        else:
            notes.append(f"{name} left out: its results differ by {error:.1e}")
    try:
        errors["ours"] = case.error(_outputs(contest.ours), want)
        if errors["ours"] > tolerance:
            notes.append(f"our results differ by {errors['ours']:.1e}; allowed are {tolerance:.0e}")
    except Exception as failure:
        notes.append(f"our side could not run: {_first_line(failure)}")
    return peers, errors


def _outputs(runner: Runner) -> Any:
    return (runner.outputs or runner.run)()


def _first_line(failure: Exception) -> str:
    lines = str(failure).strip().splitlines()
    return f"{type(failure).__name__}: {lines[0] if lines else ''}"
