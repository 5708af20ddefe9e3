"""Lists of hosts, the agent that reaches them, and what becomes of a launch that loses one."""

import dataclasses
import os
import sys

import pytest
from launches import PATIENT

from pellucid.launch.hosts import SSH, Agent, Host, hosts_from, hosts_of_file, is_here, with_places

AGENT = """#!/bin/sh
# As ssh: HOST COMMAND. Which hosts are dead stands in a file beside it.
here=$(dirname "$0")
echo "$1 $2" >> "$here/agent.log"
if [ -e "$here/dead" ] && [ "$(cat "$here/dead")" = "$1" ]; then exit 255; fi
if [ "$1" = silent ]; then exec sleep 1000; fi
exec sh -c "$2"
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="who belongs to an attempt is read from /proc")
posix = pytest.mark.skipif(os.name == "nt", reason="the agent is a shell script")


@pytest.fixture
def agent(tmp_path):
    path = tmp_path / "agent"
    path.write_text(AGENT)
    path.chmod(0o755)
    return Agent(str(path))


def test_hosts_are_named_with_or_without_places():
    assert hosts_from("a, b:2,10.0.0.3") == [Host("a"), Host("b", 2), Host("10.0.0.3")]
    assert hosts_from("a,b:2,a:3") == [Host("a", 4), Host("b", 2)], "named twice, it has both places"


def test_a_host_file_is_one_of_either_mpi(tmp_path):
    path = tmp_path / "hosts"
    path.write_text("# ours\nnode1\nnode2:4  # the large one\n\nnode3 slots=2\n")
    assert hosts_of_file(path) == [Host("node1"), Host("node2", 4), Host("node3", 2)]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "'' is no host"),
        ("a,,b", "'' is no host"),
        ("-oProxyCommand=x", "is no host"),
        ("a b", "is no host"),
        ("a;b", "is no host"),
        ("[::1]:2", "is no host"),
        ("a:", "'a:' has '' places"),
        ("a:0", "has '0' places"),
        ("a:-1", "has '-1' places"),
        ("a:two", "has 'two' places"),
        ("a:1.5", "has '1.5' places"),
        ("a:999999999999999999999", "must be a whole number"),
        ("a:²", "must be a whole number"),
    ],
)
def test_what_is_no_host_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match="launch: --hosts ") as told:
        hosts_from(text)
    assert message in str(told.value)
    path = tmp_path / "hosts"
    path.write_text(f"good\n{text}\n")
    if text and "," not in text:
        with pytest.raises(ValueError, match="line 2: "):
            hosts_of_file(path)


def test_a_host_file_that_holds_none_is_refused(tmp_path):
    path = tmp_path / "hosts"
    path.write_text("# nothing\n")
    with pytest.raises(ValueError, match="names no host"):
        hosts_of_file(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is no text"):
        hosts_of_file(path)
    with pytest.raises(FileNotFoundError):
        hosts_of_file(tmp_path / "missing")


@pytest.mark.parametrize(
    "text, ranks, places",
    [
        ("a,b", None, [1, 1]),
        ("a,b:3", None, [1, 3]),
        ("a,b,c", 6, [2, 2, 2]),
        ("a,b,c", 7, [3, 2, 2]),
        ("a,b:2,c", 6, [2, 2, 2]),
        ("a,b", 1, [1, 1]),
        ("a:4,b:4", 3, [4, 4]),
    ],
)
def test_places_without_a_number_are_even_shares(text, ranks, places):
    assert [host.places for host in with_places(hosts_from(text), ranks)] == places


def test_more_processes_than_places_are_refused():
    with pytest.raises(ValueError, match=r"-n is 5, but the hosts have 4 places; name more hosts.*\(a:3\)"):
        with_places(hosts_from("a:2,b:2"), 5)
    assert with_places(hosts_from("a:2,b:2"), 5, oversubscribe=True) == [Host("a", 2), Host("b", 2)]


@posix
def test_the_agent_is_asked_as_ssh_is(agent, tmp_path):
    assert agent.words("a", ["echo", "two words"]) == [agent.program, "a", "echo 'two words'"]
    ssh = SSH.words("a", ["true"])
    assert (ssh[0], ssh[-2:]) == ("ssh", ["a", "true"])
    assert "BatchMode=yes" in ssh, "it must not ask for a password"


@posix
def test_hosts_that_refuse_or_say_nothing_do_not_answer(agent, tmp_path):
    (tmp_path / "dead").write_text("b")
    hosts = hosts_from("a,b,silent,c")
    assert agent.answering(hosts, 2.0) == [Host("a"), Host("c")]
    assert Agent(str(tmp_path / "missing")).answering(hosts, 2.0) == []


def test_this_machine_needs_no_ssh(monkeypatch):
    monkeypatch.setenv("PATH", "")
    SSH.check([Host("localhost")])
    assert SSH.answering([Host("localhost")], 1.0) == [Host("localhost")]
    assert is_here("localhost")
    assert not is_here("another.example")
    with pytest.raises(ValueError, match="ssh is not installed; name the program that reaches hosts with"):
        SSH.check([Host("localhost"), Host("another.example")])


@linux
@pytest.mark.parametrize("faults", ["", "cheerful", "careless"])
def test_a_lost_host_is_left_out(fake, agent, tmp_path, capfd, faults):
    """Also where mpiexec leaves with status 0, as Open MPI's does."""
    hosts = [Host("a", 2), Host("b", 1)]
    launched = fake(
        {1: {"do": "lose", "host": "b", "at": 7, "rank": 2}}, ranks=3, hosts=hosts, agent=agent, faults=faults
    )
    assert launched.supervisor.run() == 0
    first, second = launched.command_lines
    assert first[:8] == ["-launcher", "ssh", "-launcher-exec", agent.program, "-hosts", "a:2,b:1", "-n", "3"]
    assert second[4:8] == ["-hosts", "a:2", "-n", "2"]
    assert launched.ranks == [3, 2]
    assert launched.left() == []
    assert "launch: b does not answer and is left out\n" in capfd.readouterr().err
    log = (tmp_path / "agent.log").read_text()
    assert f"a {sys.executable} -m pellucid.launch.sweep {launched.supervisor._launch}-1\n" in log.replace(
        f"env PYTHONPATH={os.environ.get('PYTHONPATH')} ", ""
    )


