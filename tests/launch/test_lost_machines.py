"""Two machines, one of which is lost or cut off: network namespaces with a link between them, an agent for ssh."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from launches import kill, processes_of, until

from mpi_here import every_mpi
from pellucid.metrics import read_metrics
from program import PROGRAM

HERE, THERE = "10.231.7.1", "10.231.7.2"
TOOLS = ("ip", "unshare", "hostname")
AGENT = """#!/bin/sh
# As ssh: [options] HOST COMMAND..., where the second machine answers only while its link is up.
while [ "${{1#-}}" != "$1" ]; do shift; done
case $1 in {here}) name={a};; {there}) name={b};; *) exit 255;; esac
shift
[ $name = {a} ] || ip -n $name link show v0 | grep -q "state UP" || exit 255
exec ip netns exec $name unshare --uts sh -c "hostname $name; $*"
"""
STEPS = 27 * 60

missing = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's"),
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(bool(missing), reason=f"not installed here: {', '.join(missing)}"),
    pytest.mark.timeout(300),
    pytest.mark.slow,
]


class Machines:
    """Two namespaces with a link between them."""

    def __init__(self, folder):
        self.names = [f"pellucid-{os.getpid()}-{which}" for which in "ab"]
        self.agent = folder / "agent"

    def begin(self):
        a, b = self.names
        for name in self.names:
            self.ip("netns", "add", name)
        self.ip("-n", a, "link", "add", "v0", "type", "veth", "peer", "name", "v0", "netns", b)
        for name, address in zip(self.names, (HERE, THERE), strict=True):
            self.ip("-n", name, "addr", "add", f"{address}/24", "dev", "v0")
            self.ip("-n", name, "link", "set", "v0", "up")
            self.ip("-n", name, "link", "set", "lo", "up")
        self.agent.write_text(AGENT.format(here=HERE, there=THERE, a=a, b=b))
        self.agent.chmod(0o755)

    def ip(self, *words):
        return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout

    def on_first(self, words):
        """The command line that runs there."""
        first = self.names[0]
        script = f'hostname {first}; exec "$@"'
        return ["ip", "netns", "exec", first, "unshare", "--uts", "sh", "-c", script, "sh", *map(str, words)]

    def cut(self):
        """The link is down, and everything runs on."""
        self.ip("-n", self.names[1], "link", "set", "v0", "down")

    def lose(self):
        """The second machine is gone."""
        kill(map(int, self.ip("netns", "pids", self.names[1]).split()))
        self.cut()

    def end(self):
        for name in self.names:
            pids = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout
            kill(map(int, pids.split()))
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


@pytest.fixture
def machines(tmp_path):
    made = Machines(tmp_path)
    try:
        made.begin()
    except subprocess.CalledProcessError as error:
        made.end()
        pytest.skip(f"this system makes no network namespaces: {error.stderr.strip()}")
    yield made
    made.end()


@every_mpi
@pytest.mark.parametrize("what", ["cut", "lose"])
def test_a_machine_that_is_lost(mpi, machines, tmp_path, what):
    """The run goes on without it, from the checkpoint, and is done."""
    run = tmp_path / "run"
    launch = [PROGRAM, "launch", "--hosts", f"{HERE}:1,{THERE}:1", "--launcher-exec", machines.agent]
    launch += ["--mpiexec", mpi.mpiexec, "--stall-timeout", "20"]
    train = ["train", "digits", "--epochs", "60", "--filters", "4", "--hidden", "8", "--threads", "1", "--run", run]
    over_the_link = {"UCX_TLS": "tcp,self", "HYDRA_IFACE": "v0", "OMP_WAIT_POLICY": "PASSIVE"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(
        machines.on_first([*launch, *train]), env=os.environ | over_the_link, start_new_session=True, **streams
    )
    try:
        for line in process.stdout:
            if "(Epoch 3 /" in line:
                break
        assert machines.ip("netns", "pids", machines.names[1]).split(), "the second machine takes part"
        getattr(machines, what)()
        out, err = process.communicate(timeout=200)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, out + err
    assert "launch: attempt 1: 2 processes (" in err
    assert f"launch: {THERE} does not answer and is left out\n" in err
    assert "launch: attempt 2: 1 process (" in err
    assert list(read_metrics(run / "metrics.jsonl").steps.step) == list(range(1, STEPS + 1))
    until(lambda: not machines.ip("netns", "pids", machines.names[1]).split(), "the end of all on the lost machine")
    assert not [pid for pid in processes_of("") if os.fsencode(run) in Path(f"/proc/{pid}/cmdline").read_bytes()]
