"""``pellucid launch``: from the command line to the supervisor."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cyclopts import CycloptsError

from pellucid import check
from pellucid.cli import USAGE_ERROR, app
from pellucid.launch import finding
from pellucid.launch.hosts import Agent, Host, hosts_from, hosts_of_file, total, with_places
from pellucid.launch.job import Job
from pellucid.launch.mpiexec import Mpiexec
from pellucid.launch.supervisor import Limits, Supervisor
from pellucid.runs.folder import RunFolder, processors

SCHEDULERS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "PE_HOSTFILE", "COBALT_JOBID", "FLUX_URI")
"""Variables of an allocation, in which mpiexec learns the hosts by itself. PE_HOSTFILE is Grid Engine's."""
SLURM_TASKS = "SLURM_NTASKS"


def launch_command(command: Sequence[str], given: Mapping[str, Any]) -> int:
    """Everything that ``pellucid launch`` does."""
    _check_numbers(given)
    options = _train_options(command)
    if options is None:
        return USAGE_ERROR  # cyclopts has said what is wrong
    hosts, allocated = _hosts(given), any(name in os.environ for name in SCHEDULERS)
    ranks = _ranks(given, hosts, allocated)
    agent = Agent(_program(given["launcher_exec"]))
    agent.check(hosts)
    job = _job(command, options)
    alone = ranks == 1 and not hosts and given["mpiexec"] is None
    mpiexec = None if alone else finding.chosen(given["mpiexec"], os.environ)
    if given["survive"]:
        _check_can_survive(mpiexec)
    supervisor = Supervisor(
        job,
        ranks,
        mpiexec,
        Limits(
            start_s=given["start_timeout"],
            stall_s=given["stall_timeout"],
            restarts=given["max_restarts"],
            fruitless=given["max_fruitless"],
            min_ranks=given["min_ranks"],
        ),
        hosts=hosts,
        agent=agent,
        oversubscribe=given["oversubscribe"],
        allocated=allocated and not alone,
        survive=given["survive"],
        own_words=_own_words(given),
    )
    return supervisor.run()


def _check_can_survive(mpiexec: Mpiexec | None) -> None:
    if mpiexec is None:
        raise ValueError("launch: --survive is for several processes; give -n 2 or more, or leave it out")
    if not mpiexec.can_survive:
        raise ValueError(
            f"launch: --survive needs Open MPI 5 or later, and {mpiexec.path} is {mpiexec}; name another with "
            "--mpiexec, or leave --survive out: then all processes start again when one is lost"
        )


def _check_numbers(given: Mapping[str, Any]) -> None:
    for name in ("stall_timeout", "start_timeout"):
        check.number("launch", _option(name), given[name], above=0)
    for name, least in (("max_restarts", 0), ("max_fruitless", 1), ("min_ranks", 1)):
        check.whole_number("launch", _option(name), given[name], least=least)
    if given["ranks"] is not None:
        check.whole_number("launch", "-n", given["ranks"], least=1)


def _train_options(command: Sequence[str]) -> dict[str, Any] | None:
    """What ``pellucid train`` would understand, so that a slip is said before anything is started; None for a slip."""
    words = list(command)
    if words and words[0] != "train" and words[0] in app and not Path(words[0]).exists():
        raise ValueError(f"launch: {words[0]} cannot be launched; only train can")
    try:
        _, bound, _ = app.parse_args(["train", *_behind_train(words)], exit_on_error=False)
    except CycloptsError:
        return None
    options = dict(bound.arguments)
    if options.get("resume") and options.get("run") is None:
        raise ValueError("launch: --resume needs --run, the folder of the run to go on with")
    if not options.get("resume") and options.get("data") is None:
        raise ValueError("launch: say what to train on: pellucid launch -n 2 train digits --epochs 20")
    return options


def _behind_train(command: Sequence[str]) -> tuple[str, ...]:
    return tuple(command[1:] if command and command[0] == "train" else command)


def _hosts(given: Mapping[str, Any]) -> list[Host]:
    if given["hosts"] is not None and given["hostfile"] is not None:
        raise ValueError("launch: --hosts and --hostfile say the same; give one of them")
    if given["hosts"] is not None:
        named = hosts_from(given["hosts"])
    elif given["hostfile"] is not None:
        named = hosts_of_file(given["hostfile"])
    else:
        return []
    return with_places(named, given["ranks"], given["oversubscribe"])


def _ranks(given: Mapping[str, Any], hosts: Sequence[Host], allocated: bool) -> int:
    """How many processes, and not more than is sensible."""
    most, ranks = processors(), given["ranks"]
    if ranks is None:
        ranks = total(hosts) if hosts else _allocated_ranks() if allocated else most
    elif not hosts and not allocated and ranks > most and not given["oversubscribe"]:
        raise ValueError(
            f"launch: -n is {ranks}, but this process may use {most} processors; processes of MPI that wait take "
            f"a whole one, so more are much slower. Give -n {most}, name other --hosts, or add --oversubscribe"
        )
    if ranks < given["min_ranks"]:
        raise ValueError(f"launch: --min-ranks is {given['min_ranks']}, but only {ranks} processes are to be started")
    return ranks


def _allocated_ranks() -> int:
    tasks = os.environ.get(SLURM_TASKS, "")
    if not tasks.isdecimal() or int(tasks) < 1:
        raise ValueError("launch: the scheduler does not say how many processes there are to be; say it with -n")
    return int(tasks)


def _program(given: str | None) -> str | None:
    """Of --launcher-exec: where the program is, since it is started from other folders, too."""
    return None if given is None else str(finding.named(given, os.environ, "--launcher-exec"))


def _job(command: Sequence[str], options: Mapping[str, Any]) -> Job:
    """The run, in a folder that is known from now on."""
    words, run, resumes = _behind_train(command), options.get("run"), bool(options.get("resume"))
    if run is None:
        run = RunFolder.next_free(Path("runs"), Path(options["data"]).stem).path
        words = (*words, "--run", str(run))
    if RunFolder(run).is_held():
        raise ValueError(f"launch: another process is training in {run}; wait for it or name another folder with --run")
    again = [f"--memory={options['memory']:g}"] if options.get("memory") is not None else []
    again += ["--tensorboard"] if options.get("tensorboard") else []
    return Job(run, words, tuple(again), resumes)


def _own_words(given: Mapping[str, Any]) -> list[str]:
    """The options of the launch that were given, for the advice how to go on."""
    words: list[str] = []
    for name, value in given.items():
        if value is None or value is False or value == DEFAULTS.get(name):
            continue
        option = "-n" if name == "ranks" else _option(name)
        words += [option] if value is True else [option, f"{value:g}" if isinstance(value, float) else str(value)]
    return words


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


DEFAULTS = {
    "stall_timeout": Limits.stall_s,
    "start_timeout": Limits.start_s,
    "max_restarts": Limits.restarts,
    "max_fruitless": Limits.fruitless,
    "min_ranks": Limits.min_ranks,
}