class Scripted(Agent):
    """Answers as it is told, one list of hosts after the other."""

    def answering(self, hosts, within_s):
        names = SCRIPT.pop(0)
        return [host for host in hosts if host.name in names]

    def sweep(self, hosts, attempt, within_s):
        return list(hosts)


SCRIPT = []


@linux
def test_a_host_that_comes_back_takes_part_again(fake, capfd):
    SCRIPT[:] = ["ab", "a", "ab"]
    plan = {1: {"do": "kill", "at": 7}, 2: {"do": "kill", "at": 12}}
    launched = fake(plan, hosts=[Host("a", 1), Host("b", 1)], agent=Scripted())
    assert launched.supervisor.run() == 0
    assert launched.ranks == [2, 1, 2]


@linux
def test_with_too_few_hosts_it_waits(fake, capfd):
    SCRIPT[:] = ["ab", "", "a", "ab"]
    limits = dataclasses.replace(PATIENT, min_ranks=2)
    launched = fake({1: {"do": "kill", "at": 7}}, limits, hosts=[Host("a", 1), Host("b", 1)], agent=Scripted())
    assert launched.supervisor.run() == 0
    assert len(launched.command_lines) == 2
    err = capfd.readouterr().err
    assert "launch: a, b do not answer and are left out\n" in err
    assert "launch: attempt 3 has to wait: too few hosts answer for 2 processes\n" in err


@linux
def test_hosts_that_never_come_back_end_it(fake, capfd):
    SCRIPT[:] = ["ab", *[""] * 9]
    limits = dataclasses.replace(PATIENT, fruitless=2)
    launched = fake({1: {"do": "kill", "at": 7}}, limits, hosts=[Host("a", 1), Host("b", 1)], agent=Scripted())
    assert launched.supervisor.run() == 1
    assert "given up: 2 attempts in a row got no further; go on with: " in capfd.readouterr().err


def test_a_host_that_never_answered_is_a_slip_of_the_pen(fake):
    SCRIPT[:] = ["a"]
    launched = fake({}, hosts=[Host("a", 1), Host("bb", 1)], agent=Scripted())
    with pytest.raises(ValueError, match=r"launch: bb does not answer within 10 s to: ssh .* bb true; correct --hosts"):
        launched.supervisor.run()
    assert not (launched.folder / "runs").exists()
